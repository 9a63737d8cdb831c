"""voxmark report: the page's content, its safety, and the files of --figures."""

from __future__ import annotations

import base64
import csv
import errno
import io
import itertools
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import factory
import pytest
from conftest import Tool
from voxmark_reports import charts, charts_more, charts_where, reading, step_parts, tables
from voxmark_reports import figures as fg
from voxmark_reports.errors import ExitCode, ToolError
from voxmark_reports.files import write_file
from voxmark_reports.text import merged

HOSTILE = '</SCRIPT><img src=x onerror=alert(1)>"'
STEP_SECONDS = {"eigen-tensor": 1.8, "eigen": 0.8, "onednn": 0.5}


def sweep(factor: float = 1.0, count: int = 6) -> list[dict[str, Any]]:
    """Three backends on two image sizes, with CPU times and a roofline; one backend not built."""
    records = []
    for size in (32, 64):
        for backend, seconds in STEP_SECONDS.items():
            own = factory.noisy_seconds(count, seconds * factor * (size / 64) ** 3, 0.01, size)
            for record in factory.processes(own, backend, image=[size] * 3):
                slow = backend == "eigen-tensor"
                for sample in record["samples"]:
                    busy = 2 * sample["step_seconds"] * (0.7 if slow else 0.97)
                    system = 2 * sample["step_seconds"] * (0.2 if slow else 0.005)
                    sample["readings"] = {
                        "user_seconds": busy,
                        "system_seconds": system,
                        "minor_faults": 3,
                        "involuntary_switches": 1,
                    }
                record["details"] = {"roofline": {"seconds": 0.25 * (size / 64) ** 3}}
                record["stages"][0]["implementation"] = f"{backend}:kernel"
                record["stages"][1]["implementation"] = f"{backend}:kernel"
                records.append(record)
        records.append(factory.failure("skipped", "not built", "pytorch", image=[size] * 3))
    return records


