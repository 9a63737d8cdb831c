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
from voxmark_reports.reading import paper_speed_up

# Distinguishable on white and on near-black, and for most colour-blind readers (after Okabe, Ito).
PALETTE = [
    *("#3b8fd4", "#e08a00", "#1aa179", "#d9583b", "#b877c4", "#8c8c8c", "#b59b00", "#6f7fe0"),
    *("#4fb8c9", "#a05a2c", "#e07aa5", "#6a9a3a", "#8a4fd0", "#c94f7c", "#3f7f7f", "#d0a070"),
]
STATIC_WIDTH = 720
MOST_LEGEND_ENTRIES = 16
MOST_ROWS = 60  # of a chart with a bar per case


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
            "columns": {"expr": "width < 480 ? 1 : 3"},  # on a telephone, below each other
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


def colour_of(field: str, indices: Mapping[str, int], legend: bool = True) -> alt.Color:
    """The same name has the same colour on every chart of the page."""
    colours = [PALETTE[index % len(PALETTE)] for index in indices.values()]
    scale = alt.Scale(domain=list(indices), range=colours)
    shown = legend and len(indices) <= MOST_LEGEND_ENTRIES
    return alt.Color(f"{field}:N", scale=scale, legend=alt.Legend() if shown else None)


def numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: index for index, name in enumerate(dict.fromkeys(names))}


def data(rows: Sequence[dict[str, Any]]) -> alt.Data:
    return alt.Data(values=list(rows))


# Fits the data, and leaves room for the marks.
LOG = alt.Scale(type="log", nice=False, padding=16)


def _voxels_axis() -> alt.X:
    title = "voxels per step (image x batch)"
    return alt.X("voxels:Q", title=title, scale=LOG, axis=alt.Axis(format="~s"))


def row_height(count: int) -> int:
    return max(60, 26 * count)


def series_colours(figures: Sequence[Figure]) -> dict[str, int]:
    return {figure.series: figure.colour for figure in figures}


def largest(figures: Sequence[Figure]) -> tuple[list[Figure], str]:
    """As many as a chart with a row for each can show, in their order, and what to say of the rest.
    The largest workloads stay, as the headline is about those; of equals the fastest."""
    if len(figures) <= MOST_ROWS:
        return list(figures), ""
    kept = sorted(figures, key=lambda f: (-f.voxels, f.forward_backward_seconds))[:MOST_ROWS]
    chosen = {id(figure) for figure in kept}
    return (
        [figure for figure in figures if id(figure) in chosen],
        f" The {MOST_ROWS} largest of {len(figures)} cases are shown; the tables have all.",
    )


