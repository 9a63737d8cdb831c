"""Whether Open MPI is here, which tests of ranks need."""

from __future__ import annotations

import os
import shutil
import subprocess
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
