"""voxmark history: what is kept, where it changed, and the gate."""

from __future__ import annotations

import json
import shlex
import sqlite3
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import factory
import numpy as np
import pytest
from conftest import Done, Tool
from voxmark_reports.change_points import change_points
from voxmark_reports.errors import ToolError
from voxmark_reports.history_store import open_store


class History:
    def __init__(self, tool: Tool, folder: Path) -> None:
        self._tool = tool
        self._folder = folder
        self.number = 0

    def __call__(self, *arguments: object) -> Done:
        return self._tool("history", "--db", self._folder / "h.sqlite", *arguments)

    def file(self, median: float = 0.5, count: int = 8, **members: Any) -> Path:
        """A report like no other: measured one hour after the one before."""
        self.number += 1
        seconds = factory.noisy_seconds(count, median, 0.005, self.number)
        created = f"2024-05-{1 + self.number // 24:02}T{self.number % 24:02}:00:00Z"
        program = {
            "version": "0.1.0",
            "commit": f"{self.number:040x}",
            "dirty": False,
            "binary_sha256": "c" * 64,
        }
        content = factory.report(
            factory.processes(seconds), created=created, voxmark=program, **members
        )
        return factory.write(self._folder / f"{self.number}.json", content)


@pytest.fixture
def history(tool: Tool, tmp_path: Path) -> History:
    return History(tool, tmp_path)


def test_a_report_is_kept_once(history: History) -> None:
    path = history.file()
    assert "added" in history("add", path).stdout
    again = history("add", path)
    assert again.returncode == 0 and "there already" in again.stdout
    states = json.loads(history("list", "--json").stdout)
    assert [(state["commit"], state["cases"]) for state in states] == [(f"{1:040x}", 1)]
    assert states[0]["accepted"] is False
    history("add", path, "--accept")
    assert json.loads(history("list", "--json").stdout)[0]["accepted"] is True
    assert "Example CPU" in history("list").stdout


def test_the_gate_compares_with_the_last_accepted_state(history: History) -> None:
    history("add", history.file(0.5), "--accept")
    history("add", history.file(0.7))  # not accepted: nobody is measured by it
    assert history("gate", history.file(0.5)).returncode == 0
    slower = history("gate", history.file(0.6))
    assert slower.returncode == 1
    assert "slower" in slower.stdout


def test_what_passes_the_gate_is_the_next_base(history: History) -> None:
    history("add", history.file(0.5), "--accept")
    assert history("gate", history.file(0.4), "--add").returncode == 0
    assert history("gate", history.file(0.5), "--add").returncode == 1
    states = json.loads(history("list", "--json").stdout)
    assert [state["accepted"] for state in states] == [True, True, False]


@pytest.mark.parametrize(
    "environment", [{"cpu": {"model_name": "Other"}}, {"cpu": {"flags": "fpu avx512f"}}]
)
def test_another_machine_is_a_visible_skip(
    history: History, tool: Tool, environment: dict[str, Any]
) -> None:
    history("add", history.file(), "--accept")
    other = history.file(environment=environment)
    done = history("gate", other)
    assert done.returncode == 3
    assert done.stdout.startswith("SKIPPED")
    # What it says to do mends it.
    words = shlex.split(done.stdout.partition("accept one with: voxmark ")[2])
    assert tool(*words).returncode == 0
    assert history("gate", history.file(environment=environment)).returncode != 3


def test_a_gate_takes_back_no_acceptance_by_hand(history: History) -> None:
    """It would take the anchor away, and small steps could hide behind each other."""
    history("add", history.file(0.5), "--accept")
    anchor = history.file(0.5)
    history("add", anchor, "--accept")
    assert history("gate", anchor, "--add").returncode == 0
    assert "by the gate" not in history("list").stdout


def test_what_is_in_the_history_is_not_gated_against_itself(history: History) -> None:
    history("add", history.file(0.5), "--accept")
    slower = history.file(0.6)
    history("add", slower, "--accept")
    assert history("gate", slower).returncode == 1


