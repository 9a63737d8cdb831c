"""A report with all that readers look at, and every report that differs from it in one value."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import factory

Path = tuple[str | int, ...]

REMOVED = object()
VALUES = (None, "", 0, -1, 1e308, [], {}, "x", True, 2.5, [None], {"x": None}, REMOVED)

ENVIRONMENT = {
    "cpu": {
        "vendor_id": "AuthenticAMD",
        "isa": "avx2",
        "caches": [{"level": "1", "type": "Data", "size": "32K"}],
        "topology": {"packages": 1, "numa_nodes": [{"bytes": 1, "cpus": "0-1"}]},
        "vulnerabilities": {"l1tf": "Not affected"},
    },
    "variables": {"ONEDNN_MAX_CPU_ISA": "AVX2", "OMP_NUM_THREADS": "2"},
}
PROBES = {
    "energy": {"joules": 8.0, "joules_per_image": 4.0},
    "observed_step": {"convolution_seconds": 0.4, "other_seconds": 0.1},
    "counters": {
        "events": {
            "cycles": {"value": None, "reason": "no PMU"},
            "page-faults": {"value": 3.0, "running_fraction": 1.0},
        },
        "passes": 1,
    },
    "threads": [{"cpu": 0, "allowed": "0-1", "cpu_seconds": 0.7}],
    "missing_readings": {"steal_seconds": "not told"},
}
DETAILS = {
    "probes": PROBES,
    "plan_exact": True,
    "execution": {"omp_max_threads": 2},
    "interference": {"tainted": True, "tainted_steps": 1, "reasons": ["threads waited 3%"]},
    "roofline": {"seconds": 0.1, "flops_per_second": 1e12, "bytes_per_second": 1e10},
    "wall_seconds": 9.0,
}


def _record(backend: str, process: int, seconds: float) -> dict[str, Any]:
    own = factory.record(backend, process, [seconds])
    own["memory"]["plan_by_purpose"] = {"parameters": 400, "activations": 600}
    own["details"] = copy.deepcopy(DETAILS)
    own["verification"]["details"] = {"batch": 1, "checks": 3}
    own["stages"][0]["seconds"] = 0.1
    for sample in own["samples"]:
        sample["readings"] |= {"system_seconds": 0.01, "tainted": ["threads waited 3%"]}
    return own


def rich_report() -> dict[str, Any]:
    """Two backends, three threads counts' worth of charts, a failure, and all details."""
    return factory.report(
        [
            _record("onednn", 0, 0.5),
            _record("eigen", 0, 0.8),
            factory.failure("failed", "no memory", "naive"),
        ],
        environment=ENVIRONMENT,
        limits={
            "memory_bytes": 1 << 30,
            "machine": [{"threads": 2, "fp32_flops_per_second": 1e12}],
        },
        details={
            "baseline": "eigen",
            "partial": "the run was killed",
            "environment_changes": [{"fact": "cpu.boost", "before": "0", "after": "1"}],
            "wall_seconds": 20.0,
        },
    )


def paths(value: Any, here: Path = ()) -> Iterator[Path]:
    """Of every value below, containers too."""
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for name, member in members:
        yield (*here, name)
        if isinstance(member, (dict, list)):
            yield from paths(member, (*here, name))


def mutations(content: dict[str, Any]) -> list[tuple[Path, Any]]:
    return list(itertools.product(paths(content), VALUES))


def mutated(content: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    other = copy.deepcopy(content)
    place: Any = other
    for name in path[:-1]:
        place = place[name]
    if value is REMOVED:
        del place[path[-1]]
    else:
        place[path[-1]] = copy.deepcopy(value)
    return other
