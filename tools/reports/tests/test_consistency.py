"""Reports that contradict themselves, as voxmark validate finds: published by nobody unasked."""

from __future__ import annotations

import copy
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import factory
import pytest
from test_compare_ops import FOREIGN
from test_google_benchmark import row


def voxmark(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [os.environ["VOXMARK_BINARY"], *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if "VOXMARK_BINARY" not in os.environ:
        pytest.skip("VOXMARK_BINARY: which program")
    path = tmp_path_factory.mktemp("measured") / "report.json"
    flags = "--backend naive --image 16 --filters 1 --steps 2 --warmup 1 --repeats 2 --threads 1"
    flags += " --no-limits --taint-repeats 0"  # other tests run beside
    done = voxmark("run", *flags.split(), "--out", path)
    assert done.returncode == 0, done.stderr
    return json.loads(path.read_bytes())


def forged(measured: dict[str, Any]) -> dict[str, Any]:
    """The figures of another machine, twice as many sockets, and a faster step."""
    content = copy.deepcopy(measured)
    cpu = content["environment"]["cpu"]
    cpu |= {"model_name": "AMD EPYC 9654 96-Core Processor", "vendor_id": "GenuineIntel"}
    cpu["sockets"] = (cpu["sockets"] or 1) + 1
    cpu["topology"] = {"packages": cpu["sockets"] + 1}
    content["records"][0]["samples"][1]["step_seconds"] *= 0.9
    return content


def test_what_was_measured_is_published(measured: dict[str, Any], tmp_path: Path) -> None:
    path = factory.write(tmp_path / "a.json", measured)
    assert voxmark("validate", path, path).returncode == 0
    done = voxmark("report", path, "-o", tmp_path / "page.html")
    assert (done.returncode, done.stderr) == (0, "")
    done = voxmark("compare", path, path)
    assert done.returncode == 4 and "warning" not in done.stderr


def test_each_contradiction_is_named_with_both_values(
    measured: dict[str, Any], tmp_path: Path
) -> None:
    path = factory.write(tmp_path / "forged.json", forged(measured))
    done = voxmark("validate", path)
    assert done.returncode == 1
    for words in (
        'cpu.model_name is "AMD EPYC 9654 96-Core Processor", cpu.vendor_id is "GenuineIntel"',
        "cpu.topology.packages is",
        "record 0: step_seconds",
    ):
        assert words in done.stdout


@pytest.mark.parametrize("as_folder", [False, True])
def test_a_contradiction_is_not_published_unasked(
    measured: dict[str, Any], tmp_path: Path, as_folder: bool
) -> None:
    path = factory.write(tmp_path / "state" / "forged.json", forged(measured))
    path = path.parent if as_folder else path
    for command, out in (("report", tmp_path / "p.html"), ("bundle", tmp_path / "b.tar.gz")):
        done = voxmark(command, path, "-o", out)
        assert done.returncode == 64
        assert "cpu.vendor_id" in done.stderr and "--accept-contradictions" in done.stderr
        assert not out.exists()
        done = voxmark(command, path, "-o", out, "--accept-contradictions")
        assert done.returncode == 0, done.stderr
    assert "contradicts itself: " in (tmp_path / "p.html").read_text()


def test_whoever_compares_is_told(measured: dict[str, Any], tmp_path: Path) -> None:
    good = factory.write(tmp_path / "good.json", measured)
    path = factory.write(tmp_path / "forged.json", forged(measured))
    for command in (
        ("compare", good, path),
        ("history", "--db", tmp_path / "h", "add", path),
        ("history", "--db", tmp_path / "h", "gate", path),
    ):
        done = voxmark(*command)
        assert "warning: " in done.stderr and "cpu.vendor_id" in done.stderr, command


def test_what_breaks_the_schema_is_refused_by_all_with_its_field(
    measured: dict[str, Any], tmp_path: Path
) -> None:
    content = copy.deepcopy(measured)
    content["records"][0]["details"]["probes"]["counters"] = None
    path = factory.write(tmp_path / "a.json", content)
    for command in (
        ("validate", path),
        ("compare", path, path),
        ("report", path, "-o", tmp_path / "p.html"),
        ("report", path, "-o", tmp_path / "p.html", "--accept-contradictions"),
        ("bundle", path, "-o", tmp_path / "b.tar.gz"),
        ("history", "--db", tmp_path / "h", "add", path),
        ("rerun", path, "--case", "0"),
    ):
        done = voxmark(*command)
        assert done.returncode == 64, command
        assert "counters" in done.stderr, command


def test_op_level_files_are_none_of_its_business(tmp_path: Path) -> None:
    path = factory.write(
        tmp_path / "a.json", {"context": FOREIGN, "benchmarks": [row("BM_a", 1.0)]}
    )
    assert voxmark("report", path, "-o", tmp_path / "p.html").returncode == 0
