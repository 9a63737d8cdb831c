"""What machines are called: by their CPU and what else tells them apart, not by files."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from voxmark_reports import differences
from voxmark_reports.errors import ToolError
from voxmark_reports.reading import Report
from voxmark_reports.text import clean

# Of a CPU's name, what says nothing: "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz".
_NOISE = re.compile(
    r"\((?:R|TM|C)\)|\bCPU\s*(?=@)|@.*$|\b\d+-Core Processor\b|\bwith .* Graphics\b", re.IGNORECASE
)


def cpu_label(report: Report) -> str:
    """ "Intel Xeon Gold 6248"."""
    name = str(report.environment.get("cpu", {}).get("model_name") or "unknown CPU")
    return clean(" ".join(_NOISE.sub(" ", name).split())) or "unknown CPU"


def _memory(report: Report) -> str:
    total = report.environment.get("memory", {}).get("total_bytes")
    return f"{round(total / 2**30)} GiB" if isinstance(total, (int, float)) else "memory unknown"


def _cpus(report: Report) -> str:
    cpu = report.environment.get("cpu", {})
    count = cpu.get("allowed") or cpu.get("online") or "?"
    return f"{clean(count)} CPU" if count == 1 else f"{clean(count)} CPUs"


# The first of these that tells machines of one CPU apart.
_WORDS: tuple[Callable[[Report], str], ...] = (
    _cpus,
    _memory,
    differences.host_name,
    lambda report: report.name,
)


def machine_labels(reports: Sequence[Report]) -> list[str]:
    """Unique: the CPU's name, and where several have that, a distinguishing word."""
    labels = [cpu_label(report) for report in reports]
    for label in set(labels):
        alike = [i for i, own in enumerate(labels) if own == label]
        if len(alike) == 1:
            continue
        for word in _WORDS:
            words = [word(reports[i]) for i in alike]
            if len(set(words)) == len(words):
                break
        for i, own in zip(alike, words, strict=True):
            labels[i] = f"{label} ({own})"
    return labels


def are_machines(reports: Sequence[Report]) -> bool:
    """Whether each is of a machine of its own."""
    found = {differences.machine_fingerprint(report) for report in reports}
    return 1 < len(found) == len(reports)


def name_reports(reports: Sequence[Report], labels: Sequence[str], machines: bool) -> None:
    """As the user calls them, or else by their machines. Raises ToolError for labels that do not
    fit the reports."""
    if labels:
        if len(labels) != len(reports):
            raise ToolError(
                f"--label: expected one per report, {len(reports)}; found {len(labels)}"
            )
        if len(set(labels)) < len(labels):
            raise ToolError(f"--label: expected one name per report, found {', '.join(labels)}")
    elif machines:
        labels = machine_labels(reports)
    for report, label in zip(reports, labels, strict=False):
        report.file = report.name
        report.name = clean(label)
