"""voxmark report: the page's content, its safety, and the files of --figures."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import factory
import pytest
from conftest import Tool
from voxmark_reports import figures as fg
from voxmark_reports import reading, tables

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
    sure = re.search(r"95% interval is (\S+) to (\S+), from 6 against 6 processes", text)
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


def test_csv_cells_are_no_formulas() -> None:
    table = tables.Table("t", "t", [("a", "a")], [{"a": "=1+1"}, {"a": -1.5}, {"a": "@x"}])
    assert table.csv().splitlines() == ["a", "'=1+1", "-1.5", "'@x"]


def figures_of(records: list[dict[str, Any]], **members: Any) -> list[fg.Figure]:
    return fg.figures_of([reading.parse_report(factory.report(records, **members), "a")])


def test_parts_of_a_step_add_up_to_it() -> None:
    for figure in figures_of(sweep()):
        parts = fg.parts_of_step(figure.case)
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
    assert all(fg.parts_of_step(figure.case) is None for figure in figures_of(records))


def test_one_process_has_no_certainty(tool: Tool, tmp_path: Path) -> None:
    path = factory.write(tmp_path / "a.json", factory.report(sweep(count=1)))
    assert tool("report", path, "-o", tmp_path / "a.html").returncode == 0
    text = text_of(tmp_path / "a.html")
    assert "How sure: not at all yet" in text
    assert "no interval" in text


def test_a_tie_is_not_sold_as_a_win(tool: Tool, tmp_path: Path) -> None:
    records = [
        *factory.processes(factory.noisy_seconds(4, seed=1), "eigen-tensor"),
        *factory.processes(factory.noisy_seconds(4, seed=2), "onednn"),
    ]
    path = factory.write(tmp_path / "a.json", factory.report(records))
    assert tool("report", path, "-o", tmp_path / "a.html").returncode == 0
    assert "That is not settled" in text_of(tmp_path / "a.html")


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
        r"b.json: onednn is (\S+) times as fast as a.json: onednn at 64x64x64",
        text_of(tmp_path / "x.html"),
    )
    assert answer and float(answer[1]) == pytest.approx(1 / 0.6, rel=0.02)
    by_cost = list(csv.DictReader((tmp_path / "figures" / "cost.csv").open()))
    cheap = next(row for row in by_cost if row["case"] == "a.json: onednn 64x64x64")
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


def test_threads_scale_against_the_fewest() -> None:
    records = [
        *factory.processes([1.0] * 3, threads=1),
        *factory.processes([0.6] * 3, threads=2),
        *factory.processes([0.4] * 3, threads=4),
    ]
    rows = fg.thread_scaling(figures_of(records))
    assert [row["threads"] for row in rows] == [1, 2, 4]
    assert [row["efficiency"] for row in rows] == pytest.approx([1, 1 / 1.2, 0.625])


def test_training_runs_and_overlays_are_shown(tool: Tool, tmp_path: Path) -> None:
    def scores(value: float) -> dict[str, Any]:
        return {
            "loss": value,
            "accuracy": 0.9,
            "soft_dice": [0.7],
            "hard_dice": [0.8],
            "whole_dice": None,
        }

    epochs = [
        {
            "epoch": number,
            "images": 4,
            "seconds": 1.0,
            "seconds_per_image": 0.25,
            "waiting_seconds": 0.0,
            "waiting_share": 0.0,
            "validation_seconds": 0.5,
            "best": True,
            "training": scores(1 / number),
            "validation": scores(1.1 / number) if number > 1 else None,
        }
        for number in (1, 2, 3)
    ]
    run = factory.write(tmp_path / "run.json", {"schema": "voxmark.training/1", "epochs": epochs})
    report = factory.write(tmp_path / "a.json", factory.report(sweep()))
    folder = tmp_path / "figures"
    assert tool("report", report, "-o", tmp_path / "a.html", "--figures", folder).returncode == 0
    overlay = folder / "step-time.png"
    done = tool("report", run, overlay, "-o", tmp_path / "b.html", "--figures", folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "training-loss.svg").exists() and (folder / "training-hard-dice.svg").exists()
    page = (tmp_path / "b.html").read_text()
    assert 'src="data:image/png;base64,' in page
    (tmp_path / "bad.png").write_text("<svg>")
    assert tool("report", tmp_path / "bad.png", "-o", tmp_path / "c.html").returncode == 64
    broken = factory.write(tmp_path / "r.json", {"schema": "voxmark.training/1"})
    assert tool("report", broken, "-o", tmp_path / "c.html").returncode == 64


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
