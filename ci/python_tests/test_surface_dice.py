"""Surface Dice of voxmark predict and train, against DeepMind's package surface-distance: the code
that the Medical Segmentation Decathlon was judged by."""

from __future__ import annotations

import json
import math
import os
import subprocess
import warnings
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import surface_distance

VOXMARK = os.environ["VOXMARK_BINARY"]
ENVIRONMENT = {**os.environ, "OMP_WAIT_POLICY": "passive"}
SHAPE = (20, 17, 22)
LABELS = (1, 2, 3)
SPACING = (0.9, 1.3, 2.1)
# Axes turned and one of them reversed: the spacing is that of the columns.
AFFINE = np.array([[0, -1.3, 0, 4], [0.9, 0, 0, 5], [0, 0, 2.1, 6], [0, 0, 0, 1.0]])


def truth_of(case: int) -> np.ndarray:
    """Noise, in which all shapes of a surface occur; two boxes, one at the border; nothing."""
    random = np.random.default_rng(case)
    labels = np.zeros(SHAPE, np.uint8)
    if case % 3 == 2:
        labels = random.choice(4, size=SHAPE, p=(0.55, 0.2, 0.2, 0.05)).astype(np.uint8)
    elif case % 3 == 1:
        labels[:9, :8, :10] = 1
        labels[6:14, 5:12, 8:15] = 2
    return labels


def write_data_set(folder: Path, cases: int) -> None:
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True)
    training = []
    for case in range(cases):
        labels = truth_of(case)
        noise = np.random.default_rng(100 + case).normal(size=SHAPE)
        image = (noise + labels).astype(np.float32)
        name = f"case_{case:02}.nii.gz"
        nibabel.save(nibabel.Nifti1Image(image, AFFINE), folder / "imagesTr" / name)
        nibabel.save(nibabel.Nifti1Image(labels, AFFINE), folder / "labelsTr" / name)
        training.append({"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"})
    names = {"0": "background", **{str(label): f"label {label}" for label in LABELS}}
    description = {
        "name": "surfaces",
        "modality": {"0": "MRI"},
        "labels": names,
        "numTraining": cases,
        "training": training,
        "test": [],
    }
    (folder / "dataset.json").write_text(json.dumps(description))


def start(*arguments: str | Path | float) -> subprocess.CompletedProcess[str]:
    line = [VOXMARK, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False, env=ENVIRONMENT)


