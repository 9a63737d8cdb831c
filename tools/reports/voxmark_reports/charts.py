"""The page's charts as Vega-Lite specifications, made with Altair. Static files are drawn from the
same specifications. Colours of text and axes are the page's own ("currentColor").

No field is named "image": tooltips would load its value as one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from voxmark_reports import figures as fg
from voxmark_reports.figures import Figure, SpeedUp
from voxmark_reports.text import seconds_text

# Distinguishable on white and on near-black, and for most colour-blind readers (after Okabe, Ito).
PALETTE = ["#3b8fd4", "#e08a00", "#1aa179", "#d9583b", "#b877c4", "#8c8c8c", "#b59b00", "#6f7fe0"]
STATIC_WIDTH = 720
MOST_LEGEND_ENTRIES = 16
MOST_STEPS = 3000  # of a chart; beyond, the slowest step of each process stands for it


@dataclass
class Chart:
    name: str  # of files: "step-time"
    title: str
    how_to_read: str
    spec: dict[str, Any]

    def sized(self, width: int) -> dict[str, Any]:
        """For a file, which has no page to fill."""
        spec = json.loads(json.dumps(self.spec))
        spec["width"] = width
        return spec


def _config() -> dict[str, Any]:
    ink = "currentColor"
    axis = {
        "labelColor": ink,
        "titleColor": ink,
        "tickColor": ink,
        "domainColor": ink,
        "gridColor": ink,
        "gridOpacity": 0.12,
        "domainOpacity": 0.4,
        "tickOpacity": 0.4,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 320,
        "tickCount": 7,
        "labelOverlap": True,
    }
    return {
        "background": None,
        "font": "system-ui, sans-serif",
        "view": {"stroke": None},
        "axis": axis,
        "legend": {
            "labelColor": ink,
            "titleColor": ink,
            "orient": "top",
            "title": None,
            "labelFontSize": 12,
            "labelLimit": 320,
            "columns": 4,
        },
        "text": {"color": ink},
        "rule": {"color": ink},
        "tick": {"color": ink},
        "title": {"color": ink},
    }


def finish(chart: Any, height: int | None = None) -> dict[str, Any]:
    """The specification, in the page's style and as wide as the page."""
    properties: dict[str, Any] = {"width": "container"}
    if height:
        properties["height"] = height
    chart = chart.properties(**properties)
    spec = chart.to_dict(validate=True)
    spec.pop("config", None)
    spec["config"] = _config()
    spec["autosize"] = {"type": "fit-x", "contains": "padding"}
    return spec


def _colour(field: str, indices: Mapping[str, int], legend: bool = True) -> alt.Color:
    """The same name has the same colour on every chart of the page."""
    colours = [PALETTE[index % len(PALETTE)] for index in indices.values()]
    scale = alt.Scale(domain=list(indices), range=colours)
    shown = legend and len(indices) <= MOST_LEGEND_ENTRIES
    return alt.Color(f"{field}:N", scale=scale, legend=alt.Legend() if shown else None)


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: index for index, name in enumerate(dict.fromkeys(names))}


def _data(rows: Sequence[dict[str, Any]]) -> alt.Data:
    return alt.Data(values=list(rows))


# Fits the data, and leaves room for the marks.
_LOG = alt.Scale(type="log", nice=False, padding=16)


def _voxels_axis() -> alt.X:
    title = "voxels per step (image x batch)"
    return alt.X("voxels:Q", title=title, scale=_LOG, axis=alt.Axis(format="~s"))


def _row_height(count: int) -> int:
    return max(60, 26 * count)


def _series(figures: Sequence[Figure]) -> dict[str, int]:
    return {figure.series: figure.colour for figure in figures}