def speed_up_chart(all_found: Sequence[SpeedUp], baseline: str) -> Chart | None:
    if not all_found:
        return None
    shown, note = largest([s.other for s in all_found])
    chosen = {id(figure) for figure in shown}
    found = [s for s in all_found if id(s.other) in chosen]
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
    ]
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
    base = alt.Chart(data(rows))
    colour = colour_of("series", series_colours([s.other for s in found]), legend=False)
    bars = base.mark_bar(opacity=0.35, height=14).encode(
        x=alt.X("factor:Q", title=f"times as fast as {baseline}"), y=y, color=colour
    )
    rule = base.mark_rule(strokeWidth=3).encode(x="low:Q", x2="high:Q", y=y, color=colour)
    point = base.mark_point(filled=True, size=90, opacity=1).encode(
        x="factor:Q", y=y, color=colour, tooltip=tooltip
    )
    paper = paper_speed_up()
    marks = [{"at": 1.0, "what": ""}, {"at": paper, "what": f"the paper's {paper:g}x"}]
    lines = alt.Chart(data(marks)).mark_rule(strokeDash=[4, 3], opacity=0.7).encode(x="at:Q")
    words = (
        alt.Chart(data(marks))
        .mark_text(align="right", dy=-3, baseline="bottom")  # above the bars
        .encode(x="at:Q", text="what:N", y=alt.value(0))
    )
    return Chart(
        "speed-up",
        f"Speed-up over {baseline}",
        "Dots are ratios of medians, forward and backward; the thick line is the 95% interval, "
        "missing where there was one process. Right of 1 is faster." + note,
        finish(alt.layer(bars, rule, point, lines, words), row_height(len(rows))),
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
    colour = colour_of("series", series_colours(figures), legend=not one_size)
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
            alt.Chart(data(points))
            .mark_point(size=70, opacity=0.8)
            .encode(x=x, y=y, color=colour, tooltip=tooltip)
        )
        ticks = (
            alt.Chart(data(medians)).mark_tick(thickness=3, size=18).encode(x=x, y=y, color=colour)
        )
        return Chart(name, title.capitalize(), how, finish(ticks + dots, row_height(len(order))))
    x = _voxels_axis()
    y = alt.Y(f"{value}:Q", title=title, scale=LOG, axis=alt.Axis(format="~g"))
    lines = alt.Chart(data(medians)).mark_line(strokeWidth=2).encode(x=x, y=y, color=colour)
    dots = (
        alt.Chart(data(points))
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


_MEMORY = {
    "planned_bytes": "planned",
    "allocated_bytes": "allocated",
    "peak_bytes": "measured peak",
}


def memory_chart(figures: Sequence[Figure]) -> Chart | None:
    rows = []
    for figure in figures:
        for metric, kind in _MEMORY.items():
            value = figure.case.median(metric)
            if value is not None:
                rows.append(
                    {
                        "series": figure.series,
                        "size": figure.image,
                        "voxels": figure.voxels,
                        "kind": kind,
                        "gib": value / 2**30,
                        "per_voxel": value / figure.voxels_in_memory,
                    }
                )
    if not rows:
        return None
    kinds = list(_MEMORY.values())
    tooltip = [
        "series:N",
        "size:N",
        "kind:N",
        alt.Tooltip("gib:Q", format=".3f", title="GiB"),
        alt.Tooltip("per_voxel:Q", format=".0f", title="bytes per voxel"),
    ]
    how = (
        "What the backend said it would take, what it then allocated, and the process's high-water "
        "mark, which also holds the program and one batch."
    )
    one_size = len({figure.voxels for figure in figures}) == 1
    colour = colour_of("series", series_colours(figures), legend=not one_size)
    if one_size:
        y = alt.Y("series:N", title=None)
        chart = (
            alt.Chart(data(rows))
            .mark_bar(height=7)
            .encode(
                x=alt.X("gib:Q", title="GiB"),
                y=y,
                color=colour,
                tooltip=tooltip,
                yOffset=alt.YOffset("kind:N", sort=kinds),
                opacity=alt.Opacity(
                    "kind:N",
                    sort=kinds,
                    legend=alt.Legend(symbolFillColor="currentColor", symbolStrokeWidth=0),
                    scale=alt.Scale(domain=kinds, range=[0.35, 0.65, 1.0]),
                ),
            )
        )
        height = 2 * row_height(len(series_colours(figures)))
        return Chart("memory", "Memory, planned and measured", how, finish(chart, height))
    x = _voxels_axis()
    y = alt.Y("gib:Q", title="GiB", scale=LOG)
    dash = alt.StrokeDash("kind:N", scale=alt.Scale(domain=kinds, range=[[4, 4], [1, 3], [1, 0]]))
    base = alt.Chart(data(rows)).encode(x=x, y=y, color=colour)
    lines = base.mark_line(strokeWidth=2).encode(strokeDash=dash)
    dots = base.mark_point(filled=True, size=45).encode(tooltip=tooltip)
    return Chart("memory", "Memory, planned and measured", how, finish(lines + dots, 340))


def roofline_chart(figures: Sequence[Figure]) -> Chart | None:
    """Share of the machine's limit where that was measured, else nothing: see flops_chart."""
    shown, note = largest([f for f in figures if f.roofline_share is not None])
    rows = [
        {"label": f"{f.series} {f.image}", "series": f.series, "share": f.roofline_share}
        for f in shown
    ]
    if not rows:
        return None
    order = [row["label"] for row in sorted(rows, key=lambda row: -(row["share"] or 0))]
    colour = colour_of("series", series_colours(figures), legend=False)
    chart = (
        alt.Chart(data(rows))
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
        "convolutions, computed directly, over the time taken. Direct convolutions leave "
        "nothing to gain at 100%; Winograd's, with fewer products, can pass it." + note,
        finish(chart, row_height(len(rows))),
    )


def flops_chart(figures: Sequence[Figure]) -> Chart | None:
    shown, note = largest([f for f in figures if f.flops_per_second is not None])
    rows = [
        {
            "label": f"{f.series} {f.image}",
            "series": f.series,
            "gflops": (f.flops_per_second or 0) / 1e9,
        }
        for f in shown
    ]
    if not rows:
        return None
    order = [row["label"] for row in sorted(rows, key=lambda row: -row["gflops"])]
    colour = colour_of("series", series_colours(figures), legend=False)
    chart = (
        alt.Chart(data(rows))
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
        "Nominal work of a step over its seconds: the same numerator for every backend." + note,
        finish(chart, row_height(len(rows))),
    )
