"""Files and folders as people have them: what is read, and what is refused by its name."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import factory
import orjson
import pytest
from conftest import Tool

CONTENT = factory.report(factory.processes([0.5, 0.5]))
TEXT = orjson.dumps(CONTENT)
JOURNAL_LINE = b'{"sha256":"%s","entry":{}}\n' % (b"0" * 64)


@pytest.mark.parametrize(
    "text",
    [b"\xef\xbb\xbf" + TEXT, TEXT + b"\n", TEXT.replace(b",", b",\r\n"), b"\r\n " + TEXT + b"\r\n"],
)
def test_marks_and_line_ends_of_editors_are_no_fault(
    tool: Tool, tmp_path: Path, text: bytes
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text)
    assert tool("compare", path, path).returncode == 4
    assert tool("history", "--db", tmp_path / "h", "add", path).returncode == 0
    gate = tool(
        "history",
        "--db",
        tmp_path / "h",
        "trend",
        "--metric",
        "load_seconds",
        "-o",
        tmp_path / "t.html",
    )
    assert gate.returncode == 0, gate.stderr  # it is read again, from the history


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (TEXT.decode().encode("utf-16"), "UTF-16"),
        (TEXT.decode().encode("utf-16-be"), "no JSON"),
        (gzip.compress(TEXT), "gunzip"),
        (b"\x28\xb5\x2f\xfd\x00", "unzstd"),
        (b"", "empty"),
        (b" \n", "empty"),
        (TEXT + b"\x00", "no JSON"),
        (TEXT.replace(b'"loss":0.5', b'"loss":NaN'), "no JSON"),
        (TEXT.replace(b'"loss":0.5', b'"loss":Infinity'), "no JSON"),
        (TEXT.replace(b'"loss":0.5', b'"loss":0.5,"loss":0.4'), "stands twice"),
        (TEXT[: len(TEXT) // 2], "no JSON"),
        (JOURNAL_LINE, "line 1"),
    ],
)
def test_what_is_no_json_is_refused_as_what_it_is(
    tool: Tool, tmp_path: Path, text: bytes, found: str
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text)
    for command in (
        ("compare", path, path),
        ("report", path, "-o", tmp_path / "page.html"),
        ("bundle", path, "-o", tmp_path / "b.tar.gz"),
        ("history", "--db", tmp_path / "h", "add", path),
        ("plan-gate", path, "--limits", tmp_path / "limits.json", "--update"),
    ):
        done = tool(*command)
        assert done.returncode == 64, (command[0], done.stderr)
        assert found in done.stderr and "a.json" in done.stderr


def folder_with(folder: Path, name: str, content: Any) -> Path:
    for position in range(2):
        one = factory.report(factory.processes([0.5 + 0.001 * position]))
        factory.write(folder / f"{position}.json", one)
    (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("name", ["._0.json", ".0.json.swp", ".hidden.json", "notes.txt"])
def test_hidden_files_in_a_folder_of_reports_are_left_out(
    tool: Tool, tmp_path: Path, name: str
) -> None:
    folder = folder_with(tmp_path / "state", name, b"\0\5\x16\7" + b"\0" * 100)
    assert tool("compare", folder, folder).returncode == 4
    assert tool("report", folder, "-o", tmp_path / "page.html").returncode == 0


@pytest.mark.parametrize("foreign", [b"{}", b"[1, 2]", b'"text"', b'{"schema": "other/1"}'])
def test_json_of_something_else_beside_reports_is_left_out_and_said(
    tool: Tool, tmp_path: Path, foreign: bytes
) -> None:
    folder = folder_with(tmp_path / "state", "notes.json", foreign)
    done = tool("compare", folder, folder)
    assert done.returncode == 4 and "notes.json" in done.stderr and "left out" in done.stderr
    done = tool("report", folder, "-o", tmp_path / "page.html")
    assert done.returncode == 0 and "notes.json" in done.stderr
    done = tool("history", "--db", tmp_path / "history.db", "add", folder)
    assert done.returncode == 0 and "notes.json" in done.stderr


@pytest.mark.parametrize("broken", [b"", b'{"schema": "voxmark.report/1"}', b'{"schema": "vox'])
def test_a_report_in_a_folder_that_is_damaged_is_not_left_out(
    tool: Tool, tmp_path: Path, broken: bytes
) -> None:
    folder = folder_with(tmp_path / "state", "torn.json", broken)
    done = tool("compare", folder, folder)
    assert done.returncode == 64 and "torn.json" in done.stderr


def test_a_folder_of_nothing_but_other_json_is_refused(tool: Tool, tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_bytes(b"{}")
    done = tool("compare", tmp_path, tmp_path)
    assert done.returncode == 64 and "notes.json" in done.stderr


def test_folders_and_links_in_a_folder_of_reports_are_named(tool: Tool, tmp_path: Path) -> None:
    for name, make in {
        "folder.json": lambda path: path.mkdir(),
        "loop.json": lambda path: path.symlink_to(path.name),
        "up.json": lambda path: path.symlink_to("."),
        "gone.json": lambda path: path.symlink_to("nowhere"),
    }.items():
        folder = folder_with(tmp_path / name, "notes.txt", b"")
        make(folder / name)
        done = tool("compare", folder, folder)
        assert done.returncode == 64 and name in done.stderr, done.stderr


def test_a_folder_without_a_report_is_named(tool: Tool, tmp_path: Path) -> None:
    done = tool("compare", tmp_path, tmp_path)
    assert done.returncode == 64 and "no report (*.json)" in done.stderr
