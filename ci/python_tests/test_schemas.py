"""What the child tells and a report keeps as it is has one form in both schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

SOURCES = Path(__file__).parents[2]
PROTOCOL = SOURCES / "benches" / "protocol" / "protocol.schema.json"
REPORT = SOURCES / "results" / "report.schema.json"


def definition(path: Path, name: str) -> Any:
    """What it allows: with the definitions that it refers to, without its descriptions."""
    definitions = json.loads(path.read_text())["definitions"]

    def spelled_out(part: Any) -> Any:
        if isinstance(part, list):
            return [spelled_out(item) for item in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            return spelled_out(definitions[part["$ref"].removeprefix("#/definitions/")])
        # A member may be called "description"; a description of a schema is a text.
        return {
            key: spelled_out(value)
            for key, value in part.items()
            if not (key == "description" and isinstance(value, str))
        }

    return spelled_out(definitions[name])


@pytest.mark.parametrize("name", ["probes", "execution"])
def test_a_report_keeps_what_the_child_tells(name: str) -> None:
    told = definition(PROTOCOL, name)
    assert told["properties"], "nothing to compare"
    assert definition(REPORT, name) == told


def test_a_report_keeps_a_stage_and_adds_its_seconds() -> None:
    told = definition(PROTOCOL, "stage")["properties"]
    kept = definition(REPORT, "stage")["properties"]
    assert kept.pop("seconds"), "they come with the message done"
    assert kept == told
