"""One measurement is one process, however often it is copied."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import factory
import pytest
from conftest import Tool
from test_compare import AGAIN, BASE, SLOWER, compare  # noqa: F401
from test_compare_ops import op_level


def refused(tool: Tool, *command: object) -> str:
    done = tool(*command)
    assert done.returncode == 64, done.stdout
    assert done.stderr.count("\n") == 1
    assert "are the same measurement" in done.stderr
    return done.stderr


@pytest.mark.parametrize("kind", ["report", "ops"])
def test_copies_of_a_file_are_refused(tool: Tool, tmp_path: Path, kind: str) -> None:
    contents = {
        "report": lambda value: factory.report(factory.processes([value])),
        "ops": lambda value: op_level([value]),
    }
    for side, value in (("base", BASE[0]), ("new", SLOWER[0])):
        content = contents[kind](value)
        for number in range(6):
            factory.write(tmp_path / side / f"{number}.json", content)
    said = refused(tool, "compare", tmp_path / "base", tmp_path / "new")
    assert "base/0.json (records/0) and " in said and "base/1.json (records/0)" in said
    refused(tool, "report", tmp_path / "base", "-o", tmp_path / "a.html")
    refused(tool, "history", "--db", tmp_path / "h", "add", tmp_path / "base")


def test_copies_within_a_file_are_refused_whatever_their_numbers(
    tool: Tool, tmp_path: Path
) -> None:
    records = factory.processes(BASE)
    again = copy.deepcopy(records[2])
    again["case"]["process"] = 10
    again["reproduce"] += " --seed 1"
    base = factory.write(tmp_path / "a.json", factory.report([*records, again]))
    new = factory.write(tmp_path / "b.json", factory.report(factory.processes(AGAIN)))
    assert "a.json: records/2 and records/10" in refused(tool, "compare", base, new)
    refused(tool, "compare", new, base)


def test_failures_may_be_alike(compare: Any) -> None:  # noqa: F811
    failures = [factory.failure("crashed", "signal 11", process=n) for n in (10, 11)]
    base, new = ([*factory.processes(values), *failures] for values in (BASE, AGAIN))
    assert compare(factory.report(base), factory.report(new))[0] == 0


def test_a_report_against_itself_is_told(tool: Tool, tmp_path: Path) -> None:
    records = factory.processes(BASE)
    base = factory.write(tmp_path / "a.json", factory.report(records))
    done = tool("compare", base, base)
    assert done.returncode == 0
    assert re.search(r"a.json \(1\) and \S+a.json \(2\) are the same report", done.stdout)
    some = factory.write(
        tmp_path / "b.json", factory.report([*records[:3], *factory.processes(AGAIN[3:])])
    )
    done = tool("compare", base, some)
    assert "3 of 10 processes in b.json stand in a.json too" in done.stdout
    other = factory.write(tmp_path / "c.json", factory.report(factory.processes(AGAIN)))
    assert "Measured once" not in tool("compare", base, other).stdout
