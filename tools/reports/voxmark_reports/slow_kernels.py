"""Stages whose kernels a fast library falls back on. results/slow_kernel.h has the same rule, and
results/slow_kernel_examples.json holds both to it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from voxmark_reports.cases import Case
from voxmark_reports.text import clean


def is_slow(stage: dict[str, Any]) -> bool:
    """As the stage says; of a report that is older than that word, by the kernel's name."""
    told = stage.get("slow")
    if isinstance(told, bool):
        return told
    name: str = stage["implementation"]
    return name.startswith("ref") or "gemm:" in name


def slow_kernels(case: Case) -> Counter[str]:
    """Stages of the first process that tells them, by kernel."""
    stages = next((record["stages"] for record in case.measured if record["stages"]), [])
    names = (stage["implementation"] for stage in stages if is_slow(stage))
    return Counter(clean(name.removesuffix(" between reorders")) for name in names)
