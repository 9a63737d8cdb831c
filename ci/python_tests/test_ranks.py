"""Cases of several ranks, over MPI: what they compute, and what happens when one of them fails."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from mpi_here import PLUGIN, VOXMARK, gone, is_open_mpi, needs_mpi, ranks_of

SOURCES = Path(__file__).parents[2]


class Mpi(NamedTuple):
    flags: dict[str, str]
    environment: dict[str, str]


@pytest.fixture(scope="module")
def mpich(tmp_path_factory: pytest.TempPathFactory) -> Mpi:
    """Beside the MPI that is built in: its own plugin."""
    if shutil.which("mpicxx.mpich") is None or shutil.which("mpirun.mpich") is None:
        pytest.skip("MPICH is not here: libmpich-dev and mpich")
    plugin = tmp_path_factory.mktemp("mpich") / "libvoxmark_mpi.so"
    source = SOURCES / "benches" / "ranks" / "mpi_plugin.cpp"
    words = ["mpicxx.mpich", "-std=c++17", "-O2", "-shared", "-fPIC", f"-I{SOURCES}"]
    subprocess.run([*words, "-o", str(plugin), str(source)], check=True)
    return Mpi({"launcher": "mpirun.mpich"}, {"VOXMARK_MPI": str(plugin)})


@pytest.fixture(params=["open_mpi", "mpich"])
def mpi(request: pytest.FixtureRequest) -> Mpi:
    if request.param == "mpich":
        return request.getfixturevalue("mpich")
    if not PLUGIN.exists() or not is_open_mpi("mpirun"):
        pytest.skip("Open MPI is not here: libopenmpi-dev and openmpi-bin, then build again")
    return Mpi({}, {})


def command(out: Path, **flags: str) -> list[str]:
    words = [VOXMARK, "run", "--out", str(out), "--overwrite", "--no-limits", "--no-cache"]
    words += ["--taint-repeats", "0", "--oversubscribe"]  # other tests run beside
    defaults = {"steps": "2", "warmup": "1", "filters": "2", "threads": "1", "image": "16x32x16"}
    for flag, value in (defaults | flags).items():
        words += ["--" + flag.replace("_", "-"), value]
    return words


def run(folder: Path, **flags: str) -> list[dict[str, Any]]:
    out = folder / "report.json"
    done = subprocess.run(command(out, **flags), capture_output=True, text=True, check=False)
    assert out.exists(), done.stderr
    return json.loads(out.read_text())["records"]


@needs_mpi
@pytest.mark.parametrize("backend", ["naive", "eigen", "onednn"])
def test_ranks_compute_the_step_of_one_process(backend: str, tmp_path: Path) -> None:
    records = []
    for ranks in (1, 2, 3):
        records += run(tmp_path, backend=backend, ranks=str(ranks), batch=str(6 // ranks))
    assert [record["outcome"] for record in records] == ["ok"] * 3, records
    losses = [[sample["loss"] for sample in record["samples"]] for record in records]
    for other in losses[1:]:
        assert other == pytest.approx(losses[0], rel=1e-4)
    for record, ranks in zip(records, (1, 2, 3), strict=True):
        assert record["verification"]["verified"]
        assert record["case"].get("ranks", 1) == ranks
    assert len({record["input_sha256"] for record in records}) == 1
    told = records[2]["details"]["probes"]["ranks"]
    assert re.fullmatch(r"Open MPI v[\d.]+\w*", told["library"])
    assert len(told["slowest"]) == 2 and set(told["slowest"]) <= {0, 1, 2}
    each = told["each"]
    assert len(each) == 3
    for rank in each:
        assert rank["peak_bytes"] > 0
        times = rank["times"]
        exposed = times["statistics_seconds"] + times["loss_seconds"] + times["gradients_seconds"]
        assert exposed > 0  # a sum of medians, which may be more than the median of sums
        assert 0 <= times["slower_rank_seconds"] <= exposed
        assert times["bytes_sent"] > 0


@pytest.fixture
def numpy_peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """numpy's step in place of PyTorch's: "pytorch-ddp" starts it."""
    environment = tmp_path / "peers" / "pytorch"
    (environment / "bin").mkdir(parents=True)
    (environment / "installed.txt").touch()
    python = environment / "bin" / "python"
    program = Path(__file__).with_name("numpy_ranks.py")
    python.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{program}'\n")
    python.chmod(0o755)
    monkeypatch.setenv("VOXMARK_PEERS", str(environment.parent))


@needs_mpi
@pytest.mark.usefixtures("numpy_peer")
def test_ranks_of_another_program_are_verified_and_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = {"backend": "pytorch-ddp", "ranks": "3", "batch": "1", "batch_norm": "local"}
    (record,) = run(tmp_path, **flags)
    assert record["outcome"] == "ok", record["reason"]
    assert record["verification"]["verified"]
    each = record["details"]["probes"]["ranks"]["each"]
    assert [rank["times"]["step_seconds"] > 0 for rank in each] == [True] * 3
    (record,) = run(tmp_path, **flags | {"batch_norm": "global"})  # which it does not compute
    assert record["outcome"] == "invalid"
    monkeypatch.setenv("BREAKS", "2")
    (record,) = run(tmp_path, **flags)
    assert record["outcome"] in ("crashed", "failed"), record


@needs_mpi
def test_distributed_data_parallel_computes_the_step(tmp_path: Path) -> None:
    if not (SOURCES / ".peers" / "pytorch" / "installed.txt").exists():
        pytest.skip("not installed (ci/peers)")
    flags = {"image": "32", "filters": "4", "batch": "2", "batch_norm": "local", "ranks": "1,2,3"}
    records = run(tmp_path, backend="onednn,pytorch-ddp", **flags)
    assert [record["outcome"] for record in records] == ["ok"] * 6, records
    for record in records:
        if record["case"]["backend"] != "pytorch-ddp":
            continue
        verification = record["verification"]
        assert verification["verified"]
        assert verification["details"]["timed_shape"]["against"] == "onednn"
        ranks = record["case"].get("ranks", 1)
        if ranks > 1:
            each = record["details"]["probes"]["ranks"]["each"]
            assert len(each) == ranks
            assert all(rank["peak_bytes"] > 0 for rank in each)
    (record,) = run(tmp_path, backend="pytorch-ddp", ranks="2", batch_norm="global")
    assert record["outcome"] == "skipped"
    assert "--batch-norm local" in record["reason"]


@needs_mpi
def test_ranks_with_more_threads_than_cpus_run_where_asked_for_and_are_flagged(
    tmp_path: Path,
) -> None:
    threads = 1 + len(os.sched_getaffinity(0)) // 2
    out = tmp_path / "report.json"
    words = command(out, backend="onednn", ranks="2", threads=str(threads))
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert out.exists(), done.stderr
    record = json.loads(out.read_text())["records"][0]
    assert record["outcome"] == "ok", record
    assert record["details"]["probes"]["ranks"]["oversubscribed"] is True
    assert "oversubscribed: ranks share CPUs" in done.stdout


@needs_mpi
def test_a_case_of_ranks_is_measured_again(tmp_path: Path) -> None:
    assert run(tmp_path, backend="onednn", ranks="2")[0]["outcome"] == "ok"
    again = tmp_path / "again.json"
    words = [VOXMARK, "rerun", str(tmp_path / "report.json"), "--repeats", "1", "--oversubscribe"]
    done = subprocess.run(
        [*words, "--out", str(again)], capture_output=True, text=True, check=False
    )
    assert again.exists(), done.stderr
    record = json.loads(again.read_text())["records"][0]
    assert record["outcome"] == "ok", record
    assert record["case"]["ranks"] == 2


@needs_mpi
def test_local_batch_norms_are_another_case(tmp_path: Path) -> None:
    flags = {"backend": "onednn", "ranks": "2", "batch": "1"}
    both = [run(tmp_path, **flags, batch_norm=kind)[0] for kind in ("global", "local")]
    assert [record["outcome"] for record in both] == ["ok", "ok"], both
    losses = [record["samples"][0]["loss"] for record in both]
    assert abs(losses[0] - losses[1]) > 1e-6
    assert both[1]["case"]["batch_norm"] == "local"


# As a launcher: each rank in a folder of its own.
IN_FOLDERS = """#!/usr/bin/env python3
import os
import sys

