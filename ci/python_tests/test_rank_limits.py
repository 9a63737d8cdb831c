"""What ranks tell without a case: who they are, and how fast they reach each other."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
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


@needs_mpi
def test_limits_of_ranks_have_the_shape_of_osus_tables() -> None:
    (limits,) = told("limits", "--ranks", "2")["ranks"]
    assert limits["ranks"] == 2
    assert len(limits["hosts"]) == 2
    sums = limits["sums"]
    assert [own["bytes"] for own in sums] == [2**power for power in range(3, 27)]
    assert limits["gathers"][0]["bytes"] == 8
    for own in [*sums, *limits["gathers"], limits["gather_behind_sum"]]:
        assert 0 < own["seconds_minimum"] <= own["seconds"] <= own["seconds_maximum"]
        assert own["seconds_minimum"] <= own["seconds_mean"] <= own["seconds_maximum"]
    for own in sums:  # two ranks: each sends a half, then the sum of the other half
        assert own["bytes_per_second"] == pytest.approx(own["bytes"] / own["seconds"])


@needs_mpi
def test_a_model_stands_beside_the_measured_step(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    words = ["run", "--out", str(out), "--backend", "onednn", "--image", "16x32x16"]
    words += ["--filters", "2", "--ranks", "1,2", "--batch", "1", "--threads", "1"]
    words += ["--steps", "3", "--warmup", "1", "--taint-repeats", "0", "--oversubscribe"]
    done = voxmark(*words)
    assert out.exists(), done.stderr
    report = json.loads(out.read_text())
    (limits,) = report["limits"]["ranks"]
    assert (limits["ranks"], limits["threads"]) == (2, 1)
    one, two = sorted(report["records"], key=lambda record: record["case"].get("ranks", 1))
    assert "rank_model" not in one["details"]
    model = two["details"]["rank_model"]
    parts = ("computing", "statistics", "loss", "gradients")
    assert model["seconds"] == pytest.approx(sum(model[f"{part}_seconds"] for part in parts))
    rehearsal = two["details"]["probes"]["ranks"]["rehearsal"]
    kinds = [event["kind"] for event in rehearsal["events"]]
    assert kinds.count("loss") == 1
    assert kinds[-1] == "wait"
    computed = sum(event["seconds"] for event in rehearsal["events"]) + rehearsal["rest_seconds"]
    assert rehearsal["step_seconds"] == pytest.approx(computed)
    assert model["computing_seconds"] >= rehearsal["step_seconds"] * (1 - 1e-9)
    assert "model s" in done.stdout


def planned(*words: str) -> Any:
    done = voxmark("plan", "--image", "16", "--filters", "4", "--backend", "onednn", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_plan_tells_what_ranks_that_are_not_there_exchange() -> None:
    words = ["--batch", "2", "--json", "--ranks", "2,64", "--network"]
    two, many = planned(*words, "2us,100Gbit/s")["networks"]
    assert two["is_model"]
    assert two["exchange"]["loss"]["times"] == 1
    assert two["exchange"]["statistics"]["times"] > 1
    assert many["exchange"]["gradients"]["bytes"] == two["exchange"]["gradients"]["bytes"]
    assert many["exchange"]["gradients"]["seconds"] > two["exchange"]["gradients"]["seconds"]
    slow = planned(*words, "2us,100Mbit/s")["networks"][0]
    assert slow["exchange"]["gradients"]["seconds"] > two["exchange"]["gradients"]["seconds"]
    told = voxmark("plan", "--image", "16", "--ranks", "2", "--network", "2us,1GB/s")
    assert "A model, nothing of it measured" in told.stdout


@pytest.mark.parametrize(
    ("network", "word"),
    [
        ("2us", "LATENCY,BANDWIDTH"),
        ("2,100Gbit/s", '"2"'),
        ("2us,100", '"100"'),
        ("2us,-1Gbit/s", '"-1Gbit/s"'),
        ("2us,infGbit/s", '"infGbit/s"'),
        ("2us,1Gb", '"1Gb"'),
    ],
)
def test_a_wrong_network_is_named_in_one_line(network: str, word: str) -> None:
    done = voxmark("plan", "--image", "16", "--ranks", "2", "--network", network)
    assert done.returncode == 64
    assert word in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_plan_predicts_from_a_measured_step(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    words = ["run", "--out", str(out), "--backend", "onednn", "--image", "16", "--filters", "4"]
    words += ["--batch", "2", "--threads", "1", "--steps", "2", "--no-limits"]
    done = voxmark(*words, "--taint-repeats", "0")
    assert done.returncode == 0, done.stderr
    network = ["--json", "--network", "2us,100Gbit/s", "--from", str(out)]
    plan = planned("--batch", "2", "--ranks", "1,4", *network)
    one, four = (own["steps"][0] for own in plan["networks"])
    assert one["efficiency"] == pytest.approx(1)
    assert one["step_seconds"] == pytest.approx(one["one_rank_seconds"])
    assert 0 < four["efficiency"] < 1
    other = planned("--batch", "3", "--ranks", "4", *network)["networks"][0]["steps"][0]
    assert other["step_seconds"] is None
    assert "batch 3" in other["reason"]


@pytest.mark.parametrize("command", ["limits", "doctor"])
@pytest.mark.parametrize("flag", ["--hosts=a", "--launcher=mpirun", "--oversubscribe"])
def test_flags_of_ranks_need_ranks(command: str, flag: str) -> None:
    done = voxmark(command, flag)
    assert done.returncode == 64
    assert f"{flag.split('=')[0]}: expected --ranks beside it" in done.stderr


def test_without_mpi_doctor_says_what_is_missing() -> None:
    done = voxmark("doctor", "--ranks", "2", VOXMARK_MPI="/nowhere/plugin.so")
    assert done.returncode == 1
    assert "/nowhere/plugin.so" in done.stdout


def test_a_child_that_is_no_rank_answers_nothing() -> None:
    done = voxmark("child", "--ask", "facts")
    assert done.returncode == 64
    assert "no rank" in done.stderr
