"""What voxmark reproduce says of the white paper, on the page and on the screen."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import factory
from conftest import Tool
from test_report import sweep, text_of


def answer(**changes: Any) -> dict[str, Any]:
    generations = [
        ("tensorflow-stock", "of today", 4.0, None, 1000.0, 8000.0),
        ("onednn", "planned", 0.5, 8.0, 0.0, None),
    ]
    keys = ("backend", "meaning", "step_seconds", "times", "page_faults", "peak_bytes_per_voxel")
    return {
        "lines": ["Speed-up here: 8x <b>.", "The paper's 3.4x: more.", "Sure at this size."],
        "claims": [
            {
                "claim": "tensorflow-wall",
                "title": "a training step",
                "place": "p. 11",
                "paper": "3.4x",
                "here": "8x",
                "verdict": "more",
            }
        ],
        "generations": {
            "shape": "64x64x64 b1",
            "rows": [dict(zip(keys, row, strict=True)) for row in generations],
        },
        "left_out": "Left out: 2 of 64 runs.",
        "measured": "Measured today.",
    } | changes


def reproduction(path: Path, **changes: Any) -> Path:
    return factory.write(path, factory.report(sweep(), details={"answer": answer(**changes)}))


def test_the_page_and_the_screen_have_its_words(tool: Tool, tmp_path: Path) -> None:
    report = reproduction(tmp_path / "r.json")
    page, figures = tmp_path / "r.html", tmp_path / "figures"
    done = tool("report", report, "-o", page, "--figures", figures)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:3] == answer()["lines"]
    text = text_of(page)
    assert text.index("The white paper") < text.index("The answer")
    for words in (answer()["left_out"], answer()["measured"], "The paper's 3.4x: more."):
        assert words in text or words.replace("'", "&#x27;") in text
    assert "8x <b>" not in page.read_text(), "a report's text is no markup"
    (row,) = csv.DictReader((figures / "claims-r-json.csv").open())
    assert (row["verdict"], row["here"], row["place"]) == ("more", "8x", "p. 11")
    rows = list(csv.DictReader((figures / "generations-r-json.csv").open()))
    assert [row["times"] for row in rows] == ["", "8.0"]
    assert (figures / "generations-r-json.svg").stat().st_size > 1000


def test_without_generations_there_is_no_chart(tool: Tool, tmp_path: Path) -> None:
    report = reproduction(tmp_path / "r.json", generations={"shape": "", "rows": []})
    done = tool("report", report, "-o", tmp_path / "r.html", "--figures", tmp_path / "figures")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "figures" / "generations-r-json.svg").exists()


def test_other_reports_and_older_ones_have_no_such_section(tool: Tool, tmp_path: Path) -> None:
    report = factory.write(tmp_path / "r.json", factory.report(sweep()))
    done = tool("report", report, "-o", tmp_path / "r.html")
    assert done.stdout.startswith(str(tmp_path / "r.html"))
    assert "The white paper</h2>" not in (tmp_path / "r.html").read_text()


def test_two_reproductions_are_told_apart(tool: Tool, tmp_path: Path) -> None:
    one, two = reproduction(tmp_path / "one.json"), reproduction(tmp_path / "two.json")
    figures = tmp_path / "figures"
    done = tool("report", one, two, "-o", tmp_path / "r.html", "--figures", figures)
    assert done.returncode == 0, done.stderr
    assert len(list(figures.glob("generations-*.svg"))) == 2
    assert done.stdout.splitlines()[0] == "one.json: Speed-up here: 8x <b>."
    assert done.stdout.splitlines()[3] == "two.json: Speed-up here: 8x <b>."
