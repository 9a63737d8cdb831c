"""voxmark plan --by-layer on the page: which layers a step's memory and work are of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt

from voxmark_reports.charts import Chart, colour_of, data, finish, numbered
from voxmark_reports.page import Section, paragraph
from voxmark_reports.reading import check_schema, check_version
from voxmark_reports.tables import Table
from voxmark_reports.text import (
    bytes_text,
    clean,
    counted,
    file_name,
    image_text,
    percent,
    significant,
)

SCHEMA = "voxmark.plan-by-layer/1"
SCHEMA_FILE = "plan_by_layer.schema.json"
KEEPS_EVERYTHING = "keeps-everything"

# Of a row's bytes, in the order of the bars.
PARTS = {
    "forward_bytes": "outputs and batch",
    "backward_bytes": "gradients of outputs",
    "weight_bytes": "weights",
    "other_bytes": "workspace and gaps",
}
ROW_HEIGHT = 17


@dataclass
class Plans:
    """What one call of voxmark plan --by-layer told."""

    name: str  # told apart from others' by Inputs
    path: Path
    content: dict[str, Any]

    @property
    def called(self) -> Path:
        return self.path

    @property
    def file(self) -> str:
        return file_name(self.name.removesuffix(".json"))

    @property
    def step(self) -> str:
        """ "2 images of 64x64x64, 16 filters, fp32"."""
        content = self.content
        return (
            f"{counted(content['batch'], 'image')} of {image_text(content['image'])},"
            f" {counted(content['filters'], 'filter')}, {content['precision']}"
        )


def is_plans(content: Any) -> bool:
    return isinstance(content, dict) and str(content.get("schema", "")).startswith(
        "voxmark.plan-by-layer/"
    )


def parse_plans(content: dict[str, Any], path: Path) -> Plans:
    """Raises ToolError: NOT_COMPARABLE for another version of the format, else naming the place
    that breaks the schema."""
    name = clean(path)
    check_version(content["schema"], SCHEMA, name)
    check_schema(content, SCHEMA_FILE, name, "the plans by layer")
    return Plans(name, path, content)


def _when(plan: dict[str, Any]) -> str:
    peak = plan["peak"]
    if peak is None:
        return "Bytes in use when the step ends: nothing was given back."
    return (
        f"Bytes in use at the peak, in the {peak['phase']} pass: {clean(peak['layer'])}"
        f" ({clean(peak['op'])}), step {peak['step'] + 1} of {peak['steps']}."
    )


def _what(plan: dict[str, Any]) -> str:
    if plan["backend"] == KEEPS_EVERYTHING:
        return "a framework that keeps everything (arithmetic)"
    return clean(plan["backend"]) + ("" if plan["exact"] else " (estimated)")


def _memory_chart(plans: Plans, plan: dict[str, Any]) -> Chart:
    """On one scale for all plans of the step."""
    longest = max(layer["total_bytes"] for own in plans.content["plans"] for layer in own["layers"])
    scale, unit = (2**30, "GiB") if longest >= 2**30 else (2**20, "MiB")
    order = [clean(layer["layer"]) for layer in plan["layers"]]
    rows = [
        {
            "layer": clean(layer["layer"]),
            "part": text,
            "order": place,
            "size": layer[part] / scale,
            "held": layer["held"] or "-",
            "share": layer["share"],
        }
        for layer in plan["layers"]
        for place, (part, text) in enumerate(PARTS.items())
        if layer[part]
    ]
    bars = (
        alt.Chart(data(rows))
        .mark_bar()
        .encode(
            x=alt.X(
                "size:Q", title=unit, stack="zero", scale=alt.Scale(domain=[0, longest / scale])
            ),
            y=alt.Y("layer:N", sort=order, scale=alt.Scale(domain=order), title=None),
            color=colour_of("part", numbered(PARTS.values())),
            order="order:Q",
            tooltip=[
                "layer:N",
                "part:N",
                alt.Tooltip("size:Q", format=".4g", title=unit),
                alt.Tooltip("share:Q", format=".1%", title="layer's share of all"),
                alt.Tooltip("held:N", title="output from forward to backward"),
            ],
        )
    )
    return Chart(
        f"layers-{plans.file}-{file_name(plan['backend'])}",
        f"{_what(plan)}: {bytes_text(plan['planned_bytes'])} by layer",
        f"{_when(plan)} Weights: parameters, their gradients and Adam's state. Layers stand in the"
        " network's order, from the image down to its coarsest level and up again.",
        finish(bars, ROW_HEIGHT * len(order)),
    )


def _work_chart(plans: Plans) -> Chart:
    """The same for every plan of the step."""
    passes = {"forward_flops": "forward", "backward_flops": "backward"}
    layers = [
        layer
        for layer in plans.content["plans"][0]["layers"]
        if layer["forward_flops"] or layer["backward_flops"]
    ]
    order = [clean(layer["layer"]) for layer in layers]
    rows = [
        {
            "layer": clean(layer["layer"]),
            "pass": text,
            "order": place,
            "gflop": layer[part] / 1e9,
        }
        for layer in layers
        for place, (part, text) in enumerate(passes.items())
    ]
    bars = (
        alt.Chart(data(rows))
        .mark_bar()
        .encode(
            x=alt.X("gflop:Q", title="GFLOP", stack="zero"),
            y=alt.Y("layer:N", sort=order, title=None),
            color=colour_of("pass", numbered(passes.values())),
            order="order:Q",
            tooltip=["layer:N", "pass:N", alt.Tooltip("gflop:Q", format=".4g", title="GFLOP")],
        )
    )
    return Chart(
        f"layers-{plans.file}-work",
        f"{plans.name}: work by layer",
        "Nominal: multiply-adds of convolutions count as 2, the same for every backend.",
        finish(bars, ROW_HEIGHT * len(order)),
    )


def _table(plans: Plans, plan: dict[str, Any]) -> Table:
    columns = [
        ("layer", "layer"),
        ("type", "type"),
        ("output", "output"),
        ("parameters", "parameters"),
        ("forward_flops", "GFLOP forward"),
        ("backward_flops", "GFLOP backward"),
        ("forward_bytes", "forward"),
        ("backward_bytes", "backward"),
        ("weight_bytes", "weights"),
        ("total_bytes", "total"),
        ("share", "share"),
        ("held", "held"),
    ]
    rows = [
        layer | {"output": image_text(layer["output"][1:]) if layer["output"] else None}
        for layer in plan["layers"]
    ]
    shown: dict[str, Callable[[Any], str]] = dict.fromkeys(
        ("forward_bytes", "backward_bytes", "weight_bytes", "total_bytes"), bytes_text
    )
    shown |= dict.fromkeys(
        ("forward_flops", "backward_flops"), lambda flops: significant(flops / 1e9, 3)
    )
    shown["share"] = percent
    return Table(
        f"layers-{plans.file}-{file_name(plan['backend'])}",
        f"{plans.name}: {_what(plan)}",
        columns,
        rows,
        shown,
    )


def section(all_plans: Sequence[Plans]) -> Section:
    made = Section("layers", "Memory and work by layer")
    for plans in all_plans:
        made.add(paragraph(f"{plans.name}: a step of {plans.step}, as planned."))
        for plan in plans.content["plans"]:
            made.add(_memory_chart(plans, plan))
        made.add(_work_chart(plans))
        for plan in plans.content["plans"]:
            made.add(_table(plans, plan))
    return made
