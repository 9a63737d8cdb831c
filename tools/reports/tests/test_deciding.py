"""Which processes decide: as results/tables/deciding.h says, by the same examples."""

import json
from pathlib import Path
from typing import Any

import factory
import pytest
from voxmark_reports.cases import Case
from voxmark_reports.deciding import deciding, was_disturbed

EXAMPLES = json.loads(
    (Path(__file__).resolve().parents[3] / "results" / "deciding_examples.json").read_text()
)


def records_of(example: dict[str, Any]) -> list[dict[str, Any]]:
    records = factory.processes(example["seconds"])
    for record, disturbed in zip(records, example["disturbed"], strict=True):
        reasons = ["threads waited 51% of the time for a CPU", "2 major page faults"]
        record["details"] = {
            "interference": {"tainted": disturbed, "reasons": reasons if disturbed else []}
        }
    return records


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["name"] for example in EXAMPLES])
def test_agrees_with_the_examples_that_cpp_reads_too(example: dict[str, Any]) -> None:
    records = records_of(example)
    found = deciding(records)
    case = Case(records[0]["case"], records)
    assert case.values("step_seconds") == pytest.approx(example["deciding"])
    assert found.is_doubtful == bool(case.noisy()) == example["doubtful"]
    assert found.note == example["note"]
    assert len(found.records) == found.measured - found.left_out


def test_memory_is_that_of_all_processes() -> None:
    records = records_of(EXAMPLES[1])
    assert len(Case(records[0]["case"], records).values("peak_bytes")) == len(records)


@pytest.mark.parametrize("odd", [None, 3, [], {}, {"tainted": "yes"}])
def test_a_record_of_another_shape_was_not_disturbed(odd: Any) -> None:
    record = factory.processes([0.3])[0]
    record["details"] = {"interference": odd}
    assert not was_disturbed(record)
