"""Reports made by hand, valid against the schema, in which a test knows what is true."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

ENVIRONMENT: dict[str, Any] = {
    "cpu": {
        "model_name": "Example CPU",
        "flags": "fpu sse4_2 avx avx2 fma",
        "allowed": 2,
        "online": 2,
        "sockets": 1,
        "microcode": "0x1",
        "governor": None,
        "reasons": {"governor": "cannot read"},
    },
    "memory": {"total_bytes": 24 * 2**30, "available_bytes": 20 * 2**30},
    "system": {"host": "example", "kernel": "Linux 6.1", "load_average": "0.1"},
    "variables": {},
    "build": {"compiler": "GNU 12.2.0"},
    "libraries": [{"path": "/usr/lib/libdnnl.so.2.6", "sha256": "a" * 64}],
}
STAGES = [
    {
        "ops": ["encodeA_conv0/convolution"],
        "implementation": "jit:avx512_core",
        "layout": "ndhwc",
        "isa": "avx512_core",
        "recomputed": False,
        "kind": "convolution",
        "direction": "forward",
    },
    {
        "ops": ["decodeA_conv1/convolution_backward_weights"],
        "implementation": "jit:avx512_core",
        "layout": "ndhwc",
        "isa": "avx512_core",
        "recomputed": False,
        "kind": "convolution",
        "direction": "backward_weights",
    },
]


# No two processes measure the very same: a reading of each is its own.
_measured = itertools.count()


def stage(
    kind: str, direction: str, seconds: float | None = None, recomputed: bool = False
) -> dict[str, Any]:
    """One that was watched, unless there are no seconds."""
    own = {**STAGES[0], "kind": kind, "direction": direction, "recomputed": recomputed}
    return own if seconds is None else {**own, "seconds": seconds}


def record(
    backend: str = "onednn",
    process: int = 0,
    step_seconds: Sequence[float] = (0.5, 0.5, 0.5),
    peak_bytes: int = 1400,
    **case: Any,
) -> dict[str, Any]:
    """A measured process: a slow step to warm up, then those given."""
    spec = {
        "backend": backend,
        "image": [64, 64, 64],
        "batch": 1,
        "input_channels": 1,
        "classes": 1,
        "filters": 16,
        "precision": "fp32",
        "threads": 2,
        "data": "synthetic",
        "seed": 1,
        "process": process,
        **case,
    }
    own = 1 + 1e-9 * next(_measured)
    samples = [
        {
            "load_seconds": 0.01,
            "forward_backward_seconds": 0.8 * seconds,
            "update_seconds": 0.2 * seconds,
            "step_seconds": seconds,
            "loss": 0.5,
            "warmup": warmup,
            "readings": {"minor_faults": 3, "user_seconds": 2 * seconds * own},
        }
        for seconds, warmup in [(10 * step_seconds[0], True), *((s, False) for s in step_seconds)]
    ]
    voxels = int(np.prod(spec["image"])) * spec["batch"]
    return {
        "case": spec,
        "outcome": "ok",
        "reason": None,
        "reproduce": f"voxmark run --backend {backend} --image 64x64x64",
        "verification": {
            "verified": True,
            "against": "naive fp64",
            "image": [48, 48, 48],
            "worst": {"tensor": "prediction", "error": 1e-6, "tolerance": 1e-5},
        },
        "memory": {
            "planned_bytes": 1000,
            "allocated_bytes": 1100,
            "base_bytes": 200,
            "peak_bytes": peak_bytes,
        },
        "compile_seconds": 0.25,
        "flops_per_step": 340_656 * voxels,
        "parameters": 5_650_801,
        "input_sha256": "a" * 64,
        "weights_sha256": "b" * 64,
        "samples": samples,
        "stages": copy.deepcopy(STAGES),
    }


def failure(outcome: str, reason: str, backend: str = "onednn", **case: Any) -> dict[str, Any]:
    """The same case, that did not come to be measured."""
    failed = record(backend, **case)
    nothing = dict.fromkeys(("planned_bytes", "allocated_bytes", "base_bytes", "peak_bytes"))
    return {
        **failed,
        "outcome": outcome,
        "reason": reason,
        "verification": None,
        "memory": {**nothing, "reason": reason},
        "compile_seconds": None,
        "samples": [],
        "stages": [],
    }


def processes(
    seconds: Sequence[float], backend: str = "onednn", **case: Any
) -> list[dict[str, Any]]:
    """One process per value, whose steps all take that long."""
    return [record(backend, process, [value] * 3, **case) for process, value in enumerate(seconds)]


def of_ranks(
    ranks: int,
    steps: Sequence[float],
    waits: tuple[float, float, float] = (0.1, 0.02, 0.08),
    **case: Any,
) -> list[dict[str, Any]]:
    """Processes of a case of several ranks, which tell of each. `waits`: what of a step is exposed
    in statistics, loss and gradients; a quarter of these for a slower rank."""
    records = processes(steps, ranks=ranks, **case) if ranks > 1 else processes(steps, **case)
    for own, step in zip(records, steps, strict=True):
        own["flops_per_step"] *= ranks
        own["input_sha256"] = f"{ranks * own['case']['batch']:064x}"
        times = dict(
            zip(
                ("statistics_seconds", "loss_seconds", "gradients_seconds"),
                (share * step for share in waits),
                strict=True,
            )
        )
        each = [
            {
                "host": f"node{rank // 2}",
                "cpus": [2 * rank, 2 * rank + 1],
                "threads": 2,
                "peak_bytes": 1400 + rank,
                "placement": [],
                "times": {
                    "step_seconds": step,
                    **times,
                    "slower_rank_seconds": sum(waits) * step / 4,
                    "gradient_message_seconds": 0.4 * step,
                    "hidden_seconds": 0.3 * step,
                    "bytes_sent": 22.6e6,
                },
            }
            for rank in range(ranks)
        ]
        if ranks > 1:
            own["details"] = {"probes": {"ranks": {"library": "MPI", "each": each}}}
    return records


def of_copies(steps: Sequence[Sequence[float]], process: int = 0, **details: Any) -> dict[str, Any]:
    """One record: the timed steps of each copy."""
    whole = record(process=process, copies=len(steps))
    whole["samples"] = [
        {**sample, "copy": copy}
        for copy, seconds in enumerate(steps, 1)
        for sample in record(step_seconds=seconds)["samples"]
    ]
    whole["details"] = details
    return whole


def noisy_seconds(
    count: int = 10, median: float = 0.5, spread: float = 0.005, seed: int = 1
) -> list[float]:
    random = np.random.default_rng(seed)
    return [median * (1 + spread * float(z)) for z in random.standard_normal(count)]


def report(records: Sequence[dict[str, Any]], **members: Any) -> dict[str, Any]:
    """`environment` may be given in part: "cpu" with one member replaces that member only."""
    environment = copy.deepcopy(ENVIRONMENT)
    for section, content in members.pop("environment", {}).items():
        if isinstance(content, dict):
            environment[section] = {**environment[section], **content}
        else:
            environment[section] = content
    return {
        "schema": "voxmark.report/1",
        "created": "2024-05-31T12:00:00Z",
        "voxmark": {
            "version": "0.1.0",
            "commit": "0123abcd",
            "dirty": False,
            "binary_sha256": "c" * 64,
        },
        "environment": environment,
        "limits": {},
        "records": list(records),
        **members,
    }


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(content))
    return path
