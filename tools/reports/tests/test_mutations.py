"""What validate calls valid, every reader reads; what it refuses, every reader refuses by name.

Every report that differs from a rich one in a single value is tried with VOXMARK_ALL_MUTATIONS=1
(an hour); else a part of them, drawn anew from each seed.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import factory
import mutations
import orjson
import pytest
from conftest import Done, Tool
from voxmark_reports.errors import ToolError
from voxmark_reports.reading import parse_report

BASE = mutations.rich_report()
EVERY = bool(os.environ.get("VOXMARK_ALL_MUTATIONS"))
SEED = 20240531
DRAWN = {"new": 60, "report": 60, "bundle": 15}  # mutations, by the first reader


def drawn(seed: int, count: int) -> list[tuple[mutations.Path, Any]]:
    every = mutations.mutations(BASE)
    return every if EVERY else random.Random(seed).sample(every, count)


def is_valid(content: Any) -> bool:
    try:
        parse_report(content, "mutated")
    except ToolError:
        return False
    return True


def commands(folder: Path, good: Path, path: Path) -> dict[str, tuple[object, ...]]:
    return {
        "new": ("compare", good, path),
        "base": ("compare", path, good, "--format", "markdown", "--all"),
        "json": ("compare", path, path, "--format", "json"),
        "gate": ("plan-gate", path, "--limits", folder / "limits.json", "--update"),
        "add": ("history", "--db", folder / "h.sqlite", "add", path),
        "report": ("report", path, "-o", folder / "page.html"),
        "bundle": ("bundle", path, "-o", folder / "bundle.tar.gz"),
    }


def told(path: mutations.Path, value: Any) -> str:
    return f"{'/'.join(map(str, path))} = {'(removed)' if value is mutations.REMOVED else value!r}"


@pytest.mark.parametrize(
    "readers", [("new", "base", "json", "gate", "add"), ("report",), ("bundle",)]
)
def test_valid_is_read_and_invalid_is_refused(
    tool: Tool, tmp_path: Path, readers: tuple[str, ...]
) -> None:
    if EVERY and readers == ("bundle",):
        pytest.skip("draws what report draws, as files too: the drawn part does")
    good = factory.write(tmp_path / "good.json", BASE)
    faults: list[str] = []
    for place, value in drawn(SEED + len(readers), DRAWN[readers[0]]):
        content = mutations.mutated(BASE, place, value)
        path = factory.write(tmp_path / "mutated.json", content)
        valid = is_valid(content)
        own = commands(tmp_path, good, path)
        for reader in readers if valid else readers[:1]:
            done: Done = tool(*own[reader])
            right = done.returncode in (0, 1, 3, 4) if valid else done.returncode in (3, 64)
            if not right or "Traceback" in done.stderr:
                faults.append(f"{reader}: {told(place, value)}: {done.stderr.strip()[-200:]}")
    assert not faults, "\n".join(faults)


def test_the_rich_report_is_what_readers_look_at(tool: Tool, tmp_path: Path) -> None:
    """The others would be read more easily."""
    assert is_valid(BASE)
    good = factory.write(tmp_path / "good.json", BASE)
    for command in commands(tmp_path, good, good).values():
        assert tool(*command).returncode in (0, 4), command
    page = (tmp_path / "page.html").read_text()
    for words in ("threads waited 3%", "the run was killed", "no PMU", "J per image", "cpu.boost"):
        assert words in page


def test_what_is_refused_is_named() -> None:
    names = {
        ("records", 0, "details", "probes"): "probes",
        ("records", 0, "details", "probes", "counters"): "counters",
        ("records", 1, "details", "probes", "counters", "events"): "events",
        ("records", 0, "details", "interference"): "interference",
        ("records", 0, "samples", 1, "step_seconds"): "step_seconds",
        ("environment", "cpu"): "cpu",
        ("environment", "libraries", 0): "libraries",
        ("details", "environment_changes"): "environment_changes",
    }
    for place, name in names.items():
        content = mutations.mutated(BASE, place, "x")
        with pytest.raises(ToolError, match=name):
            parse_report(orjson.loads(orjson.dumps(content)), "a.json")
