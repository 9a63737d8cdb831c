"""Outside backends, written from benches/PROTOCOL.md alone: the example, and installed peers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from safetensors.numpy import save_file

SOURCES = Path(__file__).parents[2]
EXAMPLE = SOURCES / "tools" / "peers" / "example_child.py"
VOXMARK = os.environ["VOXMARK_BINARY"]
SCHEMA = json.loads((SOURCES / "benches" / "protocol.schema.json").read_text())


def run(backends: str, folder: Path, **flags: str) -> list[dict[str, Any]]:
    """The records of a small run."""
    out = folder / "report.json"
    command = [VOXMARK, "run", "--backend", backends, "--out", str(out)]
    for flag, value in (
        {"steps": "2", "warmup": "1", "image": "16", "filters": "2"} | flags
    ).items():
        command += ["--" + flag, value]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert out.exists(), done.stderr
    return json.loads(out.read_text())["records"]


def request(mode: str, folder: Path, **case: Any) -> dict[str, Any]:
    """A request whose weights are zero: enough to hear the child speak."""
    spec = {"backend": "exec:x", "image": [16, 16, 16], "batch": 1, "input_channels": 1}
    spec |= {"classes": 1, "filters": 2, "precision": "fp32", "threads": 1, "data": "synthetic"}
    spec |= {"seed": 1, "steps": 1, "warmup": 1, "process": 0, **case}
    image = np.zeros((1, 16, 16, 16, 1), np.float32)
    save_file({"input": image, "target": image}, folder / "batch")
    paths = {"batch_path": str(folder / "batch"), "weights_path": str(folder / "weights")}
    return {"protocol": "voxmark.child/2", "mode": mode, "case": spec, **paths}


@pytest.mark.parametrize("precision", ["fp32", "fp64"])
@pytest.mark.parametrize("shape", [("16", "1", "1"), ("32x16x16", "2", "3")])
def test_the_example_is_verified_and_timed(
    precision: str, shape: tuple[str, str, str], tmp_path: Path
) -> None:
    image, batch, classes = shape
    flags = {"image": image, "batch": batch, "classes": classes, "precision": precision}
    ours, example = run(f"naive,exec:{sys.executable} {EXAMPLE}", tmp_path, **flags)
    assert ours["outcome"] == "ok", ours["reason"]
    assert example["outcome"] == "ok", example["reason"]
    assert example["verification"]["verified"]
    assert example["verification"]["details"]["checks"] == 2 + 82 + 82 + 36
    assert example["verification"]["details"]["timed_shape"]["against"] == "naive"
    assert example["samples"][1]["step_seconds"] > 0
    assert example["memory"]["peak_bytes"] > 0


def test_the_example_keeps_to_the_schema(tmp_path: Path) -> None:
    asked = request("plan", tmp_path)
    jsonschema.validate(asked, SCHEMA)
    done = subprocess.run(
        [sys.executable, EXAMPLE], input=json.dumps(asked), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        jsonschema.validate(json.loads(line), SCHEMA)
    assert json.loads(done.stdout)["type"] == "planned"


def test_voxmarks_own_child_keeps_to_the_schema(tmp_path: Path) -> None:
    for mode in ("plan", "verify", "time"):
        asked = request(mode, tmp_path, backend="naive")
        done = subprocess.run(
            [VOXMARK, "child"], input=json.dumps(asked), capture_output=True, text=True
        )
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert lines, done.stderr
        for line in lines:
            jsonschema.validate(line, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"type": "step"}, SCHEMA)


def test_a_wrong_example_is_invalid(tmp_path: Path) -> None:
    for name in ("example_child.py", "numpy_unet.py"):
        text = (EXAMPLE.parent / name).read_text()
        # A batch norm whose backward pass forgets that the mean depends on x.
        (tmp_path / name).write_text(text.replace("(dbeta + normal * dgamma)", "(normal * dgamma)"))
    (record,) = run(f"exec:{sys.executable} {tmp_path}/example_child.py", tmp_path)
    assert record["outcome"] == "invalid"
    assert not any("step_seconds" in sample for sample in record["samples"])


PEERS = ["tensorflow-stock", "tensorflow-onednn", "pytorch"]


@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_is_skipped_where_it_is_not_installed(
    peer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOXMARK_PEERS", str(tmp_path))
    (record,) = run(peer, tmp_path)
    assert record["outcome"] == "skipped"
    assert record["reason"] == "not installed (ci/peers)"


@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_computes_the_step(peer: str, tmp_path: Path) -> None:
    framework = peer.split("-")[0]
    if not (SOURCES / ".peers" / framework / "installed.txt").exists():
        pytest.skip("not installed (ci/peers)")
    records = run(f"{peer},naive", tmp_path, image="32", filters="4")
    record = next(r for r in records if r["case"]["backend"] == peer)
    assert record["outcome"] == "ok", record["reason"]
    assert record["verification"]["verified"]
    assert record["verification"]["details"]["timed_shape"]["against"] == "naive"
    if framework == "tensorflow":
        assert record["details"]["execution"]["onednn"] == (peer == "tensorflow-onednn")
    assert record["samples"][1]["readings"]["user_seconds"] > 0
