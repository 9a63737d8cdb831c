"""Training runs on the page: valid by the schema of what voxmark train writes, or refused."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import factory
import jsonschema_rs
import orjson
import pytest
from conftest import Tool
from test_report import text_of

SCHEMA = Path(__file__).resolve().parents[3] / "results" / "training.schema.json"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000 1f15c4890000000d49444154789c63f8cf"
    "c0f01f0005000 1ff56c7c2a10000000049454e44ae426082".replace(" ", "")
)


def scores(loss: float, dice: list[float]) -> dict[str, Any]:
    return {
        "loss": loss,
        "accuracy": 0.9,
        "soft_dice": [0.9 * value for value in dice],
        "hard_dice": dice,
        "whole_dice": None,
    }


def run(backend: str = "onednn", dice: float = 0.8, epochs: int = 3) -> dict[str, Any]:
    content = {
        "schema": "voxmark.training/1",
        "created": "2024-05-31T12:00:00Z",
        "voxmark": {"version": "0.1.0"},
        "environment": factory.ENVIRONMENT,
        "options": {
            "data": "Task04_Hippocampus",
            "backend": backend,
            "precision": "fp32",
            "threads": 2,
            "image": [48, 64, 48],
            "batch": 2,
            "channels": 1,
            "classes": 2,
            "filters": 16,
            "seed": 1,
            "augment": True,
            "tile": False,
            "downsample": 1,
            "epochs": 25,
            "patience": 0,
        },
        "cases": {"training": 180, "validation": 40, "test": 2},
        "forecast": {
            "step_seconds": 0.5,
            "epoch_seconds": 60.0,
            "total_seconds": 1500.0,
            "planned_bytes": 2**30,
        },
        "epochs": [
            {
                "epoch": number,
                "images": 180,
                "seconds": 50.0,
                "seconds_per_image": 0.25,
                "waiting_seconds": 0.0,
                "waiting_share": 0.0,
                "validation_seconds": 10.0,
                "best": True,
                "training": scores(1 / number, [dice, dice - 0.1]),
                "validation": scores(1.1 / number, [dice, dice - 0.1]) if number > 1 else None,
            }
            for number in range(1, epochs + 1)
        ],
        "best_epoch": epochs,
        "end": "done",
        "test": {
            "mean": scores(0.2, [dice, dice - 0.1]),
            "tiled_for_memory": False,
            "cases": [
                {
                    "name": f"imagesTr/hippocampus_{n}.nii.gz",
                    "file": f"hippocampus_{n}",
                    "dims": [35, 51, 35],
                    "scores": scores(0.2, own),
                }
                for n, own in ((101, [dice + 0.05, dice]), (102, [dice - 0.05, dice - 0.2]))
            ],
        },
        "claims": [{"figure": "Dice", "paper": 0.82, "measured": dice}],
        "memory": {"planned_bytes": 2**30, "peak_bytes": 2**30 + 2**20},
    }
    jsonschema_rs.validator_for(orjson.loads(SCHEMA.read_bytes())).validate(content)
    return content


def run_folder(folder: Path, pictures: tuple[str, ...] = (), **members: Any) -> Path:
    factory.write(folder / "training.json", run(**members))
    for name in pictures:
        (folder / name).write_bytes(PIXEL)
    return folder


@pytest.fixture(scope="module")
def two_runs(tool: Tool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    first = run_folder(folder / "first", ("hippocampus_101_overlay.png",))
    second = run_folder(folder / "second", backend="eigen", dice=0.7)
    loose = folder / "elsewhere.png"
    loose.write_bytes(PIXEL)
    done = tool(
        "report", first, second / "training.json", loose, "-o", folder / "t.html",
        "--figures", folder / "figures",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_two_runs_have_figures_and_tables_of_their_own(two_runs: Path) -> None:
    names = {path.name for path in (two_runs / "figures").iterdir()}
    for own in ("first", "second"):
        for metric in ("loss", "accuracy", "soft-dice", "hard-dice"):
            assert f"training-{metric}-{own}.svg" in names
        assert {f"training-{own}.csv", f"training-{own}-test.csv"} <= names
    text = text_of(two_runs / "t.html")
    assert "first: loss" in text and "second: loss" in text


def test_a_run_shows_what_it_reached_case_by_case(two_runs: Path) -> None:
    rows = list(csv.DictReader((two_runs / "figures" / "training-first-test.csv").open()))
    assert [row["case"] for row in rows] == [
        "imagesTr/hippocampus_101.nii.gz", "imagesTr/hippocampus_102.nii.gz", "mean of all",
    ]  # fmt: skip
    assert float(rows[0]["hard_dice"]) == pytest.approx(0.825)
    assert float(rows[0]["hard_dice_2"]) == pytest.approx(0.8)
    claims = list(csv.DictReader((two_runs / "figures" / "training-first-claims.csv").open()))
    assert claims == [{"figure": "Dice", "paper": "0.82", "measured": "0.8"}]
    text = text_of(two_runs / "t.html")
    assert "3 epochs; the run ran all its epochs" in text
    assert "mean hard Dice is 0.750" in text
    assert "Dashed: epoch 3, whose validation loss is the lowest" in text
    for fact in ("180.0 s", "1500 s", "1.00 GiB", "25"):  # taken, forecast, planned, epochs asked
        assert fact in text


def test_surface_dice_is_shown_where_a_run_has_it(tool: Tool, tmp_path: Path) -> None:
    content = run()
    test = content["test"]
    test["surface_tolerance_mm"] = 1.0
    for case in test["cases"]:
        case["spacing_mm"] = [1.0, 1.0, 1.0]
        case["scores"] |= {"surface_dice": [0.5, None], "whole_surface_dice": 0.625}
    test["mean"] |= {"surface_dice": [0.5, None], "whole_surface_dice": 0.625}
    factory.write(tmp_path / "run" / "training.json", content)
    done = tool(
        "report", tmp_path / "run", "-o", tmp_path / "t.html", "--figures", tmp_path / "figures"
    )
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((tmp_path / "figures" / "training-run-test.csv").open()))
    for row in rows:
        assert (row["surface_dice"], row["surface_dice_1"], row["surface_dice_2"]) == (
            "0.5", "0.5", "",
        )  # fmt: skip
        assert row["whole_surface_dice"] == "0.625"
    text = text_of(tmp_path / "t.html")
    assert "The mean surface Dice is 0.500 at 1 mm." in text


def test_pictures_belong_to_the_run_whose_folder_they_lie_in(two_runs: Path) -> None:
    text = text_of(two_runs / "t.html")
    caption = "first: imagesTr/hippocampus_101.nii.gz (test split, hard Dice 0.850, 0.800)"
    assert text.index("first: loss") < text.index(caption)
    assert text.index(caption) < text.index("second: loss")
    assert "elsewhere.png (of no run on this page)" in text
    page = (two_runs / "t.html").read_text()
    assert page.count('src="data:image/png;base64,') == 2


def test_without_validation_the_training_loss_decides(tool: Tool, tmp_path: Path) -> None:
    content = run()
    for epoch in content["epochs"]:
        epoch["validation"] = None
    content["test"]["cases"][0]["name"] = "phantom 8"
    del content["test"]["cases"][0]["file"]  # as earlier versions wrote it
    factory.write(tmp_path / "run" / "training.json", content)
    (tmp_path / "run" / "phantom_8_overlay.png").write_bytes(PIXEL)
    done = tool("report", tmp_path / "run", "-o", tmp_path / "t.html")
    assert done.returncode == 0, done.stderr
    text = text_of(tmp_path / "t.html")
    assert "epoch 3, whose training loss is the lowest" in text
    assert "phantom_8 (test split, hard Dice 0.850, 0.800)" in text


def test_a_picture_from_elsewhere_is_the_only_runs(tool: Tool, tmp_path: Path) -> None:
    picture = tmp_path / "predictions" / "hippocampus_102_overlay.png"
    picture.parent.mkdir()
    picture.write_bytes(PIXEL)
    done = tool("report", run_folder(tmp_path / "run"), picture, "-o", tmp_path / "t.html")
    assert done.returncode == 0, done.stderr
    assert "imagesTr/hippocampus_102.nii.gz (test split, hard Dice 0.750" in text_of(
        tmp_path / "t.html"
    )


def test_a_long_run_is_told_in_days(tool: Tool, tmp_path: Path) -> None:
    content = run()
    content["forecast"]["total_seconds"] = 684 * 3600.0
    factory.write(tmp_path / "run" / "training.json", content)
    done = tool("report", tmp_path / "run", "-o", tmp_path / "t.html")
    assert done.returncode == 0, done.stderr
    assert "28.5 days" in text_of(tmp_path / "t.html")


@pytest.mark.parametrize("member", ["epochs", "best_epoch", "memory"])
def test_what_breaks_the_schema_is_refused(tool: Tool, tmp_path: Path, member: str) -> None:
    content = run()
    content[member] = None
    path = factory.write(tmp_path / "run.json", content)
    done = tool("report", path, "-o", tmp_path / "t.html")
    assert done.returncode == 64
    assert re.fullmatch(rf"voxmark: \S*run.json: {member}: .*\n", done.stderr)


def test_another_version_of_the_format_is_named(tool: Tool, tmp_path: Path) -> None:
    path = factory.write(tmp_path / "run.json", {**run(), "schema": "voxmark.training/0"})
    done = tool("report", path, "-o", tmp_path / "t.html")
    assert done.returncode == 3
    assert "voxmark.training/0" in done.stderr and "voxmark.training/1" in done.stderr


def test_what_is_no_picture_is_refused(tool: Tool, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("<svg>")
    assert tool("report", tmp_path / "bad.png", "-o", tmp_path / "c.html").returncode == 64
