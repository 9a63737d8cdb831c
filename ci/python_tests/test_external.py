"""Outside backends, written from PROTOCOL.md alone: the example, and installed peers."""

from __future__ import annotations

import json
import os
import shutil
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
SCHEMA = json.loads((SOURCES / "benches" / "protocol" / "protocol.schema.json").read_text())


def run(backends: str, folder: Path, **flags: str) -> list[dict[str, Any]]:
    """The records of a small run."""
    out = folder / "report.json"
    command = [VOXMARK, "run", "--backend", backends, "--out", str(out), "--overwrite"]
    command += ["--no-limits", "--taint-repeats", "0"]  # other tests run beside
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


# Speaks for a child, and writes down all that is said.
LISTENER = """
import json, subprocess, sys
log, *command = sys.argv[1:]
with open(log, "a") as file:
    line = sys.stdin.readline()
    file.write(line)
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    child.stdin.write(line)
    child.stdin.flush()
    for answer in child.stdout:
        file.write(answer)
        print(answer, end="", flush=True)
        if json.loads(answer)["type"] not in ("ready", "step"):
            break
sys.stdin.read()
child.stdin.close()
sys.exit(child.wait())
"""


def test_all_that_is_said_keeps_to_the_schema(tmp_path: Path) -> None:
    listener = tmp_path / "listener.py"
    listener.write_text(LISTENER)
    log = tmp_path / "log"
    (record,) = run(f"exec:{sys.executable} {listener} {log} {sys.executable} {EXAMPLE}", tmp_path)
    assert record["outcome"] == "ok", record["reason"]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        jsonschema.validate(line, SCHEMA)
    assert [line["mode"] for line in lines if "mode" in line] == ["plan", "verify", "time"]
    said = [line["type"] for line in lines if "type" in line]
    assert said == ["planned", "computed", "ready", "step", "step", "step", "done"]


# Speaks for a child, and changes members of what it says, by type of message.
CHANGING = """
import json, subprocess, sys
changes, command = json.loads(sys.argv[1]), sys.argv[2:]
child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
child.stdin.write(sys.stdin.readline())
child.stdin.flush()
for answer in child.stdout:
    message = json.loads(answer)
    print(json.dumps(message | changes.get(message["type"], {})), flush=True)
    if message["type"] not in ("ready", "step"):
        break
sys.stdin.read()
child.stdin.close()
sys.exit(child.wait())
"""


@pytest.mark.parametrize(
    ("member", "value", "named"),
    [
        ("probes", {"counters": None}, "probes.counters: expected an object, found null"),
        ("probes", {"energy": []}, "probes.energy: expected an object"),
        ("probes", 7, "probes: expected an object, found 7"),
        ("stages", [{"ops": "all"}], "stages[0].ops: expected an array of texts"),
        ("stages", [7], "stages[0]: expected an object, found 7"),
        ("batch_sha256", "abc", "batch_sha256: expected 64 hexadecimal digits"),
    ],
)
def test_a_member_of_another_shape_fails_the_case_by_its_name(
    member: str, value: Any, named: str, tmp_path: Path
) -> None:
    program = tmp_path / "changing.py"
    program.write_text(CHANGING)
    change = json.dumps({"done" if member == "probes" else "ready": {member: value}})
    command = f"{sys.executable} {program} {change.replace(' ', '')} {sys.executable} {EXAMPLE}"
    (record,) = run(f"exec:{command}", tmp_path)
    assert record["outcome"] == "failed"
    assert named in record["reason"]


