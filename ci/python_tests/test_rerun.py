"""voxmark rerun: the verdicts of voxmark compare, by its own words and exit codes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

VOXMARK = os.environ["VOXMARK_BINARY"]
Report = dict[str, Any]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Five processes of a case that takes milliseconds."""
    out = tmp_path_factory.mktemp("run") / "report.json"
    command = [VOXMARK, "run", "--backend", "naive", "--image", "16", "--filters", "2"]
    command += ["--threads", "1", "--steps", "2", "--warmup", "1", "--repeats", "5"]
    command += ["--no-limits", "--taint-repeats", "0", "--out", out]
    subprocess.run(command, check=True, capture_output=True)
    return json.loads(out.read_text())


def times_as_long(report: Report, factor: float) -> Report:
    report = json.loads(json.dumps(report))
    for record in report["records"]:
        record["details"]["interference"] = {"tainted": False}
        for sample in record["samples"]:
            sample["forward_backward_seconds"] *= factor
            sample["update_seconds"] *= factor
            sample["step_seconds"] = sample["forward_backward_seconds"] + sample["update_seconds"]
    return report


def elsewhere(report: Report) -> Report:
    report = json.loads(json.dumps(report))
    report["environment"]["cpu"]["model_name"] = "Another CPU"
    return report


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        (lambda report: times_as_long(report, 0.001), 1, "slower"),
        (elsewhere, 3, "not comparable"),
    ],
)
def test_a_rerun_judges_as_compare_does(
    change: Callable[[Report], Report], code: int, word: str, measured: Report, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    report.write_text(json.dumps(change(measured)))
    done = subprocess.run([VOXMARK, "rerun", report], capture_output=True, text=True, check=False)
    if done.returncode == 4 and "Disturbed while they were timed" in done.stdout:
        code, word = 4, "noisy"  # no verdict of times that something else made long
    assert done.returncode == code, done.stdout + done.stderr
    assert word in done.stdout
    new = json.loads((tmp_path / "report.json.rerun.json").read_text())
    assert len(new["records"]) == 5
    again = subprocess.run(
        [VOXMARK, "compare", f"{report}.rerun.then.json", f"{report}.rerun.json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (again.returncode, again.stdout) == (done.returncode, done.stdout)
