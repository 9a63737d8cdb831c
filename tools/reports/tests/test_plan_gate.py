"""The gate on planned bytes: nothing grows unseen, and no machine passes by accident."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import factory
import pytest
from conftest import Done, Tool
from voxmark_reports import plan_gate

AVX512 = "fpu sse4_1 avx avx2 fma avx512f avx512bw avx512vl avx512dq"


class Gate:
    def __init__(self, tool: Tool, folder: Path) -> None:
        self._tool, self.folder = tool, folder
        self.limits = folder / "limits.json"

    def __call__(
        self, planned_bytes: int = 1000, *flags: str, flags_of_cpu: str = AVX512, **members: Any
    ) -> Done:
        records = [factory.record(backend) for backend in ("onednn", "eigen")]
        for record in records:
            record["memory"]["planned_bytes"] = planned_bytes
        members.setdefault("environment", {})["cpu"] = {"flags": flags_of_cpu}
        path = factory.write(self.folder / "r.json", factory.report(records, **members))
        return self._tool("plan-gate", path, "--limits", self.limits, *flags)


@pytest.fixture
def gate(tool: Tool, tmp_path: Path) -> Gate:
    own = Gate(tool, tmp_path)
    assert own(1000, "--update").returncode == 0
    return own


def test_the_same_plan_passes(gate: Gate) -> None:
    assert gate(1000).returncode == 0


def test_one_byte_more_fails(gate: Gate) -> None:
    done = gate(1001)
    assert done.returncode == 1
    assert "grown by 1" in done.stdout


@pytest.mark.parametrize(
    ("older", "name"),
    [
        ("eigen 64x64x64 16 filters 1 threads", "eigen 64x64x64 16 filters 1 thread"),
        ("eigen 64x64x64 1 filters 11 threads", "eigen 64x64x64 1 filter 11 threads"),
    ],
)
def test_older_limits_are_read(older: str, name: str) -> None:
    assert plan_gate.in_the_singular(older) == name


def test_less_passes_and_shows(gate: Gate) -> None:
    done = gate(900)
    assert done.returncode == 0
    assert "smaller by 100" in done.stdout


@pytest.mark.parametrize(
    "other",
    [
        {"flags_of_cpu": "fpu sse4_1 avx avx2 fma"},
        {"flags_of_cpu": AVX512 + " amx_bf16"},
        {"environment": {"variables": {"ONEDNN_MAX_CPU_ISA": "AVX2"}}},
        {"environment": {"variables": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_VNNI"}}},
        {"environment": {"libraries": [{"path": "/x/libdnnl.so.3.2", "sha256": "a" * 64}]}},
    ],
)
def test_another_kind_of_machine_is_a_skip_that_shows(gate: Gate, other: dict[str, Any]) -> None:
    done = gate(10**9, **other)
    assert done.returncode == 3
    assert done.stdout.startswith("SKIPPED")


def test_kinds_of_machines_have_limits_of_their_own(gate: Gate) -> None:
    avx2 = {"flags_of_cpu": "fpu sse4_1 avx avx2 fma"}
    assert gate(2000, "--update", **avx2).returncode == 0
    assert gate(2000, **avx2).returncode == 0
    assert gate(2000).returncode == 1
    assert len(json.loads(gate.limits.read_text())["machines"]) == 2


def test_a_case_that_is_gone_is_no_pass(gate: Gate, tool: Tool) -> None:
    record = factory.record("onednn")
    content = factory.report([record], environment={"cpu": {"flags": AVX512}})
    path = factory.write(gate.folder / "fewer.json", content)
    done = tool("plan-gate", path, "--limits", gate.limits)
    assert done.returncode == 1  # 3 is what a test harness shows as skipped
    assert "missing" in done.stdout


def test_a_case_without_a_limit_is_said_aloud(gate: Gate, tool: Tool) -> None:
    records = [factory.record(backend) for backend in ("onednn", "eigen", "naive")]
    content = factory.report(records, environment={"cpu": {"flags": AVX512}})
    path = factory.write(gate.folder / "more.json", content)
    done = tool("plan-gate", path, "--limits", gate.limits)
    assert done.returncode == 0
    assert "NOTE: 1 case has no limit, and passes unjudged: naive" in done.stdout


def test_cases_of_other_channels_or_classes_have_limits_of_their_own(
    gate: Gate, tool: Tool
) -> None:
    others = [
        {"input_channels": 4},
        {"classes": 3},
        {"classes": 3, "seed": 2, "data": "phantom"},  # the plan of the one before
    ]
    records = [factory.record("onednn"), *(factory.record("onednn", **own) for own in others)]
    for record, planned in zip(records, (1000, 2000, 3000, 3000), strict=True):
        record["memory"]["planned_bytes"] = planned
    content = factory.report(records, environment={"cpu": {"flags": AVX512}})
    path = factory.write(gate.folder / "several.json", content)
    assert tool("plan-gate", path, "--limits", gate.limits, "--update").returncode == 0
    (limits,) = json.loads(gate.limits.read_text())["machines"].values()
    assert sorted(limits.values()) == [1000, 2000, 3000]
    assert [name for name in limits if "3 classes" in name and "channel" not in name]
    assert tool("plan-gate", path, "--limits", gate.limits).returncode == 0


def test_older_limits_do_not_say_channels_and_classes(gate: Gate, tool: Tool) -> None:
    records = [factory.record(backend, classes=3) for backend in ("onednn", "eigen")]
    content = factory.report(records, environment={"cpu": {"flags": AVX512}})
    path = factory.write(gate.folder / "classes.json", content)
    done = tool("plan-gate", path, "--limits", gate.limits)
    assert done.returncode == 0
    assert "0 missing, 0 without a limit" in done.stdout


@pytest.mark.parametrize(
    ("cap", "flags"), [("AVX512_CORE", AVX512), ("avx2", "fpu sse4_1 avx avx2 fma")]
)
def test_a_machine_held_to_less_is_of_that_kind(gate: Gate, cap: str, flags: str) -> None:
    variables = {"variables": {"ONEDNN_MAX_CPU_ISA": cap}}
    capped = {"flags_of_cpu": AVX512 + " amx_bf16", "environment": variables}
    assert gate(1000, "--update", flags_of_cpu=flags).returncode == 0
    assert gate(1000, **capped).returncode == 0
    assert gate(1001, **capped).returncode == 1


def test_the_script_fails_an_inflated_plan_and_a_lost_case(tmp_path: Path) -> None:
    """From a real plan to the exit code of ci/plan_gate, with limits and a suite of our own."""
    script = Path(__file__).resolve().parents[3] / "ci" / "plan_gate"
    suite, limits = tmp_path / "suite.json", tmp_path / "limits.json"

    def run_script(*flags: str, backends: tuple[str, ...] = ("naive", "eigen")) -> Done:
        grid = {"backend": backends, "image": [32], "filters": [2], "threads": [1], "steps": 1}
        factory.write(suite, {"schema": "voxmark.suite/1", "grids": [{**grid, "warmup": 0}]})
        command = [script, *flags, "--suite", suite, "--limits", limits]
        done = subprocess.run(
            [*map(str, command), os.environ["VOXMARK_BINARY"]], capture_output=True, text=True
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def write_limits(machines: dict[str, dict[str, int]]) -> None:
        factory.write(limits, {"schema": "voxmark.planned_bytes/1", "machines": machines})

    write_limits({"another kind": {}})
    skipped = run_script()
    assert skipped.returncode == 3, skipped.stderr
    assert "SKIPPED: no planned bytes of this kind of machine" in skipped.stdout
    assert run_script("--update").returncode == 0
    machines = json.loads(limits.read_text())["machines"]
    (kind,) = (name for name in machines if name != "another kind")
    assert kind.split(",")[0] in ("avx512", "avx2")
    assert len(machines[kind]) == 2
    assert run_script().returncode == 0

    lost = run_script(backends=("naive",))
    assert lost.returncode == 1
    assert "missing" in lost.stdout
    lowered = next(label for label in machines[kind] if label.startswith("eigen"))
    machines[kind][lowered] -= 1
    write_limits(machines)
    grown = run_script()
    assert grown.returncode == 1
    assert "grown by 1" in grown.stdout


@pytest.mark.parametrize("content", ["", "{}", '{"schema": "voxmark.planned_bytes/1"}'])
def test_limits_that_are_none_are_bad_input(gate: Gate, content: str) -> None:
    gate.limits.write_text(content)
    assert gate(1000).returncode == 64


def test_one_limit_is_counted_as_one(tool: Tool, tmp_path: Path) -> None:
    report = factory.write(tmp_path / "a.json", factory.report(factory.processes([0.5])))
    done = tool("plan-gate", report, "--limits", tmp_path / "l.json", "--update")
    assert done.returncode == 0 and ": 1 limit of " in done.stdout
