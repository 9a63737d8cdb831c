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
