"""The JSON of Google Benchmark as its versions write it: what is a figure, and what is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import factory
import pytest
from conftest import Tool
from test_compare_ops import FOREIGN

COUNT = 6  # files of a side: enough for a verdict


def row(name: str, time: float | None, **members: Any) -> dict[str, Any]:
    """As version 1.9 writes it."""
    told = {
        "name": name,
        "run_name": name,
        "run_type": "iteration",
        "repetitions": 1,
        "repetition_index": 0,
        "threads": 1,
        "iterations": 10,
        "real_time": time,
        "cpu_time": time,
        "time_unit": "ms",
        **members,
    }
    return {key: value for key, value in told.items() if value != "absent"}


def skipped(name: str) -> dict[str, Any]:
    return row(name, 0.0, iterations=0, skipped=True, skip_message="no AMX here")


def failed(name: str) -> dict[str, Any]:
    return row(name, 0.0, iterations=0, error_occurred=True, error_message="no memory")


def aggregates(name: str, mean: float, **members: Any) -> list[dict[str, Any]]:
    values = {"mean": mean, "median": mean, "stddev": 0.01 * mean}
    return [
        row(f"{name}_{kind}", value, run_name=name, run_type="aggregate", aggregate_name=kind)
        | members
        for kind, value in values.items()
    ]


def old(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As before version 1.5."""
    unknown = {"run_name", "run_type", "repetitions", "repetition_index", "threads"}
    unknown.add("aggregate_name")
    return [{key: value for key, value in r.items() if key not in unknown} for r in rows]


class Sides:
    """voxmark compare of two folders, each file made of the rows for its own time."""

    def __init__(self, tool: Tool, folder: Path) -> None:
        self._tool, self._folder = tool, folder

    def __call__(self, base: Any, new: Any) -> tuple[int, dict[str, dict[str, Any]]]:
        """The exit code and the step's verdict by op."""
        for side, (rows, seed) in {"base": (base, 1), "new": (new, 2)}.items():
            for position, factor in enumerate(factory.noisy_seconds(COUNT, 1.0, 0.004, seed)):
                content = {"context": FOREIGN, "benchmarks": rows(factor)}
                factory.write(self._folder / side / f"{position}.json", content)
        done = self._tool(
            "compare", self._folder / "base", self._folder / "new", "--format", "json"
        )
        assert done.stdout, done.stderr
        rows = [r for r in json.loads(done.stdout)["rows"] if r["metric"] == "op_seconds"]
        return done.returncode, {r["case"]["op"]: r["comparisons"][0] for r in rows}


@pytest.fixture
def sides(tool: Tool, tmp_path: Path) -> Sides:
    return Sides(tool, tmp_path)


def usual(factor: float) -> list[dict[str, Any]]:
    return [row("BM_a", 10 * factor), row("BM_b", 5 * factor)]


def with_other_b(other: dict[str, Any]) -> Any:
    return lambda factor: [row("BM_a", 10 * factor), other]


def test_two_sides_with_all_figures_are_the_same(sides: Sides) -> None:
    code, found = sides(usual, usual)
    assert code == 0
    assert [one["verdict"] for one in found.values()] == ["same", "same"]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (skipped("BM_b"), "skipped: no AMX here"),
        (row("BM_b", 0.0), "real_time: expected more than 0, found 0"),
        (row("BM_b", -1.0), "real_time: expected more than 0, found -1"),
        (row("BM_b", None), "real_time: expected more than 0, found no finite number"),
        (row("BM_b", None, real_time="absent"), "real_time: expected more than 0, found nothing"),
        (row("BM_b", None, real_time="5"), "real_time: expected more than 0, found 5"),
        (aggregates("BM_b", 5)[0], "no median"),
    ],
)
def test_a_row_without_a_figure_is_no_pass(sides: Sides, other: Any, why: str) -> None:
    code, found = sides(usual, with_other_b(other))
    assert code == 3
    assert found["BM_a"]["verdict"] == "same"
    assert found["BM_b"]["verdict"] == "not comparable"
    assert why in found["BM_b"]["reason"]


def test_what_failed_and_was_measured_before_is_a_regression(sides: Sides) -> None:
    code, found = sides(usual, with_other_b(failed("BM_b")))
    assert code == 1
    assert "failed: no memory" in found["BM_b"]["reason"]


def test_what_the_base_skipped_is_told_and_not_judged(
    sides: Sides, tool: Tool, tmp_path: Path
) -> None:
    code, found = sides(with_other_b(skipped("BM_b")), usual)
    assert code == 0 and list(found) == ["BM_a"]
    done = tool("compare", tmp_path / "base", tmp_path / "new")
    assert "no AMX here" in done.stdout


