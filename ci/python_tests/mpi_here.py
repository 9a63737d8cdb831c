"""What tests of ranks need: whether Open MPI is here, and which processes of a test live."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

VOXMARK = os.environ["VOXMARK_BINARY"]
PLUGIN = Path(VOXMARK).parents[1] / "lib" / "voxmark" / "libvoxmark_mpi.so"


def is_open_mpi(launcher: str) -> bool:
    if shutil.which(launcher) is None:
        return False
    done = subprocess.run([launcher, "--version"], capture_output=True, text=True, check=False)
    return "Open MPI" in done.stdout


needs_mpi = pytest.mark.skipif(
    not PLUGIN.exists() or not is_open_mpi("mpirun"),
    reason="Open MPI is not here: libopenmpi-dev and openmpi-bin, then build again",
)


def processes_of(word: str) -> list[int]:
    """Those whose command line or environment has the word."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if word.encode() in text and int(entry.name) != os.getpid():
                found.append(int(entry.name))
    return found


def ranks_of(mark: str) -> dict[int, int]:
    """Of the case whose environment has the mark: process by rank."""
    found = {}
    for process in processes_of(mark):
        try:
            environment = (Path("/proc") / str(process) / "environ").read_bytes()
        except OSError:
            continue
        for variable in environment.split(b"\0"):
            name, _, value = variable.partition(b"=")
            if name in (b"OMPI_COMM_WORLD_RANK", b"PMI_RANK"):
                found[int(value)] = process
    return found


def gone(mark: str) -> bool:
    for _ in range(1800):
        if not processes_of(mark):
            return True
        time.sleep(0.1)
    return False
