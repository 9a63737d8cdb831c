"""Strict JSON from files, as voxmark itself reads it: a key that stands twice in one object is an
error, where orjson alone keeps the last of them silently."""

from __future__ import annotations

import gc
import json
import re
from pathlib import Path
from typing import Any

import orjson

from voxmark_reports import details, google_benchmark, journal
from voxmark_reports.errors import ToolError
from voxmark_reports.text import clean


def read_json(path: Path, expected: str) -> Any:
    """`expected`: what the file should hold, for messages. A run's journal is read as its report.
    Raises ToolError naming the file."""
    try:
        return parse_json(path.read_bytes(), clean(path), expected)
    except OSError as error:
        raise ToolError(
            f"{clean(path)}: cannot be read: {error.strerror}; expected {expected}"
        ) from error


def parse_json(text: bytes, name: str, expected: str) -> Any:
    """As read_json(), of a file's content."""
    gc.disable()  # millions of values, none of them garbage: it would look at them again and again
    try:
        is_journal = text.startswith(journal.START)
        if is_journal:
            text = journal.as_report(text, name)
        content, text = _parse(_text(text, name))
        _check(content, text, name)
        if is_journal:
            details.set_partial(content, journal.PARTIAL)
        return content
    except orjson.JSONDecodeError as error:
        raise ToolError(f"{name}: expected {expected}, found no JSON: {error}") from error
    finally:
        gc.freeze()
        gc.enable()


_BOM = b"\xef\xbb\xbf"  # some editors put it before UTF-8
# How a file begins that is no text of ours, and what mends it.
_FOREIGN = {
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
    b"\x1f\x8b": "gzip data; unpack it with gunzip",
    b"\x28\xb5\x2f\xfd": "zstd data; unpack it with unzstd",
}


def _text(content: bytes, name: str) -> bytes:
    """Without a byte order mark. Raises ToolError for what is no UTF-8."""
    if not content.strip():
        raise ToolError(f"{name}: the file is empty")
    for begin, found in _FOREIGN.items():
        if content.startswith(begin):
            raise ToolError(f"{name}: expected JSON, found {found}")
    return content.removeprefix(_BOM)


def _parse(text: bytes) -> tuple[Any, bytes]:
    """With the text that was parsed."""
    try:
        return orjson.loads(text), text
    except orjson.JSONDecodeError:
        if b'"benchmarks"' not in text:
            raise
        text = google_benchmark.without_nan(text)
        content = orjson.loads(text)
        if not google_benchmark.is_output(content):
            raise
        return content, text


def _check(content: Any, text: bytes, name: str) -> None:
    """Raises ToolError where the text has a key twice, or is nested deeper than any report.

    Every member of an object has a colon, and a string that has one keeps it. So what is written
    again has as many colons as the text unless a member was lost: then, and where a colon may hide
    in an escape, every object is looked at, which takes ten times as long as parsing.
    """
    try:
        again = orjson.dumps(content)
    except TypeError as error:  # deeper than orjson writes
        raise ToolError(f"{name}: nested too deep: {error}") from error
    if again.count(b":") != text.count(b":") or re.search(rb"\\u003a", text, re.IGNORECASE):
        json.loads(text, object_pairs_hook=lambda pairs: _without_twins(pairs, name))


def _without_twins(pairs: list[tuple[str, Any]], name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ToolError(f'{name}: key "{clean(key)[:200]}" stands twice in one object')
        found[key] = value
    return found
