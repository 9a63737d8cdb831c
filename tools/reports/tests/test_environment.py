"""What of a machine changed: as environment_changes.h says, by the same examples."""

import copy
import json
from pathlib import Path
from typing import Any

import factory
import pytest
from voxmark_reports.differences import environment_differences, machine_fingerprint
from voxmark_reports.environment import change_texts, recorded_change_texts
from voxmark_reports.reading import Report, parse_report

EXAMPLES = json.loads(
    (
        Path(__file__).resolve().parents[3] / "results" / "environment_changes_examples.json"
    ).read_text()
)


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["name"] for example in EXAMPLES])
def test_agrees_with_the_examples_that_cpp_reads_too(example: dict[str, Any]) -> None:
    assert change_texts(example["before"], example["after"]) == example["told"]


def test_whole_topologies_of_older_reports_are_told_by_their_leaf() -> None:
    def topology(gib: float) -> dict[str, Any]:
        return {"packages": 1, "numa_nodes": [{"bytes": int(gib * 2**30), "cpus": "0-1"}]}

    change = {"fact": "cpu.topology", "before": topology(7.9), "after": topology(5.6)}
    assert recorded_change_texts(change) == ["NUMA node 0: 7.90 GiB -> 5.60 GiB of memory"]
    grown = {"fact": "cpu.topology", "before": topology(5.6), "after": topology(7.9)}
    assert recorded_change_texts(grown) == []


@pytest.mark.parametrize("odd", ["cpu.governor", 3, None, {"fact": 3}, {"fact": "a", "before": {}}])
def test_an_odd_change_is_told_somehow(odd: Any) -> None:
    assert all(isinstance(text, str) for text in recorded_change_texts(odd))


def guest(gib: float, is_guest: bool = True) -> Report:
    content = copy.deepcopy(factory.report([]))
    content["environment"]["memory"]["total_bytes"] = int(gib * 2**30)
    content["environment"]["system"]["virtual_machine"] = is_guest
    nodes = [{"bytes": int(gib * 2**30), "cpus": "0-1"}]
    content["environment"]["cpu"]["topology"] = {"packages": 1, "numa_nodes": nodes}
    return parse_report(content, "a.json")


def test_a_guest_whose_memory_grew_is_the_same_machine() -> None:
    assert environment_differences([guest(5.6), guest(7.9)]) == []
    assert machine_fingerprint(guest(5.6)) == machine_fingerprint(guest(7.9))


def test_another_machines_memory_is_a_difference_told_by_its_leaf() -> None:
    found = environment_differences([guest(16, False), guest(32, False)])
    assert [difference.name for difference in found] == [
        "memory.total_bytes",
        "cpu.topology.numa_nodes.0.bytes",
    ]
    assert machine_fingerprint(guest(16, False)) != machine_fingerprint(guest(32, False))
