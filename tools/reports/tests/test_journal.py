"""What a run that was killed has measured opens like any report."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import factory
import orjson
import pytest
from conftest import Tool
from voxmark_reports.errors import ToolError
from voxmark_reports.strict_json import read_json


def lines_of(report: dict[str, Any]) -> list[bytes]:
    """As results/journal.cpp writes them."""
    header = {key: value for key, value in report.items() if key != "records"}
    return [
        b'{"sha256":"%s","entry":%s}\n' % (hashlib.sha256(text).hexdigest().encode(), text)
        for text in map(orjson.dumps, [header, *report["records"]])
    ]


@pytest.fixture
def report() -> dict[str, Any]:
    return factory.report(factory.processes([0.5, 0.51, 0.52], "onednn"))


@pytest.mark.parametrize("torn", [b"", b'{"sha256":"half', b'{"sha256":"half"}\n'])
def test_is_the_report_so_far(tmp_path: Path, report: dict[str, Any], torn: bytes) -> None:
    path = tmp_path / "report.json.journal"
    path.write_bytes(b"".join(lines_of(report)) + torn)
    details = {**report.get("details", {}), "partial": "the run was killed"}
    assert read_json(path, "a report") == {**report, "details": details}


def test_a_damaged_line_in_the_middle_is_refused(tmp_path: Path, report: dict[str, Any]) -> None:
    lines = lines_of(report)
    lines[1] = lines[1].replace(b"0.5", b"0.4")
    path = tmp_path / "report.json.journal"
    path.write_bytes(b"".join(lines))
    with pytest.raises(ToolError, match="line 2: damaged"):
        read_json(path, "a report")


def test_the_page_tells_that_it_is_partial(
    tool: Tool, tmp_path: Path, report: dict[str, Any]
) -> None:
    path = tmp_path / "report.json.journal"
    path.write_bytes(b"".join(lines_of(report)))
    done = tool("report", path, "-o", tmp_path / "page.html")
    assert done.returncode == 0, done.stderr
    assert "a partial report: the run was killed" in (tmp_path / "page.html").read_text()
    assert tool("compare", path, path).returncode in (0, 3, 4)
