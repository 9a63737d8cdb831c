"""The workflow in ci/examples, step by step as GitHub would run it, on a case of milliseconds."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import orjson
import pytest

WORKFLOW = Path(__file__).resolve().parents[3] / "ci" / "examples" / "github-actions.yml"
# What makes a real measurement of it, and what does for a test.
SMALLER = {
    "--backend onednn --image 64 --steps 5 --repeats 10": (
        "--backend naive --image 16 --filters 2 --steps 1 --warmup 0 --repeats 2 --no-limits"
        " --taint-repeats 0"
    ),
}


def script_of(step: str) -> str:
    """The lines under "run: |" of the step that is named so."""
    found = re.search(
        rf"- name: {step}\n(?:(?!      - ).*\n)*?        run: \|\n((?:          .*\n)+)",
        WORKFLOW.read_text(),
    )
    assert found, step
    return re.sub("^ {10}", "", found[1], flags=re.MULTILINE)


def run_step(step: str, folder: Path) -> subprocess.CompletedProcess[str]:
    script = script_of(step)
    for real, small in SMALLER.items():
        script = script.replace(real, small)
    environment = {
        **os.environ,
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two checkouts that are built already, measured as the workflow does."""
    folder = tmp_path_factory.mktemp("workflow")
    for side in ("base", "head"):
        release = folder / side / "build" / "release"
        release.mkdir(parents=True)
        (release / "bin").symlink_to(Path(os.environ["VOXMARK_BINARY"]).parent)
    done = run_step("Measure both, process by process beside each other", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_substitution_is_of_a_command_that_is_there() -> None:
    assert all(real in WORKFLOW.read_text() for real in SMALLER)


def test_an_open_answer_stops_nobody_and_shows(checkout: Path) -> None:
    done = run_step("Compare", checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "::warning" in done.stdout  # 2 processes a side settle nothing
    assert "Inconclusive" in (checkout / "summary.md").read_text()


def test_a_plan_that_grew_fails(checkout: Path) -> None:
    path = checkout / "reports" / "head.against.json"
    content = path.read_bytes()
    base = orjson.loads(content)
    for record in base["records"]:
        record["memory"]["planned_bytes"] -= 1
    path.write_bytes(orjson.dumps(base))
    done = run_step("Compare", checkout)
    path.write_bytes(content)
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search("^::error .*planned_bytes", done.stdout, flags=re.MULTILINE)


def test_the_page_is_of_both(checkout: Path) -> None:
    done = run_step("The page", checkout)
    assert done.returncode == 0, done.stderr
    text = (checkout / "report.html").read_text()
    assert "head.against.json" in text and "head.json" in text
