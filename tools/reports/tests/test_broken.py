"""Processes that failed beside others that did not: none of them is passed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import factory
import pytest
from conftest import Tool
from test_compare import AGAIN, BASE, compare, verdict  # noqa: F401
from test_google_benchmark import Sides, failed, row, sides, skipped, usual  # noqa: F401
from voxmark_reports.cases import BROKEN


def some_failed(seconds: list[float], count: int, outcome: str = "failed") -> dict[str, Any]:
    records = factory.processes(seconds)
    for process in range(count):
        records[process] = factory.failure(outcome, "no memory", process=process)
    return factory.report(records)


@pytest.mark.parametrize("outcome", BROKEN)
def test_processes_that_broke_are_a_regression(compare: Any, outcome: str) -> None:  # noqa: F811
    base = factory.report(factory.processes(BASE))
    code, result = compare(base, some_failed(AGAIN, 4, outcome))
    found = verdict(result, "step_seconds")
    assert (code, found["broken"]) == (1, True)
    assert "no memory" in found["reason"]
    if outcome in ("oom", "crashed", "timeout", "failed"):
        assert found["reason"].startswith("4 of 10 processes failed: ")
        assert "4 of 10 processes failed" in result["missing_processes"][0]


def test_one_failure_behind_skipped_ones_is_a_regression(compare: Any) -> None:  # noqa: F811
    new = [factory.failure("skipped", "no"), factory.failure("crashed", "signal 11", process=1)]
    assert compare(factory.report(factory.processes(BASE)), factory.report(new))[0] == 1


def test_where_both_sides_fail_it_stands_beside_the_verdict(compare: Any) -> None:  # noqa: F811
    code, result = compare(some_failed(BASE, 1), some_failed(AGAIN, 2))
    found = verdict(result, "step_seconds")
    assert (code, found["verdict"], found["new_processes"]) == (0, "same", 8)
    assert "base: 1 of 10 processes failed: no memory" in found["reason"]
    assert "new: 2 of 10 processes failed: no memory" in found["reason"]


def test_machines_tell_of_broken_processes_too(compare: Any) -> None:  # noqa: F811
    base = factory.report(factory.processes(BASE))
    assert compare(base, some_failed(AGAIN, 1), flags=("--machines",))[0] == 1


def test_the_gate_accepts_no_state_with_new_failures(tool: Tool, tmp_path: Path) -> None:
    db = ("history", "--db", tmp_path / "h.sqlite")
    base = factory.write(tmp_path / "a.json", factory.report(factory.processes(BASE)))
    new = factory.write(tmp_path / "b.json", some_failed(AGAIN, 4))
    assert tool(*db, "add", base, "--accept").returncode == 0
    done = tool(*db, "gate", new, "--add")
    assert done.returncode == 1
    assert "4 of 10 processes failed: no memory" in done.stdout


def test_files_with_an_error_are_a_regression(sides: Sides) -> None:  # noqa: F811
    times = iter(range(6))

    def half(factor: float) -> list[dict[str, Any]]:
        b = failed("BM_b") if next(times) < 3 else row("BM_b", 5 * factor)
        return [row("BM_a", 10 * factor), b]

    code, found = sides(usual, half)
    assert (code, found["BM_a"]["verdict"]) == (1, "same")
    assert found["BM_b"]["reason"] == "3 of 6 processes failed: no memory"


def test_skipped_repetitions_are_told(sides: Sides, tool: Tool, tmp_path: Path) -> None:  # noqa: F811
    assert sides(usual, lambda factor: [*usual(factor), skipped("BM_b")])[0] == 0
    said = tool("compare", tmp_path / "base", tmp_path / "new").stdout
    assert "BM_b: 6 of 6 processes left out repetitions: 1 of 2 repetitions left no figure" in said
    assert "no AMX here" in said


def test_the_page_counts_failures(tool: Tool, tmp_path: Path) -> None:
    path = factory.write(tmp_path / "a.json", some_failed(BASE, 4))
    done = tool("report", path, "-o", tmp_path / "page.html")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "page.html").read_text()
    assert "ok, 4 of 10 failed" in page and "4 of 10 processes failed: no memory" in page
