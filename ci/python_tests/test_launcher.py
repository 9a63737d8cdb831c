"""Ranks started by real launchers, with the commands that voxmark builds for them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

VOXMARK = Path(os.environ["VOXMARK_BINARY"])
PROBE = VOXMARK.parent / "launch_probe"  # benches/ranks/launch_probe.cpp
CPUS = sorted(os.sched_getaffinity(0))
SECONDS = 120  # for a launcher that hangs; nothing is timed
# What of the ranks' library tells which launcher is its own, and one program of that.
MPIS = {"Open MPI v4.1.4": "mpirun.openmpi", "MPICH Version: 4.0.2": "mpirun.mpich"}


@dataclass
class Launched:
    code: int
    ranks: list[dict[str, Any]]
    errors: str


@pytest.fixture(params=MPIS)
def mpi(request: pytest.FixtureRequest) -> str:
    """The version of a library whose launcher is installed here."""
    if not PROBE.exists():
        pytest.skip(f"no {PROBE}: a build without its tests")
    program = MPIS[request.param]
    if shutil.which(program) is None:
        pytest.skip(f"no {program} here: apt install openmpi-bin mpich")
    return request.param


def on_cpus(cpus: list[int] | None) -> Callable[[], None] | None:
    return None if cpus is None else lambda: os.sched_setaffinity(0, cpus)


def built(*arguments: str, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """The command that voxmark would start: {"launcher", "words", "environment"}."""
    done = subprocess.run(
        [PROBE, "command", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | (environment or {}),
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def launched(
    *arguments: str, environment: dict[str, str] | None = None, cpus: list[int] | None = None
) -> Launched:
    command = built(*arguments, environment=environment)
    assigned = dict(text.split("=", 1) for text in command["environment"])
    done = subprocess.run(
        command["words"],
        input="first\nsecond\n",
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | assigned,
        timeout=SECONDS,
        preexec_fn=on_cpus(cpus),
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    ranks = sorted((json.loads(line) for line in lines), key=lambda rank: rank["rank"])
    return Launched(done.returncode, ranks, done.stderr)


# A rank that knows nothing of voxmark.
STRANGER = [
    sys.executable,
    "-c",
    "import json, os\n"
    "rank = int(os.environ.get('OMPI_COMM_WORLD_RANK', os.environ.get('PMI_RANK', -1)))\n"
    "cpus = sorted(os.sched_getaffinity(0))\n"
    "line = json.dumps({'rank': rank, 'cpus': cpus, 'value': os.environ.get('OMP_ODD')})\n"
    "os.write(1, (line + '\\n').encode())",
]


def test_each_rank_has_a_cpu_of_its_own_and_rank_0_the_input(mpi: str) -> None:
    if len(CPUS) < 2:
        pytest.skip("one CPU here: two ranks cannot have one each")
    two = launched("--mpi", mpi, "2", "1", "numa", str(PROBE), "rank", cpus=CPUS[:2])
    assert two.code == 0, two.errors
    assert [rank["cpus"] for rank in two.ranks] == [str(cpu) for cpu in CPUS[:2]]
    assert [rank["places"] for rank in two.ranks] == [f"{{{cpu}}}" for cpu in CPUS[:2]]
    assert [rank["placed"] for rank in two.ranks] == [rank["cpus"] for rank in two.ranks]
    assert [rank["count"] for rank in two.ranks] == [2, 2]
    assert [rank["input"] for rank in two.ranks] == ["first", ""]


def test_no_launcher_binds_ranks(mpi: str) -> None:
    two = launched("--mpi", mpi, "2", "1", "none", *STRANGER)
    assert two.code == 0, two.errors
    assert [rank["cpus"] for rank in two.ranks] == [CPUS, CPUS]


@pytest.mark.parametrize("value", ["{0,1},{2:2}", "a b=c;d", "", "'\"$HOME\\"])
def test_variables_reach_every_rank_unchanged(mpi: str, value: str) -> None:
    two = launched("--mpi", mpi, "2", "1", "none", *STRANGER, environment={"OMP_ODD": value})
    assert two.code == 0, two.errors
    assert [rank["value"] for rank in two.ranks] == [value, value]


def test_more_ranks_than_cpus_run_only_when_asked_for(mpi: str) -> None:
    few = ["3", "1", "numa", str(PROBE), "rank"]
    refused = launched("--mpi", mpi, *few, cpus=CPUS[:1])
    assert refused.code != 0
    assert refused.ranks == []
    shared = launched("--mpi", mpi, "--oversubscribe", *few, cpus=CPUS[:1])
    assert shared.code == 0, shared.errors
    assert [rank["cpus"] for rank in shared.ranks] == [str(CPUS[0])] * 3


@pytest.mark.parametrize("line", ["localhost slots=2", "localhost:2", "localhost"])
def test_hosts_are_those_of_the_file(mpi: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text(line + "\n")
    hosts = ["--mpi", mpi, "--hosts", str(tmp_path / "hosts")]
    two = launched(*hosts, "2", "1", "none", *STRANGER)
    assert two.code == 0, two.errors
    assert [rank["rank"] for rank in two.ranks] == [0, 1]


def test_the_users_launcher_keeps_its_words(mpi: str) -> None:
    program = MPIS[mpi]
    own = {"Open MPI": ["-x", "OMP_ODD=mine"], "MPICH": ["-genv", "OMP_ODD", "mine"]}
    words = [program, *own["Open MPI" if mpi.startswith("Open") else "MPICH"]]
    command = ["--launcher", " ".join(words), "--mpi", mpi, "2", "1", "none", *STRANGER]
    assert built(*command)["words"][: len(words)] == words
    two = launched(*command)
    assert two.code == 0, two.errors
    assert [rank["value"] for rank in two.ranks] == ["mine", "mine"]


def test_a_run_inside_mpirun_is_refused(mpi: str) -> None:
    outer = built("--mpi", mpi, "1", "1", "none", str(PROBE), "command", "2", "1", "none", "true")
    assigned = dict(text.split("=", 1) for text in outer["environment"])
    done = subprocess.run(
        outer["words"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | assigned,
        timeout=SECONDS,
    )
    assert done.returncode == 64
    assert "voxmark run starts its own ranks: start it without mpirun" in done.stderr + done.stdout


def child_cpus(environment: dict[str, str]) -> set[int]:
    """The CPUs of a voxmark child that has answered."""
    with subprocess.Popen(
        [VOXMARK, "child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | environment,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"no request\n")
        child.stdin.flush()
        assert b"error" in child.stdout.readline()
        cpus = os.sched_getaffinity(child.pid)
        child.stdin.close()
    return cpus


def test_a_child_places_itself_where_it_is_asked_to() -> None:
    if len(CPUS) < 2:
        pytest.skip("one CPU here: two ranks cannot have one each")
    second = {"OMPI_COMM_WORLD_LOCAL_RANK": "1", "OMPI_COMM_WORLD_LOCAL_SIZE": "2"}
    placed = {"VOXMARK_PLACE": "numa", "VOXMARK_PLACE_THREADS": "1"}
    mine = child_cpus(second | placed | {"OMP_PLACES": "cores", "OMP_PROC_BIND": "true"})
    assert mine < set(CPUS)
    assert CPUS[0] not in mine
    assert child_cpus(second) == set(CPUS)
    assert child_cpus(second | placed | {"VOXMARK_PLACE": "none"}) == set(CPUS)


def test_a_child_that_cannot_be_placed_says_why() -> None:
    def refusal(environment: dict[str, str]) -> str:
        done = subprocess.run(
            [VOXMARK, "child"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"VOXMARK_PLACE": "numa", "VOXMARK_PLACE_THREADS": "1"} | environment,
        )
        assert done.returncode == 64
        assert done.stderr.count("\n") == 1
        return done.stderr

    assert "no launcher has told this process which rank" in refusal({})
    assert "MPI_LOCALNRANKS not set" in refusal({"MPI_LOCALRANKID": "0"})
    first = {"MPI_LOCALRANKID": "0", "MPI_LOCALNRANKS": "1"}
    assert "--oversubscribe" in refusal(first | {"VOXMARK_PLACE_THREADS": "100000"})
    assert "expected numa, socket or none" in refusal(first | {"VOXMARK_PLACE": "core"})