def test_a_case_that_the_last_state_lacks_is_compared_with_an_earlier_one(
    history: History, tmp_path: Path
) -> None:
    def two_backends(name: str, eigen: float) -> Path:
        content = json.loads(history.file(0.5).read_bytes())
        seconds = factory.noisy_seconds(8, eigen, 0.005, history.number + 100)
        content["records"] += factory.processes(seconds, "eigen")
        return factory.write(tmp_path / name, content)

    history("add", two_backends("both.json", 0.8), "--accept")
    assert history("gate", history.file(0.5), "--add").returncode == 3, "a row is missing"
    history("add", history.file(0.5), "--accept")  # onednn alone
    assert history("gate", two_backends("same.json", 0.8)).returncode == 0
    done = history("gate", two_backends("slower.json", 1.0))
    assert done.returncode == 1
    assert "and history 1 " in done.stdout, "it names where the case comes from"
    rows = [line for line in done.stdout.splitlines() if " step_seconds " in line]
    assert ["slower" in row for row in rows] == ["eigen " in row for row in rows]
    assert len(rows) == 2


@pytest.mark.parametrize("form", ["json", "junit", "github", "markdown"])
def test_a_skip_is_of_the_format_that_was_asked_for(history: History, form: str) -> None:
    history("add", history.file(environment={"cpu": {"model_name": "Other"}}), "--accept")
    done = history("gate", history.file(), "--format", form)
    assert done.returncode == 3
    if form == "json":
        assert json.loads(done.stdout)["exit_code"] == 3
    elif form == "junit":
        assert ElementTree.fromstring(done.stdout).find("testcase/skipped") is not None
    else:
        assert "SKIPPED" in done.stdout


def test_small_steps_do_not_hide_behind_each_other(history: History) -> None:
    """Each is 2% slower than the one that passed before it: the third is 6% slower than what was
    accepted."""
    history("add", history.file(0.5), "--accept")
    codes = [history("gate", history.file(0.5 * 1.02**i), "--add").returncode for i in (1, 2, 3)]
    assert codes[0] == 0
    assert 1 in codes[1:]


def test_what_is_accepted_by_hand_is_the_anchor_from_then_on(history: History) -> None:
    history("add", history.file(0.5), "--accept")
    history("add", history.file(0.56), "--accept")  # somebody looked, and wants it so
    assert history("gate", history.file(0.56)).returncode == 0


def test_a_folder_is_a_state_too(history: History, tmp_path: Path) -> None:
    for seed, (side, median) in enumerate((("base", 0.5), ("same", 0.5), ("slower", 0.6))):
        seconds = factory.noisy_seconds(8, median, 0.005, seed)
        for number, value in enumerate(seconds):
            content = factory.report(factory.processes([value]))
            factory.write(tmp_path / side / f"{number}.json", content)
    assert history("add", tmp_path / "base", "--accept").returncode == 0
    assert "there already" in history("add", tmp_path / "base").stdout
    assert history("gate", tmp_path / "same").returncode == 0
    assert history("gate", tmp_path / "slower").returncode == 1


def test_uncommitted_changes_show_beside_the_commit(history: History) -> None:
    program = {"version": "1", "commit": "a" * 40, "dirty": True, "binary_sha256": "c" * 64}
    path = factory.write(
        Path(history.file()).with_name("dirty.json"),
        factory.report(factory.processes([0.5]), voxmark=program),
    )
    history("add", path)
    assert f"{'a' * 12}-dirty" in history("list").stdout


def test_the_same_machine_after_a_reboot_is_the_same(history: History) -> None:
    history("add", history.file(), "--accept")
    again = {
        "system": {"host": "renamed", "load_average": "3"},
        "cpu": {"microcode": "0x7"},
        "memory": {"available_bytes": 1},
    }
    assert history("gate", history.file(environment=again)).returncode == 0


def test_a_trend_page_marks_the_change(history: History, tmp_path: Path) -> None:
    files = [history.file(0.5) for _ in range(8)] + [history.file(0.56) for _ in range(6)]
    history("add", *files)
    done = history("trend", "-o", tmp_path / "trend.html")
    assert done.returncode == 0, done.stderr
    assert "2 series, 1 change\n" in done.stdout
    page = (tmp_path / "trend.html").read_text()
    assert f"{9:040x}"[:12] in page
    assert "+12" in page or "+11" in page


