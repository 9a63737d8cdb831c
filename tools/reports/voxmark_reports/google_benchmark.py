"""Google Benchmark's JSON as records: one per benchmark, one process per file.

Its repetitions are steps of one process: they share its memory layout and its luck, so that only
several files (a folder of them) can be compared.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from voxmark_reports.errors import ToolError
from voxmark_reports.text import clean

_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
_RATES = ("FLOP/s", "bytes/s")


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
            own = str(run.get("run_name", run["name"])).removesuffix("/manual_time")
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
    records = [_record(own, labels[own], runs, None) for own, runs in samples.items()]
    records += [_record(own, "", [], why) for own, why in failures.items() if own not in samples]
    cpu = {"online": context.get("num_cpus"), "mhz": context.get("mhz_per_cpu")}
    return {
        "created": str(context.get("date", "")),
        "environment": {"cpu": cpu, "system": {"host": context.get("host_name")}},
        "records": records,
    }


def _record(
    name: str, label: str, samples: list[dict[str, Any]], failure: str | None
) -> dict[str, Any]:
    implementation, _, layout = label.partition(" ")
    stage = {"ops": [name], "implementation": implementation, "layout": layout, "isa": ""}
    return {
        "case": {"op": name, "process": 0},
        "outcome": "failed" if failure else "ok",
        "reason": failure,
        "samples": samples,
        "memory": {},
        "stages": [stage] if label else [],
    }
