"""The page's tables, as values; each is HTML on the page and CSV for everything else."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from voxmark_reports import details, differences, step_parts
from voxmark_reports.cases import Case, cases_of, number, shared_members
from voxmark_reports.figures import Figure, SpeedUp
from voxmark_reports.machines import are_machines
from voxmark_reports.reading import Report
from voxmark_reports.text import (
    bytes_text,
    clean,
    file_name,
    percent,
    seconds_text,
    significant,
)


@dataclass
class Table:
    name: str  # of the CSV file
    title: str
    columns: list[tuple[str, str]]  # key in the rows, heading
    rows: list[dict[str, Any]] = field(default_factory=list)
    # How a column's numbers are shown; CSV keeps them as they are.
    shown: dict[str, Callable[[Any], str]] = field(default_factory=dict)

    def cell_text(self, row: dict[str, Any], key: str) -> str:
        value = row.get(key)
        if value is None:
            return "-"
        if key in self.shown:
            return self.shown[key](value)
        return significant(value) if isinstance(value, float) else clean(value)

    def csv(self) -> str:
        output = io.StringIO()
        writer = csv.writer(output, lineterminator="\n")
        writer.writerow([key for key, _ in self.columns])
        for row in self.rows:
            writer.writerow([_csv_value(row.get(key)) for key, _ in self.columns])
        return output.getvalue()


def _csv_value(value: Any) -> Any:
    """Names come from elsewhere: none may become a formula in a spreadsheet."""
    if value is None or number(value):
        return "" if value is None else value
    text = clean(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _outcome(case: Case) -> str:
    """ "ok, 4 of 8 failed": none of them is passed over."""
    if not case.has_figures or not case.broken:
        return case.outcome
    return f"{case.outcome}, {len(case.broken)} of {len(case.records)} failed"


def _why(case: Case) -> str:
    return case.missing_note if case.has_figures and case.missing_note else case.reason


def results_table(
    reports: Sequence[Report], figures: Sequence[Figure], found: Sequence[SpeedUp]
) -> Table:
    """A row per case, also those without figures, with the reason."""
    factors = {id(s.other): s for s in found}
    by_case = {(f.report, f.case.key()): f for f in figures}
    table = Table(
        "results",
        "Results",
        [
            ("report", "report"),
            ("case", "case"),
            ("outcome", "outcome"),
            ("processes", "processes"),
            ("step_seconds", "s/step"),
            ("forward_backward_seconds", "fwd+bwd s"),
            ("speed_up", "speed-up"),
            ("speed_up_low", "low"),
            ("speed_up_high", "high"),
            ("images_per_second", "images/s"),
            ("flops_per_second", "GFLOP/s"),
            ("roofline_share", "of roofline"),
            ("planned_bytes", "planned"),
            ("allocated_bytes", "allocated"),
            ("peak_bytes", "peak"),
            ("note", "note"),
        ],
        shown={
            "flops_per_second": lambda value: significant(value / 1e9, 3),
            "roofline_share": percent,
            "planned_bytes": bytes_text,
            "allocated_bytes": bytes_text,
            "peak_bytes": bytes_text,
            "speed_up": lambda value: f"{significant(value, 3)}x",
            "speed_up_low": lambda value: significant(value, 3),
            "speed_up_high": lambda value: significant(value, 3),
        },
    )
    if len(reports) == 1:
        table.columns = table.columns[1:]
    for report in reports:
        if report.op_level:
            continue
        cases = cases_of(report)
        shared = shared_members(cases)
        for case in cases:
            row: dict[str, Any] = {
                "report": report.name,
                "case": case.label(shared),
                "outcome": _outcome(case),
                "note": "; ".join(filter(None, (_why(case), case.deciding.note))),
                "planned_bytes": case.median("planned_bytes"),
                "allocated_bytes": case.median("allocated_bytes"),
                "peak_bytes": case.median("peak_bytes"),
                "processes": len(case.deciding.records),
            }
            figure = by_case.get((report.name, case.key()))
            if figure:
                for name in (
                    "step_seconds",
                    "forward_backward_seconds",
                    "images_per_second",
                    "flops_per_second",
                    "roofline_share",
                ):
                    row[name] = getattr(figure, name)
                speed_up = factors.get(id(figure))
                if speed_up:
                    row["speed_up"] = speed_up.factor
                    if speed_up.interval:
                        row["speed_up_low"], row["speed_up_high"] = speed_up.interval
            table.rows.append(row)
    if any(row["note"] for row in table.rows):  # why there are no figures, where it is seen
        note = table.columns.pop()
        table.columns.insert([key for key, _ in table.columns].index("outcome") + 1, note)
    return table


def work_table(figures: Sequence[Figure]) -> Table:
    """Seconds of a step by kind of work and direction; the longest part of all first."""
    longest: dict[str, float] = {}
    rows = []
    for figure in figures:
        work = step_parts.by_work(figure.case)
        if work is None:
            continue
        for name, seconds in work.parts.items():
            longest[name] = max(longest.get(name, 0.0), seconds / figure.step_seconds)
        label = f"{figure.series} {figure.image}"
        rows.append({"case": label, "step_seconds": figure.step_seconds, **work.parts})
    parts = sorted(longest, key=lambda name: -longest[name])
    columns = [("case", "case"), ("step_seconds", "step"), *((name, name) for name in parts)]
    shown = dict.fromkeys(["step_seconds", *parts], seconds_text)
    return Table("work", "Seconds of a step by kind of work", columns, rows, shown)


def memory_table(figures: Sequence[Figure]) -> Table:
    """Bytes by purpose, as the backend planned them."""
    purposes: dict[str, None] = {}
    rows = []
    for figure in figures:
        memory = figure.case.fact("memory") or {}
        plan = {k: v for k, v in memory.get("plan_by_purpose", {}).items() if v}
        purposes.update(dict.fromkeys(plan))
        rows.append({"case": f"{figure.series} {figure.image}", **plan})
    if not purposes:
        rows = []
    columns = [("case", "case"), *((purpose, clean(purpose)) for purpose in purposes)]
    return Table(
        "memory-plan", "What the plan holds", columns, rows, dict.fromkeys(purposes, bytes_text)
    )


def counters_table(figures: Sequence[Figure]) -> Table:
    """Per step: medians of processes of medians of steps."""
    names: dict[str, str] = {}
    for figure in figures:
        names |= {f"readings.{name}": name for name in figure.case.readings()}
        names |= {f"counters.{name}": name for name in figure.case.counters()}
    rows = []
    for figure in figures:
        values = {metric: figure.case.median(metric) for metric in names}
        rows.append({"case": f"{figure.series} {figure.image}", **values})
    columns = [("case", "case"), *((m, clean(name).replace("_", " ")) for m, name in names.items())]
    shown = dict.fromkeys(names, lambda value: significant(value, 3))
    return Table("counters", "Readings and counters per step", columns, rows, shown)


def missing_counters(figures: Sequence[Figure]) -> list[str]:
    """Readings and events that could not be had, and why: once per reason."""
    reasons: dict[str, dict[str, None]] = {}
    for figure in figures:
        for record in figure.case.measured[:1]:
            for name, reason in details.missing_readings(record).items():
                reasons.setdefault(clean(reason), {})[clean(name).replace("_", " ")] = None
    return [f"{', '.join(names)}: {reason}" for reason, names in reasons.items()]


def differences_table(reports: Sequence[Report]) -> Table:
    found = differences.environment_differences(list(reports), are_machines(reports))
    columns = [("name", "what")] + [(f"v{i}", report.name) for i, report in enumerate(reports)]
    rows = [{"name": d.name, **{f"v{i}": value for i, value in enumerate(d.values)}} for d in found]
    return Table("differences", "Differences, the most important first", columns, rows)


def environment_table(report: Report) -> Table:
    facts = differences.facts(report)
    rows = [{"name": n, "value": differences.fact_text(v)} for n, v in facts.items()]
    reasons = []
    for section, content in report.environment.items():
        if isinstance(content, dict):
            for name, reason in (content.get("reasons") or {}).items():
                reasons.append(
                    {"name": f"{section}.{name}", "value": f"not known: {clean(reason)}"}
                )
    name = f"environment-{file_name(report.name)}"
    return Table(
        name,
        f"Environment of {report.name}",
        [("name", "what"), ("value", "value")],
        rows + reasons,
    )


def machines_table(found: Sequence[SpeedUp]) -> Table:
    rows = [
        {
            "image": s.other.image,
            "fastest": s.other.series,
            "over": s.base.series,
            "factor": s.factor,
            "low": s.interval[0] if s.interval else None,
            "high": s.interval[1] if s.interval else None,
            "p": s.p_value,
        }
        for s in found
    ]
    columns = [
        ("image", "image"),
        ("fastest", "its fastest"),
        ("over", "over"),
        ("factor", "times as fast"),
        ("low", "low"),
        ("high", "high"),
        ("p", "p"),
    ]
    shown = {"p": lambda value: f"{value:.2g}"}
    shown |= dict.fromkeys(("factor", "low", "high"), lambda value: significant(value, 3))
    return Table("machines", "The fastest of each report", columns, rows, shown)


def scaling_table(rows: list[dict[str, Any]]) -> Table:
    columns = [
        ("report", "report"),
        ("series", "case"),
        ("threads", "threads"),
        ("step_seconds", "s/step"),
        ("speed_up", "speed-up"),
        ("efficiency", "efficiency"),
    ]
    shown = {"efficiency": percent}
    return Table("scaling", "Scaling by threads", columns, rows, shown)


def op_rows(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """Google Benchmark's names are BACKEND/LAYER/OP/IMAGE; others are taken whole."""
    rows = []
    op_level = [report for report in reports if report.op_level]
    shared = shared_members([case for report in op_level for case in cases_of(report)])
    for report in op_level:
        for case in cases_of(report):
            seconds = case.median("op_seconds")
            if seconds is None:
                continue
            backend, _, op = clean(case.spec["op"]).partition("/")
            if not op:
                backend, op = report.name, backend
            op = f"{op} {case.workload(shared)}".strip()
            stage = next((s for record in case.measured for s in record["stages"]), {})
            implementation = f"{stage.get('implementation', '')} {stage.get('layout', '')}"
            rates = [case.median(f"readings.{name}") for name in ("FLOP/s", "bytes/s")]
            rows.append(
                {
                    "report": report.name,
                    "backend": backend if len(reports) == 1 else f"{report.name}: {backend}",
                    "op": op,
                    "milliseconds": 1e3 * seconds,
                    "gflops": rates[0] / 1e9 if rates[0] else None,
                    "gbytes": rates[1] / 1e9 if rates[1] else None,
                    "implementation": clean(implementation.strip()),
                }
            )
    return rows


def op_table(rows: list[dict[str, Any]]) -> Table:
    columns = [
        ("backend", "backend"),
        ("op", "op"),
        ("milliseconds", "ms"),
        ("gflops", "GFLOP/s"),
        ("gbytes", "GB/s"),
        ("implementation", "implementation"),
    ]
    return Table("ops", "Single ops", columns, rows)
