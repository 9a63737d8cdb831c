"""A report against its own JSON Schema, by another validator than voxmark's."""

import gzip
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

VOXMARK = os.environ["VOXMARK_BINARY"]
SCHEMA = Path(__file__).parents[2] / "results" / "report.schema.json"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a run of two backends leaves; one computes, one does not."""
    path = tmp_path_factory.mktemp("report") / "report.json"
    flags = "--backend naive,null --image 16 --filters 2 --steps 2 --warmup 1".split()
    subprocess.run(
        [VOXMARK, "run", *flags, "--out", path], check=True, capture_output=True, text=True
    )
    return json.loads(path.read_text())


def record_of(report: dict[str, Any], backend: str) -> dict[str, Any]:
    """The order of a run is drawn: by name."""
    (record,) = (r for r in report["records"] if r["case"]["backend"] == backend)
    return record


def test_keeps_its_schema(report: dict[str, Any]) -> None:
    schema = json.loads(SCHEMA.read_text())
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    validator(schema).validate(report)
    assert record_of(report, "naive")["outcome"] == "ok"
    assert record_of(report, "null")["outcome"] == "overhead"


def test_times_and_losses_are_those_of_a_step(report: dict[str, Any]) -> None:
    record = record_of(report, "naive")
    samples = record["samples"]
    assert [sample["warmup"] for sample in samples] == [True, False, False]
    for sample in samples:
        parts = sample["forward_backward_seconds"] + sample["update_seconds"]
        assert 0 < parts <= sample["step_seconds"] * 1.001
        assert sample["loss"] > 0
    assert samples[0]["loss"] != samples[-1]["loss"]
    memory = record["memory"]
    assert memory["planned_bytes"] <= memory["peak_bytes"]


@pytest.mark.parametrize("key", ["schema", "records", "environment"])
def test_without_a_part_breaks_the_schema(report: dict[str, Any], key: str) -> None:
    schema = json.loads(SCHEMA.read_text())
    broken = {name: value for name, value in report.items() if name != key}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


def validate(content: dict[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
    path = folder / "report.json"
    path.write_text(json.dumps(content))
    return subprocess.run([VOXMARK, "validate", path], capture_output=True, text=True)


def test_what_was_measured_does_not_contradict_itself(
    report: dict[str, Any], tmp_path: Path
) -> None:
    done = validate(report, tmp_path)
    assert done.returncode == 0, done.stdout


def test_a_recorded_report_does_not_contradict_itself(tmp_path: Path) -> None:
    """Of another machine, written by an earlier voxmark: 50 records of many backends."""
    recorded = Path(__file__).parent / "recorded" / "reproduce.json.gz"
    done = validate(json.loads(gzip.decompress(recorded.read_bytes())), tmp_path)
    assert done.returncode == 0, done.stdout
