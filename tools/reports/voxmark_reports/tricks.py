"""voxmark tricks on the page: what getting by with less memory costs in accuracy."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt

from voxmark_reports.charts import Chart, colour_of, data, finish, numbered
from voxmark_reports.page import Section, paragraph
from voxmark_reports.reading import check_schema, check_version
from voxmark_reports.tables import Table
from voxmark_reports.text import bytes_text, clean, file_name, image_text, significant

SCHEMA = "voxmark.tricks/1"
SCHEMA_FILE = "tricks.schema.json"
FILE = "tricks.json"  # of a suite's folder


@dataclass
class Suite:
    """What one call of voxmark tricks compared."""

    name: str  # told apart from others' by Inputs
    path: Path
    content: dict[str, Any]

    @property
    def called(self) -> Path:
        return self.path.resolve().parent if self.path.name == FILE else self.path


def is_suite(content: Any) -> bool:
    return isinstance(content, dict) and str(content.get("schema", "")).startswith(
        "voxmark.tricks/"
    )


def parse_suite(content: dict[str, Any], path: Path) -> Suite:
    """Raises ToolError: NOT_COMPARABLE for another version of the format, else naming the place
    that breaks the schema."""
    name = clean(path)
    check_version(content["schema"], SCHEMA, name)
    check_schema(content, SCHEMA_FILE, name, "the comparison of tricks")
    return Suite(name, path, content)


def _bytes(run: dict[str, Any]) -> int:
    return run["planned_bytes"] if run["peak_bytes"] is None else run["peak_bytes"]


def _table(suite: Suite) -> Table:
    rows = []
    for trick in suite.content["tricks"]:
        # A run that diverged has no Dice.
        dice = [run["test_dice"] for run in trick["runs"] if run["test_dice"] is not None]
        seconds = statistics.median(run["training_seconds"] for run in trick["runs"])
        rows.append(
            {
                "trick": trick["trick"],
                "window": image_text(trick["image"]),
                "batch": trick["batch"],
                "filters": trick["filters"],
                "levels": trick.get("levels", 5),  # earlier versions had no other
                "dice": statistics.median(dice) if dice else None,
                "dice_low": min(dice, default=None),
                "dice_high": max(dice, default=None),
                "seeds": len(dice),
                "peak_bytes": max(_bytes(run) for run in trick["runs"]),
                "hours": seconds / 3600,
            }
        )
    columns = [
        ("trick", "trick"),
        ("window", "window"),
        ("batch", "batch"),
        ("filters", "filters"),
        ("levels", "levels"),
        ("dice", "test Dice"),
        ("dice_low", "lowest"),
        ("dice_high", "highest"),
        ("seeds", "seeds"),
        ("peak_bytes", "peak memory"),
        ("hours", "training hours"),
    ]
    shown = {"peak_bytes": bytes_text, "hours": lambda value: significant(value, 3)}
    name = f"tricks-{file_name(suite.name.removesuffix('.json'))}"
    return Table(name, f"{suite.name}: what it costs to use less memory", columns, rows, shown)


def _chart(suite: Suite) -> Chart:
    rows = [
        {
            "trick": clean(trick["trick"]),
            "seed": run["seed"],
            "gib": _bytes(run) / 2**30,
            "dice": run["test_dice"],
            "hours": run["training_seconds"] / 3600,
        }
        for trick in suite.content["tricks"]
        for run in trick["runs"]
        if run["test_dice"] is not None
    ]
    dots = (
        alt.Chart(data(rows))
        .mark_point(size=70, opacity=0.85)
        .encode(
            x=alt.X("gib:Q", title="peak memory (GiB)"),
            y=alt.Y("dice:Q", title="Dice on the test split", scale=alt.Scale(zero=False)),
            color=colour_of("trick", numbered(row["trick"] for row in rows)),
            tooltip=[
                "trick:N",
                "seed:Q",
                alt.Tooltip("dice:Q", format=".4f"),
                alt.Tooltip("gib:Q", format=".3f", title="GiB"),
                alt.Tooltip("hours:Q", format=".3g"),
            ],
        )
    )
    return Chart(
        f"tricks-{file_name(suite.name.removesuffix('.json'))}",
        f"{suite.name}: accuracy against memory",
        "Every circle is a run with a seed of its own; all of them saw as many voxels. Higher is"
        " more accurate, further left needs less memory.",
        finish(dots, 300),
    )


def section(suites: Sequence[Suite]) -> Section:
    made = Section("tricks", "Less memory, at what cost")
    for suite in suites:
        content = suite.content
        text = (
            f"{suite.name}: {clean(content['data'])}, {content['epochs']} epochs of full images,"
            f" {clean(content['backend'])}, {clean(content['precision'])}."
        )
        if "warning" in content:
            text += f" Warning: {clean(content['warning'])}."
        made.add(paragraph(text), _chart(suite), _table(suite))
    return made
