"""What details.py reads of "details": what was told, in reports of every age and of other programs;
and nothing else looks into them."""

import re
from pathlib import Path
from typing import Any

import factory
import mutations
import orjson
import pytest
from voxmark_reports import details
from voxmark_reports.reading import Report, parse_report

SOURCES = Path(details.__file__).parent
SCHEMA = orjson.loads((SOURCES.parents[2] / "results" / "report.schema.json").read_bytes())


def test_what_was_told_is_read() -> None:
    record = mutations.rich_report()["records"][0]
    assert details.roofline(record) == details.Roofline(0.1, "not told")
    assert details.interference(record) == details.Interference(True, ("threads waited 3%",))
    assert details.joules_per_image(record) == 4.0
    assert details.counted_events(record) == {"page-faults": 3.0}
    assert details.counted_event(record, "page-faults") == 3.0
    assert details.counted_event(record, "cycles") is None
    assert details.missing_readings(record) == {"steal_seconds": "not told", "cycles": "no PMU"}
    report = parse_report(mutations.rich_report(), "a")
    assert details.baseline(report) == "eigen"
    assert details.partial(report) == "the run was killed"
    assert details.environment_changes(report)[0]["fact"] == "cpu.boost"
    assert details.measured_limits(report) == [{"threads": 2, "fp32_flops_per_second": 1e12}]


@pytest.mark.parametrize("odd", [None, 3, "x", [], {}, {"probes": 1}, {"probes": {"energy": []}}])
def test_a_report_that_does_not_tell_is_read(odd: Any) -> None:
    record = factory.record()
    record["details"] = odd
    assert details.roofline(record) is None
    assert details.interference(record) == details.Interference()
    assert details.joules_per_image(record) is None
    assert details.counted_events(record) == {}
    assert details.missing_readings(record) == {}
    del record["details"]
    assert details.roofline(record) is None
    old = Report("old")
    assert (details.baseline(old), details.partial(old), details.busy_at_start(old)) == ("", "", "")
    assert details.environment_changes(old) == details.measured_limits(old) == []


def test_nothing_else_looks_into_details() -> None:
    for path in SOURCES.glob("*.py"):
        if path.name != "details.py":
            looks = r'"details"(?:\]|, \{\}\))[\[.]|\.details(?:\[|\.get)'
            assert not re.findall(looks, path.read_text()), path.name


def described(schema: dict[str, Any]) -> dict[str, Any]:
    """The members that a definition describes, those of what it is made of too."""
    if "$ref" in schema:
        schema = SCHEMA["definitions"][schema["$ref"].split("/")[-1]]
    members = dict(schema.get("properties", {}))
    for part in schema.get("allOf", []):
        members |= described(part)
    return members


def test_what_a_run_writes_is_described() -> None:
    """All that the rich report says has its line in the schema, down to what is free."""

    def check(value: dict[str, Any], schema: dict[str, Any], place: str) -> None:
        members = described(schema)
        for name, member in value.items() if members else ():
            assert name in members or place.endswith("counters"), f"{place}/{name}"
            if isinstance(member, dict):
                check(member, members.get(name, {}), f"{place}/{name}")

    content = mutations.rich_report()
    check(content["details"], SCHEMA["properties"]["details"], "details")
    check(content["limits"], SCHEMA["properties"]["limits"], "limits")
    record = content["records"][0]
    check(record["details"], {"$ref": "#/definitions/record_details"}, "records/0/details")
