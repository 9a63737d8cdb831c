"""voxmark compare on the JSON of Google Benchmark."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import factory
import pytest
from conftest import Tool
from test_compare import AGAIN, BASE, SLOWER, compare, verdict  # noqa: F401

CONTEXT = {
    "date": "2024-05-31T12:00:00+00:00",
    "host_name": "example",
    "executable": "./bench_ops",
    "num_cpus": 2,
    "mhz_per_cpu": 2000,
    "caches": [{"type": "Data", "level": 1, "size": 32768, "num_sharing": 1}],
    "library_build_type": "release",
    "cpu_model": "Example CPU",
    "isa": "avx512_core, built for native",
    "library": "oneDNN 2.6.3",
    "threads": "2",
    "precision": "fp32",
    "batch": "1",
    "filters": "16",
    "channels": "1",
    "classes": "1",
}
FOREIGN = {name: CONTEXT[name] for name in list(CONTEXT)[:7]}  # of another program


def op_level(seconds: list[float], context: dict[str, Any] = CONTEXT) -> dict[str, Any]:
    name = "onednn/encodeB_conv1/convolution/64x64x64"
    runs = [
        {
            "name": f"{name}/manual_time",
            "run_name": f"{name}/manual_time",
            "run_type": "iteration",
            "real_time": 1e3 * value,
            "cpu_time": 2e3 * value,
            "time_unit": "ms",
            "FLOP/s": 1 / value,
            "label": "jit:avx2 ndhwc",
        }
        for value in seconds
    ]
    aggregate = {**runs[0], "name": f"{name}_median", "run_type": "aggregate"}
    return {"context": context, "benchmarks": [*runs, aggregate]}


def op_folders(
    folder: Path, count: int = 10, context: dict[str, Any] = CONTEXT
) -> tuple[Path, Path]:
    """One file per process, the base's with CONTEXT."""
    pairs = list(zip(BASE, AGAIN, strict=True))[:count]
    base_context = CONTEXT if "cpu_model" in context else FOREIGN
    for position, (base, new) in enumerate(pairs):
        factory.write(folder / "base" / f"{position}.json", op_level([base] * 3, base_context))
        factory.write(folder / "new" / f"{position}.json", op_level([new] * 3, context))
    return folder / "base", folder / "new"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"cpu_model": "Another CPU"}, "another machine: cpu.model_name"),
        ({"num_cpus": 4}, "another machine: cpu.online"),
        ({"isa": "avx2, built for native"}, "another instruction set: cpu.isa"),
        ({"threads": "4"}, "threads 2 → 4"),
        ({"precision": "bf16"}, "precision fp32 → bf16"),
        ({"batch": "2"}, "batch 1 → 2"),
        ({"filters": "8"}, "filters 16 → 8"),
        ({"channels": "4"}, "input_channels 1 → 4"),
        ({"classes": "3"}, "classes 1 → 3"),
    ],
)
def test_ops_of_another_machine_or_workload_are_not_comparable(
    compare: Any,  # noqa: F811
    tmp_path: Path,
    change: dict[str, Any],
    why: str,
) -> None:
    code, result = compare(*op_folders(tmp_path, context={**CONTEXT, **change}))
    assert code == 3
    assert why in verdict(result, "op_seconds")["reason"]


def test_ops_of_another_library_are_what_one_compares(
    compare: Any,  # noqa: F811
    tmp_path: Path,
) -> None:
    code, result = compare(*op_folders(tmp_path, context={**CONTEXT, "library": "oneDNN 3.5.0"}))
    assert code == 0
    assert ["oneDNN 2.6.3", "oneDNN 3.5.0"] in [d["values"] for d in result["differences"]]


def test_ops_of_programs_that_name_no_cpu_need_the_same_host(
    compare: Any,  # noqa: F811
    tmp_path: Path,
) -> None:
    code, _ = compare(*op_folders(tmp_path / "same", context=FOREIGN))
    assert code == 0
    other = {**FOREIGN, "host_name": "other"}
    code, result = compare(*op_folders(tmp_path / "other", context=other))
    assert code == 3
    assert "maybe another machine" in verdict(result, "op_seconds")["reason"]