@pytest.fixture(scope="module")
def one_page(tool: Tool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the page and the figures of a report from a hostile host."""
    folder = tmp_path_factory.mktemp("page")
    environment = {"system": {"host": HOSTILE}}
    path = factory.write(folder / "report.json", factory.report(sweep(), environment=environment))
    done = tool("report", path, "-o", folder / "report.html", "--figures", folder / "figures")
    assert done.returncode == 0, done.stderr
    return folder


class Parsed(HTMLParser):
    """What a browser makes of a page: its elements' names and attributes, its visible text."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.titles: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        self._inside = tag
        self.titles += [""] if tag == "h2" else []

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""
        self.text += "\n"

    def handle_data(self, data: str) -> None:
        if self._inside not in ("script", "style"):
            self.text += data
        if self._inside == "h2":
            self.titles[-1] += data


def text_of(page: Path) -> str:
    return Parsed(page).text


def test_the_answer_stands_first(one_page: Path) -> None:
    text = text_of(one_page / "report.html")
    answer = re.search(r"onednn trains (3\.\d+) times as fast as eigen-tensor at 64x64x64", text)
    assert answer and 3.4 < float(answer[1]) < 3.8
    assert "3.40x" in text  # the paper's
    sure = re.search(
        r"95% interval is (\S+) to (\S+) times as fast, from 6 against 6 processes", text
    )
    assert sure and float(sure[1]) < 3.6 < float(sure[2])
    assert "its convolutions run as onednn:kernel, those of eigen-tensor as eigen-tensor" in text
    assert text.index("onednn trains") < text.index("Results")


def test_sections_come_in_the_order_of_questions(one_page: Path) -> None:
    assert Parsed(one_page / "report.html").titles == [
        "The answer",
        "Time",
        "Memory",
        "Share of the machine's limit",
        "Where the step goes",
        "Counters",
        "Interference",
        "Environment",
    ]


def test_nothing_in_the_page_points_elsewhere(one_page: Path) -> None:
    links = Parsed(one_page / "report.html").links
    assert len(links) > 8
    assert all(link.startswith(("#", "data:")) for link in links)
    head = (one_page / "report.html").read_text().split("<style", maxsplit=1)[0]
    assert "default-src 'none'" in head
    assert "unsafe-eval" not in head


def test_hostile_names_are_text_everywhere(one_page: Path) -> None:
    page = Parsed(one_page / "report.html")
    assert "img" not in page.tags
    assert page.text.count(HOSTILE) == 2  # introduction and environment
    assert HOSTILE not in (one_page / "report.html").read_text()


def test_every_figure_is_a_file_too(one_page: Path) -> None:
    folder = one_page / "figures"
    names = {path.stem for path in folder.glob("*.svg")}
    assert {"speed-up", "step-time", "memory", "roofline", "waterfall", "interference"} <= names
    assert names == {path.stem for path in folder.glob("*.png")}
    for path in folder.glob("*.svg"):
        content = path.read_text()
        assert "NaN" not in content and "undefined" not in content, path.name
        assert "currentColor" not in content
    assert (folder / "step-time.png").read_bytes().startswith(b"\x89PNG")


def test_tables_are_csv_with_raw_numbers(one_page: Path) -> None:
    rows = list(csv.DictReader((one_page / "figures" / "results.csv").open()))
    assert len(rows) == 8
    onednn = next(row for row in rows if row["case"] == "onednn 64x64x64 batch 1")
    assert float(onednn["step_seconds"]) == pytest.approx(0.5, rel=0.02)
    assert (
        float(onednn["speed_up_low"]) < float(onednn["speed_up"]) < float(onednn["speed_up_high"])
    )
    assert float(onednn["roofline_share"]) == pytest.approx(0.25 / 0.4, rel=0.02)
    skipped = next(row for row in rows if row["outcome"] == "skipped")
    assert skipped["note"] == "not built" and skipped["step_seconds"] == ""
    page = (one_page / "report.html").read_text()
    inside = re.search(
        r'download="results.csv" href="data:text/csv;charset=utf-8;base64,(.*?)"', page
    )
    assert inside
    assert list(csv.DictReader(io.StringIO(base64.b64decode(inside[1]).decode()))) == rows


def test_all_that_a_legend_may_hold_have_colours_of_their_own() -> None:
    assert len(set(charts.PALETTE)) >= charts.MOST_LEGEND_ENTRIES


def test_csv_cells_are_no_formulas() -> None:
    table = tables.Table("t", "t", [("a", "a")], [{"a": "=1+1"}, {"a": -1.5}, {"a": "@x"}])
    assert table.csv().splitlines() == ["a", "'=1+1", "-1.5", "'@x"]


def figures_of(records: list[dict[str, Any]], **members: Any) -> list[fg.Figure]:
    return fg.figures_of([reading.parse_report(factory.report(records, **members), "a")])


def test_the_images_of_all_ranks_count() -> None:
    records = factory.processes([0.5, 0.5], batch=2) + factory.processes(
        [1.0, 1.0], batch=2, ranks=4
    )
    one, four = figures_of(records)
    assert [one.images_per_second, four.images_per_second] == [4, 8]
    assert four.voxels == 4 * one.voxels
    assert four.series == "onednn 4 ranks"


def test_parts_of_a_step_add_up_to_it() -> None:
    for figure in figures_of(sweep()):
        parts = step_parts.by_threads(figure.case)
        assert parts is not None
        assert sum(parts.values()) == pytest.approx(figure.step_seconds)
        share = parts["operating system (system time)"] / figure.step_seconds
        assert share == pytest.approx(
            0.2 if figure.case.backend == "eigen-tensor" else 0.005, rel=0.01
        )


def test_without_cpu_times_there_is_no_waterfall() -> None:
    records = sweep()
    for record in records:
        for sample in record["samples"]:
            sample["readings"] = {}
    assert all(step_parts.by_threads(figure.case) is None for figure in figures_of(records))


def test_one_process_has_no_certainty(tool: Tool, tmp_path: Path) -> None:
    path = factory.write(tmp_path / "a.json", factory.report(sweep(count=1)))
    assert tool("report", path, "-o", tmp_path / "a.html").returncode == 0
    text = text_of(tmp_path / "a.html")
    assert "How sure: not at all yet" in text
    assert "no interval" in text


def test_a_page_without_any_time_says_so(tool: Tool, tmp_path: Path) -> None:
    broken = [factory.failure("crashed", "signal 11"), factory.failure("oom", "too large", "eigen")]
    path = factory.write(tmp_path / "a.json", factory.report(broken))
    assert tool("report", path, "-o", tmp_path / "a.html").returncode == 0
    text = text_of(tmp_path / "a.html")
    assert text.index("No answer: no case was measured") < text.index("signal 11")


def test_a_tie_is_not_sold_as_a_win(tool: Tool, tmp_path: Path) -> None:
    records = [
        *factory.processes(factory.noisy_seconds(4, seed=1), "eigen-tensor"),
        *factory.processes(factory.noisy_seconds(4, seed=2), "onednn"),
    ]
    path = factory.write(tmp_path / "a.json", factory.report(records))
    assert tool("report", path, "-o", tmp_path / "a.html").returncode == 0
    assert "That is not settled" in text_of(tmp_path / "a.html")


def test_disturbed_times_are_never_sure(tool: Tool, tmp_path: Path) -> None:
    records = sweep(count=10)
    for record in records:
        reasons = [f"threads waited {40 + record['case']['process']}% of the time for a CPU"]
        if record["case"]["backend"] == "onednn":
            record["details"] = {"interference": {"tainted": True, "reasons": reasons}}
    path = factory.write(tmp_path / "a.json", factory.report(records))
    assert tool("report", path, "-o", tmp_path / "a.html").returncode == 0
    text = text_of(tmp_path / "a.html")
    assert "That is not settled: the machine was disturbed" in text
    assert "Chance alone" not in text
    # Ten times the same with other figures is said once.
    assert "disturbed while it was timed: threads waited 40 to 49% of the time for a CPU" in text


def test_processes_that_are_left_out_are_told(tool: Tool, tmp_path: Path) -> None:
    records = sweep(count=10)
    for record in [r for r in records if r["case"]["backend"] == "onednn"][:3]:
        record["details"] = {"interference": {"tainted": True, "reasons": ["another program"]}}
    path = factory.write(tmp_path / "a.json", factory.report(records))
    assert tool("report", path, "-o", tmp_path / "a.html").returncode == 0
    text = text_of(tmp_path / "a.html")
    assert "3 of 10 processes were disturbed and left out" in text
    assert "That is not settled" not in text


def test_texts_that_differ_in_numbers_become_one() -> None:
    texts = ["took 0.5 s of 2", "other", "took 10 s of 2", "took 9 s of 2", "took 3"]
    assert merged(texts) == ["took 0.5 to 10 s of 2", "other", "took 3"]


@pytest.mark.parametrize(
    ("eigen", "certainty"),
    [(0.6, r"\."), (0.502, "; whether it is faster at all is not settled")],
)
def test_the_next_fastest_is_told_with_its_certainty(
    tool: Tool, tmp_path: Path, eigen: float, certainty: str
) -> None:
    medians = {"eigen-tensor": 1.0, "onednn": 0.5, "eigen": eigen}
    noise = [0.99, 0.995, 1, 1, 1, 1.005, 1.01]
    records = []
    for name, median in medians.items():
        records += factory.processes([median * value for value in noise], name)
    path = factory.write(tmp_path / "a.json", factory.report(records))
    assert tool("report", path, "-o", tmp_path / "a.html").returncode == 0
    found = re.search(
        rf"Next comes eigen: onednn is (\S+) times .* \(95% interval: .*\){certainty}",
        text_of(tmp_path / "a.html"),
    )
    assert found and float(found[1]) == pytest.approx(eigen / 0.5, rel=0.01)


def test_a_slower_rival_is_told_as_slower(tool: Tool, tmp_path: Path) -> None:
    records = [
        *factory.processes([0.5] * 6, "eigen-tensor"),
        *factory.processes([1.0] * 6, "onednn"),
    ]
    path = factory.write(tmp_path / "a.json", factory.report(records))
    assert tool("report", path, "-o", tmp_path / "a.html").returncode == 0
    assert "Nothing here is faster than eigen-tensor: onednn takes 2.00 times" in text_of(
        tmp_path / "a.html"
    )


def answer_of(tool: Tool, folder: Path, onednn: list[float], base: list[float]) -> str:
    """The page of two backends."""
    records = [*factory.processes(base, "eigen-tensor"), *factory.processes(onednn, "onednn")]
    path = factory.write(folder / "a.json", factory.report(records))
    assert tool("report", path, "-o", folder / "a.html").returncode == 0
    return text_of(folder / "a.html")


def test_that_nothing_beats_the_baseline_can_be_sure_too(tool: Tool, tmp_path: Path) -> None:
    text = answer_of(
        tool, tmp_path, factory.noisy_seconds(10, 1.0, seed=1), factory.noisy_seconds(10, seed=2)
    )
    answer = re.search(r"onednn takes (\S+) times as long", text)
    sure = re.search(r"interval is (\S+) to (\S+) times as long, from 10 against 10", text)
    assert answer and sure
    assert 1.9 < float(sure[1]) <= float(answer[1]) <= float(sure[2]) < 2.1
    chance = re.search(r"Chance alone gives so much with p = (\S+)\.", text)
    assert chance and float(chance[1]) < 0.01
    assert "not settled" not in text


def test_an_open_answer_says_how_many_processes_would_settle_it(tool: Tool, tmp_path: Path) -> None:
    base, other = [0.48, 0.49, 0.50, 0.51, 0.52], [0.50, 0.51, 0.52, 0.53, 0.54]
    text = answer_of(tool, tmp_path, other, base)
    advice = re.search(r"That is not settled.*measure with --repeats (\d+)", text)
    assert advice and int(advice[1]) > 5


def test_a_slower_machine_is_told_with_its_certainty(tool: Tool, tmp_path: Path) -> None:
    paths = [
        factory.write(tmp_path / "a.json", factory.report(sweep())),
        factory.write(
            tmp_path / "b.json",
            factory.report(sweep(2.0), environment={"cpu": {"model_name": "Other"}}),
        ),
    ]
    assert tool("report", *paths, "-o", tmp_path / "x.html").returncode == 0
    told = re.search(
        r"Other: onednn takes (\S+) times as long as Example CPU: onednn at 64x64x64"
        r" \(95% interval: (\S+) to (\S+); p = (\S+)\)",
        text_of(tmp_path / "x.html"),
    )
    assert told, "by the machines' names, and not by the files'"
    assert float(told[2]) <= float(told[1]) == pytest.approx(2, rel=0.02)
    assert float(told[1]) <= float(told[3]) < 2.1 and float(told[4]) < 0.01


def test_the_page_and_compare_call_settled_by_one_rule(tool: Tool, tmp_path: Path) -> None:
    """Of the same two reports: 5 against 5 processes of six cases show no change at once."""

    def six(factor: float, seed: int) -> list[dict[str, Any]]:
        return [
            record
            for number in range(6)
            for record in factory.processes(
                factory.noisy_seconds(5, factor * 0.5, 0.005, 10 * seed + number),
                image=[16 * (number + 1)] * 3,
            )
        ]

    paths = [
        factory.write(tmp_path / "a.json", factory.report(six(1, 1))),
        factory.write(tmp_path / "b.json", factory.report(six(0.6, 2))),
    ]
    done = tool("compare", *paths)
    assert done.returncode == 4 and "6 a side can" in done.stdout
    assert tool("report", *paths, "-o", tmp_path / "x.html").returncode == 0
    text = text_of(tmp_path / "x.html")
    assert "b.json: onednn is 1.6" in text and "p = 0.024; not settled)" in text


def test_reports_are_called_as_the_user_calls_them(tool: Tool, tmp_path: Path) -> None:
    paths = [
        factory.write(tmp_path / name, factory.report(sweep(factor)))
        for name, factor in (("a.json", 1.0), ("b.json", 0.5))
    ]
    labels = ("--label", "old kernels", "--label", "new kernels")
    assert tool("report", *paths, *labels, "-o", tmp_path / "x.html").returncode == 0
    text = text_of(tmp_path / "x.html")
    assert "new kernels: onednn is" in text and "b.json: onednn" not in text
    done = tool("report", *paths, "--label", "one", "-o", tmp_path / "x.html")
    assert done.returncode == 64 and "expected one per report, 2" in done.stderr


def rows_of(spec: Any) -> list[dict[str, Any]]:
    """All rows that a chart shows, of every layer."""
    if isinstance(spec, list):
        return [row for part in spec for row in rows_of(part)]
    if not isinstance(spec, dict):
        return []
    own = list(spec.get("data", {}).get("values", []))
    return own + [row for part in spec.values() for row in rows_of(part)]


# ---- Where the step goes ----


def watched(backend: str, seconds: list[float], convolution: float) -> list[dict[str, Any]]:
    """Processes with stages: forward and backward take 0.8 of the step, most of it convolutions.
    The watched step is 10% slower than the timed ones."""
    records = factory.processes(seconds, backend)
    for record, step in zip(records, seconds, strict=True):
        slow = 1.1 * 0.8 * step
        record["stages"] = [
            factory.stage("convolution", "forward", convolution * slow / 2),
            factory.stage("convolution", "backward_weights", convolution * slow / 2),
            factory.stage("batch norm and ReLU", "forward", (1 - convolution) * slow * 0.75),
            factory.stage("batch norm and ReLU", "forward", (1 - convolution) * slow * 0.25, True),
            factory.stage("update", "update"),
        ]
    return records


def test_parts_by_work_add_up_to_the_timed_step() -> None:
    (figure,) = figures_of(watched("onednn", [0.9, 1.0, 1.1], 0.5))
    work = step_parts.by_work(figure.case)
    assert work
    assert work.watched == pytest.approx(1.1)
    assert work.parts == pytest.approx(
        {
            "convolution, forward": 0.2,
            "convolution, backward weights": 0.2,
            "batch norm and ReLU, forward": 0.3,
            "batch norm and ReLU, recomputed": 0.1,
            "update": 0.2,
        }
    )
    assert all(step_parts.by_work(f.case) is None for f in figures_of(sweep()))


def test_the_waterfall_leads_from_one_backend_to_another_by_work(
    tool: Tool, tmp_path: Path
) -> None:
    records = [*watched("eigen-tensor", [2.0] * 6, 0.5), *watched("onednn", [1.0] * 6, 0.25)]
    base, other = figures_of(records)
    chart = charts_where.waterfall_chart(base, other)
    assert chart
    rows = rows_of(chart.spec)
    assert [row["what"] for row in rows] == [
        "eigen-tensor",
        "convolution, forward",  # 0.4 to 0.1 s
        "convolution, backward weights",
        "update",  # 0.4 to 0.2 s
        "batch norm and ReLU, forward",
        "batch norm and ReLU, recomputed",
        "onednn",
    ]
    levels = [0.0, *(row["to"] for row in rows)]
    assert levels[1:-1] == pytest.approx([2.0, 1.7, 1.4, 1.2, 1.05, 1.0])
    for before, row in itertools.pairwise(rows[:-1]):
        assert row["from"] == pytest.approx(before["to"])
    path = factory.write(tmp_path / "a.json", factory.report(records))
    folder = tmp_path / "figures"
    done = tool("report", path, "-o", tmp_path / "a.html", "--figures", folder)
    assert done.returncode == 0, done.stderr
    text = text_of(tmp_path / "a.html")
    assert "By kind of work" in text
    assert "differ by +10.0% from the timed" in text
    assert re.search(r"of the 1\.000 s saved per step, 30% was convolution, forward", text)
    (eigen, onednn) = csv.DictReader((folder / "work.csv").open())
    assert float(eigen["convolution, forward"]) == pytest.approx(0.4)
    assert float(onednn["batch norm and ReLU, recomputed"]) == pytest.approx(0.15)


def test_where_one_tells_no_stages_the_threads_must_do(tool: Tool, tmp_path: Path) -> None:
    records = [r for r in sweep() if r["case"]["image"] == [64] * 3]
    records += watched("example", [1.0] * 6, 0.5)
    path = factory.write(tmp_path / "a.json", factory.report(records))
    assert tool("report", path, "-o", tmp_path / "a.html").returncode == 0
    text = text_of(tmp_path / "a.html")
    assert "not both of them tell the seconds of their stages" in text
    assert "No stages were watched of eigen-tensor, eigen, onednn" in text


def test_a_chart_of_many_cases_keeps_the_headlines_and_says_what_it_leaves_out(
    tool: Tool, tmp_path: Path
) -> None:
    records = []
    for size in range(1, 51):  # the largest last
        for backend, seconds in (("eigen-tensor", 2.0), ("onednn", 1.0), ("eigen", 1.5)):
            records += factory.processes([size * seconds] * 2, backend, image=[16 * size] * 3)
    path = factory.write(tmp_path / "a.json", factory.report(records))
    assert tool("report", path, "-o", tmp_path / "a.html").returncode == 0
    text = text_of(tmp_path / "a.html")
    assert "onednn trains 2.00 times as fast as eigen-tensor at 800x800x800" in text
    assert "The 60 largest of 100 cases are shown; the tables have all." in text
    chart = spec_of(tmp_path / "a.html", "speed-up")
    labels = {row.get("label") for row in rows_of(chart)} - {None}
    assert len(labels) == 60
    assert "onednn 800x800x800" in labels and "onednn 16x16x16" not in labels


def spec_of(page: Path, chart: str) -> dict[str, Any]:
    found = re.search(
        rf'data-chart="{chart}".*?<script type="application/json">(.*?)</script>', page.read_text()
    )
    assert found
    return json.loads(found[1])


@pytest.mark.parametrize("count", [1, 3])  # processes, of whom one is broken
@pytest.mark.parametrize("broken", ["warm-up only", "no time"])
def test_a_case_without_times_is_left_out_with_a_note(
    tool: Tool, tmp_path: Path, broken: str, count: int
) -> None:
    records = sweep(count=count)
    one = next(record for record in records if record["case"]["backend"] == "onednn")
    for sample in one["samples"]:
        if broken == "no time":
            sample["step_seconds"] = 0
        else:
            sample["warmup"] = True
    path = factory.write(tmp_path / "a.json", factory.report(records))
    done = tool("report", path, "-o", tmp_path / "a.html")
    assert done.returncode == 0, done.stderr
    text = text_of(tmp_path / "a.html")
    if broken == "no time":
        assert "left out of the figures: step_seconds is 0" in text
    elif count == 1:
        assert "left out of the figures: no step was timed after the warm-up" in text
    else:
        assert "left out" not in text, "the other processes have times"


def test_warnings_stand_on_top(tool: Tool, tmp_path: Path) -> None:
    records = sweep()
    for record in records:
        if record["case"]["backend"] == "onednn":
            record["stages"][0]["implementation"] = "ref:any"
            record["verification"] = {
                "verified": False,
                "against": "naive",
                "image": [],
                "worst": None,
                "reason": "no time for it",
            }
            record["details"]["interference"] = {"tainted": True, "reasons": ["stolen time"]}
    content = factory.report(records, details={"environment_changes": ["cpu.governor"]})
    content["voxmark"]["dirty"] = True
    path = factory.write(tmp_path / "a.json", content)
    assert tool("report", path, "-o", tmp_path / "a.html").returncode == 0
    text = text_of(tmp_path / "a.html")
    for warning in (
        "uncommitted",
        "ref:any, which is slow",
        "not verified: no time for it",
        "stolen time",
        "cpu.governor",
    ):
        assert 0 < text.index(warning) < text.index("The answer", text.index("Before")), warning


def test_several_machines_show_their_differences_first(tool: Tool, tmp_path: Path) -> None:
    other = {
        "cpu": {
            "model_name": "Other CPU",
            "flags": "fpu sse4_2 avx avx2 fma amx_bf16",
            "microcode": "0x9",
        },
        "system": {"host": "other"},
    }
    paths = [
        factory.write(tmp_path / "a.json", factory.report(sweep())),
        factory.write(tmp_path / "b.json", factory.report(sweep(0.6), environment=other)),
    ]
    costs = {
        "currency": "EUR",
        "machines": [
            {"report": "a.json", "price": 1000, "watts": 200},
            {"report": "other", "price": 4000, "watts": 300},
        ],
    }
    cost = factory.write(tmp_path / "cost.json", costs)
    done = tool(
        "report",
        *paths,
        "--cost",
        cost,
        "-o",
        tmp_path / "x.html",
        "--figures",
        tmp_path / "figures",
    )
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((tmp_path / "figures" / "differences.csv").open()))
    names = [row["name"] for row in rows]
    assert names[:2] == ["cpu.model_name", "cpu.flags"]
    assert names.index("cpu.flags") < names.index("cpu.microcode")
    assert rows[1]["v1"] == "amx_bf16"
    answer = re.search(
        r"Other CPU: onednn is (\S+) times as fast as Example CPU: onednn at 64x64x64",
        text_of(tmp_path / "x.html"),
    )
    assert answer and float(answer[1]) == pytest.approx(1 / 0.6, rel=0.02)
    by_cost = list(csv.DictReader((tmp_path / "figures" / "cost.csv").open()))
    cheap = next(row for row in by_cost if row["case"] == "Example CPU: onednn 64x64x64")
    assert float(cheap["per_price"]) == pytest.approx(2.0, rel=0.02)  # 2 images/s for 1000 EUR
    assert float(cheap["per_kilowatt"]) == pytest.approx(10.0, rel=0.02)