def test_a_request_names_the_files_of_its_mode(tmp_path: Path) -> None:
    page = (SOURCES / "benches" / "protocol" / "PROTOCOL.md").read_text()
    example = json.loads(page.split("```json\n")[1].split("```")[0])
    jsonschema.validate(example, SCHEMA)
    for mode, path in (("time", "weights_path"), ("time", "batch_path"), ("verify", "batch_path")):
        asked = request(mode, tmp_path) | {"results_path": "r"}
        jsonschema.validate(asked, SCHEMA)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({k: v for k, v in asked.items() if k != path}, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(request("verify", tmp_path), SCHEMA)


@pytest.mark.parametrize(
    ("change", "answer"),
    [({"protocol": "voxmark.child/1"}, "error"), ({"isa": "avx2"}, "unsupported")],
)
def test_the_example_refuses_what_it_cannot_do(
    change: dict[str, str], answer: str, tmp_path: Path
) -> None:
    asked = request("time", tmp_path)
    (asked if "protocol" in change else asked["case"]).update(change)
    done = subprocess.run(
        [sys.executable, EXAMPLE], input=json.dumps(asked), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (line,) = map(json.loads, done.stdout.splitlines())
    jsonschema.validate(line, SCHEMA)
    assert line["type"] == answer


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


def changed_example(folder: Path, *changes: tuple[str, str]) -> str:
    """The example as a backend, with texts of it replaced."""
    for name in ("example_child.py", "numpy_unet.py"):
        text = (EXAMPLE.parent / name).read_text()
        for old, new in changes:
            text = text.replace(old, new)
        (folder / name).write_text(text)
    return f"exec:{sys.executable} {folder}/example_child.py"


def verify(backend: str, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [VOXMARK, "verify", "--backend", backend, "--image", "16", "--filters", "2", *flags]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_verify_lists_every_tensor_of_a_program(tmp_path: Path) -> None:
    done = verify(changed_example(tmp_path), "--json")
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)["results"]
    assert len(result["checks"]) == 2 + 82 + 82 + 36
    names = {check["tensor"] for check in result["checks"]}
    assert {"loss", "gradient/PredictionMask/bias", "updated/encodeA_bn0/moving_mean"} <= names
    assert all(check["passed"] for check in result["checks"])


def test_a_textbooks_adam_is_told_what_is_expected(tmp_path: Path) -> None:
    betas = ("np.float64(np.float32(0.9)), np.float64(np.float32(0.999))", "0.9, 0.999")
    # In fp64 its difference is beyond the tolerance in every tensor.
    done = verify(changed_example(tmp_path, betas), "--precision", "fp64")
    assert done.returncode == 1
    assert "updated/" in done.stdout
    assert "float32(0.999)" in done.stdout


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ((", exact=False", ""), ["planned", '"exact" is missing']),
        (
            ('say("computed", step_seconds=end - start)', 'say("computed")'),
            ["computed", '"step_seconds" is missing'],
        ),
        (("updated/{n}", "update/{n}"), ["updated/"]),
        (('say("computed"', 'say("calculated"'), ["calculated", "expected planned, computed"]),
    ],
)
def test_verify_names_what_a_program_leaves_out(
    change: tuple[str, str], told: list[str], tmp_path: Path
) -> None:
    done = verify(changed_example(tmp_path, change))
    assert done.returncode == 1, done.stdout + done.stderr
    for word in told:
        assert word in done.stdout


