"""voxmark reproduce: a verdict and an exit code for each thing that a recorded report may say."""

from __future__ import annotations

import gzip
import json
import os
import signal
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

VOXMARK = os.environ["VOXMARK_BINARY"]
# A real run of TensorFlow's pair and three of ours, two processes each, 8 s a case at most.
RECORDED = Path(__file__).parent / "recorded" / "reproduce.json.gz"

Report = dict[str, Any]


def recorded() -> Report:
    with gzip.open(RECORDED, "rt", encoding="utf-8") as file:
        return json.load(file)


def records_of(report: Report, backend: str) -> list[dict[str, Any]]:
    """Those that were measured."""
    return [
        r for r in report["records"] if r["case"]["backend"] == backend and r["outcome"] == "ok"
    ]


def seconds(report: Report, backend: str, image: list[int]) -> float:
    medians = [
        statistics.median(
            s["forward_backward_seconds"] for s in record["samples"] if not s["warmup"]
        )
        for record in records_of(report, backend)
        if record["case"]["image"] == image and record["case"]["batch"] == 1
    ]
    return statistics.median(medians)


def with_speed_up(factor: float) -> Report:
    """The report as if stock TensorFlow had taken `factor` times as long as the other, evenly."""
    report = recorded()
    for image in {tuple(r["case"]["image"]) for r in records_of(report, "tensorflow-stock")}:
        target = factor * seconds(report, "tensorflow-onednn", list(image))
        for backend in ("tensorflow-stock", "tensorflow-onednn"):
            level = target if backend == "tensorflow-stock" else target / factor
            for record in records_of(report, backend):
                if tuple(record["case"]["image"]) == image:
                    # On two cores TensorFlow's threads wait for each other's CPU.
                    record["details"]["interference"] = {"tainted": False}
                    for sample in record["samples"]:
                        sample["forward_backward_seconds"] = level
                        sample["step_seconds"] = level + sample["update_seconds"]
    return report


def uneven() -> Report:
    report = with_speed_up(3.4)
    for record in records_of(report, "tensorflow-stock"):
        for sample in record["samples"]:
            sample["forward_backward_seconds"] *= 1 + 0.5 * record["case"]["process"]
    return report


def disturbed() -> Report:
    report = with_speed_up(7)
    for record in report["records"]:
        record["details"]["interference"] = {"tainted": True}
    return report


def without_peers() -> Report:
    report = recorded()
    for record in records_of(report, "tensorflow-stock"):
        record.update(outcome="skipped", reason="not installed (ci/peers)", samples=[])
        record.update(verification=None, compile_seconds=None, stages=[])
    return report


