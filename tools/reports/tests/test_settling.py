"""What compare says to type next, and what it says where nothing helps."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import factory
import pytest
from conftest import Tool
from test_compare import AGAIN, SLOWER, compare, verdict  # noqa: F401
from test_google_benchmark import Sides, row, sides, usual  # noqa: F401

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def few(count: int, seed: int = 1, **members: Any) -> dict[str, Any]:
    return factory.report(factory.processes(factory.noisy_seconds(count, seed=seed)), **members)


@pytest.mark.parametrize("counts", [(1, 1), (1, 2), (2, 3), (4, 4), (1, 9)])
def test_fewer_than_five_ask_for_ten_a_side(compare: Any, counts: tuple[int, int]) -> None:  # noqa: F811
    _, result = compare(few(counts[0], 1), few(counts[1], 2))
    assert verdict(result, "step_seconds")["processes_needed"] == 10
    for side, count in zip(("base", "new"), counts, strict=True):
        assert sum(repeats for own, repeats in turns(result) if own == side) == 10 - count


def turns(result: dict[str, Any]) -> list[tuple[str, int]]:
    """Who measures how many processes, in the order of the lines."""
    found = [
        re.search(r" --repeats (\d+) --out more-1-(\S+)/more-1-\d+\.json ", line)
        for line in result["to_settle"]
    ]
    return [(match[2], int(match[1])) for match in found if match]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((1, 1), [("base", 5), ("new", 9), ("base", 4)]),
        ((2, 4), [("base", 4), ("new", 6), ("base", 4)]),
        ((9, 1), [("base", 1), ("new", 9)]),
        ((1, 10), [("base", 9)]),
    ],
)
def test_base_and_new_take_turns(
    compare: Any,  # noqa: F811
    counts: tuple[int, int],
    expected: list[tuple[str, int]],
) -> None:
    """Where a machine grows slower all the time, both sides are slow by as much on average."""
    _, result = compare(few(counts[0], 1), few(counts[1], 2))
    assert turns(result) == expected


def test_several_new_ones_are_measured_between_the_halves_of_the_base(
    tool: Tool, tmp_path: Path
) -> None:
    paths = [factory.write(tmp_path / f"{seed}.json", few(5 - seed, seed)) for seed in (1, 2, 3)]
    result = json.loads(tool("compare", *paths, "--format", "json").stdout)
    assert [side for side, _ in turns(result)] == ["base", "new-1", "new-2", "base"]


def test_machines_measure_all_at_once(tool: Tool, tmp_path: Path) -> None:
    paths = [
        factory.write(tmp_path / f"{name}.json", few(3, seed, environment={"cpu": cpu}))
        for seed, (name, cpu) in enumerate([("a", {}), ("b", {"model_name": "Other CPU"})])
    ]
    done = tool("compare", "--machines", *paths, "--format", "json")
    assert turns(json.loads(done.stdout)) == [("base", 7), ("new", 7)]


def test_few_processes_of_bytes_need_five_for_equality(compare: Any) -> None:  # noqa: F811
    _, result = compare(few(1, 1), few(3, 2))
    found = verdict(result, "peak_bytes")
    assert "needs 5 processes a side to be compared for equality" in found["reason"]
    assert "never" not in found["reason"] and found["processes_needed"] == 5
    _, result = compare(few(1, 1), few(1, 2))
    assert verdict(result, "step_seconds")["reason"].startswith("1 against 1 process can")


def test_pasting_collects_all_files_and_asks_the_same_again(tool: Tool, tmp_path: Path) -> None:
    """A shell runs the lines; voxmark run writes what this test gives it."""
    one = factory.write(tmp_path / "my base.json", few(3, 1))
    for number, value in enumerate(SLOWER[:2]):
        content = factory.report(factory.processes([value]))
        factory.write(tmp_path / "new" / f"{number}.json", content)
    asked = ("--fail-on", "step_seconds:5%", "--noise-floor", "2", "--ignore", "machine")
    done = tool("compare", one, tmp_path / "new", "--format", "json", *asked)
    lines = json.loads(done.stdout)["to_settle"]
    assert lines[-1] == f"voxmark compare more-1-base more-1-new {' '.join(asked)}"
    shell = 'voxmark() { for out in "$@"; do :; done; case $1 in run) : > "$out";; esac; }\n'
    subprocess.run(shell + "\n".join(lines), shell=True, cwd=tmp_path, check=True)
    base = sorted(path.name for path in (tmp_path / "more-1-base").iterdir())
    new = sorted(path.name for path in (tmp_path / "more-1-new").iterdir())
    assert base == ["more-1-1.json", "more-1-2.json", "my base.json"]
    assert new == ["0.json", "1.json", "more-1-1.json"]


def test_machines_are_told_by_machine(tool: Tool, tmp_path: Path) -> None:
    paths = [
        factory.write(tmp_path / f"{name}.json", few(3, seed, environment={"cpu": cpu}))
        for seed, (name, cpu) in enumerate([("a", {}), ("b", {"model_name": "Other CPU"})])
    ]
    said = tool("compare", "--machines", *paths).stdout
    assert "for each machine" in said
    assert "# base (Example CPU): 7 more" in said and "# new (Other CPU): 7 more" in said
    assert "voxmark compare more-1-base more-1-new --machines" in said


def test_the_gate_names_the_commit_and_the_way_back(tool: Tool, tmp_path: Path) -> None:
    program = {"version": "1", "commit": COMMIT, "dirty": False, "binary_sha256": "c" * 64}
    base = factory.write(tmp_path / "a.json", few(3, 1, voxmark=program))
    new = factory.write(tmp_path / "b.json", few(3, 2))
    db = tmp_path / "h.sqlite"
    tool("history", "--db", db, "add", base, "--accept")
    done = tool("history", "--db", db, "gate", new, "--format", "json")
    assert done.returncode == 4
    lines = json.loads(done.stdout)["to_settle"]
    steps = [
        "mkdir more-1-base more-1-new",
        f"cp {new} more-1-new/",
        f"git checkout {COMMIT}  # base (history 1 ({COMMIT[:12]})): build it",
        "--repeats 10 --out more-1-base/more-1-1.json",
        f"voxmark history --db {db} add more-1-base --accept",
        "git checkout 0123abcd  # new (b.json): build it",
        "--repeats 7 --out more-1-new/more-1-1.json",
        f"voxmark history --db {db} gate more-1-new",
    ]
    assert len(lines) == len(steps)
    assert all(step in line for step, line in zip(steps, lines, strict=True))


def test_a_gate_may_ignore_the_machine(tool: Tool, tmp_path: Path) -> None:
    db = ("history", "--db", tmp_path / "h.sqlite")
    base = factory.write(tmp_path / "a.json", few(10, 1))
    other = few(10, 2, environment={"cpu": {"model_name": "Other CPU"}})
    new = factory.write(tmp_path / "b.json", other)
    tool(*db, "add", base, "--accept")
    assert tool(*db, "gate", new).returncode == 3
    assert tool(*db, "gate", new, "--ignore", "machine").returncode == 0


def against_nearly_itself(folder: Path, spread: float, shift: float) -> list[Path]:
    seconds = factory.noisy_seconds(8, 0.5, spread, 1)
    both = {"a": seconds, "b": [shift * value for value in seconds]}
    return [
        factory.write(folder / f"{name}.json", factory.report(factory.processes(own)))
        for name, own in both.items()
    ]


def test_one_number_is_told_of_what_more_processes_settle(tool: Tool, tmp_path: Path) -> None:
    paths = against_nearly_itself(tmp_path, 0.04, 1.0001)
    result = json.loads(tool("compare", *paths, "--format", "json").stdout)
    needed = verdict(result, "step_seconds")["processes_needed"]
    assert result["exit_code"] == 4 and 8 < needed <= 100
    assert result["noise"][-1] == f"Or measure more processes: about {needed} a side"
    assert result["not_to_settle"] == []
    assert any(f"{needed} a side in all" in line for line in result["to_settle"])


def test_where_no_number_helps_no_command_is_announced(tool: Tool, tmp_path: Path) -> None:
    paths = against_nearly_itself(tmp_path, 0.3, 1.0001)
    result = json.loads(tool("compare", *paths, "--format", "json").stdout)
    assert (result["exit_code"], result["to_settle"]) == (4, [])
    assert "More processes are no way out: more than 100 a side" in result["noise"][-1]
    assert "more than 100 processes a side would be needed" in result["not_to_settle"][0]
    text = tool("compare", *paths).stdout
    assert "What would settle" not in text and "Not settled: " in text


# ---- What is asked for and is not there; what differs and is not seen ----


@pytest.mark.parametrize("flag", ["op_seconds", "readings.no_such", "kernels_changed:5%"])
def test_a_metric_that_is_not_there_cannot_decide(tool: Tool, tmp_path: Path, flag: str) -> None:
    paths = [factory.write(tmp_path / f"{n}.json", few(10, n)) for n in (1, 2)]
    done = tool("compare", *paths, "--fail-on", flag, "--fail-on", "step_seconds")
    assert done.returncode == 64 and flag in done.stderr


@pytest.mark.parametrize("form", ["github", "junit", "json"])
def test_machines_have_one_ratio_in_every_format(tool: Tool, tmp_path: Path, form: str) -> None:
    slow = factory.report(factory.processes([2 * value for value in AGAIN]))
    slow["environment"]["system"]["host"] = "other"
    paths = [
        factory.write(tmp_path / "a.json", few(10, 1)),
        factory.write(tmp_path / "b.json", slow),
    ]
    said = tool("compare", "--machines", *paths, "--format", form).stdout
    assert "of one kind of machine (hosts example, other)" in said
    if form == "json":
        found = verdict(json.loads(said), "step_seconds")
        assert found["base_over_new"] == pytest.approx(0.5, rel=0.01)
        assert found["base_over_new_interval"][0] < 0.5 < found["base_over_new_interval"][1]
    else:
        assert re.search(r"slower, .* 0\.(49|50)\d+x \(.*\) base / new", said)


def test_ops_that_were_timed_in_two_ways_are_told(
    sides: Sides,  # noqa: F811
    tool: Tool,
    tmp_path: Path,
) -> None:
    code, _ = sides(
        usual, lambda factor: [row("BM_a/manual_time", 10 * factor), row("BM_b", 5 * factor)]
    )
    assert code == 0
    said = tool("compare", tmp_path / "base", tmp_path / "new").stdout
    assert "timing of 1 case: wall time → manual time" in said


def test_the_legend_says_where_p_decides(tool: Tool, tmp_path: Path) -> None:
    paths = [factory.write(tmp_path / f"{n}.json", few(5, n)) for n in (1, 2)]
    assert "below 0.01 it is a change" in tool("compare", *paths).stdout
