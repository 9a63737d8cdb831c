"""Training runs on the page: what was trained, what it learnt, and how it looks."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import altair as alt

from voxmark_reports import page
from voxmark_reports.charts import PALETTE, Chart, colour_of, data, finish, numbered
from voxmark_reports.page import Section, paragraph
from voxmark_reports.reading import check_schema, check_version
from voxmark_reports.tables import Table
from voxmark_reports.text import bytes_text, clean, duration_text, file_name, percent, significant

SCHEMA = "voxmark.training/1"
FILE = "training.json"  # of a run's folder
OVERLAY = "_overlay.png"  # after a case's name: what voxmark predict --overlays writes
MOST_OVERLAYS = 12  # of a run's folder
_ENDS = {
    "done": "ran all its epochs",
    "early_stop": "stopped early, as validation got no better",
    "interrupted": "was interrupted",
    "diverged": "diverged",
    None: "is under way, or died",
}


@dataclass
class Run:
    """A training report, and the pictures of what its model predicts."""

    name: str  # told apart from other runs' by Inputs
    path: Path
    content: dict[str, Any]
    overlays: list[Path] = field(default_factory=list)

    @property
    def called(self) -> Path:
        """Its folder, as every run's file has the same name there."""
        return self.path.resolve().parent if self.path.name == FILE else self.path

    @property
    def file(self) -> str:
        """A part of file names."""
        return file_name(self.name.removesuffix(".json"))


def is_run(content: Any) -> bool:
    return isinstance(content, dict) and str(content.get("schema", "")).startswith(
        "voxmark.training/"
    )


def parse_run(content: dict[str, Any], path: Path) -> Run:
    """Raises ToolError: NOT_COMPARABLE for another version of the format, else naming the place
    that breaks the schema."""
    name = clean(path)
    check_version(content["schema"], SCHEMA, name)
    check_schema(content, "training.schema.json", name, "the training report")
    return Run(name, path, content)


def find_overlays(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob(f"*{OVERLAY}") if not path.name.startswith("."))
    return sorted(found)[:MOST_OVERLAYS]


def tie(overlays: Sequence[Path], runs: Sequence[Run]) -> list[Path]:
    """Gives each picture to the run whose folder it lies in, or to the only run there is; returns
    those of no run."""
    loose = []
    for path in overlays:
        parents = path.resolve().parents
        own = [run for run in runs if run.path.resolve().parent in parents]
        own = own or (list(runs) if len(runs) == 1 else [])
        if len(own) == 1:
            own[0].overlays.append(path)
        else:
            loose.append(path)
    return loose


# ---- Tables ----


def _facts(run: Run) -> Table:
    content, options = run.content, run.content["options"]
    epochs, memory = content["epochs"], content["memory"]
    taken = sum(epoch["seconds"] + epoch["validation_seconds"] for epoch in epochs)
    forecast = content["forecast"] or {}
    image = "x".join(map(str, options["image"]))
    cases = content["cases"]
    facts = {
        "data": options["data"],
        "training, validation, test cases": "{training}, {validation}, {test}".format(**cases),
        "backend": f"{options['backend']}, {options['precision']}, {options['threads']} threads",
        "image and batch": f"{image}, batch {options['batch']}",
        "epochs": f"{len(epochs)} of {options['epochs']}; the run {_ENDS[content['end']]}",
        "best epoch": str(content["best_epoch"] or "none yet"),
        "time, training and validation": duration_text(taken),
        "forecast": duration_text(forecast["total_seconds"]) if forecast else None,
        "memory planned": bytes_text(memory["planned_bytes"]),
        "memory peak": None if memory["peak_bytes"] is None else bytes_text(memory["peak_bytes"]),
    }
    rows = [{"name": name, "value": value} for name, value in facts.items() if value is not None]
    columns = [("name", "what"), ("value", "value")]
    return Table(f"training-{run.file}-run", f"{run.name}: the run", columns, rows)


def _claims(run: Run) -> Table:
    columns = [("figure", "figure"), ("paper", "the white paper"), ("measured", "measured")]
    rows = [dict(claim) for claim in run.content["claims"] or []]
    return Table(f"training-{run.file}-claims", f"{run.name}: beside the paper", columns, rows)


def _scores(scores: dict[str, Any]) -> dict[str, Any]:
    row = {"loss": scores["loss"], "accuracy": scores["accuracy"]}
    for kind in ("soft_dice", "hard_dice"):
        values = scores[kind]
        row[kind] = statistics.fmean(values)
        for label, value in enumerate(values if len(values) > 1 else [], 1):
            row[f"{kind}_{label}"] = value
    row["whole_dice"] = scores["whole_dice"]
    # Of whole images of the test only, and not in reports of earlier versions.
    surfaces = scores.get("surface_dice")
    if surfaces:
        row["surface_dice"] = _mean_of_known(surfaces)
        for label, value in enumerate(surfaces if len(surfaces) > 1 else [], 1):
            row[f"surface_dice_{label}"] = value
        row["whole_surface_dice"] = scores["whole_surface_dice"]
    return row


def _mean_of_known(values: Sequence[float | None]) -> float | None:
    """Of labels: one that neither truth nor prediction has is None."""
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def _table(name: str, title: str, rows: list[dict[str, Any]]) -> Table:
    columns = [(key, clean(key).replace("_", " ")) for key in (rows[0] if rows else {})]
    return Table(name, title, columns, rows, {"waiting_share": percent})


