"""What a step cost besides time, as benches/probes/readings.h defines it, so that rows compare.

A figure that is not there is left out.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence
from pathlib import Path


def text_of(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except OSError:
        return ""


def count_after(text: str, key: str) -> float | None:
    """The count behind the first `key`."""
    _, found, rest = text.partition(key)
    words = rest.split()
    return float(words[0]) if found and words and words[0].isdigit() else None


def cgroup_files(name: str, root: Path = Path("/")) -> list[Path]:
    """Of this process's CPU control group and of those around it, up to the mount."""
    mount = root / "sys/fs/cgroup"
    files: list[Path] = []
    for line in text_of(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = mount / "cpu" if controllers else mount
        folder = top / path.lstrip("/")
        # A container may see paths of its host: of those that are not there, the top is.
        around = [folder, *folder.parents]
        files += [f / name for f in around[: around.index(top) + 1] if (f / name).exists()]
    return files


CPU_STATS = cgroup_files("cpu.stat")


def throttled_seconds(files: Sequence[Path]) -> float | None:
    """By the quota of any group: each counts its own alone."""
    found: list[float] = []
    for text in map(text_of, files):
        if (microseconds := count_after(text, "throttled_usec")) is not None:
            found.append(microseconds * 1e-6)
        elif (nanoseconds := count_after(text, "throttled_time")) is not None:
            found.append(nanoseconds * 1e-9)
    return sum(found) if found else None


def thread_wait_seconds() -> float | None:
    """That the threads of this process waited for a CPU, added up.

    Not run_delay_seconds: a framework has more threads than CPUs, which wait for each other as well
    as for what else runs.
    """
    nanoseconds = 0.0
    for task in Path("/proc/self/task").iterdir():
        words = text_of(task / "schedstat").split()
        if len(words) < 2:
            return None
        nanoseconds += float(words[1])
    return nanoseconds * 1e-9


def cumulative() -> dict[str, float | None]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu = text_of("/proc/stat").splitlines()[:1]
    pressure = count_after(text_of("/proc/pressure/cpu"), "total=")
    return {
        "minor_faults": usage.ru_minflt,
        "major_faults": usage.ru_majflt,
        "user_seconds": usage.ru_utime,
        "system_seconds": usage.ru_stime,
        "voluntary_switches": usage.ru_nvcsw,
        "involuntary_switches": usage.ru_nivcsw,
        "steal_seconds": float(cpu[0].split()[8]) / os.sysconf("SC_CLK_TCK") if cpu else None,
        "throttled_seconds": throttled_seconds(CPU_STATS),
        "cpu_pressure_seconds": None if pressure is None else pressure * 1e-6,
        "thread_wait_seconds": thread_wait_seconds(),
    }


def between(before: dict[str, float | None], after: dict[str, float | None]) -> dict[str, float]:
    """What grew. A thread that ended takes its part of a sum along: such a figure is left out."""
    return {
        name: value - first
        for name, value in after.items()
        if value is not None and (first := before[name]) is not None and value >= first
    }


def missing(readings: dict[str, float | None]) -> dict[str, str]:
    """Of what there is not: name to reason."""
    reasons = {
        name: "the kernel does not tell" for name, value in readings.items() if value is None
    }
    return reasons | {"run_delay_seconds": "the framework's threads wait for each other, too"}


# What changes how a framework computes and allocates.
PREFIXES = (
    "ONEDNN_",
    "DNNL_",
    "TF_ENABLE_",
    "TF_NUM_",
    "TF_XLA_",
    "OMP_",
    "KMP_",
    "GOMP_",
    "MALLOC_",
    "GLIBC_TUNABLES",
)
PREFIXES += ("LD_PRELOAD", "ATEN_", "XLA_", "JAX_")


def variables_in_effect() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(PREFIXES)}
