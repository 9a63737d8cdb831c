"""The history as a page, in the report's style: every case over time, and where it changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from voxmark_reports import charts
from voxmark_reports.cases import unit_of
from voxmark_reports.change_points import ChangePoint, change_points
from voxmark_reports.charts import Chart
from voxmark_reports.history_store import Series
from voxmark_reports.page import Section, paragraph
from voxmark_reports.tables import Table
from voxmark_reports.text import change_text, clean, quantity_text

MOST_CHARTS = 40

Found = list[tuple[Series, list[ChangePoint]]]


def find_changes(series: Sequence[Series]) -> Found:
    """Those with changes first."""
    found = [(one, change_points([point.median for point in one.points])) for one in series]
    return sorted(found, key=lambda entry: not entry[1])


def commit_text(commit: str | None) -> str:
    """Shortened, but for the word that it had uncommitted changes."""
    head, dash, rest = clean(commit or "unknown").partition("-")
    return head[:12] + dash + rest[:12]


def changes_table(found: Found) -> Table:
    rows: list[dict[str, Any]] = []
    for series, changes in found:
        unit = unit_of(series.metric)
        for change in changes:
            state = series.points[change.position].state
            rows.append(
                {
                    "case": clean(series.label),
                    "metric": series.metric,
                    "machine": clean(series.machine),
                    "commit": commit_text(state.commit),
                    "created": clean(state.created),
                    "before": quantity_text(change.before, unit),
                    "after": quantity_text(change.after, unit),
                    "change": change_text(change.ratio),
                }
            )
    columns = [
        (name, name)
        for name in ("case", "metric", "change", "before", "after", "commit", "created", "machine")
    ]
    return Table("changes", "Where a level changed and stayed", columns, rows)


def series_table(found: Found) -> Table:
    rows = [
        {
            "case": clean(series.label),
            "metric": series.metric,
            "machine": clean(series.machine),
            "states": len(series.points),
            "changes": len(changes),
            "first": series.points[0].median,
            "last": series.points[-1].median,
            "unit": unit_of(series.metric),
        }
        for series, changes in found
    ]
    columns = [
        (name, name)
        for name in ("case", "metric", "machine", "states", "changes", "first", "last", "unit")
    ]
    return Table("series", "All cases", columns, rows)


def series_chart(number: int, series: Series, changes: Sequence[ChangePoint]) -> Chart:
    unit = unit_of(series.metric)
    scale = 2**-30 if unit == "bytes" else 1.0
    axis = {"bytes": " (GiB)", "seconds": " (s)"}.get(unit, "")
    rows = [
        {
            "order": position,
            "commit": commit_text(point.state.commit),
            "created": clean(point.state.created),
            "value": scale * point.median,
            "shown": quantity_text(point.median, unit),
            "processes": point.processes,
            "accepted": "yes" if point.state.accepted else "no",
        }
        for position, point in enumerate(series.points)
    ]
    x = alt.X(
        "order:Q",
        title="state, in the order of measurement",
        axis=alt.Axis(format="d", tickMinStep=1),
    )
    y = alt.Y(
        "value:Q",
        title=series.metric + axis,
        scale=alt.Scale(zero=False, padding=10),
        axis=alt.Axis(format=".5~g"),  # also where all values are the same
    )
    base = alt.Chart(alt.Data(values=rows))
    line = base.mark_line(strokeWidth=1.5, color=charts.PALETTE[0], opacity=0.6).encode(x=x, y=y)
    dots = base.mark_point(filled=True, size=55, color=charts.PALETTE[0]).encode(
        x=x, y=y, tooltip=["commit:N", "created:N", "shown:N", "processes:Q", "accepted:N"]
    )
    layers = [line, dots]
    if changes:
        marks = [{"at": c.position - 0.5, "text": change_text(c.ratio)} for c in changes]
        marked = alt.Chart(alt.Data(values=marks))
        layers.append(marked.mark_rule(strokeDash=[4, 3], color=charts.PALETTE[3]).encode(x="at:Q"))
        layers.append(
            marked.mark_text(dy=-3, baseline="bottom").encode(  # above the dots
                x="at:Q", y=alt.value(0), text="text:N"
            )
        )
    return Chart(
        f"trend-{number}",
        f"{clean(series.label)}: {series.metric}",
        f"{clean(series.machine)}. Every dot is a report (median of its processes); dashed: the"
        " level changed and stayed.",
        charts.finish(alt.layer(*layers), 220),
    )


def sections(found: Found) -> list[Section]:
    summary = Section("changes", "Changes")
    table = changes_table(found)
    if not table.rows:
        summary.add(paragraph("No figure moved to another level and stayed there."))
    summary.add(table, series_table(found))
    drawn = Section("trends", "Trends")
    drawn.add(
        *(
            series_chart(i, series, changes)
            for i, (series, changes) in enumerate(found[:MOST_CHARTS])
        )
    )
    if len(found) > MOST_CHARTS:
        drawn.add(
            paragraph(
                f"... and {len(found) - MOST_CHARTS} series more, without changes"
                " that are not in the table above."
            )
        )
    return [summary, drawn]