def test_too_few_runs_of_an_op_are_told_a_command(
    compare: Any,  # noqa: F811
    tmp_path: Path,
) -> None:
    code, result = compare(*op_folders(tmp_path, count=4))
    assert code == 4
    needed = verdict(result, "op_seconds")["processes_needed"]
    line, new, last = (own for own in result["to_settle"] if own.startswith("for "))
    more = needed - 4
    for own, count in ((line, more - more // 2), (new, more), (last, more // 2)):
        assert own.startswith(f"for i in $(seq {count}); do ./bench_ops ")
    assert " --threads=2 " in line
    assert "--image=64x64x64" in line and "--benchmark_filter='^onednn/encodeB" in line


def test_how_an_op_was_timed_is_no_part_of_its_name(
    compare: Any,  # noqa: F811
) -> None:
    content = op_level(BASE[:1])
    for run in content["benchmarks"]:
        run["run_name"] = "onednn/update/64x64x64x1/iterations:20/manual_time"
    lines = compare(content, content)[1]["to_settle"]
    line = next(own for own in lines if own.startswith("for "))
    assert "--benchmark_filter='^onednn/update/64x64x64x1/iterations:20/manual_time$' " in line
    assert "--image=64x64x64 " in line


def bench(name: str) -> Path:
    program = Path(os.environ.get("VOXMARK_BUILD_DIR", "/nonexistent")) / "bin" / name
    if not program.is_file():
        pytest.skip(f"{name} is not built")
    return program


def test_real_outputs_of_bench_ops_tell_workloads_apart(
    compare: Any,  # noqa: F811
    tmp_path: Path,
) -> None:
    program = bench("bench_ops")
    paths = []
    for filters in (2, 4):
        path = tmp_path / f"{filters}.json"
        flags = f"--image=16 --threads=1 --filters={filters} --no-limits --benchmark_min_time=0.001"
        command = [program, *flags.split(), "--benchmark_filter=naive/encodeA_conv1/convolution/"]
        subprocess.run([*command, f"--benchmark_out={path}"], check=True, capture_output=True)
        paths.append(path)
    code, result = compare(paths[0], paths[0])
    assert code == 4  # one process a side
    assert verdict(result, "op_seconds")["base"] > 0
    code, result = compare(*paths)
    assert code == 3
    assert "filters 2 → 4" in verdict(result, "op_seconds")["reason"]


@pytest.mark.parametrize(
    ("name", "chosen"),
    [("bench_ops", "naive/encodeA_conv1/convolution/"), ("bench_step", "naive/load/")],
)
def test_real_outputs_are_read_and_their_commands_run_as_printed(
    compare: Any,  # noqa: F811
    tool: Tool,
    tmp_path: Path,
    name: str,
    chosen: str,
) -> None:
    program = bench(name)
    folder = tmp_path / "state"
    folder.mkdir()
    flags = f"--image=16 --batch=2 --threads=1 --filters=1 --no-limits --benchmark_filter={chosen}"
    short = {**os.environ, "BENCHMARK_MIN_TIME": "0.001"}
    command = [program, *flags.split(), f"--benchmark_out={folder}/first.json"]
    subprocess.run(command, check=True, capture_output=True, env=short)
    done = tool("report", folder / "first.json", "-o", tmp_path / "page.html")
    assert done.returncode == 0, done.stderr
    assert chosen.removeprefix("naive/") in (tmp_path / "page.html").read_text()

    code, result = compare(folder, folder)
    assert code == 4
    lines = "\n".join(result["to_settle"][:-1])
    subprocess.run(lines, shell=True, cwd=folder, check=True, capture_output=True, env=short)
    sides = [folder / "more-1-base", folder / "more-1-new"]
    found = verdict(compare(*sides)[1], "op_seconds")
    assert (found["base_processes"], found["new_processes"]) == (10, 10)
    # The same program, but a machine whose speed may change meanwhile.
    assert found["verdict"] in ("same", "faster", "slower", "inconclusive")


def test_google_benchmarks_files_are_processes(
    compare: Any,  # noqa: F811
    tmp_path: Path,
) -> None:
    for position, (base, new) in enumerate(zip(BASE, SLOWER, strict=True)):
        factory.write(tmp_path / "base" / f"{position}.json", op_level([base] * 3))
        factory.write(tmp_path / "new" / f"{position}.json", op_level([new] * 3))
    code, result = compare(tmp_path / "base", tmp_path / "new")
    assert code == 1
    found = verdict(result, "op_seconds")
    assert found["base"] == pytest.approx(0.5, rel=0.01)
    assert found["verdict"] == "slower"


def test_repetitions_of_one_google_benchmark_are_one_process(
    compare: Any,  # noqa: F811
) -> None:
    code, result = compare(op_level(BASE), op_level(SLOWER))
    assert code == 4
    assert verdict(result, "op_seconds")["base_processes"] == 1
