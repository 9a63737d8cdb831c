"""What voxmark compare says where it cannot decide, and how it sets machines side by side."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import factory
import pytest
from conftest import Tool
from test_compare import AGAIN, BASE, compare, verdict  # noqa: F401
from voxmark_reports import verdicts
from voxmark_reports.verdicts import Verdict

EPYC = {"cpu": {"model_name": "AMD EPYC 9654 96-Core Processor", "allowed": 192, "online": 192}}


def six(count: int, factor: float, seed: int, peak: float = 1e6, spread: float = 0.01) -> Any:
    """Six cases, whose peaks differ by half a thousandth from process to process."""
    records = []
    for number in range(6):
        seconds = factory.noisy_seconds(count, factor * 0.5, spread, 10 * seed + number)
        own = factory.processes(seconds, image=[16 * (number + 1)] * 3)
        for position, record in enumerate(own):
            record["memory"]["peak_bytes"] = round(peak * (1 + 1e-4 * position))
        records += own
    return factory.report(records)


# ---- Too few processes for so many tests ----


def test_five_a_side_in_six_cases_are_told_the_real_reason_and_the_number(compare: Any) -> None:  # noqa: F811
    code, result = compare(six(5, 1, 1), six(5, 0.6, 2))
    found = verdict(result, "step_seconds")
    assert (code, found["verdict"]) == (4, "inconclusive")
    assert "5 against 5 processes can show no change among 6 tests" in found["reason"]
    assert "6 a side can" in found["reason"]
    assert found["processes_needed"] == 6
    assert "noise" not in found["reason"]
    code, result = compare(six(6, 1, 1), six(6, 0.6, 2))
    assert {verdict(result, "step_seconds", case)["verdict"] for case in range(6)} == {"faster"}


@pytest.mark.parametrize(("questions", "least"), [(1, 5), (6, 6), (12, 7), (100, 8)])
def test_the_least_processes_are_those_that_can_be_significant(questions: int, least: int) -> None:
    assert verdicts.least_processes(questions) == least
    for count in (least - 1, least):
        base = [1.0 + i / 100 for i in range(count)]
        new = [1.0 + value for value in base]
        family = [verdicts.measure(base, new) for _ in range(questions)]
        verdicts.correct(family)
        assert all(verdicts.is_significant(found) == (count == least) for found in family)


def test_a_peak_of_nearly_the_same_bytes_is_told_by_equality(compare: Any) -> None:  # noqa: F811
    code, result = compare(six(5, 1, 1), six(5, 1, 2, peak=1.093e6))
    found = verdict(result, "peak_bytes")
    assert (code, found["verdict"], found["by_equality"]) == (1, "slower", True)
    assert found["adjusted_p"] is None
    code, result = compare(six(5, 1, 1), six(5, 1, 2))
    assert verdict(result, "peak_bytes")["verdict"] == "same"


def judged(base: list[float], new: list[float], margin: float = verdicts.MARGIN) -> Any:
    found = verdicts.measure(base, new, steady=margin)
    verdicts.decide(found, margin, max(1, verdicts.correct([found])))
    return found


def test_equality_is_for_what_hardly_varies() -> None:
    steady = [100.0, 100.1, 100.2, 100.3, 100.4]
    assert judged(steady, [v + 4 for v in steady]).steady
    assert judged(steady, [v + 4 for v in steady]).verdict == Verdict.SLOWER
    assert judged(steady, [v - 4 for v in steady]).verdict == Verdict.FASTER
    assert judged(steady, [v + 1 for v in steady]).verdict == Verdict.SAME
    assert judged([0.0] * 5, [0.0] * 5).verdict == Verdict.SAME
    assert judged([0.0] * 5, [300.0] * 5).verdict == Verdict.SLOWER
    # Near the margin, of two levels, or of too few processes: the test decides, as ever.
    assert not judged(steady, [v + 2.9 for v in steady]).steady
    assert not judged([100.0] * 4 + [110.0], [110.0] * 5).steady
    assert not judged(steady[:4], [v + 4 for v in steady[:4]]).steady
    assert not judged(steady, [v + 4 for v in steady], margin=0.001).steady


def test_times_are_never_told_by_equality(compare: Any) -> None:  # noqa: F811
    quiet = [factory.noisy_seconds(5, median, 0.0005, 1) for median in (0.5, 0.6)]
    _, result = compare(*(factory.report(factory.processes(values)) for values in quiet))
    found = verdict(result, "step_seconds")
    assert (found["by_equality"], found["verdict"]) == (False, "slower")
    assert found["adjusted_p"] is not None


def test_levels_of_one_distribution_are_seldom_told_apart_by_equality() -> None:
    """The worst there is for it: bytes of two levels, drawn alike for both sides."""
    import numpy as np

    random = np.random.default_rng(20240531)
    alarms = {Verdict.SLOWER: 0, Verdict.FASTER: 0}
    for _ in range(4000):
        base, new = 1e6 * random.choice([1.0, 1.1], (2, 5))
        found = judged(list(base), list(new))
        if found.verdict in alarms:
            alarms[found.verdict] += 1
    assert max(alarms.values()) / 4000 < verdicts.ALPHA


# ---- A noisy runner ----


def test_where_nothing_can_be_the_same_it_is_said_first(tool: Tool, tmp_path: Path) -> None:
    paths = [
        factory.write(tmp_path / f"{seed}.json", six(10, 1, seed, spread=0.05)) for seed in (3, 4)
    ]
    text = tool("compare", *paths).stdout
    assert text.index("The noise is larger than what counts as the same") < text.index("metric")
    assert "within ±3%" in text
    flags = re.search(r"Gate what the noise does not touch: (.*)", text)
    assert flags
    assert flags[1] == "--fail-on planned_bytes --fail-on peak_bytes --fail-on kernels_changed"
    gate = tool("compare", *paths, *shlex.split(flags[1]))
    assert gate.returncode == 0, gate.stdout
    assert "kernels_changed" in gate.stdout and "The noise is larger" not in gate.stdout
    larger = re.search(r"--fail-on (step_seconds:\d+%)", text)
    assert larger and "more processes" in text
    for form in ("markdown", "github", "json"):
        assert "noise is larger" in tool("compare", *paths, "--format", form).stdout, form


def test_a_quiet_machine_hears_nothing_of_noise(compare: Any) -> None:  # noqa: F811
    _, result = compare(six(10, 1, 1), six(10, 1, 2))
    assert result["noise"] == []


def test_changed_kernels_can_be_gated(compare: Any) -> None:  # noqa: F811
    other = factory.processes(AGAIN)
    for record in other:
        record["stages"][1]["implementation"] = "ref:any"
    base = factory.report(factory.processes(BASE))
    flags = ("--fail-on", "kernels_changed")
    code, result = compare(base, factory.report(other), flags=flags)
    assert (code, verdict(result, "kernels_changed")["new"]) == (1, 1)
    assert "1 changed" in result["summary"]
    code, result = compare(base, base, flags=flags)
    assert (code, verdict(result, "kernels_changed")["verdict"]) == (0, "same")
    assert compare(base, factory.report(other))[0] == 0, "who does not ask is not stopped"


# ---- What would settle it ----


def lines_to_settle(result: dict[str, Any]) -> list[str]:
    return [line for line in result["to_settle"] if line.startswith("voxmark run")]


def by_threads(threads: int, seconds: list[float]) -> dict[str, Any]:
    records = factory.processes(seconds, threads=threads)
    for record in records:
        record["reproduce"] += f" --threads {threads}"
    return factory.report(records)


def test_each_side_is_told_its_own_command(compare: Any) -> None:  # noqa: F811
    base, new = by_threads(1, BASE[:3]), by_threads(2, [*BASE[:4]])
    code, result = compare(base, new, flags=("--ignore", "threads"))
    needed = verdict(result, "step_seconds")["processes_needed"]
    assert code == 4
    first, second, third = lines_to_settle(result)
    more = needed - 3
    assert f"--threads 1 --repeats {more - more // 2} --out more-1-base/more-1-1.json" in first
    assert f"--threads 2 --repeats {needed - 4} --out more-1-new/more-1-1.json" in second
    assert f"--threads 1 --repeats {more // 2} --out more-1-base/more-1-2.json" in third
    assert "# base (0.json): " in first and "# new (1.json): " in second
    assert result["ignored"] == ["threads 1 → 2 (in 1 case)"]


@pytest.mark.parametrize("seed", range(12))
def test_after_ten_a_side_more_than_one_process_is_asked_for(compare: Any, seed: int) -> None:  # noqa: F811
    noisy = [factory.noisy_seconds(10, 0.5, 0.03, 100 + 2 * seed + side) for side in (0, 1)]
    _, result = compare(*(factory.report(factory.processes(values)) for values in noisy))
    for line in lines_to_settle(result):
        repeats = re.search(r"--repeats (\d+)", line)
        assert repeats and int(repeats[1]) >= 2, line


def test_printed_commands_run(compare: Any, tmp_path: Path) -> None:  # noqa: F811
    """Each line, by a shell, as a dry run of the real program."""
    binary = Path(os.environ.get("VOXMARK_BINARY", "/nonexistent"))
    if not binary.is_file():
        pytest.skip("VOXMARK_BINARY is not built")
    flags = "--backend naive --image 16x16x16 --filters 1 --steps 1 --warmup 0 --no-limits".split()
    paths = []
    for threads in (1, 2):
        paths.append(tmp_path / f"{threads}.json")
        own = ["--threads", str(threads), "--repeats", "1", "--out", str(paths[-1])]
        done = subprocess.run([binary, "run", *flags, *own], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    code, result = compare(*paths, flags=("--ignore", "threads", "--ignore", "machine"))
    assert code in (1, 4)  # one process a side
    commands = [line for line in result["to_settle"] if line.startswith("voxmark run")]
    assert {re.search(r"--threads (\d)", line)[1] for line in commands} == {"1", "2"}  # type: ignore[index]
    for line in result["to_settle"]:
        if line.startswith("mkdir "):
            subprocess.run(line, shell=True, cwd=tmp_path, check=True)
    for line in commands:
        line = line.replace("--repeats", "--dry-run --repeats", 1)
        shell = f'voxmark() {{ {shlex.quote(str(binary))} "$@"; }}; {line}'
        done = subprocess.run(shell, shell=True, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, (line, done.stderr)
        repeats = re.search(r"--repeats (\d+)", line)
        assert repeats and f"1 case x {repeats[1]} processes" in done.stdout, done.stdout


# ---- Machines ----


def limits(flops: float) -> dict[str, Any]:
    own = {"threads": 2, "fp32_flops_per_second": flops, "triad_bytes_per_second": flops / 10}
    return {"machine": [own], "memory_bytes": 1}


@pytest.fixture
def servers(tmp_path: Path) -> tuple[Path, Path]:
    old = factory.report(factory.processes(BASE), limits=limits(1.05e11))
    fast = factory.processes([0.5 * value for value in AGAIN], threads=96)
    new = factory.report(fast, environment=EPYC, limits=limits(2.2e12))
    return factory.write(tmp_path / "x1.json", old), factory.write(tmp_path / "x2.json", new)


def test_machines_are_set_side_by_side(tool: Tool, servers: tuple[Path, Path]) -> None:
    done = tool("compare", "--machines", *servers)
    assert done.returncode == 0, done.stdout
    assert "base Example CPU, new AMD EPYC 9654\n" in done.stdout
    assert "x1.json" not in done.stdout
    differences, _, table = done.stdout.partition("base / new (95% interval)")
    assert "cpu.model_name: Example CPU → AMD EPYC 9654 96-Core Processor" in differences
    assert "measured.fp32 peak: 105 GFLOP/s on 2 threads → 2200 GFLOP/s on 2 threads" in differences
    assert "measured.triad bandwidth: 10.5 GB/s on 2 threads → 220 GB/s" in differences
    assert "threads 2 → 96 (in 1 case)" in differences
    assert re.search(r"step_seconds .* (1\.9|2\.0)\dx \(\d\.\d\dx\.\.\d\.\d\dx\) +faster", table)
    assert "Machines: 1 faster" in table


def test_a_slower_machine_is_no_failure(tool: Tool, servers: tuple[Path, Path]) -> None:
    done = tool("compare", "--machines", *reversed(servers))
    assert done.returncode == 0, done.stdout
    assert re.search(r"0\.(49|50)\dx .* slower", done.stdout)


def test_each_mode_names_the_other(tool: Tool, servers: tuple[Path, Path], tmp_path: Path) -> None:
    for form in ("table", "markdown", "github", "json", "junit"):
        done = tool("compare", *servers, "--format", form)
        assert done.returncode == 3
        assert "voxmark compare --machines" in done.stdout, form
    one = factory.write(tmp_path / "one.json", factory.report(factory.processes(AGAIN)))
    done = tool("compare", "--machines", servers[0], one)
    assert "without --machines voxmark compare checks them for a regression" in done.stdout
    done = tool("compare", "--machines", *servers, "--fail-on", "step_seconds")
    assert done.returncode == 64 and "without --machines" in done.stderr


def test_measured_peaks_are_no_difference_of_a_regression_check(compare: Any) -> None:  # noqa: F811
    reports = [
        factory.report(factory.processes(values), limits=limits(flops))
        for values, flops in ((BASE, 1e11), (AGAIN, 1.1e11))
    ]
    assert compare(*reports)[1]["differences"] == []


@pytest.mark.parametrize(
    ("environments", "labels"),
    [
        ([{}, {"cpu": {"allowed": 1}}], ["Example CPU (2 CPUs)", "Example CPU (1 CPU)"]),
        (
            [{}, {"memory": {"total_bytes": 2**36}}],
            ["Example CPU (24 GiB)", "Example CPU (64 GiB)"],
        ),
        ([{}, {"system": {"host": "b"}}], ["Example CPU (example)", "Example CPU (b)"]),
        ([{}, {}], ["Example CPU (0.json)", "Example CPU (1.json)"]),
        (
            [{"cpu": {"model_name": "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz"}}, EPYC],
            ["Intel Xeon Gold 6248", "AMD EPYC 9654"],
        ),
        ([{"cpu": {"model_name": None}}, EPYC], ["unknown CPU", "AMD EPYC 9654"]),
    ],
)
def test_machines_are_called_by_what_tells_them_apart(
    compare: Any,  # noqa: F811
    environments: list[dict[str, Any]],
    labels: list[str],
) -> None:
    reports = [
        factory.report(factory.processes(values), environment=environment)
        for values, environment in zip((BASE, AGAIN), environments, strict=True)
    ]
    _, result = compare(*reports, flags=("--machines",))
    assert [result["base"], *result["new"]] == labels


def test_the_user_calls_reports_by_labels(compare: Any, tool: Tool, tmp_path: Path) -> None:  # noqa: F811
    reports = [factory.report(factory.processes(values)) for values in (BASE, AGAIN)]
    _, result = compare(*reports, flags=("--label", "before", "--label", "after"))
    assert (result["base"], result["new"]) == ("before", ["after"])
    paths = [tmp_path / "0.json", tmp_path / "1.json"]
    done = tool("compare", *paths, "--label", "before")
    assert done.returncode == 64 and "expected one per report, 2; found 1" in done.stderr
    assert tool("compare", *paths, "--label", "a", "--label", "a").returncode == 64


# ---- Cases in common ----


def test_only_what_both_have_is_compared_when_asked(compare: Any) -> None:  # noqa: F811
    both = factory.report([*factory.processes(BASE), *factory.processes(BASE, "eigen")])
    one = factory.report(factory.processes(AGAIN))
    assert compare(both, one)[0] == 3
    code, result = compare(both, one, flags=("--only-common",))
    assert code == 0
    assert [label.split()[0] for label in result["left_out"]] == ["eigen"]
    slower = factory.report(factory.processes([1.2 * value for value in AGAIN]))
    assert compare(both, slower, flags=("--only-common",))[0] == 1


def test_nothing_in_common_is_not_comparable(tool: Tool, tmp_path: Path) -> None:
    paths = [
        factory.write(tmp_path / f"{b}.json", factory.report(factory.processes(BASE, b)))
        for b in ("onednn", "eigen")
    ]
    done = tool("compare", *paths, "--only-common")
    assert done.returncode == 3
    assert "no measured case in common with onednn.json" in done.stderr
    assert json.dumps(done.stdout) == '""'
