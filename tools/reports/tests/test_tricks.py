"""What voxmark tricks compared, on the page."""

from __future__ import annotations

import csv
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import factory
import pytest
from conftest import Tool
from test_report import text_of


def suite(names: tuple[str, ...] = ("full images", "tiles")) -> dict[str, Any]:
    """Dice 0.8, 0.81, 0.82 of the first, 0.1 less of each that follows, with half of its memory."""
    return {
        "schema": "voxmark.tricks/1",
        "data": "phantom:40:64x64x64",
        "epochs": 10,
        "backend": "onednn",
        "precision": "fp32",
        "tricks": [
            {
                "trick": name,
                "image": [64 // 2**number] * 3,
                "batch": 4,
                "filters": 16,
                "tile": number > 0,
                "downsample": 1,
                "steps_per_epoch": 9 * 8**number,
                "runs": [
                    {
                        "seed": seed,
                        "test_dice": 0.79 + 0.01 * seed - 0.1 * number,
                        "test_dice_by_label": [0.8],
                        "test_cases": 3,
                        "peak_bytes": 2 ** (32 - number) if seed > 1 else None,
                        "planned_bytes": 2**30,
                        "training_seconds": 3600.0 * seed,
                    }
                    for seed in (1, 2, 3)
                ],
            }
            for number, name in enumerate(names)
        ],
    }


def test_a_suite_is_a_chart_and_a_table(tool: Tool, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    content = suite()
    content["tricks"][1]["levels"] = 3
    factory.write(folder / "tricks.json", content)
    figures = tmp_path / "figures"
    done = tool("report", folder, "-o", tmp_path / "t.html", "--figures", figures)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((figures / "tricks-mine.csv").open()))
    assert [row["trick"] for row in rows] == ["full images", "tiles"]
    for row, dice in zip(rows, (0.81, 0.71), strict=True):
        assert float(row["dice"]) == pytest.approx(dice)
        assert float(row["dice_low"]) == pytest.approx(dice - 0.01)
        assert float(row["dice_high"]) == pytest.approx(dice + 0.01)
        assert float(row["hours"]) == 2
    assert [int(row["peak_bytes"]) for row in rows] == [2**32, 2**31]
    assert [row["levels"] for row in rows] == ["5", "3"]  # an earlier version did not tell
    assert (figures / "tricks-mine.svg").is_file()
    text = text_of(tmp_path / "t.html")
    assert "mine: accuracy against memory" in text
    assert "4.00 GiB" in text
    assert "Warning" not in text

    done = tool("bundle", folder, "-o", tmp_path / "b.tar.gz")
    assert done.returncode == 0, done.stderr
    with tarfile.open(tmp_path / "b.tar.gz") as archive:
        names = {name.removeprefix("b/") for name in archive.getnames()}
    assert {"training/mine/tricks.json", "tricks.schema.json"} <= names


def test_what_makes_it_no_comparison_stands_above_the_chart(tool: Tool, tmp_path: Path) -> None:
    warning = "full images: after 90 steps"
    factory.write(tmp_path / "tricks.json", suite() | {"warning": warning})
    done = tool("report", tmp_path / "tricks.json", "-o", tmp_path / "t.html")
    assert done.returncode == 0, done.stderr
    text = text_of(tmp_path / "t.html")
    assert 0 < text.find(warning) < text.find("accuracy against memory")


@pytest.mark.parametrize(
    ("change", "code", "complaint"),
    [
        ({"schema": "voxmark.tricks/0"}, 3, "voxmark.tricks/0"),
        ({"tricks": []}, 64, "tricks: "),
        ({"epochs": "many"}, 64, "epochs: "),
    ],
)
def test_what_breaks_the_schema_is_refused(
    tool: Tool, tmp_path: Path, change: dict[str, Any], code: int, complaint: str
) -> None:
    path = factory.write(tmp_path / "tricks.json", {**suite(), **change})
    done = tool("report", path, "-o", tmp_path / "t.html")
    assert done.returncode == code
    assert complaint in done.stderr and done.stderr.count("\n") == 1


def test_a_run_that_diverged_has_no_dice(tool: Tool, tmp_path: Path) -> None:
    content = suite()
    runs = [content["tricks"][0]["runs"][0], *content["tricks"][1]["runs"]]
    for run in runs:
        run.update(test_dice=None, test_dice_by_label=None, test_cases=0)
    factory.write(tmp_path / "mine" / "tricks.json", content)
    figures = tmp_path / "figures"
    done = tool("report", tmp_path / "mine", "-o", tmp_path / "t.html", "--figures", figures)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((figures / "tricks-mine.csv").open()))
    assert [row["seeds"] for row in rows] == ["2", "0"]
    assert float(rows[0]["dice"]) == pytest.approx(0.815)
    assert rows[1]["dice"] == ""


def test_what_voxmark_writes_is_read(tool: Tool, tmp_path: Path) -> None:
    flags = "--data phantom:11 --image 16 --filters 1 --batch 1 --epochs 1 --seeds 1"
    command = [os.environ["VOXMARK_BINARY"], "tricks", *flags.split(), "--backend", "naive"]
    subprocess.run([*command, "--out", tmp_path / "own"], check=True, capture_output=True)
    done = tool("report", tmp_path / "own", "-o", tmp_path / "t.html")
    assert done.returncode == 0, done.stderr
    assert "down-sampled" in text_of(tmp_path / "t.html")