def speed_up_chart(found: Sequence[SpeedUp], baseline: str) -> Chart | None:
    if not found:
        return None
    rows = [
        {
            "label": f"{s.other.series} {s.other.image}",
            "series": s.other.series,
            "factor": s.factor,
            "low": s.interval[0] if s.interval else None,
            "high": s.interval[1] if s.interval else None,
            "p": s.p_value,
            "processes": f"{s.base.processes} against {s.other.processes}",
        }
        for s in found
    ][:60]
    order = [row["label"] for row in sorted(rows, key=lambda row: -row["factor"])]
    y = alt.Y("label:N", sort=order, title=None)
    tooltip = [
        alt.Tooltip("label:N", title="case"),
        alt.Tooltip("factor:Q", format=".3f"),
        alt.Tooltip("low:Q", format=".3f"),
        alt.Tooltip("high:Q", format=".3f"),
        alt.Tooltip("p:Q", format=".2g"),
        "processes:N",
    ]
    base = alt.Chart(_data(rows))
    colour = _colour("series", _series([s.other for s in found]), legend=False)
    bars = base.mark_bar(opacity=0.35, height=14).encode(
        x=alt.X("factor:Q", title=f"times as fast as {baseline}"), y=y, color=colour
    )
    rule = base.mark_rule(strokeWidth=3).encode(x="low:Q", x2="high:Q", y=y, color=colour)
    point = base.mark_point(filled=True, size=90, opacity=1).encode(
        x="factor:Q", y=y, color=colour, tooltip=tooltip
    )
    marks = [{"at": 1.0, "what": ""}, {"at": fg.PAPER_SPEED_UP, "what": "the paper's 3.4x"}]
    lines = alt.Chart(_data(marks)).mark_rule(strokeDash=[4, 3], opacity=0.7).encode(x="at:Q")
    words = (
        alt.Chart(_data(marks))
        .mark_text(align="right", dx=-5, dy=4, baseline="top")
        .encode(x="at:Q", text="what:N", y=alt.value(0))
    )
    return Chart(
        "speed-up",
        f"Speed-up over {baseline}",
        "Dots are ratios of medians, forward and backward; the thick line is the 95% interval, "
        "missing where there was one process. Right of 1 is faster.",
        finish(alt.layer(bars, rule, point, lines, words), _row_height(len(rows))),
    )


def _over_voxels(
    figures: Sequence[Figure], value: str, title: str, name: str, how: str
) -> Chart | None:
    if not figures:
        return None
    points = [point for figure in figures for point in fg.process_points(figure)]
    medians = [
        {
            "series": f.series,
            "size": f.image,
            "voxels": f.voxels,
            "step_seconds": f.step_seconds,
            "images_per_second": f.images_per_second,
            "processes": f.processes,
        }
        for f in figures
    ]
    one_size = len({figure.voxels for figure in figures}) == 1
    colour = _colour("series", _series(figures), legend=not one_size)
    tooltip = [
        alt.Tooltip("series:N"),
        alt.Tooltip("size:N"),
        alt.Tooltip("process:N"),
        alt.Tooltip("step_seconds:Q", format=".4g", title="s per step"),
        alt.Tooltip("images_per_second:Q", format=".4g", title="images/s"),
    ]
    if one_size:  # a line would have no length
        order = [m["series"] for m in sorted(medians, key=lambda m: m["step_seconds"])]
        y = alt.Y("series:N", sort=order, title=None)
        x = alt.X(f"{value}:Q", title=title, scale=alt.Scale(zero=True))
        dots = (
            alt.Chart(_data(points))
            .mark_point(size=70, opacity=0.8)
            .encode(x=x, y=y, color=colour, tooltip=tooltip)
        )
        ticks = (
            alt.Chart(_data(medians)).mark_tick(thickness=3, size=18).encode(x=x, y=y, color=colour)
        )
        return Chart(name, title.capitalize(), how, finish(ticks + dots, _row_height(len(order))))
    x = _voxels_axis()
    y = alt.Y(f"{value}:Q", title=title, scale=_LOG, axis=alt.Axis(format="~g"))
    lines = alt.Chart(_data(medians)).mark_line(strokeWidth=2).encode(x=x, y=y, color=colour)
    dots = (
        alt.Chart(_data(points))
        .mark_point(size=45, opacity=0.75)
        .encode(x=x, y=y, color=colour, tooltip=tooltip)
    )
    return Chart(name, title.capitalize(), how, finish(lines + dots, 340))