@pytest.mark.parametrize(
    ("cost", "complaint"),
    [
        ({}, "machines"),
        ({"machines": [{"report": "a.json", "price": 0}]}, "more than 0"),
        ({"machines": [{"report": "a.json", "price": "1"}]}, "more than 0"),
        ({"machines": [{"report": "a.json", "prize": 1}]}, "prize"),
        ({"machines": [{"report": "none.json", "price": 1}]}, "names none"),
    ],
)
def test_costs_that_make_no_sense_are_refused(
    tool: Tool, tmp_path: Path, cost: dict[str, Any], complaint: str
) -> None:
    path = factory.write(tmp_path / "a.json", factory.report(sweep()))
    file = factory.write(tmp_path / "cost.json", cost)
    done = tool("report", path, "--cost", file, "-o", tmp_path / "x.html")
    assert done.returncode == 64
    assert complaint in done.stderr
    assert not (tmp_path / "x.html").exists()


def test_what_was_not_counted_is_said_once_per_reason() -> None:
    records = [*factory.processes([1.0] * 3), *factory.processes([1.0] * 3, "tensorflow-stock")]
    for record in records[3:]:
        reason = "the child does not count them"
        missing = {"heap_allocations": reason, "thread_starts": reason}
        events = {"cycles": {"value": None, "reason": "no PMU"}}
        record["details"] = {
            "probes": {"missing_readings": missing, "counters": {"events": events}}
        }
    assert tables.missing_counters(figures_of(records)) == [
        "heap allocations, thread starts: the child does not count them",
        "cycles: no PMU",
    ]