def judged(report: Report, folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    path = folder / "report.json"
    path.write_text(json.dumps(report))
    command = [VOXMARK, "reproduce", "--report", str(path), *flags]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def question(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    findings = json.loads(done.stdout)["findings"]
    (decisive,) = (f for f in findings if f["claim"] == "tensorflow-wall" and f["decides"])
    return decisive


@pytest.mark.parametrize(
    ("report", "verdict", "code"),
    [
        (lambda: with_speed_up(3.4), "holds", 0),
        (lambda: with_speed_up(2), "less", 0),
        (lambda: with_speed_up(7), "more", 0),
        (lambda: with_speed_up(0.8), "does not hold", 1),
        (uneven, "open", 4),
        (disturbed, "open", 4),
        (without_peers, "not tested", 3),
    ],
)
def test_a_verdict_and_an_exit_code(
    report: Callable[[], Report], verdict: str, code: int, tmp_path: Path
) -> None:
    done = judged(report(), tmp_path, "--json")
    assert done.returncode == code, done.stderr
    assert question(done)["verdict"] == verdict


def test_the_page_to_paste_has_what_the_report_measured(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    report = recorded()
    done = judged(report, tmp_path, "--details", "--markdown", str(page))
    findings = json.loads(judged(report, tmp_path, "--json").stdout)["findings"]
    for text in (done.stdout, page.read_text()):
        assert "Every backend's figures" in text
        assert all(finding["here"] in text for finding in findings)
    largest = max(tuple(r["case"]["image"]) for r in records_of(report, "tensorflow-stock"))
    ratio = seconds(report, "tensorflow-stock", list(largest)) / seconds(
        report, "tensorflow-onednn", list(largest)
    )
    assert f"{ratio:.2f}x (" in done.stdout
    (limit,) = report["limits"]["machine"]
    assert f"% of what {limit['threads']} threads do at most" in done.stdout
    assert "5650801" in done.stdout
    # Every table is one: as many cells in each row as in its head.
    for table in page.read_text().split("\n\n"):
        rows = [line.count("|") for line in table.splitlines() if line.startswith("|")]
        assert len(set(rows)) <= 1, table


def test_the_answer_fits_into_a_narrow_terminal(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(recorded()))
    done = subprocess.run(
        [VOXMARK, "reproduce", "--report", str(path)],
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("flag", ["--training", "--tricks"])
def test_a_file_of_another_kind_is_named(flag: str, tmp_path: Path) -> None:
    done = judged(recorded(), tmp_path, flag, str(RECORDED))
    assert done.returncode == 64
    other = tmp_path / "other.json"
    other.write_text(json.dumps(recorded()))
    done = judged(recorded(), tmp_path, flag, str(other))
    assert done.returncode == 64
    assert 'schema "voxmark.report/1", expected "voxmark.t' in done.stderr


def test_a_training_run_of_other_images_is_not_the_papers(tmp_path: Path) -> None:
    done = judged(recorded(), tmp_path, "--training", str(tmp_path / "missing.json"))
    assert done.returncode == 64
    assert "missing.json" in done.stderr


# Of the harness alone: quick anywhere, and nothing that a claim asks for.
SUITE = {
    "schema": "voxmark.suite/1",
    "repeats": 20,
    "grids": [{"backend": ["null"], "image": [16, 32], "steps": 1, "warmup": 0}],
}


def run_suite(folder: Path, repeats: int, *flags: str) -> list[str]:
    """The command that measures it."""
    suite = folder / "suite.json"
    suite.write_text(json.dumps(SUITE | {"repeats": repeats}))
    return [VOXMARK, "reproduce", "--suite", str(suite), "--out", str(folder / "out.json"), *flags]


def interrupted_with_a_record(command: list[str], journal: Path) -> int:
    """The status of a run that was asked to stop as soon as its first record was there."""

    def lines() -> int:
        try:
            return len(journal.read_text().splitlines())
        except FileNotFoundError:
            return 0

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        while running.poll() is None and lines() < 2:
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        running.communicate()
    return running.returncode


def test_a_stopped_run_goes_on_and_one_of_other_cases_does_not(tmp_path: Path) -> None:
    journal = tmp_path / "out.json.journal"
    for _ in range(3):  # it may be over before it is interrupted
        if interrupted_with_a_record(run_suite(tmp_path, 20, "--overwrite"), journal) == 130:
            break
    else:
        pytest.fail("it was never interrupted")
    first = json.loads(journal.read_text().splitlines()[1])["entry"]

    command = run_suite(tmp_path, 21)
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 64
    assert "a run of other cases" in refused.stderr

    command = run_suite(tmp_path, 20)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr  # there is no TensorFlow in it
    assert "tensorflow-stock was not run" in done.stdout
    assert not journal.exists()
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["records"][0] == first
    assert [r["outcome"] for r in report["records"]] == ["overhead"] * 40
    assert report["details"]["wall_seconds"] > 0
    again = judged(report, tmp_path, "--json")
    assert json.loads(again.stdout)["findings"] == report["details"]["findings"]


def test_the_budget_ends_a_run_with_a_report(tmp_path: Path) -> None:
    command = run_suite(tmp_path, 2, "--budget", "0.000001")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    records = json.loads((tmp_path / "out.json").read_text())["records"]
    assert [r["outcome"] for r in records] == ["overhead", "skipped", "skipped", "skipped"]
    assert "the run's budget" in records[-1]["reason"]


def test_a_finished_run_goes_on_with_what_its_budget_left_out(tmp_path: Path) -> None:
    out = tmp_path / "out.json"

    def again(*flags: str) -> tuple[subprocess.CompletedProcess[str], list[dict[str, Any]]]:
        command = run_suite(tmp_path, 2, *flags)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done, json.loads(out.read_text())["records"]

    _, first = again("--budget", "0.000001")
    assert [r["outcome"] for r in first] == ["overhead", "skipped", "skipped", "skipped"]
    done, second = again("--budget", "0.000001")
    assert done.returncode == 3, done.stderr
    assert second[:1] == first[:1]
    assert [r["outcome"] for r in second].count("overhead") == 2  # one more, by a budget of its own
    done, third = again("--budget", "600")
    assert [r["outcome"] for r in third] == ["overhead"] * 4, done.stderr
    assert third[:2] == second[:2]
    done, last = again("--budget", "0.000001")
    assert last == third, "nothing is left out, and nothing is lost"
    assert not (tmp_path / "out.json.journal").exists()
    done, anew = again("--overwrite")
    assert anew[0] != first[0], done.stderr

    refused = subprocess.run(run_suite(tmp_path, 3), capture_output=True, text=True, check=False)
    assert refused.returncode == 64
    assert "--overwrite" in refused.stderr
