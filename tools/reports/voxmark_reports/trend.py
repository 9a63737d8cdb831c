"""The history as a page, in the report's style: every case over time, and where it changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import altair as alt

from voxmark_reports import charts
from voxmark_reports.cases import unit_of
from voxmark_reports.change_points import ChangePoint, change_points
from voxmark_reports.charts import Chart
from voxmark_reports.history_store import Series, State
from voxmark_reports.page import Section, paragraph
from voxmark_reports.tables import Table
from voxmark_reports.text import change_text, clean, quantity_text

MOST_CHARTS = 40
MOST_TICKS = 24  # of a chart's axis: every state where there are no more

Found = list[tuple[Series, list[ChangePoint]]]


def find_changes(series: Sequence[Series]) -> Found:
    """Those with changes first."""
    found = [(one, change_points([point.median for point in one.points])) for one in series]
    return sorted(found, key=lambda entry: not entry[1])


def commit_text(commit: str | None) -> str:
    """Shortened, but for the word that it had uncommitted changes."""
    head, dash, rest = clean(commit or "unknown").partition("-")
    return head[:12] + dash + rest[:12]


def state_text(state: State) -> str:
    """As voxmark history list numbers it: "12 0123abcd4567"."""
    return f"{state.number} {commit_text(state.commit)}"


def place_text(series: Series, change: ChangePoint) -> str:
    """Which states the change lies between, and so whose commits."""
    states = [point.state for point in series.points]
    if change.is_located:
        return f"after {state_text(states[change.position - 1])}"
    text = (
        f"not yet located: after {state_text(states[change.first - 1])}, at the latest with"
        f" {state_text(states[change.last])}"
    )
    return text + ("; a single state, maybe an outlier" if change.is_single else "")


def change_line(series: Series, change: ChangePoint) -> str:
    """ "onednn 64x64x64: step_seconds +10.1%, with state 8 0123abcd, after 7 4567cdef"."""
    place = place_text(series, change)
    if change.is_located:
        place = f"with state {state_text(series.points[change.position].state)}, {place}"
    what = f"{clean(series.label)}: {clean(series.metric)} {change_text(change.ratio)}"
    return f"{what}, {place}"


def changes_table(found: Found) -> Table:
    rows: list[dict[str, Any]] = []
    for series, changes in found:
        unit = unit_of(series.metric)
        for change in changes:
            state = series.points[change.position].state
            known = change.is_located
            rows.append(
                {
                    "case": clean(series.label),
                    "metric": series.metric,
                    "machine": clean(series.machine),
                    "state": state.number if known else None,
                    "commit": commit_text(state.commit) if known else None,
                    "created": clean(state.created) if known else None,
                    "where": place_text(series, change),
                    "before": quantity_text(change.before, unit),
                    "after": quantity_text(change.after, unit),
                    "change": change_text(change.ratio),
                }
            )
    names = ("case", "metric", "change", "before", "after", "state", "commit", "where")
    columns = [(name, name) for name in (*names, "created", "machine")]
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


def _mark(change: ChangePoint) -> dict[str, Any]:
    """Between two states; a band over all places where it may be."""
    known = "" if change.is_located else " (not yet located)"
    return {
        "at": change.position - 0.5,
        "from": change.first - 0.5,
        "to": change.last - 0.5,
        "text": change_text(change.ratio) + known,
    }


def _state_axis(labels: Sequence[str]) -> alt.Axis:
    """Positions told by the states' numbers and commits."""
    step = -(-len(labels) // MOST_TICKS)
    shown = list(range(0, len(labels), step))
    return alt.Axis(
        values=shown, labelExpr=f"{json.dumps(labels)}[datum.value]", labelAngle=-40, labelLimit=160
    )


def series_chart(number: int, series: Series, changes: Sequence[ChangePoint]) -> Chart:
    unit = unit_of(series.metric)
    scale = 2**-30 if unit == "bytes" else 1.0
    axis = {"bytes": " (GiB)", "seconds": " (s)"}.get(unit, "")
    rows = [
        {
            "order": position,
            "state": point.state.number,
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
        title="state and commit, in the order of measurement",
        axis=_state_axis([state_text(point.state) for point in series.points]),
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
        x=x,
        y=y,
        tooltip=["state:Q", "commit:N", "created:N", "shown:N", "processes:Q", "accepted:N"],
    )
    layers = [line, dots]
    if changes:
        marks = [_mark(change) for change in changes]
        marked = alt.Chart(alt.Data(values=marks))
        colour = charts.PALETTE[3]
        rule = marked.mark_rule(strokeDash=[4, 3], color=colour).encode(x="at:Q")
        layers += [marked.mark_rect(color=colour, opacity=0.2).encode(x="from:Q", x2="to:Q"), rule]
        layers.append(
            marked.mark_text(dy=-3, baseline="bottom").encode(  # above the dots
                x="at:Q", y=alt.value(0), text="text:N"
            )
        )
    return Chart(
        f"trend-{number}",
        f"{clean(series.label)}: {series.metric}",
        f"{clean(series.machine)}. Every dot is a report (median of its processes); dashed: the"
        " level changed and stayed; shaded: where that may have been.",
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