def test_threads_scale_against_the_fewest() -> None:
    records = [
        *factory.processes([1.0] * 3, threads=1),
        *factory.processes([0.6] * 3, threads=2),
        *factory.processes([0.4] * 3, threads=4),
    ]
    rows = fg.thread_scaling(figures_of(records))
    assert [row["threads"] for row in rows] == [1, 2, 4]
    assert [row["efficiency"] for row in rows] == pytest.approx([1, 1 / 1.2, 0.625])


def test_the_ideal_line_starts_at_the_fewest_threads() -> None:
    records = [
        *factory.processes([1.0] * 3, threads=4),
        *factory.processes([0.5] * 3, threads=8),
    ]
    chart = charts_more.scaling_chart(fg.thread_scaling(figures_of(records)))
    assert chart
    ideal = [row for row in rows_of(chart.spec) if "fewest" in row]
    assert [(row["threads"], row["speed_up"]) for row in ideal] == [(4, 1.0), (8, 2.0)]


def test_op_level_results_have_a_section(tool: Tool, tmp_path: Path) -> None:
    runs = [
        {
            "name": f"{backend}/encodeB_conv1/convolution/64x64x64/manual_time",
            "real_time": value,
            "cpu_time": value,
            "time_unit": "ms",
            "FLOP/s": 1e11,
            "label": f"{backend}:x ndhwc",
        }
        for backend, value in (("eigen", 2.0), ("onednn", 1.0))
    ]
    content = {"context": {"host_name": HOSTILE}, "benchmarks": runs}
    path = factory.write(tmp_path / "ops.json", content)
    folder = tmp_path / "figures"
    assert tool("report", path, "-o", tmp_path / "a.html", "--figures", folder).returncode == 0
    rows = list(csv.DictReader((folder / "ops.csv").open()))
    assert [(row["backend"], float(row["milliseconds"])) for row in rows] == [
        ("eigen", 2.0),
        ("onednn", 1.0),
    ]
    assert rows[0]["op"] == "encodeB_conv1/convolution/64x64x64"