def _test_cases(run: Run) -> Table:
    """Scores of the test split, case by case, and their mean."""
    test = run.content["test"]
    rows = []
    for case in test["cases"] if test else []:
        dims = "x".join(map(str, case["dims"]))
        rows.append({"case": clean(case["name"]), "dims": dims, **_scores(case["scores"])})
    if test:
        rows.append({"case": "mean of all", "dims": None, **_scores(test["mean"])})
    return _table(
        f"training-{run.file}-test",
        f"{run.name}: the test split, by the weights of epoch {run.content['best_epoch']}",
        rows,
    )


def _epochs(run: Run) -> Table:
    rows = []
    for epoch in run.content["epochs"]:
        names = ("epoch", "images", "seconds", "seconds_per_image", "waiting_share")
        row = {name: epoch[name] for name in names}
        for split in ("training", "validation"):
            scores = _scores(epoch[split]) if epoch[split] else {}
            for metric in ("loss", "accuracy", "soft_dice", "hard_dice", "whole_dice"):
                row[f"{split}_{metric}"] = scores.get(metric)
        rows.append(row)
    return _table(f"training-{run.file}", f"{run.name}: epochs", rows)


# ---- Charts ----

_CURVES = (
    ("loss", "Loss"),
    ("accuracy", "Accuracy"),
    ("soft_dice", "Soft Dice"),
    ("hard_dice", "Hard Dice"),
)


def _curve_rows(epochs: Sequence[dict[str, Any]], metric: str) -> list[dict[str, Any]]:
    rows = []
    for epoch in epochs:
        for split in ("training", "validation"):
            if epoch[split] is None:
                continue
            value = epoch[split][metric]
            values = value if isinstance(value, list) else [value]
            for label, number in enumerate(values, 1):
                curve = split + (f", label {label}" if len(values) > 1 else "")
                rows.append({"epoch": epoch["epoch"], "curve": curve, "value": number})
    return rows


def _curves(run: Run) -> list[Chart]:
    found = []
    best = run.content["best_epoch"]
    for metric, title in _CURVES:
        rows = _curve_rows(run.content["epochs"], metric)
        if not rows:
            continue
        colour = colour_of("curve", numbered(row["curve"] for row in rows))
        numbers = [epoch["epoch"] for epoch in run.content["epochs"]]
        ticks = numbers[:: max(1, len(numbers) // 10)]  # whole ones only
        x = alt.X("epoch:Q", axis=alt.Axis(format="d", values=ticks))
        lines = (
            alt.Chart(data(rows))
            .mark_line(point=True)
            .encode(
                x=x,
                y=alt.Y(
                    "value:Q",
                    title=title,
                    scale=alt.Scale(zero=False),
                    axis=alt.Axis(format=".5~g"),  # also where all values are the same
                ),
                color=colour,
                tooltip=["curve:N", "epoch:Q", alt.Tooltip("value:Q", format=".4f")],
            )
        )
        validated = any(epoch["validation"] for epoch in run.content["epochs"])
        judge = "validation" if validated else "training"
        how = "Means over steps (training) and over cases (validation), per epoch."
        if best:
            mark = alt.Chart(data([{"epoch": best}])).mark_rule(strokeDash=[4, 3], color=PALETTE[5])
            lines = lines + mark.encode(x=x)
            how += f" Dashed: epoch {best}, whose {judge} loss is the lowest."
        name = f"training-{metric}-{run.file}".replace("_", "-")
        found.append(Chart(name, f"{run.name}: {title.lower()}", how, finish(lines, 260)))
    return found


# ---- The section ----


def _caption(run: Run, path: Path) -> str:
    """The case, and its Dice where the test split has it."""
    case = path.name.removesuffix(OVERLAY).removesuffix(".png")
    test = run.content["test"]
    for found in test["cases"] if test else []:
        # Reports of earlier versions do not say how voxmark predict names a case's files.
        plain = Path(found["name"]).name.split(".")[0].replace(" ", "_")
        if found.get("file", plain) == case:
            name = found["name"] if "file" in found else case
            dice = ", ".join(significant(value, 3) for value in found["scores"]["hard_dice"])
            return f"{run.name}: {clean(name)} (test split, hard Dice {dice})"
    return f"{run.name}: {clean(case)}"


def _summary(run: Run) -> str:
    content = run.content
    text = f"{run.name}: {len(content['epochs'])} epochs; the run {_ENDS[content['end']]}."
    if content["test"]:
        mean = content["test"]["mean"]
        dice = significant(statistics.fmean(mean["hard_dice"]), 3)
        text += f" Over the test split the mean hard Dice is {dice}, the loss"
        text += f" {significant(mean['loss'], 3)}."
        surface = _mean_of_known(mean.get("surface_dice", []))
        if surface is not None:
            tolerance = content["test"]["surface_tolerance_mm"]
            text += f" The mean surface Dice is {significant(surface, 3)} at {tolerance:g} mm."
    return text


def section(runs: Sequence[Run], loose: Sequence[Path]) -> Section:
    made = Section("training", "Training")
    for run in runs:
        made.add(paragraph(_summary(run)), _claims(run), _test_cases(run), *_curves(run))
        made.add(*(page.image_html(path, _caption(run, path)) for path in run.overlays))
        made.add(_facts(run), _epochs(run))
    for path in loose:
        made.add(page.image_html(path, f"{clean(path.name)} (of no run on this page)"))
    return made
