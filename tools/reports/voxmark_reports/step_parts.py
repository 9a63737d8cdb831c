"""Where a step goes, as values: by kind of work, from the stages of steps that were watched, and by
what the threads did, from the kernel's accounts. Both add up to the timed step."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from voxmark_reports.cases import Case, number, timed_samples
from voxmark_reports.text import clean

_UPDATE = "update"


@dataclass
class Work:
    """A step by kind of work and direction."""

    parts: dict[
        str, float
    ]  # "convolution, backward weights" → seconds; their sum is the timed step
    watched: float  # seconds of the watched step's stages, over the timed forward and backward


def _watched(record: dict[str, Any]) -> dict[str, float]:
    """Seconds of one process's stages by kind of work and direction."""
    parts: dict[str, float] = {}
    for stage in record["stages"]:
        if not number(stage.get("seconds")) or "kind" not in stage:
            continue
        direction = "recomputed" if stage["recomputed"] else stage["direction"]
        name = clean(f"{stage['kind']}, {direction}").replace("_", " ")
        parts[name] = parts.get(name, 0.0) + stage["seconds"]
    return parts


def by_work(case: Case) -> Work | None:
    """Medians of processes. None where nothing was watched: older reports, external programs.

    The update is not watched: its part are its own timed seconds. Watched steps are not the timed
    ones, so their parts are scaled to these.
    """
    processes = [parts for record in case.measured if (parts := _watched(record))]
    timed, update = case.median("forward_backward_seconds"), case.median("update_seconds")
    step = case.median("step_seconds")
    if not processes or not timed or update is None or not step:
        return None
    names = dict.fromkeys(name for parts in processes for name in parts)
    medians = {name: statistics.median(p.get(name, 0.0) for p in processes) for name in names}
    total = sum(medians.values())
    if total <= 0:
        return None
    scale = (step - update) / total
    parts = {name: seconds * scale for name, seconds in medians.items()}
    return Work({**parts, _UPDATE: update}, total / timed)


def watching_notes(cases: Sequence[Case]) -> list[str]:
    """What to know of the parts by work: who tells none, and how far watched steps were off."""
    works = {case.backend: by_work(case) for case in cases}
    silent = [name for name, work in works.items() if work is None]
    told = [work.watched for case in cases if (work := by_work(case))]
    notes = []
    if told:
        low, high = (f"{100 * (end - 1):+.1f}%" for end in (min(told), max(told)))
        span = f"by {low}" if low == high else f"by {low} to {high}"
        notes.append(
            f"Stages of watched steps differ {span} from the timed forward and backward, and are"
            " scaled to it."
        )
    if silent:
        notes.append(
            f"No stages were watched of {', '.join(silent)}: voxmark run --profile watches them, in"
            " its own backends."
        )
    return notes


def of_both(base: Case, other: Case) -> tuple[dict[str, float], dict[str, float]]:
    """Parts of two cases by the same measure: by work where both were watched, else by what the
    threads did. Empty where neither is known of both."""
    works = by_work(base), by_work(other)
    if works[0] and works[1]:
        return works[0].parts, works[1].parts
    threads = by_threads(base), by_threads(other)
    return (threads[0], threads[1]) if threads[0] and threads[1] else ({}, {})


# ---- What the threads did ----

_CPU_TIMES = ("user_seconds", "system_seconds")


def by_threads(case: Case) -> dict[str, float] | None:
    """Wall seconds per step by what the threads did, from the kernel's accounts. None where the
    report has no CPU times.

    "kernels" is user time, "operating system" is system time (page faults, mostly), each over the
    threads; "waiting" is what is left: threads without work, or without a CPU.
    """
    threads = case.spec.get("threads", 1)
    processes = []
    for record in case.measured:
        samples = list(timed_samples(record))
        if not all(
            number(sample["readings"].get(name)) for sample in samples for name in _CPU_TIMES
        ):
            return None
        if samples:  # else all were to warm up
            processes.append([_parts_of_sample(sample, threads) for sample in samples])
    if not processes:
        return None
    names = processes[0][0].keys()
    parts = {
        name: statistics.median(statistics.mean(s[name] for s in samples) for samples in processes)
        for name in names
    }
    # Medians of parts do not add up to the median of the whole: scale them, so that they do.
    total, step = sum(parts.values()), case.median("step_seconds")
    return {name: value * step / total for name, value in parts.items()} if total and step else None


def _parts_of_sample(sample: dict[str, Any], threads: int) -> dict[str, float]:
    wall = sample["step_seconds"]
    user, system = (sample["readings"][name] / threads for name in _CPU_TIMES)
    busy = user + system
    scale = wall / busy if busy > wall else 1.0  # the accounts count in ticks
    return {
        "kernels (user time)": user * scale,
        "operating system (system time)": system * scale,
        "threads waiting": max(0.0, wall - busy),
    }