def step_time_chart(figures: Sequence[Figure]) -> Chart | None:
    return _over_voxels(
        figures,
        "step_seconds",
        "seconds per step",
        "step-time",
        "Every circle is a process (the median of its steps); lines and bars join the medians of "
        "processes. Lower is faster.",
    )


def throughput_chart(figures: Sequence[Figure]) -> Chart | None:
    return _over_voxels(
        figures,
        "images_per_second",
        "images per second",
        "images-per-second",
        "The same measurements as throughput: higher is faster.",
    )


def memory_chart(figures: Sequence[Figure]) -> Chart | None:
    rows = []
    for figure in figures:
        for metric, kind in (("planned_bytes", "planned"), ("peak_bytes", "measured peak")):
            value = figure.case.median(metric)
            if value is not None:
                rows.append(
                    {
                        "series": figure.series,
                        "size": figure.image,
                        "voxels": figure.voxels,
                        "kind": kind,
                        "gib": value / 2**30,
                        "per_voxel": value / figure.voxels,
                    }
                )
    if not rows:
        return None
    tooltip = [
        "series:N",
        "size:N",
        "kind:N",
        alt.Tooltip("gib:Q", format=".3f", title="GiB"),
        alt.Tooltip("per_voxel:Q", format=".0f", title="bytes per voxel"),
    ]
    how = (
        "What the backend said it would take, beside the process's high-water mark, which also "
        "holds the program and one batch."
    )
    one_size = len({figure.voxels for figure in figures}) == 1
    colour = _colour("series", _series(figures), legend=not one_size)
    if one_size:
        y = alt.Y("series:N", title=None)
        chart = (
            alt.Chart(_data(rows))
            .mark_bar(height=9)
            .encode(
                x=alt.X("gib:Q", title="GiB"),
                y=y,
                color=colour,
                tooltip=tooltip,
                yOffset=alt.YOffset("kind:N", sort=["planned", "measured peak"]),
                opacity=alt.Opacity(
                    "kind:N",
                    sort=["planned", "measured peak"],
                    scale=alt.Scale(domain=["planned", "measured peak"], range=[0.45, 1.0]),
                ),
            )
        )
        height = 2 * _row_height(len(_series(figures)))
        return Chart("memory", "Memory, planned and measured", how, finish(chart, height))
    x = _voxels_axis()
    y = alt.Y("gib:Q", title="GiB", scale=_LOG)
    dash = alt.StrokeDash(
        "kind:N", scale=alt.Scale(domain=["planned", "measured peak"], range=[[4, 4], [1, 0]])
    )
    base = alt.Chart(_data(rows)).encode(x=x, y=y, color=colour)
    lines = base.mark_line(strokeWidth=2).encode(strokeDash=dash)
    dots = base.mark_point(filled=True, size=45).encode(tooltip=tooltip)
    return Chart("memory", "Memory, planned and measured", how, finish(lines + dots, 340))


def roofline_chart(figures: Sequence[Figure]) -> Chart | None:
    """Share of the machine's limit where that was measured, else nothing: see flops_chart."""
    rows = [
        {"label": f"{f.series} {f.image}", "series": f.series, "share": f.roofline_share}
        for f in figures
        if f.roofline_share is not None
    ][:60]
    if not rows:
        return None
    order = [row["label"] for row in sorted(rows, key=lambda row: -(row["share"] or 0))]
    colour = _colour("series", _series(figures), legend=False)
    chart = (
        alt.Chart(_data(rows))
        .mark_bar(height=14)
        .encode(
            x=alt.X(
                "share:Q",
                title="share of this machine's limit",
                axis=alt.Axis(format="%"),
                scale=alt.Scale(domainMax=max(1.0, *(row["share"] for row in rows)), zero=True),
            ),
            y=alt.Y("label:N", sort=order, title=None),
            color=colour,
            tooltip=["label:N", alt.Tooltip("share:Q", format=".1%")],
        )
    )
    return Chart(
        "roofline",
        "Share of the roofline",
        "The least time that this machine's measured peak arithmetic and bandwidth allow for the "
        "convolutions, over the time taken. 100% leaves nothing to gain.",
        finish(chart, _row_height(len(rows))),
    )