def test_a_fresh_change_is_put_on_its_own_commit(history: History, tmp_path: Path) -> None:
    """Of the 8th of 9 states; the 7th is innocent."""
    history("add", *(history.file(0.5) for _ in range(7)), *(history.file(0.55) for _ in range(2)))
    done = history("trend", "-o", tmp_path / "trend.html")
    assert f"with state 8 {8:040x}"[:20] in done.stdout
    assert f"after 7 {7:040x}"[:20] in done.stdout
    page = (tmp_path / "trend.html").read_text()
    assert f'"8 {8:040x}'[:15] in page.replace("\\", ""), "the axis numbers states as the list does"


def test_a_history_that_cannot_be_used_now_is_no_wrong_input(
    tool: Tool, history: History, tmp_path: Path
) -> None:
    history("add", history.file())
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorname = "SQLITE_FULL"
    with pytest.raises(ToolError) as raised, open_store(tmp_path / "h.sqlite", create=False):
        raise full
    assert raised.value.code == 70 and "cannot be written" in str(raised.value)
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorname = "SQLITE_BUSY"
    with pytest.raises(ToolError) as raised, open_store(tmp_path / "h.sqlite", create=False):
        raise busy
    assert raised.value.code == 5
    done = tool("history", "--db", tmp_path / "no" / "h.sqlite", "add", history.file())
    assert done.returncode == 64 and "cannot be opened or made" in done.stderr


def test_states_are_numbered_by_their_measurement_whenever_they_were_added(
    history: History, tmp_path: Path
) -> None:
    files = [history.file(0.5) for _ in range(7)] + [history.file(0.55) for _ in range(2)]
    for path in reversed(files):
        history("add", path)
    states = json.loads(history("list", "--json").stdout)
    assert [state["state"] for state in states] == list(range(1, 10))
    assert states[7]["commit"] == f"{8:040x}" and states[7]["cases"] == 1
    done = history("trend", "-o", tmp_path / "trend.html")
    assert f"with state 8 {8:040x}"[:20] in done.stdout
    assert f"after 7 {7:040x}"[:20] in done.stdout


def test_a_change_that_may_be_of_several_commits_names_none(
    history: History, tmp_path: Path
) -> None:
    values = [0.5] * 6 + [0.54] + [0.58] * 5  # the 7th state is as near to one level as the other
    history("add", *(history.file(value) for value in values))
    done = history("trend", "-o", tmp_path / "trend.html")
    (line,) = done.stdout.splitlines()[1:]
    assert "not yet located: after 6 " in line and "at the latest with 8 " in line
    assert "with state" not in line


def test_a_trend_is_had_of_everything_that_the_reports_tell(
    history: History, tmp_path: Path
) -> None:
    path = history.file()
    content = json.loads(path.read_bytes())
    for record in content["records"]:
        events = {"cycles": {"value": 1e6, "running_fraction": 1}}
        record["details"] = {"probes": {"counters": {"events": events}}}
    history("add", factory.write(path, content))
    for metric in ("load_seconds", "compile_seconds", "counters.cycles", "step_seconds"):
        done = history("trend", "--metric", metric, "-o", tmp_path / "trend.html")
        assert done.returncode == 0, done.stderr
        assert "1 series" in done.stdout, metric
        assert metric in (tmp_path / "trend.html").read_text()
    assert history("trend", "--metric", "no_such").returncode == 64
    assert "op_seconds" in history("trend", "--help").stdout


def test_series_of_different_cases_have_different_names(history: History, tmp_path: Path) -> None:
    others = [{}, {"filters": 4}, {"classes": 3}, {"seed": 7}]
    content = factory.report([factory.record(**own) for own in others])
    history("add", factory.write(tmp_path / "several.json", content))
    done = history("trend", "--metric", "step_seconds", "-o", tmp_path / "trend.html")
    assert "4 series" in done.stdout
    page = (tmp_path / "trend.html").read_text()
    for words in ("4 filters", "3 classes", "seed 7"):
        assert words in page
    for usual in ("16 filters", "1 class ", "seed 1"):
        assert usual not in page, "as everywhere: it needs no word"


# ---- Change points ----


def noise(count: int, seed: int, spread: float = 0.01) -> np.ndarray:
    return 1 + spread * np.random.default_rng(seed).standard_normal(count)


def test_steady_series_have_no_changes() -> None:
    alarms = sum(bool(change_points(list(noise(40, seed)))) for seed in range(300))
    assert alarms / 300 < 0.03


