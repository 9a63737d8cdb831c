"""One program: voxmark NAME starts these tools, and their exit codes are voxmark's."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import factory
import pytest
from voxmark_reports import compare, program
from voxmark_reports.errors import ExitCode


def voxmark(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [os.environ["VOXMARK_BINARY"], *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environment}
    )


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    seconds = {"base": 0.5, "same": 0.5, "slower": 0.6}
    contents = {
        name: factory.report(factory.processes(factory.noisy_seconds(8, median, seed=seed)))
        for seed, (name, median) in enumerate(seconds.items())
    }
    contents["few"] = factory.report(factory.processes([0.5, 0.6]))
    contents["older"] = {**contents["base"], "schema": "voxmark.report/0"}
    return {name: factory.write(folder / f"{name}.json", c) for name, c in contents.items()}


@pytest.mark.parametrize(
    ("new", "code"), [("same", 0), ("slower", 1), ("older", 3), ("few", 4), ("missing", 64)]
)
def test_exit_codes_pass_through(reports: dict[str, Path], new: str, code: int) -> None:
    path = reports.get(new, Path("/nonexistent.json"))
    done = voxmark("compare", reports["base"], path)
    assert done.returncode == code, done.stderr


def test_what_would_settle_an_answer_runs_as_printed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    flags = "--backend naive --image 16 --filters 1 --steps 1 --warmup 0 --repeats 1 --no-limits"
    run = voxmark("run", *flags.split(), "--out", state / "first.json")
    assert run.returncode == 0, run.stderr
    done = voxmark("compare", state, state, "--format", "json")
    assert done.returncode == 4, done.stderr
    lines = "\n".join(json.loads(done.stdout)["to_settle"])
    # Half of the base, the new state, half of the base.
    first, new, second = (int(repeats) for repeats in re.findall(r"--repeats (\d+)", lines))
    assert new >= 9
    folder = Path(os.environ["VOXMARK_BINARY"]).parent
    path = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    pasted = subprocess.run(
        lines, shell=True, cwd=tmp_path, env=path, capture_output=True, text=True
    )
    assert pasted.returncode in (0, 1, 4), pasted.stderr
    assert "base more-1-base, new more-1-new" in pasted.stdout
    sides = [tmp_path / "more-1-base", tmp_path / "more-1-new"]
    done = voxmark("compare", *sides, "--format", "json")
    # Bytes count every process; seconds leave out those that the machine disturbed.
    peak = next(r for r in json.loads(done.stdout)["rows"] if r["metric"] == "peak_bytes")
    assert peak["comparisons"][0]["base_processes"] == 1 + first + second


def test_without_its_python_it_says_how_to_get_it(reports: dict[str, Path]) -> None:
    done = voxmark("compare", reports["base"], reports["same"], VOXMARK_PYTHON="/nonexistent")
    assert done.returncode == 5
    assert "ci/tools" in done.stderr


def test_without_its_packages_it_says_how_to_get_them(reports: dict[str, Path]) -> None:
    bare = "/usr/bin/python3"
    if subprocess.run([bare, "-c", "import jsonschema_rs"], capture_output=True).returncode == 0:
        pytest.skip("this Python has them")
    done = voxmark("compare", reports["base"], reports["same"], VOXMARK_PYTHON=bare)
    assert done.returncode == 5
    assert "ci/tools" in done.stderr


def test_arguments_arrive_as_they_are(tmp_path: Path) -> None:
    odd = tmp_path / "a b'c\"$(d)*.json"
    done = voxmark("compare", odd, odd)
    assert done.returncode == 64
    assert odd.name in done.stderr


def test_a_program_of_ones_own_is_a_subcommand(tmp_path: Path) -> None:
    own = tmp_path / "voxmark-own"
    own.write_text('#!/bin/sh\necho "$@"\nexit 42\n')
    own.chmod(0o755)
    done = voxmark("own", "--flag", "x", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert (done.returncode, done.stdout) == (42, "--flag x\n")


def test_what_there_is_not_is_wrong_use() -> None:
    done = voxmark("nonsense")
    assert done.returncode == 64
    assert "voxmark-nonsense" in done.stderr


def test_every_tool_has_help_with_an_example() -> None:
    for name in program.SUBCOMMANDS:
        done = voxmark(name, "--help")
        assert done.returncode == 0, done.stderr
        assert f"Example: voxmark {name}" in done.stdout


# ---- A fault is never a verdict ----


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (RuntimeError("oops"), ExitCode.INTERNAL),
        (AssertionError(), ExitCode.INTERNAL),
        (MemoryError(), ExitCode.INTERNAL),
        (OSError(28, "No space left on device"), ExitCode.INTERNAL),
        (BrokenPipeError(), ExitCode.INTERNAL),
        (ImportError("no scipy"), ExitCode.CANNOT_HERE),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
        (SystemExit(1), ExitCode.INTERNAL),
    ],
)
def test_faults_have_codes_of_their_own(
    monkeypatch: pytest.MonkeyPatch, fault: BaseException, code: ExitCode
) -> None:
    def fail(_: Any) -> ExitCode:
        raise fault

    monkeypatch.setattr(compare, "run", fail)
    monkeypatch.setattr(program, "quiet_stdout", lambda: None)
    assert program.main(["compare", "a", "b"]) == code


@pytest.mark.parametrize(
    ("lost", "found", "missing"),
    [
        ("2>&-", 0, 64),
        ("2>/dev/full", 0, 64),
        ("<&- 2>&-", 0, 64),
        (">&-", ExitCode.INTERNAL, None),
        (">/dev/full", ExitCode.INTERNAL, None),
        (">&- 2>&- <&-", ExitCode.INTERNAL, None),
    ],
)
def test_a_stream_that_is_lost_changes_no_code_but_that_of_a_lost_answer(
    reports: dict[str, Path], lost: str, found: int, missing: int | None
) -> None:
    program = os.environ["VOXMARK_BINARY"]
    for start in (f"'{program}' compare", f"'{program}-compare'"):  # and without it

        def code(files: str, start: str = start) -> int:
            return subprocess.run(["sh", "-c", f"{start} {files} {lost}"]).returncode

        assert code(f"{reports['base']} {reports['same']}") == found
        assert code("--help") == found
        if missing:
            assert code("/no/a.json /no/b.json") == missing


def test_a_full_disk_is_no_verdict(reports: dict[str, Path]) -> None:
    shell = shutil.which("sh")
    command = f"'{os.environ['VOXMARK_BINARY']}' compare {reports['base']} {reports['same']}"
    done = subprocess.run([str(shell), "-c", f"{command} > /dev/full"], capture_output=True)
    assert done.returncode == ExitCode.INTERNAL
