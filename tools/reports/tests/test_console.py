"""Tables on narrow terminals: what decides stays whole."""

from __future__ import annotations

import json
import re
from pathlib import Path

import factory
import pytest
from conftest import Tool
from rich.cells import cell_len
from voxmark_reports import console
from voxmark_reports.console import Layout
from voxmark_reports.text import change_text, pair_text, times_text

ROWS = [
    ["a case of many words and 長い名前 too", "step_seconds", "+9.8% (+9.5%..+10.2%)", "slower"],
    ["b", "step_seconds", "-0.1% (-0.5%..+0.4%)", "same"],
]
HEADINGS = ["case", "metric", "change", "verdict"]

SHELL = ("  voxmark", "  cp ", "  mkdir ")  # lines that stay whole


def lines(columns: int, layout: Layout) -> list[str]:
    return [line.plain for line in console.table_lines(HEADINGS, ROWS, [], layout, columns)]


@pytest.mark.parametrize("columns", [30, 47, 60, 80, 100, 300])
def test_no_line_is_longer_than_the_terminal_and_nothing_is_lost(columns: int) -> None:
    for layout in (
        Layout(folds=range(4)),
        Layout(title=0, below=(2,)),
        Layout(title=0),
        Layout(),
    ):
        found = lines(columns, layout)
        assert max(cell_len(line) for line in found) <= columns
        text = re.sub(r"\s", "", "".join(found))
        for character in "長い名前":
            assert character in text
        assert text.count("..") >= 2 and "…" not in text


def test_the_title_goes_above_before_what_decides_is_folded() -> None:
    found = lines(50, Layout(title=0, below=(2,)))
    assert found[2] == ROWS[0][0]
    assert found[3].split() == ["step_seconds", "+9.8%", "(+9.5%..+10.2%)", "slower"]


def test_what_has_no_room_goes_below_its_row_with_its_heading() -> None:
    found = lines(32, Layout(title=0, below=(2,)))
    assert "  step_seconds  slower" in found
    assert "      +9.8% (+9.5%..+10.2%)" in found or (
        "      change: +9.8%" in found and "      (+9.5%..+10.2%)" in found
    )


def six_cases(path: Path, seed: int, backend: str = "onednn") -> Path:
    records = [
        record
        for number in range(6)
        for record in factory.processes(
            factory.noisy_seconds(10, 0.5, 0.04, 10 * seed + number),
            backend,
            image=[16 * (number + 1)] * 3,
        )
    ]
    return factory.write(path, factory.report(records))


@pytest.mark.parametrize("columns", [60, 80, 100])
@pytest.mark.parametrize("backend", ["onednn", "exec:/opt/a b/" + "long" * 20, "バックエンド" * 5])
def test_metric_interval_and_verdict_are_whole_in_one_line(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int, backend: str
) -> None:
    base = six_cases(tmp_path / "a.json", 1, backend)
    new = six_cases(tmp_path / "b.json", 2, backend)
    monkeypatch.setenv("COLUMNS", str(columns))
    text = tool("compare", base, new).stdout
    row = re.compile(
        r"step_seconds .*[+-]\d+\.\d+% \([+-]\d+\.\d+%\.\.[+-]\d+\.\d+%\) +inconclusive"
    )
    assert len(row.findall(text)) == 6, text
    own = [line for line in text.splitlines() if not line.startswith(SHELL)]
    assert max(map(cell_len, own)) <= columns  # a shell's lines stay whole


def test_a_pipe_has_a_width(tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS")
    base, new = six_cases(tmp_path / "a.json", 1), six_cases(tmp_path / "b.json", 2)
    text = tool("compare", base, new).stdout
    own = [line for line in text.splitlines() if not line.startswith(SHELL)]
    assert 80 < max(map(cell_len, own)) <= console.WIDTH


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_the_history_fits(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    cpu = {"model_name": "Vendor(R) Processor Of A Long Name(TM) 9999 CPU @ 2.50GHz"}
    content = factory.report(factory.processes([0.5] * 5), environment={"cpu": cpu})
    path, store = factory.write(tmp_path / "a.json", content), tmp_path / "h.sqlite"
    assert tool("history", "--db", store, "add", path).returncode == 0
    monkeypatch.setenv("COLUMNS", str(columns))
    text = tool("history", "--db", store, "list").stdout
    assert max(map(len, text.splitlines())) <= columns
    assert "2024-05-31" in text and "0123abcd" in text


def test_quantities_that_differ_look_different() -> None:
    assert pair_text(127_926_272, 127_930_368, "bytes") == ("127,926,272 B", "127,930,368 B")
    assert pair_text(2**30, 2**31, "bytes") == ("1.00 GiB", "2.00 GiB")
    assert pair_text(2**30, 2**30, "bytes") == ("1.00 GiB", "1.00 GiB")
    assert pair_text(0.5, 0.500001, "seconds") == ("500.000 ms", "500.001 ms")
    assert pair_text(None, 2**30, "bytes") == ("-", "1.00 GiB")
    assert pair_text(1234.25, 1234.5, "count") == ("1234.2", "1234.5")


def test_a_ratio_has_one_form() -> None:
    assert [change_text(r) for r in (1.052, 2.5, 0.4, 1, 0, 20)] == [
        "+5.2%",
        "+150.0%",
        "-60.0%",
        "+0.0%",
        "-100.0%",
        "+1900%",
    ]
    assert change_text(1.00003) == "+0.003%", "and never +0.0% of what differs"
    assert times_text(0.5) == "2.00x"


def test_one_of_a_kind_is_singular(tool: Tool, tmp_path: Path) -> None:
    content = factory.report(factory.processes([0.5] * 5, threads=1, filters=1))
    path = factory.write(tmp_path / "a.json", content)
    text = tool("compare", path, path).stdout
    assert "1 channel 1 class 1 filter fp32 1 thread " in text
    assert "20%%" not in tool("history", "gate", "--help").stdout
    label = json.loads(tool("compare", path, path, "--format", "json").stdout)["rows"][0]["label"]
    assert label == "onednn 64x64x64 batch 1"
