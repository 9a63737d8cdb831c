"""What a run says of a process beside its samples, and of itself: the members of "details" that
voxmark knows. results/record_facts.h and results/run_facts.h have them in C++, and
results/report.schema.json describes each. Nothing else looks into "details".

A member that is missing, or null, counts as not told. A known name with a value of another type
does not get here: the schema refuses the report.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voxmark_reports.text import clean

if TYPE_CHECKING:
    from voxmark_reports.reading import Report

Record = dict[str, Any]


def _object(value: Any, name: str) -> dict[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _number(value: dict[str, Any], name: str) -> float | None:
    found = value.get(name)
    is_number = isinstance(found, (int, float)) and not isinstance(found, bool)
    return float(found) if is_number else None


def _details(record: Record, name: str) -> dict[str, Any]:
    return _object(_object(record, "details"), name)


# ---- Of a record ----


def program_hashes(record: Record) -> dict[str, str]:
    """Of a program of somebody else's: "child.py" → its SHA-256; nothing of voxmark's own."""
    files = _details(record, "program").get("files") or []
    return {clean(own["path"]): own["sha256"] for own in files if {"path", "sha256"} <= own.keys()}


@dataclass(frozen=True)
class Roofline:
    """The least time of a step by the machine's measured limits."""

    seconds: float | None
    reason: str  # why there is none


def roofline(record: Record) -> Roofline | None:
    """None where the record says nothing of it."""
    if not isinstance(_object(record, "details").get("roofline"), dict):
        return None
    found = _details(record, "roofline")
    return Roofline(_number(found, "seconds"), clean(found.get("reason") or "not told"))


@dataclass(frozen=True)
class Interference:
    """What disturbed a process while it was timed."""

    tainted: bool = False  # too much for its times to count
    reasons: tuple[str, ...] = ()


def interference(record: Record) -> Interference:
    found = _details(record, "interference")
    reasons = found.get("reasons")
    texts = tuple(clean(reason) for reason in reasons) if isinstance(reasons, list) else ()
    return Interference(found.get("tainted") is True, texts)


def copies_apart(record: Record) -> str:
    """Why the copies of a case did not run side by side; "" where they did, or it has none."""
    return clean(_details(record, "copies").get("apart") or "")


@dataclass(frozen=True)
class Rank:
    """Where one of several ranks ran, and its seconds: the members of RankTimes::of_rank() in
    benches/child/rank_times.h, in so far as they were told."""

    host: str
    cpus: str  # "0-3,8"
    threads: int | None
    peak_bytes: float | None
    times: dict[str, float]


def ranks(record: Record) -> list[Rank]:
    """In their order; none of a case of one, or of a program that does not tell."""
    each = _object(_details(record, "probes"), "ranks").get("each")
    return [_rank(own) for own in each if isinstance(own, dict)] if isinstance(each, list) else []


def rank_model_seconds(record: Record) -> float | None:
    """Of a step of several ranks, predicted; None where there is no model of it."""
    return _number(_details(record, "rank_model"), "seconds")


def _rank(own: dict[str, Any]) -> Rank:
    times = _object(own, "times")
    known = {name: _number(times, name) for name in times}
    threads = _number(own, "threads")
    return Rank(
        clean(own.get("host") or "-"),
        _list_text(own.get("cpus")),
        None if threads is None else int(threads),
        _number(own, "peak_bytes"),
        {name: value for name, value in known.items() if value is not None},
    )


def _list_text(cpus: Any) -> str:
    """[0, 1, 2, 8] -> "0-2,8"."""
    if not isinstance(cpus, list) or not all(type(cpu) is int for cpu in cpus):
        return "-" if cpus is None else clean(cpus)
    ranges: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if ranges and cpu == ranges[-1][1] + 1:
            ranges[-1][1] = cpu
        else:
            ranges.append([cpu, cpu])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges) or "-"


def joules_per_image(record: Record) -> float | None:
    return _number(_object(_details(record, "probes"), "energy"), "joules_per_image")


def counted_event(record: Record, name: str) -> float | None:
    """Per step; None where it could not be counted."""
    return _number(_object(_all_events(record), name), "value")


def counted_events(record: Record) -> dict[str, float]:
    """By name, per step; those that could not be counted are left out."""
    found = {name: _number(event, "value") for name, event in _events(record).items()}
    return {name: value for name, value in found.items() if value is not None}


def missing_readings(record: Record) -> dict[str, Any]:
    """Readings and events that could not be had: name to reason."""
    missing = dict(_object(_details(record, "probes"), "missing_readings"))
    for name, event in _events(record).items():
        if event.get("value") is None:
            missing[name] = event.get("reason") or "no reason given"
    return missing


def _all_events(record: Record) -> dict[str, Any]:
    return _object(_object(_details(record, "probes"), "counters"), "events")


def _events(record: Record) -> dict[str, dict[str, Any]]:
    return {name: own for name, own in _all_events(record).items() if isinstance(own, dict)}


# ---- Of a run ----


def baseline(report: Report) -> str:
    """The backend that speed-ups refer to; "" where the run was not told."""
    found = report.details.get("baseline")
    return clean(found) if found else ""


def partial(report: Report) -> str:
    """Why the report is not whole; "" where it is."""
    found = report.details.get("partial")
    return clean(found) if found else ""


def busy_at_start(report: Report) -> str:
    found = report.details.get("busy_at_start")
    return clean(found) if found else ""


def environment_changes(report: Report) -> list[Any]:
    """What changed while cases ran, each as environment.recorded_change_texts() reads it."""
    found = report.details.get("environment_changes")
    return found if isinstance(found, list) else []


def set_environment_changes(report: Report, changes: list[Any]) -> None:
    report.details["environment_changes"] = changes


def set_partial(content: dict[str, Any], reason: str) -> None:
    """Of a report's JSON."""
    content.setdefault("details", {})["partial"] = reason


@dataclass
class Answer:
    """What `voxmark reproduce` says of the white paper."""

    lines: list[str]
    claims: list[dict[str, Any]]  # title, place, paper, here, verdict
    shape: str  # of the generations
    generations: list[dict[str, Any]]  # backend, meaning, step_seconds, times, page_faults, ...
    left_out: str
    measured: str


def answer(report: Report) -> Answer | None:
    """None where the report is no reproduction, or older than its answer."""
    found = report.details.get("answer")
    if not isinstance(found, dict):
        return None
    generations = _object(found, "generations")
    return Answer(
        [clean(line) for line in found["lines"]],
        found["claims"],
        clean(generations.get("shape", "")),
        generations.get("rows", []),
        clean(found["left_out"]),
        clean(found["measured"]),
    )


def measured_limits(report: Report) -> list[dict[str, Any]]:
    """What the machine can do at most, by number of threads."""
    found = report.limits.get("machine")
    return [own for own in found if isinstance(own, dict)] if isinstance(found, list) else []
