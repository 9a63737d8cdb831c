"""Strict JSON from files, as voxmark itself reads it: a key that stands twice in one object is an
error, where orjson alone keeps the last of them silently."""

from __future__ import annotations

import gc
import json
import re
from pathlib import Path
from typing import Any

import orjson

from voxmark_reports import journal
from voxmark_reports.errors import ToolError
from voxmark_reports.text import clean


def read_json(path: Path, expected: str) -> Any:
    """`expected`: what the file should hold, for messages. A run's journal is read as its report.
    Raises ToolError naming the file."""
    gc.disable()  # millions of values, none of them garbage: it would look at them again and again
    try:
        text = path.read_bytes()
        is_journal = text.startswith(journal.START)
        if is_journal:
            text = journal.as_report(text, clean(path))
        content = orjson.loads(text)
        _check(content, text, clean(path))
        if is_journal:
            content.setdefault("details", {})["partial"] = journal.PARTIAL
        return content
    except OSError as error:
        raise ToolError(
            f"{clean(path)}: cannot be read: {error.strerror}; expected {expected}"
        ) from error
    except orjson.JSONDecodeError as error:
        raise ToolError(f"{clean(path)}: expected {expected}, found no JSON: {error}") from error
    finally:
        gc.freeze()
        gc.enable()


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