def test_a_programs_own_fault_is_none_of_voxmarks(tmp_path: Path) -> None:
    backend = changed_example(tmp_path, ('say("done")', 'raise SystemExit("no")'))
    command = [VOXMARK, "run", "--backend", backend, "--image", "16", "--filters", "2"]
    command += ["--steps", "1", "--warmup", "0", "--no-limits", "--out", str(tmp_path / "out.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    (record,) = json.loads((tmp_path / "out.json").read_text())["records"]
    assert record["outcome"] == "failed"
    assert 'before it said "done"' in record["reason"]


PEERS = ["tensorflow-stock", "tensorflow-stock-2018", "tensorflow-onednn", "pytorch", "jax"]


@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_is_skipped_where_it_is_not_installed(
    peer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOXMARK_PEERS", str(tmp_path))
    (record,) = run(peer, tmp_path)
    assert record["outcome"] == "skipped"
    assert record["reason"] == "not installed (ci/peers)"


def skip_unless_installed(framework: str) -> None:
    """Where a framework has to be there (VOXMARK_REQUIRE_PEERS), its absence is a failure."""
    if not (SOURCES / ".peers" / framework / "installed.txt").exists():
        if framework in os.environ.get("VOXMARK_REQUIRE_PEERS", "").split(","):
            pytest.fail(f"{framework} is not installed (ci/peers)")
        pytest.skip("not installed (ci/peers)")


@pytest.mark.parametrize(
    ("framework", "precision", "names"),
    [
        (
            "tensorflow",
            "fp32",
            ["stock", "stock-tuned", "stock-2018-tuned", "onednn", "eager", "compiled"],
        ),
        ("tensorflow", "bf16", ["onednn"]),
        ("pytorch", "fp32", ["", "tuned", "compiled"]),
        ("pytorch", "bf16", [""]),
        ("jax", "fp32", [""]),
    ],
)
def test_peers_compute_the_step(
    framework: str, precision: str, names: list[str], tmp_path: Path
) -> None:
    skip_unless_installed(framework)
    peers = [f"{framework}-{name}".rstrip("-") for name in names]
    # In bf16 at the shape that the paper's model is verified at: where the coarsest level has but a
    # few voxels, rounding decides.
    shape = {"fp32": {"image": "32", "filters": "4"}, "bf16": {"image": "48", "filters": "16"}}
    records = run(",".join(peers), tmp_path, precision=precision, **shape[precision])
    assert sorted(r["case"]["backend"] for r in records) == sorted(peers)
    for record in records:
        peer = record["case"]["backend"]
        assert record["outcome"] == "ok", f"{peer}: {record['reason']}"
        assert record["verification"]["verified"], peer
        assert record["verification"]["details"]["timed_shape"]["against"] == "onednn", peer
        readings = record["samples"][1]["readings"]
        assert readings["user_seconds"] > 0, peer
        assert readings.get("thread_wait_seconds", 0) >= 0, peer
        execution = record["details"]["execution"]
        assert execution["flush_to_zero"], peer
        assert execution["variables"]["ONEDNN_DEFAULT_FPMATH_MODE"] == "STRICT"
        assert ("MALLOC_TOP_PAD_" in execution["variables"]) == peer.endswith("tuned")
        if peer in ("tensorflow-stock", "tensorflow-onednn"):
            assert execution["onednn"] == (peer == "tensorflow-onednn")
        if peer.startswith("tensorflow-stock"):
            gradients = ["eigen_tensor" if "2018" in peer else ""]
            assert execution["kernel_labels"] == {
                "Conv3D": [""],
                "Conv3DBackpropFilterV2": gradients,
                "Conv3DBackpropInputV2": gradients,
            }
        if not peer.endswith(("compiled", "eager", "jax")):
            observed = record["details"]["probes"]["observed_step"]
            assert observed["convolution_seconds"] > 0, f"{peer}: {observed}"
            assert observed["other_seconds"] > 0, f"{peer}: {observed}"


def test_jax_has_as_many_cpus_as_the_case_has_threads(tmp_path: Path) -> None:
    skip_unless_installed("jax")
    (record,) = run("jax", tmp_path, image="32", filters="4", threads="1")
    assert record["outcome"] == "ok", record["reason"]
    assert len(record["details"]["execution"]["cpus"]) == 1


def test_pytorch_multiplies_in_bf16_where_the_cpu_does(tmp_path: Path) -> None:
    skip_unless_installed("pytorch")
    (record,) = run("pytorch-bf32", tmp_path, image="32", filters="16", steps="1")
    if "amx_bf16" not in Path("/proc/cpuinfo").read_text():
        assert record["outcome"] == "skipped"
        assert "bf16 products change no bit" in record["reason"]
        return
    assert record["outcome"] == "ok", record["reason"]
    assert record["verification"]["verified"]
    assert record["details"]["execution"]["conv_fp32_precision"] == "bf16"
    # A CPU that is held to less has no such products.
    (record,) = run("pytorch-bf32", tmp_path, image="32", filters="16", steps="1", isa="avx2")
    assert record["outcome"] == "skipped"
    assert "bf16 products change no bit" in record["reason"]


def test_stock_kernels_cannot_be_held_to_an_instruction_set(tmp_path: Path) -> None:
    skip_unless_installed("tensorflow")
    (record,) = run("tensorflow-stock", tmp_path, isa="avx2")
    assert record["outcome"] == "skipped"
    assert "cannot be held to avx2" in record["reason"]


def programs(folder: Path, other: str) -> str:
    """A copy of voxmark, and beside it a voxmark-avx2."""
    for name in ("voxmark", "voxmark-avx2"):
        shutil.copy(VOXMARK, folder / name)
    if other:
        (folder / "voxmark-avx2").write_text(f"#!/bin/sh\necho '{other}'\n")
    return str(folder / "voxmark")


def test_another_instruction_set_is_another_program(tmp_path: Path) -> None:
    command = [
        programs(tmp_path, ""),
        "run",
        "--backend",
        "naive",
        "--isa",
        "avx2",
        "--image",
        "16",
    ]
    command += ["--filters", "2", "--steps", "1", "--warmup", "0", "--no-limits", "--overwrite"]
    command += ["--out"]
    out = tmp_path / "report.json"
    done = subprocess.run([*command, str(out)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(out.read_text())
    assert report["records"][0]["outcome"] == "ok"
    assert report["details"]["isa_programs"]["avx2"] == report["voxmark"]

    old = {"voxmark": report["voxmark"] | {"commit": "0123abc"}}
    programs(tmp_path, json.dumps(old))
    done = subprocess.run([*command, str(out)], capture_output=True, text=True, check=False)
    assert done.returncode == 64, done.stderr
    assert "ci/isa builds it anew" in done.stderr
