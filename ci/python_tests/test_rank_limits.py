"""What ranks tell without a case: who they are, and how fast they reach each other."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from mpi_here import VOXMARK, needs_mpi


def voxmark(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [VOXMARK, *words],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ) | variables,
    )


def told(*words: str) -> Any:
    done = voxmark(*words, "--json", "--oversubscribe", "--threads", "1")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_mpi
def test_doctor_asks_ranks_who_they_are() -> None:
    answer = told("doctor", "--ranks", "3")
    assert [finding["health"] for finding in answer["findings"]] == ["good"]
    ranks = answer["ranks"]["each"]
    assert len(ranks) == 3
    for rank in ranks:
        assert rank["host"]
        assert len(rank["thread_cpus"]) == 1
        assert rank["memory"]["bytes"] > 0
        assert rank["kernels"]["binary_sha256"] == ranks[0]["kernels"]["binary_sha256"]
        assert any(library["name"] == "Eigen" for library in rank["backend_libraries"])
    done = voxmark("doctor", "--ranks", "2", "--oversubscribe", "--threads", "1")
    assert done.returncode == 0
    assert done.stdout.endswith("2 ranks of 1 thread: they can run\n")


@needs_mpi
def test_doctor_names_the_flag_that_mends(tmp_path: Path) -> None:
    many = str(os.cpu_count() or 1)
    done = voxmark("doctor", "--ranks", "2", "--threads", many)
    assert done.returncode == 1
    assert "--oversubscribe" in done.stdout
    # Both ranks on one CPU, as a launcher may put them.
    cpu = str(min(os.sched_getaffinity(0)))
    words = ["doctor", "--ranks", "2", "--threads", "2", "--place", "none", "--hosts"]
    hosts = tmp_path / "hosts"
    hosts.write_text("localhost slots=2\n")
    bound = subprocess.run(
        ["taskset", "-c", cpu, VOXMARK, *words, str(hosts)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert bound.returncode == 1, bound.stderr
    assert bound.stdout.count("\n--") <= 1
    assert "rank 0 on" in bound.stdout and "--threads 1" in bound.stdout


@needs_mpi
def test_a_host_that_is_not_there_is_named(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("no-such-host.invalid slots=2\n")
    done = voxmark("doctor", "--ranks", "2", "--threads", "1", "--hosts", str(hosts))
    assert done.returncode == 1
    assert "--hosts" in done.stdout
    assert len(done.stdout.splitlines()) == 1


def test_without_mpi_doctor_says_what_is_missing() -> None:
    done = voxmark("doctor", "--ranks", "2", VOXMARK_MPI="/nowhere/plugin.so")
    assert done.returncode == 1
    assert "/nowhere/plugin.so" in done.stdout


def test_a_child_that_is_no_rank_answers_nothing() -> None:
    done = voxmark("child", "--ask", "facts")
    assert done.returncode == 64
    assert "no rank" in done.stderr
