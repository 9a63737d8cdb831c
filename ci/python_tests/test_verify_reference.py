"""voxmark verify --reference: a recorded run is met, and one with a wrong figure is not."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

VOXMARK = os.environ["VOXMARK_BINARY"]
REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "unet_f4_16x16x16_b2.safetensors"

Tensors = dict[str, np.ndarray]
Metadata = dict[str, str]


def verify(path: Path) -> tuple[int, dict[str, Any]]:
    """Exit code, and the result of naive in double."""
    done = subprocess.run(
        [VOXMARK, *"verify --backend naive --precision fp64 --json --reference".split(), path],
        check=False,
        capture_output=True,
        text=True,
    )
    return done.returncode, json.loads(done.stdout)["results"][0]


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[Callable[[Tensors, Metadata], None]], Path]:
    """Writes the recorded run with something changed."""
    if not REFERENCE.exists():
        pytest.skip(f"{REFERENCE} is not there")

    def write(change: Callable[[Tensors, Metadata], None]) -> Path:
        with safe_open(REFERENCE, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = dict(file.metadata())
        change(tensors, metadata)
        save_file(tensors, tmp_path / "changed.safetensors", metadata=metadata)
        return tmp_path / "changed.safetensors"

    return write


Writer = Callable[[Callable[[Tensors, Metadata], None]], Path]


def test_a_recorded_run_is_met(changed: Writer) -> None:
    status, result = verify(changed(lambda tensors, metadata: None))
    assert status == 0
    assert result["verdict"] == "verified"
    assert 0 < result["worst"]["error"] <= result["worst"]["tolerance"]


def test_a_wrong_gradient_is_found_by_name(changed: Writer) -> None:
    def negate(tensors: Tensors, metadata: Metadata) -> None:
        tensors["gradient/transconvC/bias"] *= -1

    status, result = verify(changed(negate))
    assert status == 1
    assert result["verdict"] == "mismatch"
    assert result["worst"]["tensor"] == "gradient/transconvC/bias"


def test_a_wrong_loss_is_found_by_its_step(changed: Writer) -> None:
    def raise_loss(tensors: Tensors, metadata: Metadata) -> None:
        reference = json.loads(metadata["reference"])
        reference["loss"][2] *= 1.001
        metadata["reference"] = json.dumps(reference)

    status, result = verify(changed(raise_loss))
    assert status == 1
    wrong = [check["tensor"] for check in result["checks"] if not check["passed"]]
    assert wrong == ["loss/step2"]


@pytest.mark.parametrize("name", ["final/encodeC_bn0/gamma", "prediction/inference"])
def test_what_is_not_a_number_is_no_match(changed: Writer, name: str) -> None:
    def spoil(tensors: Tensors, metadata: Metadata) -> None:
        tensors[name].flat[0] = np.nan

    status, result = verify(changed(spoil))
    assert status == 1
    wrong = [check for check in result["checks"] if not check["passed"]]
    assert [check["tensor"] for check in wrong] == [name]
    assert wrong[0]["error"] is None


@pytest.mark.parametrize(
    ("key", "step", "tensor"),
    [
        ("dice", 3, "dice/step3"),
        ("soft_dice_step0", None, "soft_dice/step0"),
        ("accuracy_step0", None, "accuracy/step0"),
        ("inference_loss", None, "loss/inference"),
    ],
)
def test_a_wrong_score_is_found_by_name(
    changed: Writer, key: str, step: int | None, tensor: str
) -> None:
    def move(tensors: Tensors, metadata: Metadata) -> None:
        reference = json.loads(metadata["reference"])
        if step is None:
            reference[key] += 1e-6
        else:
            reference[key][step] += 1e-6
        metadata["reference"] = json.dumps(reference)

    status, result = verify(changed(move))
    assert status == 1
    assert [check["tensor"] for check in result["checks"] if not check["passed"]] == [tensor]


def refusal(path: Path) -> str:
    """The only line that a run which makes no sense is answered with."""
    done = subprocess.run(
        [VOXMARK, *"verify --backend naive --reference".split(), path],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 64
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "changed.safetensors" in done.stderr
    return done.stderr


def test_a_run_without_losses_is_refused(changed: Writer) -> None:
    def clear(tensors: Tensors, metadata: Metadata) -> None:
        reference = json.loads(metadata["reference"])
        reference["loss"] = []
        metadata["reference"] = json.dumps(reference)

    assert "loss = []" in refusal(changed(clear))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("target", ()),
        ("target", (2, 16, 16, 8, 1)),
        ("input", (2, 16, 16, 8, 1)),
        ("prediction/step0", (5,)),
        ("prediction/inference", (5,)),
        ("gradient/transconvC/bias", (1, 2)),
        ("initial/encodeA_conv0/kernel", (3, 3, 3, 1, 8)),
        ("final/encodeA_conv0/bias", ()),
    ],
)
def test_a_tensor_of_another_shape_is_refused_by_name(
    changed: Writer, name: str, shape: tuple[int, ...]
) -> None:
    def reshape(tensors: Tensors, metadata: Metadata) -> None:
        tensors[name] = np.zeros(shape, tensors[name].dtype)

    assert name in refusal(changed(reshape))


def test_weights_of_another_model_are_refused(changed: Writer) -> None:
    def widen(tensors: Tensors, metadata: Metadata) -> None:
        reference = json.loads(metadata["reference"])
        reference["filters"] = 8
        metadata["reference"] = json.dumps(reference)

    text = refusal(changed(widen))
    assert (
        "initial/encodeA_conv0/kernel has shape [3, 3, 3, 1, 4], expected [3, 3, 3, 1, 8]" in text
    )
