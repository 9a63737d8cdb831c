"""What `voxmark reproduce` says of the white paper: its own words, on the page."""

from __future__ import annotations

import html
from collections.abc import Sequence

import altair as alt

from voxmark_reports import details
from voxmark_reports.charts import LOG, Chart, colour_of, data, finish, numbered
from voxmark_reports.page import Section, paragraph
from voxmark_reports.reading import Report
from voxmark_reports.tables import Table
from voxmark_reports.text import file_name


def lines_of(reports: Sequence[Report]) -> list[str]:
    """The answers, with the report's name where there is more than one."""
    found = [(report, details.answer(report)) for report in reports]
    told = [(report.name, answer.lines) for report, answer in found if answer]
    named = len(told) > 1
    return [f"{name}: {line}" if named else line for name, lines in told for line in lines]


def _claims_table(report: Report, answer: details.Answer) -> Table:
    columns = [
        ("verdict", "verdict"),
        ("title", "the paper says"),
        ("paper", "its figure"),
        ("here", "here"),
        ("place", "where"),
    ]
    title = "The paper's claims, one by one"
    return Table(f"claims-{file_name(report.name)}", title, columns, answer.claims)


MEASURES = (
    ("step_seconds", "seconds"),
    ("page_faults", "page faults"),
    ("peak_bytes_per_voxel", "peak bytes per voxel"),
)


def _generations_chart(report: Report, answer: details.Answer) -> Chart | None:
    if not answer.generations:
        return None
    first = answer.generations[0]
    rows = [
        {
            "backend": row["backend"],
            "meaning": row["meaning"],
            "measure": name,
            "share": row[key] / first[key],
            "value": row[key],
        }
        for row in answer.generations
        for key, name in MEASURES
        if row[key] and first[key]  # no faults have no place on a scale of factors
    ]
    indices = numbered(name for _, name in MEASURES)
    chart = (
        alt.Chart(data(rows))
        .mark_point(filled=True, size=110, opacity=0.9)
        .encode(
            x=alt.X("share:Q", title=f"times as much as {first['backend']}", scale=LOG),
            y=alt.Y("backend:N", title=None, sort=[row["backend"] for row in answer.generations]),
            color=colour_of("measure", indices),
            tooltip=["backend:N", "meaning:N", "measure:N", alt.Tooltip("value:Q", format=".4g")],
        )
    )
    return Chart(
        f"generations-{file_name(report.name)}",
        f"The step by program, the oldest first, at {answer.shape}",
        "Further left is better. Seconds and page faults are of a step; 0 has no point.",
        finish(chart, 34 * len(answer.generations)),
    )


def _generations_table(report: Report, answer: details.Answer) -> Table:
    columns = [
        ("backend", "program"),
        ("meaning", "what that is"),
        ("step_seconds", "step s"),
        ("times", "times as fast as the first"),
        ("page_faults", "page faults"),
        ("peak_bytes_per_voxel", "peak bytes per voxel"),
    ]
    title = f"The step by program, the oldest first, at {answer.shape}"
    return Table(f"generations-{file_name(report.name)}", title, columns, answer.generations)


def section(reports: Sequence[Report]) -> Section:
    found = Section("whitepaper", "The white paper")
    for report in reports:
        answer = details.answer(report)
        if answer is None:
            continue
        lines = "".join(
            paragraph(line, "answer" if number == 0 else "")
            for number, line in enumerate(answer.lines)
        )
        name = f"<h3>{html.escape(report.name)}</h3>" if len(reports) > 1 else ""
        found.add(f'{name}<div class="headline">{lines}</div>')
        found.add(_claims_table(report, answer))
        found.add(_generations_chart(report, answer), _generations_table(report, answer))
        for line in (answer.left_out, answer.measured):
            found.add(paragraph(line, "dim") if line else None)
    return found
