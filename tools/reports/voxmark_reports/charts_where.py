"""Charts of where a step goes, and of what disturbed it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from voxmark_reports import step_parts
from voxmark_reports.charts import (
    PALETTE,
    Chart,
    colour_of,
    data,
    finish,
    largest,
    row_height,
    series_colours,
)
from voxmark_reports.figures import Figure, SpeedUp, rival
from voxmark_reports.text import seconds_text

MOST_STEPS = 3000  # of a chart; beyond, the slowest step of each process stands for it
LEAST_CHANGE = 0.01  # of the longer step: smaller parts of a waterfall are one


def _bar(what: str, start: float, end: float, kind: str, text: str) -> dict[str, Any]:
    return {"what": what, "from": start, "to": end, "kind": kind, "text": text}


def _changes(before: dict[str, float], after: dict[str, float], least: float) -> dict[str, float]:
    """Seconds by which each part grew, the largest change first; the small ones together."""
    names = dict.fromkeys([*before, *after])
    every = {name: after.get(name, 0.0) - before.get(name, 0.0) for name in names}
    large = {name: change for name, change in every.items() if abs(change) >= least}
    changes = dict(sorted(large.items(), key=lambda item: -abs(item[1])))
    if rest := len(every) - len(large):
        word = "part" if rest == 1 else "parts"
        changes[f"{rest} {word} that changed less"] = sum(every.values()) - sum(large.values())
    return changes


def waterfall_chart(base: Figure, other: Figure, name: str = "waterfall") -> Chart | None:
    """From one backend's step to another's, part by part."""
    before, after = step_parts.of_both(base.case, other.case)
    if not before:
        return None
    level = base.step_seconds
    rows = [_bar(base.series, 0.0, level, "step", seconds_text(level))]
    least = LEAST_CHANGE * max(base.step_seconds, other.step_seconds)
    for part, change in _changes(before, after, least).items():
        kind = "saved" if change <= 0 else "added"
        text = ("+" if change > 0 else "-") + seconds_text(abs(change))
        rows.append(_bar(part, level, level + change, kind, text))
        level += change
    end = seconds_text(other.step_seconds)
    rows.append(_bar(other.series, 0.0, other.step_seconds, "step", end))
    order = [row["what"] for row in rows]
    kinds = {"step": "#8c8c8c", "saved": "#1aa179", "added": "#d9583b"}
    scale = alt.Scale(domain=list(kinds), range=list(kinds.values()))
    colours = alt.Color("kind:N", scale=scale)
    for row in rows:
        row["right"] = max(row["from"], row["to"])
    chart = alt.Chart(data(rows))
    y = alt.Y("what:N", sort=order, title=None)
    bars = chart.mark_bar(height=20).encode(
        x=alt.X("from:Q", title=f"seconds per step, {other.image}"),
        x2="to:Q",
        y=y,
        color=colours,
        tooltip=["what:N", "text:N"],
    )
    words = chart.mark_text(align="left", dx=5).encode(x="right:Q", y=y, text="text:N")
    works = [step_parts.by_work(figure.case) for figure in (base, other)]
    how = (
        "Where the time between the two goes, by kind of work: stages of steps that were watched "
        "after the timed ones, scaled to these. Read from top to bottom."
        if all(works)
        else "What the threads did in a step, by the kernel's accounts, as not both of them tell "
        "the seconds of their stages. Read from top to bottom."
    )
    return Chart(
        name,
        f"From {base.series} to {other.series}, {other.image}",
        how,
        finish(bars + words, 34 * len(rows)),
    )


def rivals_waterfall(figures: Sequence[Figure], top: SpeedUp) -> Chart | None:
    """Of the headline's workload, from the nearest rival to the faster of the two."""
    near = rival(figures, top)
    return waterfall_chart(near.base, near.other, "waterfall-from-rival") if near else None


# Opacity by direction, as the colour is the kind of work; 1 where it is not named.
_STRENGTHS = {"backward": 0.7, "backward data": 0.8, "backward weights": 0.6, "recomputed": 0.4}