def flops_chart(figures: Sequence[Figure]) -> Chart | None:
    rows = [
        {"label": f"{f.series} {f.image}", "series": f.series, "gflops": f.flops_per_second / 1e9}
        for f in figures
        if f.flops_per_second is not None
    ][:60]
    if not rows:
        return None
    order = [row["label"] for row in sorted(rows, key=lambda row: -row["gflops"])]
    colour = _colour("series", _series(figures), legend=False)
    chart = (
        alt.Chart(_data(rows))
        .mark_bar(height=14)
        .encode(
            x=alt.X("gflops:Q", title="GFLOP/s, nominal"),
            y=alt.Y("label:N", sort=order, title=None),
            color=colour,
            tooltip=["label:N", alt.Tooltip("gflops:Q", format=".1f")],
        )
    )
    return Chart(
        "flops",
        "Arithmetic rate",
        "Nominal work of a step over its seconds: the same numerator for every backend.",
        finish(chart, _row_height(len(rows))),
    )


def waterfall_chart(base: Figure, other: Figure) -> Chart | None:
    """From the baseline's step to the other's, part by part."""
    before, after = fg.parts_of_step(base.case), fg.parts_of_step(other.case)
    if not before or not after:
        return None
    rows = [
        {
            "what": base.series,
            "from": 0.0,
            "to": base.step_seconds,
            "kind": "step",
            "text": seconds_text(base.step_seconds),
        }
    ]
    level = base.step_seconds
    for part in before:
        change = after[part] - before[part]
        kind = "saved" if change <= 0 else "added"
        rows.append(
            {
                "what": part,
                "from": level,
                "to": level + change,
                "kind": kind,
                "text": ("+" if change > 0 else "-") + seconds_text(abs(change)),
            }
        )
        level += change
    rows.append(
        {
            "what": other.series,
            "from": 0.0,
            "to": other.step_seconds,
            "kind": "step",
            "text": seconds_text(other.step_seconds),
        }
    )
    order = [row["what"] for row in rows]
    kinds = {"step": "#8c8c8c", "saved": "#1aa179", "added": "#d9583b"}
    scale = alt.Scale(domain=list(kinds), range=list(kinds.values()))
    colours = alt.Color("kind:N", scale=scale)
    for row in rows:
        row["right"] = max(row["from"], row["to"])
    chart = alt.Chart(_data(rows))
    y = alt.Y("what:N", sort=order, title=None)
    bars = chart.mark_bar(height=20).encode(
        x=alt.X("from:Q", title=f"seconds per step, {other.image}"),
        x2="to:Q",
        y=y,
        color=colours,
        tooltip=["what:N", "text:N"],
    )
    words = chart.mark_text(align="left", dx=5).encode(x="right:Q", y=y, text="text:N")
    return Chart(
        "waterfall",
        f"From {base.series} to {other.series}",
        "What the threads did in a step, by the kernel's accounts: where the time between the two "
        "goes. Read from top to bottom.",
        finish(bars + words, 34 * len(rows)),
    )