def voxmark(*arguments: str | Path | float) -> str:
    done = start(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def model(folder: Path) -> tuple[str | Path | int, ...]:
    small = ("--image", 16, "--filters", 2, "--batch", 4, "--backend", "naive", "--threads", 1)
    return ("--data", folder / "data", *small)


def run_of_three(folder: Path) -> tuple[str | Path | int, ...]:
    return ("train", *model(folder), "--classes", 3, "--epochs", 6, "--out", folder / "three")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set and two runs on it: of three classes, and of one."""
    path = tmp_path_factory.mktemp("surfaces")
    write_data_set(path / "data", 24)
    voxmark(*run_of_three(path), "--surface-tolerance", 1.5)
    one = ("--epochs", 2, "--surface-tolerance", 1.5, "--out", path / "one")
    voxmark("train", *model(path), *one)
    return path


def reference(truth: np.ndarray, prediction: np.ndarray, tolerance: float) -> float | None:
    """None where the reference says NaN: both are empty."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it divides 0 by 0, and has SciPy's old names
        if not hasattr(np, "Inf"):
            np.Inf = np.inf  # NumPy 2 has dropped the name
        distances = surface_distance.compute_surface_distances(truth, prediction, SPACING)
        dice = surface_distance.compute_surface_dice_at_tolerance(distances, tolerance)
    return None if math.isnan(dice) else float(dice)


def volume(path: str | Path) -> np.ndarray:
    return np.asarray(nibabel.load(path).dataobj)


def approx(value: float | None) -> Any:
    return None if value is None else pytest.approx(value, abs=1e-9)


def check_mean(cases: list[dict[str, Any]], mean: dict[str, Any]) -> None:
    """Over the cases that have a value."""
    for label, found in enumerate(mean["surface_dice"]):
        values = [case["surface_dice"][label] for case in cases]
        known = [value for value in values if value is not None]
        assert found == (pytest.approx(np.mean(known)) if known else None)


@pytest.mark.parametrize("tolerance", [0.5, 1, 2.1, 4.6])
def test_every_label_and_the_whole_are_as_the_reference_has_them(
    folder: Path, tmp_path: Path, tolerance: float
) -> None:
    arguments = ("--part", "all", "--surface-tolerance", tolerance, "--json")
    answer = voxmark(
        "predict", folder / "three", "--data", folder / "data", "--out", tmp_path, *arguments
    )
    found = json.loads(answer)
    assert found["surface_tolerance_mm"] == tolerance
    assert len(found["predictions"]) == 24
    values: list[float | None] = []
    for one in found["predictions"]:
        truth = truth_of(int(Path(one["case"]).name[5:7]))
        predicted = volume(one["prediction"])
        assert one["spacing_mm"] == pytest.approx(SPACING, abs=1e-6)
        expected = [reference(truth == label, predicted == label, tolerance) for label in LABELS]
        whole = reference(truth > 0, predicted > 0, tolerance)
        assert one["scores"]["surface_dice"] == [approx(value) for value in expected]
        assert one["scores"]["whole_surface_dice"] == approx(whole)
        values += [*expected, whole]
    check_mean([one["scores"] for one in found["predictions"]], found["mean"])
    # All kinds occurred: neither had the label, one of them had not, both had.
    assert None in values
    assert 0 in values
    assert sum(1 for value in values if value is not None and 0 < value < 1) >= 8


def test_one_class_is_any_label_and_the_test_split_is_scored_so(folder: Path) -> None:
    report = json.loads((folder / "one" / "training.json").read_text())
    test = report["test"]
    assert test["surface_tolerance_mm"] == 1.5
    assert len(test["cases"]) > 1
    out = folder / "one" / "labels"
    voxmark("predict", folder / "one", "--data", folder / "data", "--out", out)
    for case in test["cases"]:
        truth = truth_of(int(Path(case["name"]).name[5:7]))
        predicted = volume(out / f"{case['file']}_prediction.nii.gz")
        expected = reference(truth > 0, predicted > 0, 1.5)
        assert case["spacing_mm"] == pytest.approx(SPACING, abs=1e-6)
        assert case["scores"]["surface_dice"] == [approx(expected)]
        assert case["scores"]["whole_surface_dice"] == approx(expected)
    check_mean([case["scores"] for case in test["cases"]], test["mean"])
    assert all("surface_dice" not in epoch["training"] for epoch in report["epochs"])


def test_another_tolerance_scores_a_finished_run_again(folder: Path) -> None:
    line = (*run_of_three(folder), "--resume", "--surface-tolerance")

    def test_of(answer: str) -> dict[str, Any]:
        assert "training loss" not in answer
        return json.loads((folder / "three" / "training.json").read_text())["test"]

    before = test_of(voxmark(*line, 1.5))
    answer = voxmark(*line, 4)
    after = test_of(answer)
    assert " at 4 mm" in answer
    assert (before["surface_tolerance_mm"], after["surface_tolerance_mm"]) == (1.5, 4)
    assert after["mean"]["hard_dice"] == before["mean"]["hard_dice"]
    assert after["mean"]["whole_surface_dice"] > before["mean"]["whole_surface_dice"]


@pytest.mark.parametrize("tolerance", ["0", "-1", "nan", "inf", "1mm"])
@pytest.mark.parametrize("command", ["train", "predict"])
def test_what_is_no_tolerance_is_refused(folder: Path, command: str, tolerance: str) -> None:
    line = ("train",) if command == "train" else ("predict", folder / "one")
    refused = start(*line, "--data", folder / "data", f"--surface-tolerance={tolerance}")
    assert refused.returncode == 64
    assert "--surface-tolerance" in refused.stderr
    assert "millimetres above 0" in refused.stderr


def test_a_tolerance_below_a_voxel_is_told(folder: Path, tmp_path: Path) -> None:
    line = ("predict", folder / "one", "--data", folder / "data", "--out", tmp_path)
    told = "voxels lie 0.9 x 1.3 x 2.1 mm apart"
    assert told in start(*line, "--surface-tolerance", 0.8).stderr
    assert told not in start(*line, "--surface-tolerance", 0.9, "--overwrite").stderr