@pytest.mark.parametrize("position", [5, 20, 35])
def test_a_step_is_found_where_it_is(position: int) -> None:
    found_right = 0
    for seed in range(50):
        values = noise(40, seed)
        values[position:] *= 1.06
        found = change_points(list(values))
        found_right += len(found) == 1 and abs(found[0].position - position) <= 1
    assert found_right >= 45


SEEDS = 5


@pytest.mark.parametrize("count", [9, 14, 25])
@pytest.mark.parametrize(("change", "spread"), [(1.1, 0.01), (1.05, 0.01), (0.9, 0.02)])
def test_no_innocent_commit_is_named(count: int, change: float, spread: float) -> None:
    """Wherever the change lies, the first and the last state included. CONFIDENCE is for each."""
    named = wrong = outside = 0
    for position in range(1, count):
        for seed in range(SEEDS):
            values = noise(count, seed + 1000 * position, spread)
            values[position:] *= change
            found = change_points(list(values))
            located = [c.position for c in found if c.is_located]
            named += located == [position]
            wrong += any(place != position for place in located)
            outside += any(not c.first <= position <= c.last for c in found)
    pairs = SEEDS * (count - 1)
    assert wrong / pairs <= 0.03
    assert outside / pairs <= 0.05
    if change == 1.1:
        assert named / pairs > 0.5, "it names some, too"


@pytest.mark.parametrize("position", range(5, 9))
def test_a_large_fresh_change_is_found_at_its_place(position: int) -> None:
    """Of 10 states; the last one alone is never enough."""
    for seed in range(SEEDS):
        values = noise(10, seed, 0.005)
        values[position:] *= 1.1
        (found,) = change_points(list(values))
        assert found.is_located and found.position == position


def test_a_last_state_alone_is_never_said_to_be_a_change() -> None:
    for seed in range(50):
        values = noise(12, seed)
        values[-1] *= 1.3
        assert not any(c.is_located for c in change_points(list(values))), seed


@pytest.mark.parametrize(("first", "second"), [(6, 12), (5, 9), (8, 14), (3, 15)])
def test_two_changes_are_both_put_where_they_are(first: int, second: int) -> None:
    wrong = both = 0
    for seed in range(25):
        values = noise(18, seed)
        values[first:] *= 1.1
        values[second:] *= 1.1
        located = [c.position for c in change_points(list(values)) if c.is_located]
        wrong += not set(located) <= {first, second}
        both += located == [first, second]
    assert wrong <= 1
    assert both >= 17


def test_changes_of_neighbours_do_not_cross() -> None:
    for seed in range(100):
        values = noise(14, seed, 0.03) * np.random.default_rng(seed).choice([1, 1.2], 14)
        found = change_points(list(values))
        places = [c.position for c in found]
        assert places == sorted(set(places))
        assert all(0 < c.first <= c.position <= c.last < 14 for c in found)


def test_one_outlier_is_no_change() -> None:
    for seed in range(50):
        values = noise(30, seed)
        values[12] *= 1.5
        assert all(abs(c.position - 12) > 1 for c in change_points(list(values))), seed


def test_short_or_constant_series_have_no_changes() -> None:
    assert change_points([1, 1, 1, 2, 2]) == []
    assert change_points([7.0] * 20) == []
    assert [c.position for c in change_points([7.0] * 10 + [8.0] * 10)] == [10]


# ---- Bad input ----


def test_what_is_no_history_is_refused(history: History, tmp_path: Path) -> None:
    assert history("list").returncode == 64
    (tmp_path / "h.sqlite").write_text("this is no database, but it is long enough to look at")
    assert history("list").returncode == 64
    (tmp_path / "h.sqlite").unlink()
    other = sqlite3.connect(tmp_path / "h.sqlite")
    other.execute("CREATE TABLE other (x)")
    other.execute("PRAGMA user_version = 7")
    other.close()
    done = history("list")
    assert done.returncode == 64 and "version" in done.stderr


def test_wrong_use_is_no_verdict(history: History) -> None:
    assert history("gate").returncode == 64
    assert history().returncode == 64
    assert history("gate", history.file(), "--bogus").returncode == 64
    assert history("add", "/nonexistent.json").returncode == 64
