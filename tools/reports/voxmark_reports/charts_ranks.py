"""Charts of several ranks and of several copies: what they give, and where the time goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from voxmark_reports.charts import (
    MOST_ROWS,
    PALETTE,
    Chart,
    colour_of,
    data,
    finish,
    row_height,
)

Row = dict[str, Any]
Colours = Mapping[str, int]  # by series, the same on all charts of the section

IDEAL, MODEL = "ideal", "model"
_DASHES = {IDEAL: [4, 4], MODEL: [1, 3]}


def lines_chart(
    name: str,
    title: str,
    how: str,
    rows: Sequence[Row],
    x_title: str,
    y: tuple[str, str, str],  # of the rows, its title, its format
    colours: Colours,
    height: int = 260,
) -> Chart | None:
    """Series over a number of processes ("at"): dots with their intervals ("FIELD_low",
    "FIELD_high"), the ideal ("FIELD_ideal") and, where there is one, the model ("FIELD_model")."""
    if not rows:
        return None
    value, y_title, number_format = y
    own = {row["series"]: colours[row["series"]] for row in rows}
    ticks = sorted({row["at"] for row in rows})
    x = alt.X("at:Q", title=x_title, axis=alt.Axis(format="d", values=ticks, labelFlush=False))
    axis = alt.Axis(format="%") if number_format.endswith("%") else alt.Axis()
    colour = colour_of("series", own)
    beside = [
        {"at": row["at"], "series": row["series"], "kind": kind, "value": row[f"{value}_{kind}"]}
        for kind in _DASHES
        for row in rows
        if row.get(f"{value}_{kind}") is not None
    ]
    kinds = [kind for kind in _DASHES if any(row["kind"] == kind for row in beside)]
    dash = alt.StrokeDash(
        "kind:N",
        scale=alt.Scale(domain=kinds, range=[_DASHES[kind] for kind in kinds]),
        legend=alt.Legend(symbolStrokeColor="currentColor"),
    )
    dashed = (
        alt.Chart(data(beside))
        .mark_line(opacity=0.7, strokeWidth=1.5)
        .encode(x=x, y=alt.Y("value:Q", title=y_title, axis=axis), color=colour, strokeDash=dash)
    )
    tooltip = [
        "series:N",
        alt.Tooltip("at:Q", title=x_title),
        alt.Tooltip(f"{value}:Q", format=number_format),
        alt.Tooltip(f"{value}_low:Q", format=number_format, title="low"),
        alt.Tooltip(f"{value}_high:Q", format=number_format, title="high"),
        alt.Tooltip("step_seconds:Q", format=".4g", title="s per step"),
        alt.Tooltip("images_per_second:Q", format=".4g", title="images/s"),
    ]
    base = alt.Chart(data(rows)).encode(x=x, color=colour)
    line = base.mark_line(strokeWidth=2).encode(y=alt.Y(f"{value}:Q", title=y_title))
    rule = base.mark_rule(strokeWidth=3, opacity=0.5).encode(y=f"{value}_low:Q", y2=f"{value}_high")
    dots = base.mark_point(filled=True, size=60, opacity=1).encode(y=f"{value}:Q", tooltip=tooltip)
    return Chart(name, title, how, finish(alt.layer(dashed, rule, line, dots), height))


def _labels(rows: Sequence[Row]) -> alt.Y:
    """In their order; on a telephone the end of a long one is cut, not the bars."""
    limit = alt.ExprRef("width < 480 ? 150 : 320")
    order = [row["label"] for row in rows]
    return alt.Y("label:N", sort=order, title=None, axis=alt.Axis(labelLimit=limit))


def layout_chart(rows: Sequence[Row], colours: Colours) -> Chart | None:
    """Ranks against threads: images per second over the layout with the fewest ranks."""
    rows = rows[:MOST_ROWS]
    if not rows:
        return None
    own = {row["series"]: colours[row["series"]] for row in rows}
    y = _labels(rows)
    colour = colour_of("series", own, legend=False)
    base = alt.Chart(data(rows))
    bars = base.mark_bar(opacity=0.35, height=14).encode(
        x=alt.X("speed_up:Q", title="times as fast as the fewest ranks"), y=y, color=colour
    )
    rule = base.mark_rule(strokeWidth=3).encode(
        x="speed_up_low:Q", x2="speed_up_high", y=y, color=colour
    )
    tooltip = [
        alt.Tooltip("label:N", title="ranks x threads"),
        alt.Tooltip("speed_up:Q", format=".3f", title="times as fast"),
        alt.Tooltip("speed_up_low:Q", format=".3f", title="low"),
        alt.Tooltip("speed_up_high:Q", format=".3f", title="high"),
        alt.Tooltip("step_seconds:Q", format=".4g", title="s per step"),
        alt.Tooltip("images_per_second:Q", format=".4g", title="images/s"),
    ]
    point = base.mark_point(filled=True, size=90, opacity=1).encode(
        x="speed_up:Q", y=y, color=colour, tooltip=tooltip
    )
    one = alt.Chart(data([{"at": 1.0}])).mark_rule(strokeDash=[4, 3], opacity=0.7)
    return Chart(
        "ranks-threads",
        "Ranks against threads, on as many cores",
        "2x4 is 2 ranks of 4 threads. All layouts of a group use as many cores and compute the "
        "same step of as many images. Right of 1 is faster than the fewest ranks; the thick line "
        "is the 95% interval, missing where there was one process.",
        finish(alt.layer(bars, rule, point, one.encode(x="at:Q")), row_height(len(rows))),
    )


# ---- Where the time goes ----

# Of the step itself, then of the thin bar below it.
_PARTS = {
    "compute": PALETTE[0],
    "statistics": PALETTE[1],
    "loss": PALETTE[4],
    "gradients": PALETTE[3],
    "hidden (below)": PALETTE[2],
    "slower rank (below)": PALETTE[5],
}


def _bar(label: str, part: str, start: float, seconds: float, step: float) -> Row:
    ends = {"from": start / step, "to": (start + seconds) / step}
    return {"label": label, "part": part, **ends, "seconds": seconds, "share": seconds / step}


def step_chart(rows: Sequence[Row]) -> Chart | None:
    """What a step is made of. `rows`: label, and seconds by the names of scaling.RankTimes."""
    rows = rows[:MOST_ROWS]
    if not rows:
        return None
    own: list[Row] = []
    below: list[Row] = []
    for row in rows:
        names = iter(_PARTS)
        start = 0.0
        for name in ("compute", "statistics", "loss", "gradients"):
            own.append(_bar(row["label"], next(names), start, row[name], row["step_seconds"]))
            start += row[name]
        compute = row["compute"]
        hidden = min(row["hidden"], compute)
        below.append(_bar(row["label"], next(names), compute - hidden, hidden, row["step_seconds"]))
        slower = min(row["slower_rank"], start - compute)
        below.append(_bar(row["label"], next(names), compute, slower, row["step_seconds"]))
    scale = alt.Scale(domain=list(_PARTS), range=list(_PARTS.values()))
    y = _labels(rows)
    x = alt.X(
        "from:Q",
        title="share of the step",
        axis=alt.Axis(format="%"),
        scale=alt.Scale(domain=[0, 1], clamp=True),
    )
    tooltip = [
        "label:N",
        "part:N",
        alt.Tooltip("seconds:Q", format=".4g", title="s per step"),
        alt.Tooltip("share:Q", format=".1%"),
    ]

    def bars(of: list[Row], **mark: Any) -> Any:
        return (
            alt.Chart(data(of))
            .mark_bar(**mark)
            .encode(x=x, x2="to", y=y, color=alt.Color("part:N", scale=scale), tooltip=tooltip)
        )

    layers = alt.layer(bars(own, height=13, yOffset=-4), bars(below, height=5, yOffset=7))
    return Chart(
        "ranks-step",
        "What a step of several ranks is made of",
        "Medians over ranks; 2x4 is 2 ranks of 4 threads. In statistics, loss and gradients a "
        "rank computes nothing and waits. The thin bar below: how long gradients travelled hidden "
        "behind compute, and how much of the waiting was for a slower rank; the rest of it is the "
        "wire's.",
        finish(layers, max(60, 32 * len(rows))),
    )
