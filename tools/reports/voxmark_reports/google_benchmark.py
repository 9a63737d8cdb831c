"""Google Benchmark's JSON as records: one per benchmark, one process per file.

What voxmark's own benches add to the context (AddCustomContext) tells machine and workload apart;
other programs' files have only what Google Benchmark writes.

Its repetitions are steps of one process: they share its memory layout and its luck, so that only
several files (a folder of them) can be compared.
"""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from typing import Any

from voxmark_reports.errors import ToolError
from voxmark_reports.text import clean

_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
_RATES = ("FLOP/s", "bytes/s")
_TIMING = re.compile(r"(/iterations:\d+)?(/manual_time)?$")
# Of the context, what makes it another case: named as in a report's cases.
_CASE = {
    "threads": "threads",
    "precision": "precision",
    "batch": "batch",
    "filters": "filters",
    "channels": "input_channels",
    "classes": "classes",
}


def is_output(content: Any) -> bool:
    return isinstance(content, dict) and "context" in content and "benchmarks" in content


def to_report(content: dict[str, Any], name: str) -> dict[str, Any]:
    """The members of a Report. Raises ToolError naming the benchmark that makes no sense."""
    context = content["context"]
    samples: dict[str, list[dict[str, Any]]] = defaultdict(list)
    failures: dict[str, str] = {}
    labels: dict[str, str] = {}
    try:
        for run in content["benchmarks"]:
            # How it was timed is no part of its name.
            own = _TIMING.sub("", str(run.get("run_name", run["name"])))
            if run.get("run_type", "iteration") != "iteration":
                continue  # aggregates: made again from the samples
            if run.get("error_occurred"):
                failures[own] = str(run.get("error_message", "failed"))
                continue
            unit = _SECONDS[run["time_unit"]]
            readings = {"cpu_seconds": unit * float(run["cpu_time"])}
            readings.update({rate: float(run[rate]) for rate in _RATES if rate in run})
            samples[own].append(
                {
                    "op_seconds": unit * float(run["real_time"]),
                    "warmup": False,
                    "readings": readings,
                }
            )
            labels[own] = str(run.get("label", ""))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ToolError(f"{name}: Google Benchmark's JSON without {clean(error)}") from error
    workload = {own: _value(context[key]) for key, own in _CASE.items() if key in context}
    program = str(context.get("executable") or "bench_ops")
    records = [
        _record(own, workload, labels[own], runs, None, program) for own, runs in samples.items()
    ]
    records += [
        _record(own, workload, "", [], why, program)
        for own, why in failures.items()
        if own not in samples
    ]
    return {
        "created": str(context.get("date", "")),
        "environment": _environment(context),
        "records": records,
    }


def _command(op: str, workload: dict[str, Any], program: str) -> str:
    """What measures this op again, in one process."""
    own = {value: key for key, value in _CASE.items()}
    flags = [f"--{own[name]}={value}" for name, value in workload.items()]
    image = re.fullmatch(r"(\d+x\d+x\d+)(x\d+)?", op.rpartition("/")[2])  # bench_step adds a batch
    if workload and image:
        flags += [f"--image={image[1]}", "--no-limits"]  # the limits tell no times
    flags.append(f"--benchmark_filter={shlex.quote(f'^{re.escape(op)}')}")
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


def _record(
    name: str,
    workload: dict[str, Any],
    label: str,
    samples: list[dict[str, Any]],
    failure: str | None,
    program: str,
) -> dict[str, Any]:
    implementation, _, layout = label.partition(" ")
    stage = {"ops": [name], "implementation": implementation, "layout": layout, "isa": ""}
    return {
        "case": {"op": name, **workload, "process": 0},
        "reproduce": _command(name, workload, program),
        "outcome": "failed" if failure else "ok",
        "reason": failure,
        "samples": samples,
        "memory": {},
        "stages": [stage] if label else [],
    }
