"""Google Benchmark's JSON as records: one per benchmark, one process per file.

What voxmark's own benches add to the context (AddCustomContext) tells machine and workload apart;
other programs' files have only what Google Benchmark writes.

Its repetitions are steps of one process: they share its memory layout and its luck, so that only
several files (a folder of them) can be compared. Their median is the process's figure. It stands in
the file too, also where only aggregates were written (--benchmark_report_aggregates_only).

A row that was skipped or failed has times of 0, and a row without a time is no figure: it becomes a
record without samples.
"""

from __future__ import annotations

import math
import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from voxmark_reports.case_fields import FIELDS
from voxmark_reports.cases import number
from voxmark_reports.errors import ToolError
from voxmark_reports.text import clean, counted

_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
_RATES = ("FLOP/s", "bytes/s")
_TIMING = re.compile(r"(/iterations:\d+)?(/manual_time)?$")
# Of the context, what makes it another case: named as in a report's cases.
_CASE = {field.key: field.name for field in FIELDS if field.told_by_benches}
# Before 1.5 only its name tells an aggregate: of "f" there are "f_mean", "f_stddev", "f_BigO", ...
_OLD_AGGREGATE = re.compile(r"(.+)_(mean|median|stddev)")
_OLD_FIT = re.compile(r".+_(BigO|RMS)")
_NOT_JSON = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\b(?:NaN|nan|Infinity|inf)\b')

Row = dict[str, Any]


def without_nan(text: bytes) -> bytes:
    """NaN and infinite counters are written as such, which is not JSON: null instead."""
    return _NOT_JSON.sub(lambda m: m[0] if m[0].startswith(b'"') else b"null", text)


def is_output(content: Any) -> bool:
    return isinstance(content, dict) and "context" in content and "benchmarks" in content


@dataclass
class _Benchmark:
    """All rows of one benchmark in a file."""

    samples: list[Row] = field(default_factory=list)
    median: Row | None = None  # of repetitions that may not be in the file
    label: str = ""
    full_name: str = ""  # with how it was timed: what a filter is held against
    failure: str = ""  # why there is no figure, or not of all repetitions
    failed: int = 0  # repetitions that ended with an error
    left_out: int = 0  # others without a figure, which was never promised

    def used(self) -> list[Row]:
        return self.samples or ([self.median] if self.median else [])


def to_report(content: dict[str, Any], name: str) -> dict[str, Any]:
    """The members of a Report. Raises ToolError naming the benchmark that makes no sense."""
    context, rows = content["context"], content["benchmarks"]
    if not isinstance(context, dict):
        raise ToolError(f"{name}: context: expected an object, found {clean(context)[:100]}")
    if not isinstance(rows, list):
        raise ToolError(f"{name}: benchmarks: expected an array, found {clean(rows)[:100]}")
    for position, row in enumerate(rows):
        if not isinstance(row, dict) or not isinstance(row.get("name"), str):
            raise ToolError(f'{name}: benchmarks/{position}: expected "name", a text')
    workload = {own: _value(context[key]) for key, own in _CASE.items() if key in context}
    program = str(context.get("executable") or "bench_ops")
    return {
        "created": str(context.get("date", "")),
        "environment": _environment(context),
        "records": [
            _record(own, workload, found, program) for own, found in _benchmarks(rows, name).items()
        ],
    }


def _benchmarks(rows: Sequence[Row], name: str) -> dict[str, _Benchmark]:
    """By name, in the order of their first appearance."""
    found: dict[str, _Benchmark] = defaultdict(_Benchmark)
    old = _old_aggregates(rows)
    own_names = _own_names([_run_name(row, old) for row in rows])
    for position, row in enumerate(rows):
        kind = _kind(row, old)
        if kind == "fit":  # of complexity: no time of a run
            continue
        name_of_run = _run_name(row, old)
        one = found[own_names[name_of_run]]
        one.full_name = name_of_run
        if row.get("error_occurred") or row.get("skipped"):
            is_error = bool(row.get("error_occurred"))
            one.failed += is_error
            one.left_out += not is_error
            message = row.get("error_message") or row.get("skip_message")
            said = clean(message or "skipped, without a message")
            one.failure = said if is_error or not one.failed else one.failure
            continue
        if kind in ("iteration", "median"):
            sample = _sample(row, f"{name}: benchmarks/{position} ({clean(row['name'])})")
            if isinstance(sample, str):
                one.failure = one.failure or sample
                one.left_out += kind == "iteration"
            elif kind == "median":
                one.median = sample
            else:
                one.samples.append(sample)
            one.label = str(row.get("label", ""))
    for one in found.values():
        one.failure = one.failure or "only aggregates in the file, and no median among them"
    return found