words = sys.argv[1:]
if "child" in words:
    move = 'cd "$VOXMARK_TEST_FOLDERS/$OMPI_COMM_WORLD_RANK" && exec "$@"'
    program = words.index("child") - 1
    words[program:program] = ["sh", "-c", move, "sh"]
os.execvp("mpirun", ["mpirun", *words])
"""


@needs_mpi
@pytest.mark.parametrize("other", [1, 2])
def test_ranks_that_read_different_data_are_refused(other: int, tmp_path: Path) -> None:
    for rank, seed in enumerate((1, other)):
        words = [VOXMARK, "phantom", str(tmp_path / str(rank) / "data"), "--image", "32x32x32"]
        subprocess.run([*words, "--cases", "4", "--seed", str(seed)], check=True)
    launcher = tmp_path / "mpirun"
    launcher.write_text(IN_FOLDERS)
    launcher.chmod(0o755)
    out = tmp_path / "report.json"
    subprocess.run(
        command(out, backend="onednn", ranks="2", data="data", launcher=str(launcher)),
        env=os.environ | {"VOXMARK_TEST_FOLDERS": str(tmp_path)},
        cwd=tmp_path / "0",
        check=False,
    )
    record = json.loads(out.read_text())["records"][0]
    if other == 1:
        assert record["outcome"] == "ok", record
    else:
        assert record["outcome"] == "failed", record
        assert "ranks 0 and 1 read different data" in record["reason"]
        assert not record["samples"]


class Run(NamedTuple):
    """Of a case that lasts until something happens to it."""

    process: subprocess.Popen[bytes]
    mark: str  # in the environment of all its processes
    folder: Path

    def log(self) -> str:
        return (self.folder / "stderr").read_text()

    def wait_for_ranks(self, others: set[int] | frozenset[int]) -> dict[int, int]:
        """Until two are there that are none of the others."""
        return self.wait_for(
            lambda: (
                (ranks := ranks_of(self.mark)).keys() == {0, 1}
                and not others & set(ranks.values())
                and ranks
            )
        )

    def wait_for_steps(self, others: set[int] | frozenset[int] = frozenset()) -> dict[int, int]:
        """Until ranks that are none of the others compute timed steps, which the runner tells."""
        self.wait_for_ranks(others)
        seen = len(self.log())
        self.wait_for(lambda: re.search(r"step \d+ of ", self.log()[seen:]))
        return self.wait_for_ranks(others)

    def wait_for(self, happens: Any) -> Any:
        for _ in range(1800):
            assert self.process.poll() is None, self.log()
            if found := happens():
                return found
            time.sleep(0.1)
        raise AssertionError("it did not come to that: " + self.log())

    def records(self) -> list[dict[str, Any]]:
        self.process.wait(timeout=180)
        return json.loads((self.folder / "report.json").read_text())["records"]


@contextlib.contextmanager
def started(folder: Path, mark: str, mpi: Mpi, **flags: str) -> Iterator[Run]:
    words = command(
        folder / "report.json", backend="eigen", steps="100000", ranks="2", **mpi.flags, **flags
    )
    with (folder / "stderr").open("w") as log:
        process = subprocess.Popen(
            words,
            env=os.environ | mpi.environment | {"VOXMARK_TEST_MARK": mark},
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    try:
        yield Run(process, mark, folder)
    finally:
        process.kill()
        process.wait()


def oom_kills() -> int:
    """Of the whole machine since it started: what else runs here counts, too."""
    found = re.search(r"^oom_kill (\d+)$", Path("/proc/vmstat").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


def test_a_rank_that_is_killed_is_named_and_leaves_nobody(tmp_path: Path, mpi: Mpi) -> None:
    mark = f"killed-{os.getpid()};"
    killed: set[int] = set()
    kills_before = oom_kills()
    with started(tmp_path, mark, mpi, repeats="2") as run:
        for _ in range(2):  # the second process is measured although the first one crashed
            ranks = run.wait_for_steps(others=killed)
            os.kill(ranks[1], signal.SIGKILL)
            killed |= set(ranks.values())
        records = run.records()
    assert len(records) == 2
    for record in records:
        assert "rank 1 on " in record["reason"], record
        if record["outcome"] != "oom" or oom_kills() == kills_before:  # of another test, perhaps
            assert record["outcome"] == "crashed", record
            assert re.search("SIGKILL|is gone", record["reason"]), record
    assert gone(mark)


def test_a_rank_that_hangs_is_named_and_leaves_nobody(tmp_path: Path, mpi: Mpi) -> None:
    mark = f"hangs-{os.getpid()};"
    with started(tmp_path, mark, mpi, timeout="60") as run:
        ranks = run.wait_for_steps()
        os.kill(ranks[1], signal.SIGSTOP)
        record = run.records()[0]
    assert record["outcome"] == "timeout", record
    assert "no message for 60 s" in record["reason"]
    assert "rank 1 on " in record["reason"] and "did not come" in record["reason"]
    assert gone(mark)


def test_a_rank_that_ends_before_mpi_has_started_ends_all(tmp_path: Path, mpi: Mpi) -> None:
    """Under MPICH the others wait for it in MPI_Init."""
    mark = f"before-{os.getpid()};"
    launcher = mpi.flags.get("launcher", "mpirun")
    # The second rank does not find its MPI.
    rank = "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}"
    script = f'[ {rank} = 0 ] || export VOXMARK_MPI=/nothing.so; exec "$0" child'
    words = [launcher, "-n", "2", "sh", "-c", script, VOXMARK]
    environment = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    environment |= {"OMPI_MCA_rmaps_base_oversubscribe": "1", "VOXMARK_RANKS": "2"}
    environment |= {"VOXMARK_MPI": str(PLUGIN), "VOXMARK_TEST_MARK": mark} | mpi.environment
    done = subprocess.run(
        words,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode != 0
    assert re.search(r"voxmark: a rank on \S+: failed \(\w+\): .*nothing.so", done.stderr)
    assert gone(mark)


@needs_mpi
def test_a_runner_that_is_killed_leaves_no_rank(tmp_path: Path) -> None:
    mark = f"runner-{os.getpid()};"
    with started(tmp_path, mark, Mpi({}, {})) as run:
        run.wait_for_steps()
    assert gone(mark)


def test_without_mpi_cases_of_ranks_are_skipped_with_a_way_to_get_it(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    done = subprocess.run(
        command(out, backend="naive", ranks="2"),
        env=os.environ | {"VOXMARK_MPI": str(tmp_path / "nothing.so")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 5, done.stderr
    record = json.loads(out.read_text())["records"][0]
    assert record["outcome"] == "skipped"
    assert "MPI" in record["reason"]


def refused_before_it_starts(
    folder: Path, *words: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*command(folder / "report.json", backend="naive"), *words],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 64, done.stderr
    assert not (folder / "report.json").exists()
    return done


@needs_mpi
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--launcher", "mpirun -n 2"], "-n among its words: say it by --ranks"),
        (["--launcher", "mpirun -x OMP_NUM_THREADS=2"], "say it by --threads"),
        (["--launcher", "mpirun --bind-to core"], "--place none"),
    ],
)
@pytest.mark.parametrize("is_dry", [True, False])
def test_launchers_are_judged_before_the_first_case(
    words: list[str], message: str, is_dry: bool, tmp_path: Path
) -> None:
    # One rank comes first, which needs no launcher.
    words = [*words, "--ranks", "1,2", *(["--dry-run"] if is_dry else [])]
    assert message in refused_before_it_starts(tmp_path, *words).stderr


@needs_mpi
def test_hosts_with_too_few_slots_are_refused_before_the_first_case(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("localhost slots=2\n")
    out = tmp_path / "report.json"
    words = [word for word in command(out, backend="naive") if word != "--oversubscribe"]
    done = subprocess.run(
        [*words, "--hosts", str(hosts), "--ranks", "1,3", "--dry-run"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 64
    assert "ranks 3: the hosts take 2 (localhost: 2)" in done.stderr


@needs_mpi
def test_a_sweep_leaves_out_ranks_by_threads_that_are_more_than_the_cpus(tmp_path: Path) -> None:
    cpus = len(os.sched_getaffinity(0))
    if cpus < 2:
        pytest.skip("one CPU here: two ranks take two")
    words = command(tmp_path / "x.json", backend="naive", ranks="1,2", threads=f"1,{cpus}")
    words = [word for word in words if word != "--oversubscribe"] + ["--dry-run"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"Left out: --ranks 2 with --threads {cpus}, as there are {cpus} CPUs" in done.stderr
    assert "3 cases" in done.stdout, done.stdout
    # A number of ranks that fits with no number of threads is a wrong one.
    words = command(tmp_path / "x.json", backend="naive", ranks=f"1,{cpus + 1}", threads="1")
    words = [word for word in words if word != "--oversubscribe"] + ["--dry-run"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 64
    assert f"--ranks {cpus + 1} --threads 1: {cpus + 1} threads on {cpus} CPUs" in done.stderr


def test_variables_of_ranks_are_refused_outside_them(tmp_path: Path) -> None:
    for name in ("VOXMARK_RANKS", "VOXMARK_PLACE", "VOXMARK_PLACED", "VOXMARK_RANKS_SHARE_CPUS"):
        message = refused_before_it_starts(tmp_path, **{name: "1"}).stderr
        assert f"{name}=1: voxmark run sets it" in message
        assert f"unset {name}" in message


@needs_mpi
def test_default_threads_are_shared_by_the_ranks_of_a_host(tmp_path: Path) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one CPU here: there is nothing to share")
    hosts = tmp_path / "hosts"
    hosts.write_text("".join(f"node{i} slots=1\n" for i in range(1, 5)))
    words = command(tmp_path / "report.json", backend="naive", ranks="4")
    threads = words.index("--threads")
    del words[threads : threads + 2]
    done = subprocess.run(
        [*words, "--hosts", str(hosts), "--dry-run"],
        env=os.environ | {"OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "2 threads" in done.stdout, done.stdout


@needs_mpi
def test_ranks_that_are_not_placed_share_cpus(tmp_path: Path) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one CPU here: two ranks take two")
    out = tmp_path / "report.json"
    words = [
        word
        for word in command(out, backend="naive", ranks="2", launcher="mpirun -x LD_LIBRARY_PATH")
        if word != "--oversubscribe"
    ]
    done = subprocess.run(
        [*words, "--place", "none"],
        env=os.environ
        | {"LD_LIBRARY_PATH": str(tmp_path), "OMPI_MCA_rmaps_base_oversubscribe": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(out.read_text())["records"][0]
    assert record["outcome"] == "ok", record
