"""voxmark train by several ranks, over MPI: what they learn, and how a run ends and goes on."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mpi_here import VOXMARK, gone, needs_mpi, ranks_of

ENVIRONMENT = {**os.environ, "OMP_WAIT_POLICY": "passive"}  # these tests share the machine


def command(out: Path, **flags: Any) -> list[str]:
    """A training run of a small net on drawn heads."""
    words = {"data": "phantom:16:32x32x32", "image": 16, "filters": 2, "batch": 2, "epochs": 2}
    words |= {"backend": "eigen", "threads": 1, "progress_seconds": 0}
    line = [VOXMARK, "train", "--out", str(out), "--oversubscribe"]
    for flag, value in (words | flags).items():
        line.append("--" + flag.replace("_", "-"))
        if value is not True:
            line.append(str(value))
    return line


def run(out: Path, **flags: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(out, **flags), capture_output=True, text=True, check=False, env=ENVIRONMENT
    )


def report_of(out: Path) -> dict[str, Any]:
    return json.loads((out / "training.json").read_text())


def train(out: Path, **flags: Any) -> dict[str, Any]:
    done = run(out, **flags)
    assert done.returncode == 0, done.stderr
    return report_of(out)


def losses(report: dict[str, Any]) -> list[float]:
    return [loss for epoch in report["epochs"] for loss in epoch["step_losses"]]


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report of one process."""
    return train(tmp_path_factory.mktemp("one") / "run")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report of two ranks, and what they printed."""
    out = tmp_path_factory.mktemp("two") / "run"
    done = run(out, ranks=2)
    assert done.returncode == 0, done.stderr
    return report_of(out) | {"stdout": done.stdout, "stderr": done.stderr}


@needs_mpi
def test_ranks_have_the_losses_of_one_process(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert len(losses(one)) == 14
    assert losses(two)[0] == pytest.approx(losses(one)[0], abs=1e-6)
    assert losses(two) == pytest.approx(losses(one), abs=5e-3)
    assert [case["name"] for case in two["test"]["cases"]] == [
        case["name"] for case in one["test"]["cases"]
    ]


@needs_mpi
def test_the_report_tells_of_every_rank(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert "ranks" not in one
    ranks = two["ranks"]
    assert (ranks["count"], ranks["batch_norm"]) == (2, "global")
    assert ranks["launcher"].startswith("Open MPI")
    assert "\n" not in ranks["library"]
    assert len(ranks["each"]) == 2
    for rank in ranks["each"]:
        assert rank["peak_bytes"] > 0
        assert rank["times"]["step_seconds"] > 0
        assert rank["times"]["bytes_sent"] > 0
    largest = max(rank["peak_bytes"] for rank in ranks["each"])  # a moment later
    assert two["memory"]["peak_bytes"] == pytest.approx(largest, rel=0.05)


@needs_mpi
def test_rank_zero_alone_prints_and_streams_stay_apart(two: dict[str, Any]) -> None:
    assert re.findall(r"^epoch (\d):", two["stdout"], re.MULTILINE) == ["1", "2"]
    assert two["stdout"].splitlines()[-1].startswith("done after 2 epochs")
    assert "2 ranks of 1 thread by Open MPI" in two["stderr"]
    steps = re.findall(r"^epoch \d step \d/7: loss", two["stderr"], re.MULTILINE)
    assert len(steps) == 12  # the last of an epoch has no line
    assert "is process" not in two["stderr"]


@contextmanager
def started(out: Path, mark: str, **flags: Any) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command(out, ranks=2, **flags),
        env=ENVIRONMENT | {"VOXMARK_TEST_MARK": mark},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for_line(process: subprocess.Popen[str], beginning: str) -> None:
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        if line.startswith(beginning):
            return
        seen.append(line)
    raise AssertionError("".join(seen))


@needs_mpi
def test_interrupted_it_leaves_a_checkpoint_and_goes_on_with_any_number_of_ranks(
    one: dict[str, Any], two: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    mark = f"interrupted-{os.getpid()}"
    with started(out, mark) as process:
        wait_for_line(process, "epoch 2 step 3/")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
        assert process.returncode == 130, errors
    assert gone(mark)
    report = report_of(out)
    assert report["end"] == "interrupted"
    assert len(report["epochs"]) == 1
    shutil.copytree(out, tmp_path / "alone")
    assert losses(train(out, ranks=2, resume=True)) == losses(two)
    done = run(tmp_path / "alone", resume=True)
    assert done.returncode == 0, done.stderr
    assert "made with ranks 2, goes on with 1" in done.stderr
    assert losses(report_of(tmp_path / "alone")) == pytest.approx(losses(one), abs=5e-3)


@needs_mpi
@pytest.mark.parametrize("victim", [0, 1])
def test_a_rank_that_is_killed_is_named_and_the_last_checkpoint_stays(
    victim: int, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    mark = f"train-killed-{victim}-{os.getpid()}"
    with started(out, mark, epochs=1000) as process:
        wait_for_line(process, "epoch 2 step 1/")
        os.kill(ranks_of(mark)[victim], signal.SIGKILL)
        _, errors = process.communicate()
        assert process.returncode == 70, errors
    last = errors.splitlines()[-1]
    assert re.match(rf"voxmark: rank {victim} on \S+: SIGKILL; --resume goes on from ", last), (
        errors
    )
    assert gone(mark)
    assert report_of(out)["end"] is None
    again = run(out, ranks=2, resume=True, epochs=2)
    assert again.returncode in (0, 64), again.stderr  # 64: it was past the second epoch
    assert (out / "last.safetensors").exists()


@needs_mpi
def test_a_rank_that_hangs_is_named(tmp_path: Path) -> None:
    mark = f"train-hangs-{os.getpid()}"
    with started(tmp_path / "run", mark, epochs=1000, timeout=30) as process:
        wait_for_line(process, "epoch 1 step 3/")
        os.kill(ranks_of(mark)[1], signal.SIGSTOP)
        _, errors = process.communicate()
        assert process.returncode == 70, errors
    last = errors.splitlines()[-1]
    assert "no step for 30 s: rank 1 on " in last and "did not come" in last
    assert gone(mark)


@needs_mpi
def test_whoever_started_ranks_takes_them_along(tmp_path: Path) -> None:
    mark = f"train-starter-{os.getpid()}"
    with started(tmp_path / "run", mark, epochs=1000) as process:
        wait_for_line(process, "epoch 1 step 3/")
    assert gone(mark)


@needs_mpi
@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        ({"ranks": 3}, 64, "--batch 2 --ranks 3: expected a batch that the ranks divide"),
        ({"timeout": 0}, 64, "--timeout 0: expected more than 0"),
        ({"batch_norm": "some"}, 64, "--batch-norm some: expected global or local"),
        ({"ranks": 2, "data": "nowhere"}, 64, "nowhere"),
        ({"ranks": 2, "memory_limit": "1MiB"}, 5, "expected at most"),
        ({"ranks": 2, "launcher": "mpirun -n 3"}, 64, "say it by --ranks"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    flags: dict[str, Any], code: int, message: str, tmp_path: Path
) -> None:
    done = run(tmp_path / "run", **flags)
    assert done.returncode == code, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("voxmark: ") and message in last, done.stderr


@needs_mpi
def test_a_run_in_the_folder_stays(tmp_path: Path) -> None:
    train(tmp_path / "run", ranks=2, epochs=1)
    done = run(tmp_path / "run", ranks=2, epochs=1)
    assert done.returncode == 64
    assert "--resume goes on with the run" in done.stderr.splitlines()[-1]
    done = run(tmp_path / "run", ranks=2, epochs=1, resume=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("done: the run has all its epochs")


def test_without_mpi_it_says_how_to_get_it(tmp_path: Path) -> None:
    done = subprocess.run(
        command(tmp_path / "run", ranks=2),
        env=ENVIRONMENT | {"VOXMARK_MPI": str(tmp_path / "nothing.so")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 5, done.stderr
    assert "MPI" in done.stderr.splitlines()[-1]


def test_a_dry_run_counts_the_ranks_of_the_host(tmp_path: Path) -> None:
    done = run(tmp_path / "run", ranks=2, dry_run=True, memory_limit="8GiB")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^memory of each rank: .* of 4\.00 GiB: fits", done.stderr, re.MULTILINE)
    assert "of one rank, without what ranks tell each other" in done.stderr
    assert not (tmp_path / "run").exists()