def _old_aggregates(rows: Sequence[Row]) -> dict[str, tuple[str, str]]:
    """Of rows that do not tell what they are: "f_mean" → ("f", "mean"). Google Benchmark writes
    mean and standard deviation together, and with as many iterations as the runs have."""
    untold = {row["name"]: row.get("iterations") for row in rows if "run_type" not in row}
    found = {}
    for name, iterations in untold.items():
        match = _OLD_AGGREGATE.fullmatch(name)
        if match and all(
            f"{match[1]}_{other}" in untold and untold[f"{match[1]}_{other}"] == iterations
            for other in ("mean", "stddev")
        ):
            found[name] = (match[1], match[2])
    return found


def _run_name(row: Row, old: dict[str, tuple[str, str]]) -> str:
    own = row.get("run_name")
    return own if isinstance(own, str) else old.get(row["name"], (row["name"],))[0]


def _kind(row: Row, old: dict[str, tuple[str, str]]) -> str:
    """iteration, fit (of complexity), or the name of an aggregate."""
    kind = row.get("run_type")
    if kind == "iteration":
        return "iteration"
    if kind is None and row["name"] in old:
        return old[row["name"]][1]
    is_fit = "real_time" not in row and ("big_o" in row or "rms" in row)
    if is_fit or (kind is None and "real_time" not in row and _OLD_FIT.fullmatch(row["name"])):
        return "fit"
    return "iteration" if kind is None else str(row.get("aggregate_name") or "aggregate")


def _own_names(names: Sequence[str]) -> dict[str, str]:
    """How it was timed is no part of a benchmark's name, unless nothing else tells two apart."""
    short = {name: _TIMING.sub("", name) for name in names}
    counts = Counter(short.values())
    return {name: own if counts[own] == 1 else name for name, own in short.items()}


def _sample(row: Row, place: str) -> Row | str:
    """What was timed, or why there is no time. Raises ToolError for a unit that is none."""
    unit = row.get("time_unit", "ns")  # the first versions had no other
    if not isinstance(unit, str) or unit not in _SECONDS:
        raise ToolError(f"{place}: time_unit: expected ns, us, ms or s, found {clean(unit)}")
    seconds = _finite(row.get("real_time"))
    if seconds is None or seconds <= 0:
        found = clean(row["real_time"])[:40] if "real_time" in row else "nothing"
        if "real_time" in row and row["real_time"] is None:  # see without_nan()
            found = "no finite number"
        return f"real_time: expected more than 0, found {found}"
    readings = {rate: value for rate in _RATES if (value := _finite(row.get(rate))) is not None}
    cpu = _finite(row.get("cpu_time"))
    if cpu is not None and cpu >= 0:
        readings["cpu_seconds"] = _SECONDS[unit] * cpu
    return {"op_seconds": _SECONDS[unit] * seconds, "warmup": False, "readings": readings}


def _finite(value: Any) -> float | None:
    return float(value) if number(value) and math.isfinite(value) else None


def _command(op: str, full_name: str, workload: dict[str, Any], program: str) -> str:
    """What measures this op again, in one process, and no other whose name begins like it."""
    own = {value: key for key, value in _CASE.items()}
    flags = [f"--{own[name]}={value}" for name, value in workload.items()]
    image = re.fullmatch(r"(\d+x\d+x\d+)(x\d+)?", op.rpartition("/")[2])  # bench_step adds a batch
    if workload and image:
        flags += [f"--image={image[1]}", "--no-limits"]  # the limits tell no times
    flags.append(f"--benchmark_filter={shlex.quote(f'^{re.escape(full_name)}$')}")
    return clean(" ".join([shlex.quote(program), *flags]))


def _value(text: Any) -> Any:
    """A custom context holds texts only."""
    return int(text) if isinstance(text, str) and text.isdecimal() else text


def _environment(context: dict[str, Any]) -> dict[str, Any]:
    model = context.get("cpu_model")
    cpu = {
        "model_name": None if model == "unknown" else model,
        "isa": context.get("isa"),
        "online": context.get("num_cpus"),
        "mhz": context.get("mhz_per_cpu"),
        "caches": context.get("caches"),
    }
    bench = {
        "library": context.get("library"),
        "benchmark_build": context.get("library_build_type"),
    }
    return {"cpu": cpu, "system": {"host": context.get("host_name")}, "bench": bench}


def _record(name: str, workload: Row, found: _Benchmark, program: str) -> Row:
    implementation, _, layout = found.label.partition(" ")
    stage = {"ops": [name], "implementation": implementation, "layout": layout, "isa": ""}
    samples = found.used()
    failed = "failed" if found.failed else "skipped"
    missing = found.failed + found.left_out
    reason = found.failure
    if samples and missing:
        total = missing + len(found.samples)
        reason = f"{missing} of {counted(total, 'repetition')} left no figure: {found.failure}"
    return {
        "case": {"op": name, **workload, "process": 0},
        "reproduce": _command(name, found.full_name, workload, program),
        "outcome": "ok" if samples else failed,
        "reason": reason if missing or not samples else None,
        "timing": "manual time" if found.full_name.endswith("/manual_time") else "wall time",
        "failed_repetitions": found.failed,
        "left_out_repetitions": found.left_out,
        "samples": samples,
        "memory": {},
        "stages": [stage] if found.label else [],
    }