def test_one_repetition_that_failed_is_a_regression_unless_the_base_has_it_too(
    sides: Sides,
) -> None:
    def one_failed(factor: float) -> list[dict[str, Any]]:
        return [*usual(factor), failed("BM_b")]

    code, found = sides(usual, one_failed)
    assert code == 1
    assert found["BM_b"]["reason"].startswith("6 of 6 processes failed: 1 of 2 repetitions left")
    code, found = sides(one_failed, one_failed)
    assert (code, found["BM_b"]["verdict"]) == (0, "same")


@pytest.mark.parametrize("style", [list, old])
def test_aggregates_alone_tell_the_median_of_the_process(sides: Sides, style: Any) -> None:
    def alone(factor: float) -> list[dict[str, Any]]:
        return style([*aggregates("BM_a", 10 * factor), *aggregates("BM_b", 6 * factor)])

    code, found = sides(usual, alone)
    assert code == 1
    assert found["BM_a"]["verdict"] == "same"
    assert found["BM_b"]["ratio"] == pytest.approx(1.2, rel=0.01)


def test_aggregates_of_files_before_version_1_5_are_no_benchmarks(sides: Sides) -> None:
    def repeated(factor: float) -> list[dict[str, Any]]:
        fit = [
            {"name": "BM_a_BigO", "cpu_coefficient": 1, "big_o": "N", "time_unit": "ns"},
            {"name": "BM_a_RMS", "rms": 0.01},
        ]
        rows = usual(factor) * 2 + aggregates("BM_a", 30) + aggregates("BM_b", 30)
        return old(rows) + fit

    code, found = sides(usual, repeated)
    assert code == 0
    assert sorted(found) == ["BM_a", "BM_b"]


def test_a_benchmark_may_be_called_like_an_aggregate(sides: Sides) -> None:
    def named(factor: float) -> list[dict[str, Any]]:
        return old([row("BM_median", 10 * factor), row("BM_of_mean", 5 * factor)])

    code, found = sides(named, named)
    assert code == 0 and sorted(found) == ["BM_median", "BM_of_mean"]


@pytest.mark.parametrize(
    ("unit", "time"), [("s", 0.01), ("ms", 10), ("us", 1e4), ("ns", 1e7), ("absent", 1e7)]
)
def test_times_are_of_their_unit(sides: Sides, unit: str, time: float) -> None:
    def own(factor: float) -> list[dict[str, Any]]:
        return [row("BM_a", time * factor, time_unit=unit), row("BM_b", 5 * factor)]

    assert sides(usual, own)[0] == 0


def test_complexity_and_counters_are_no_times(sides: Sides) -> None:
    def own(factor: float) -> list[dict[str, Any]]:
        fit = {"run_type": "aggregate", "run_name": "BM_a", "time_unit": "ns"}
        return [
            *usual(factor),
            row("BM_rms", 2 * factor, rms=0.5, big_o=7),  # its own counters
            {"name": "BM_a_BigO", **fit, "cpu_coefficient": 1, "real_coefficient": 1, "big_o": "N"},
            {"name": "BM_a_RMS", **fit, "rms": 0.01},
        ]

    code, found = sides(own, own)
    assert code == 0 and sorted(found) == ["BM_a", "BM_b", "BM_rms"]


def test_ways_of_timing_that_tell_two_benchmarks_apart_stay_in_the_name(sides: Sides) -> None:
    def own(factor: float) -> list[dict[str, Any]]:
        return [row("BM_a", 10 * factor), row("BM_a/manual_time", 5 * factor)]

    _, found = sides(own, own)
    assert sorted(found) == ["BM_a", "BM_a/manual_time"]


@pytest.mark.parametrize("word", ["NaN", "-NaN", "Infinity", "-Infinity", "nan", "-nan", "inf"])
def test_counters_that_are_not_finite_do_not_hide_the_times(
    tool: Tool, tmp_path: Path, word: str
) -> None:
    content = {
        "context": FOREIGN,
        "benchmarks": [row("BM_a", 10.0, label="NaN, inf", rate="@"), row("BM_nan", 5.0)],
    }
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content, indent=1).replace('"@"', word))
    done = tool("compare", path, path, "--format", "json")
    assert done.returncode == 4, done.stderr  # one process a side
    assert len({r["case"]["op"] for r in json.loads(done.stdout)["rows"]}) == 2


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"context": []}, "context"),
        ({"benchmarks": {}}, "benchmarks"),
        ({"benchmarks": [7]}, "benchmarks/0"),
        ({"benchmarks": [{"name": None}]}, "benchmarks/0"),
        ({"benchmarks": [row("BM_a", 1.0, time_unit="min")]}, "BM_a"),
        ({"benchmarks": [row("BM_a", 1.0, time_unit=[])]}, "time_unit"),
    ],
)
def test_what_is_no_row_is_refused_by_its_name(
    tool: Tool, tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    content = {"context": FOREIGN, "benchmarks": usual(1.0), **change}
    path = factory.write(tmp_path / "a.json", content)
    done = tool("compare", path, path)
    assert done.returncode == 64
    assert named in done.stderr