@pytest.mark.parametrize("flags", [["--baseline", "nope"], ["-o", "/nonexistent/x.html"]])
def test_wrong_use_is_refused(tool: Tool, tmp_path: Path, flags: list[str]) -> None:
    path = factory.write(tmp_path / "a.json", factory.report(sweep()))
    done = tool("report", path, "-o", tmp_path / "a.html", *flags)
    assert done.returncode == 64
    assert done.stderr.count("\n") == 1


def test_json_in_the_page_survives(one_page: Path) -> None:
    specs = re.findall(
        r'<script type="application/json">(.*?)</script>', (one_page / "report.html").read_text()
    )
    assert len(specs) >= 8
    for spec in specs:
        assert json.loads(spec)["width"] == "container"


def test_a_page_is_written_behind_a_link_that_stays(tool: Tool, tmp_path: Path) -> None:
    path = factory.write(tmp_path / "base.json", factory.report(factory.processes([0.5] * 5)))
    link, target = tmp_path / "latest.html", tmp_path / "store.html"
    link.symlink_to(target)
    assert tool("report", path, "-o", link).returncode == 0
    assert link.is_symlink() and target.read_bytes().startswith(b"<!")
    loop = tmp_path / "loop.html"
    loop.symlink_to(loop)
    assert tool("report", path, "-o", loop).returncode == 64 and loop.is_symlink()


def test_a_full_disk_is_no_wrong_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ToolError) as raised:
        write_file(tmp_path / "page.html", "text")
    assert raised.value.code == ExitCode.INTERNAL and not list(tmp_path.iterdir())