def work_chart(figures: Sequence[Figure]) -> Chart | None:
    """Every step by kind of work and direction."""
    shown, note = largest([f for f in figures if step_parts.by_work(f.case)])
    rows = []
    for figure in shown:
        work = step_parts.by_work(figure.case)
        for rank, (part, seconds) in enumerate(sorted(work.parts.items()) if work else []):
            kind, _, direction = part.partition(", ")
            rows.append(
                {
                    "label": f"{figure.series} {figure.image}",
                    "part": part,
                    "kind": kind,
                    "strength": _STRENGTHS.get(direction, 1.0),
                    "rank": rank,
                    "seconds": seconds,
                    "share": seconds / figure.step_seconds,
                }
            )
    if not rows:
        return None
    kinds = sorted({row["kind"] for row in rows})
    labels = list(dict.fromkeys(row["label"] for row in rows))
    chart = (
        alt.Chart(data(rows))
        .mark_bar(height=16)
        .encode(
            x=alt.X(
                "share:Q",
                stack=True,
                title="share of the step",
                axis=alt.Axis(format="%"),
                scale=alt.Scale(domain=[0, 1]),
            ),
            y=alt.Y("label:N", title=None, sort=labels),
            color=alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=PALETTE[: len(kinds)])),
            opacity=alt.Opacity("strength:Q", scale=None, legend=None),
            order=alt.Order("rank:Q"),
            tooltip=[
                "label:N",
                "part:N",
                alt.Tooltip("seconds:Q", format=".4g", title="s per step"),
                alt.Tooltip("share:Q", format=".1%"),
            ],
        )
    )
    return Chart(
        "work",
        "By kind of work",
        "Shares of the step, from stages of steps that were watched after the timed ones. Of one "
        "colour the fullest is forward, the palest computed again to save memory." + note,
        finish(chart, row_height(len(labels))),
    )


def cpu_chart(figures: Sequence[Figure]) -> Chart | None:
    rows = []
    shown, note = largest([f for f in figures if step_parts.by_threads(f.case)])
    for figure in shown:
        label = f"{figure.series} {figure.image}"
        for rank, (part, seconds) in enumerate((step_parts.by_threads(figure.case) or {}).items()):
            share = seconds / figure.step_seconds
            rows.append({"label": label, "part": part, "rank": rank, "share": share})
    if not rows:
        return None
    parts = list(dict.fromkeys(row["part"] for row in rows))
    labels = list(dict.fromkeys(row["label"] for row in rows))
    scale = alt.Scale(domain=parts, range=["#3b8fd4", "#d9583b", "#8c8c8c"])
    chart = (
        alt.Chart(data(rows))
        .mark_bar(height=16)
        .encode(
            x=alt.X(
                "share:Q",
                stack=True,
                title="share of the step",
                axis=alt.Axis(format="%"),
                scale=alt.Scale(domain=[0, 1]),
            ),
            y=alt.Y("label:N", title=None, sort=labels),
            color=alt.Color("part:N", scale=scale),
            order=alt.Order("rank:Q"),
            tooltip=["label:N", "part:N", alt.Tooltip("share:Q", format=".1%")],
        )
    )
    return Chart(
        "cpu-time",
        "What the threads did",
        "User time is work, system time mostly page faults, waiting is threads without either."
        + note,
        finish(chart, row_height(len(labels))),
    )


def interference_chart(rows: list[dict[str, Any]], figures: Sequence[Figure]) -> Chart | None:
    if not rows:
        return None
    how = "Every timed step over the median of its case, in the order of measurement."
    if len(rows) > MOST_STEPS:
        slowest: dict[tuple[Any, ...], dict[str, Any]] = {}
        for row in rows:
            key = (row["report"], row["record"])
            if key not in slowest or row["relative"] > slowest[key]["relative"]:
                slowest[key] = row
        rows = list(slowest.values())[:MOST_STEPS]
        how = "The slowest step of every process over the median of its case, in order."
    chart = (
        alt.Chart(data(rows))
        .mark_point(size=40, opacity=0.8)
        .encode(
            x=alt.X(
                "order:Q", title="record of the report", axis=alt.Axis(format="d", tickMinStep=1)
            ),
            y=alt.Y("relative:Q", title="step / median of its case", scale=alt.Scale(zero=False)),
            color=colour_of("series", series_colours(figures)),
            shape=alt.Shape(
                "flag:N",
                legend=None,
                scale=alt.Scale(domain=["steady", "disturbed"], range=["circle", "cross"]),
            ),
            tooltip=[
                "series:N",
                "size:N",
                "process:N",
                alt.Tooltip("step_seconds:Q", format=".4g"),
                alt.Tooltip("relative:Q", format=".3f"),
                "switches:Q",
                "flagged:N",
            ],
        )
    )
    line = alt.Chart(data([{"one": 1}])).mark_rule(opacity=0.5).encode(y="one:Q")
    how += " A slope is drift; crosses were flagged as disturbed by the run itself."
    return Chart(
        "interference", "Steps in the order of measurement", how, finish(line + chart, 260)
    )