def cpu_chart(figures: Sequence[Figure]) -> Chart | None:
    rows = []
    for figure in figures[:60]:
        label = f"{figure.series} {figure.image}"
        for rank, (part, seconds) in enumerate((fg.parts_of_step(figure.case) or {}).items()):
            share = seconds / figure.step_seconds
            rows.append({"label": label, "part": part, "rank": rank, "share": share})
    if not rows:
        return None
    parts = list(dict.fromkeys(row["part"] for row in rows))
    labels = list(dict.fromkeys(row["label"] for row in rows))
    scale = alt.Scale(domain=parts, range=["#3b8fd4", "#d9583b", "#8c8c8c"])
    chart = (
        alt.Chart(_data(rows))
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
        "User time is work, system time mostly page faults, waiting is threads without either.",
        finish(chart, _row_height(len(labels))),
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
        alt.Chart(_data(rows))
        .mark_point(size=40, opacity=0.8)
        .encode(
            x=alt.X(
                "order:Q", title="record of the report", axis=alt.Axis(format="d", tickMinStep=1)
            ),
            y=alt.Y("relative:Q", title="step / median of its case", scale=alt.Scale(zero=False)),
            color=_colour("series", _series(figures)),
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
    line = alt.Chart(_data([{"one": 1}])).mark_rule(opacity=0.5).encode(y="one:Q")
    how += " A slope is drift; crosses were flagged as disturbed by the run itself."
    return Chart(
        "interference", "Steps in the order of measurement", how, finish(line + chart, 260)
    )


def scaling_chart(rows: Sequence[dict[str, Any]]) -> Chart | None:
    if not rows:
        return None
    rows = [{**row, "series": f"{row['report']}: {row['series']}"} for row in rows]
    indices = _numbered(row["series"] for row in rows)
    most = max(row["threads"] for row in rows)
    ideal = [{"threads": least, "speed_up": least} for least in (1, most)]
    x = alt.X("threads:Q", title="threads", axis=alt.Axis(format="d", tickMinStep=1))
    y = alt.Y("speed_up:Q", title="times as fast as the fewest threads")
    line = (
        alt.Chart(_data(rows))
        .mark_line(point=True)
        .encode(
            x=x,
            y=y,
            color=_colour("series", indices),
            tooltip=[
                "series:N",
                "threads:Q",
                alt.Tooltip("speed_up:Q", format=".2f"),
                alt.Tooltip("efficiency:Q", format=".0%"),
            ],
        )
    )
    dashed = alt.Chart(_data(ideal)).mark_line(strokeDash=[4, 4], opacity=0.5, color="gray")
    return Chart(
        "scaling",
        "Scaling by threads",
        "Dashed: twice the threads, twice as fast.",
        finish(dashed.encode(x=x, y=y) + line, 300),
    )


def training_charts(name: str, epochs: Sequence[dict[str, Any]]) -> list[Chart]:
    """Curves of a training run."""
    found = []
    for metric, title in (("loss", "Loss"), ("soft_dice", "Soft Dice"), ("hard_dice", "Hard Dice")):
        rows = []
        for epoch in epochs:
            for split in ("training", "validation"):
                scores = epoch.get(split)
                if scores is None:
                    continue
                value = scores[metric]
                for label, number in enumerate(value if isinstance(value, list) else [value], 1):
                    suffix = (
                        f", label {label}" if isinstance(value, list) and len(value) > 1 else ""
                    )
                    rows.append({"epoch": epoch["epoch"], "curve": split + suffix, "value": number})
        if rows:
            indices = _numbered(row["curve"] for row in rows)
            chart = (
                alt.Chart(_data(rows))
                .mark_line(point=True)
                .encode(
                    x=alt.X("epoch:Q", axis=alt.Axis(format="d", tickMinStep=1)),
                    y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=metric != "loss")),
                    color=_colour("curve", indices),
                    tooltip=["curve:N", "epoch:Q", alt.Tooltip("value:Q", format=".4f")],
                )
            )
            found.append(
                Chart(
                    f"training-{metric}".replace("_", "-"),
                    f"{title}: {name}",
                    "Means over steps (training) and over cases (validation), per epoch.",
                    finish(chart, 260),
                )
            )
    return found


def op_chart(rows: Sequence[dict[str, Any]]) -> Chart | None:
    """Op-level benches: the longest ops, backends side by side."""
    if not rows:
        return None
    longest: dict[str, float] = {}
    for row in rows:
        longest[row["op"]] = max(longest.get(row["op"], 0), row["milliseconds"])
    shown = sorted(longest, key=lambda op: -longest[op])[:25]
    rows = [row for row in rows if row["op"] in shown]
    indices = _numbered(row["backend"] for row in rows)
    chart = (
        alt.Chart(_data(rows))
        .mark_point(filled=True, size=70, opacity=0.85)
        .encode(
            x=alt.X("milliseconds:Q", title="ms", scale=_LOG),
            y=alt.Y("op:N", sort=shown, title=None),
            color=_colour("backend", indices),
            tooltip=[
                "op:N",
                "backend:N",
                "implementation:N",
                alt.Tooltip("milliseconds:Q", format=".4g"),
            ],
        )
    )
    return Chart(
        "ops",
        "Single ops",
        "Milliseconds of an op, the longest first.",
        finish(chart, _row_height(len(shown))),
    )
