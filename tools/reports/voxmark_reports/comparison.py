"""Compares one base with others: pairs the cases, judges every metric, and knows the exit code."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from voxmark_reports import differences, verdicts
from voxmark_reports.cases import (
    BROKEN,
    WORDING,
    Case,
    Metric,
    cases_of,
    metrics_of,
    short_labels,
)
from voxmark_reports.errors import ExitCode, ToolError
from voxmark_reports.reading import Report
from voxmark_reports.text import clean
from voxmark_reports.verdicts import Judgement, Verdict

DEFAULT_FAIL_ON = ("step_seconds", "op_seconds", "peak_bytes", "planned_bytes")


@dataclass
class Options:
    # Metric → how much more of it is allowed, relative; None: what is not the same is a regression.
    fail_on: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(DEFAULT_FAIL_ON))
    noise_floor: float = 0.0  # relative; of this machine, from A/A runs
    ignore: frozenset[str] = frozenset()  # "machine", or members of a case

    def allowed(self, metric: Metric) -> float | None:
        own = self.fail_on.get(metric.name)
        return own if own is None or metric.exact else max(own, self.noise_floor)

    def margin(self, metric: Metric) -> float:
        """Closer than that is the same. Who allows less than that wants to know of less."""
        allowed = self.allowed(metric)
        usual = max(verdicts.MARGIN, self.noise_floor)
        return usual if allowed is None else min(usual, allowed)


@dataclass
class Row:
    """A case and a metric; one judgement per new report."""

    case: Case
    label: str  # of the case, without what all cases of the base share
    metric: Metric
    judgements: list[Judgement]
    decides: bool  # counts for the exit code


@dataclass
class Comparison:
    base: Report
    news: list[Report]
    environment: list[differences.Difference]
    stages: list[list[differences.StageChange]]  # one list per new report
    rows: list[Row]
    extra: list[list[str]]  # cases that only a new report has
    unmeasured: list[str]  # cases of the base without figures, or without one that decides
    options: Options

    def judgements(self) -> list[Judgement]:
        return [found for row in self.rows if row.decides for found in row.judgements]

    @property
    def exit_code(self) -> ExitCode:
        return verdicts.exit_code(self.judgements())


# Only counters have colons in their names, so that "step_seconds:5" is told what it lacks.
_METRIC = r"counters\.[\w.:=,/-]+?|[A-Za-z_][\w./-]*"


def parse_fail_on(texts: list[str]) -> dict[str, float | None]:
    """ "step_seconds" or "step_seconds:5%"; libpfm4's names have colons of their own:
    "counters.UOPS_ISSUED:ANY:5%"."""
    chosen: dict[str, float | None] = {}
    for text in texts:
        match = re.fullmatch(rf"({_METRIC})(?::(\d+(?:\.\d+)?)%)?", text)
        if not match:
            raise ToolError(
                f"--fail-on {text}: expected METRIC or METRIC:PERCENT%, as load_seconds:5%"
            )
        chosen[match[1]] = float(match[2]) / 100 if match[2] else None
    return chosen


def _check_ignore(ignore: frozenset[str], cases: list[Case]) -> None:
    """Raises ToolError for a word that ignores nothing."""
    known = {"machine", *WORDING, *(name for case in cases for name in case.spec)}
    if unknown := sorted(ignore - known):
        raise ToolError(f"--ignore {unknown[0]}: expected one of {', '.join(sorted(known))}")


def _pair(
    base: list[Case], new: list[Case], ignore: frozenset[str]
) -> list[tuple[Case, Case | None]]:
    """By what was asked; then by the input's hash, as data lie elsewhere on other machines."""
    by_key = {case.key(ignore): case for case in new}
    if len(by_key) < len(new) or len({case.key(ignore) for case in base}) < len(base):
        raise ToolError(
            f"--ignore {','.join(sorted(ignore))}: several cases of a report become one"
        )
    without_data = ignore | {"data"}
    by_input = {(case.key(without_data), case.fact("input_sha256")): case for case in new}
    pairs = []
    for case in base:
        match = by_key.get(case.key(ignore))
        if match is None and case.fact("input_sha256"):
            match = by_input.get((case.key(without_data), case.fact("input_sha256")))
        pairs.append((case, match))
    return pairs


def _nearest(case: Case, others: list[Case]) -> str:
    """Why there is no such case: what the most similar one has instead."""

    def changed(other: Case) -> list[str]:
        names = dict.fromkeys([*case.spec, *other.spec])
        skip = ("steps", "warmup")
        return [n for n in names if n not in skip and case.spec.get(n) != other.spec.get(n)]

    alike = [other for other in others if other.spec.get("backend") == case.spec.get("backend")]
    if not alike:
        return "not in this report"
    other = min(alike, key=lambda o: len(changed(o)))
    parts = [f"{n} {case.spec.get(n)} → {other.spec.get(n)}" for n in changed(other)]
    return f"not in this report (nearest: {clean(', '.join(parts))})"


def _refusal(base: Case, new: Case | None, news: list[Case], blocked: str) -> Judgement | None:
    """A judgement where figures cannot be set side by side at all."""
    if new is None:
        return Judgement(Verdict.NOT_COMPARABLE, _nearest(base, news))
    if not new.has_figures:
        why = f"{new.outcome}: {new.reason}"
        return Judgement(Verdict.NOT_COMPARABLE, why, broken=new.outcome in BROKEN)
    if blocked:
        return Judgement(Verdict.NOT_COMPARABLE, blocked)
    if workload := differences.workload_difference(base, new):
        return Judgement(Verdict.NOT_COMPARABLE, workload)
    return None


def _measure(base: Case, new: Case, metric: Metric) -> Judgement:
    before, after = base.values(metric.name), new.values(metric.name)
    if not before or not after:
        side = "the base" if not before else "the new report"
        return Judgement(Verdict.NOT_COMPARABLE, f"{side} has no such figure")
    found = verdicts.measure(before, after, metric.exact)
    if metric.unit == "seconds":
        found.noisy = base.noisy() or new.noisy()
    return found


def compare(base: Report, news: list[Report], options: Options) -> Comparison:
    base_cases = cases_of(base)
    new_cases = [cases_of(report) for report in news]
    _check_ignore(options.ignore, [case for cases in (base_cases, *new_cases) for case in cases])
    environment = differences.environment_differences([base, *news])
    if not any(case.has_figures for case in base_cases):
        raise ToolError(f"{base.name}: nothing was measured in it", ExitCode.NOT_COMPARABLE)
    matched = [_pair(base_cases, cases, options.ignore) for cases in new_cases]
    blocks = []
    for report in news:
        own = differences.environment_differences([base, report])
        reasons = dict.fromkeys(f"{d.blocks}: {d.name}" for d in own if d.blocks)
        blocks.append("" if "machine" in options.ignore else "; ".join(reasons))

    metrics = metrics_of(base_cases)
    missing = [name for name in options.fail_on if name not in {m.name for m in metrics}]
    wanted = [name for name in missing if name not in DEFAULT_FAIL_ON]
    if wanted:
        raise ToolError(
            f"--fail-on {wanted[0]}: {base.name} has no such metric; it has"
            f" {', '.join(metric.name for metric in metrics)}"
        )

    rows, unmeasured = [], []
    labels = short_labels(base_cases)
    for position, case in enumerate(base_cases):
        others = [pairs[position][1] for pairs in matched]
        if not case.has_figures:
            unmeasured.append(f"{labels[case.key()]}: {case.outcome} in {base.name}: {case.reason}")
            continue
        for metric in metrics:
            # The harness's own cost is known, and not judged.
            decides = metric.name in options.fail_on and case.outcome != "overhead"
            if not case.values(metric.name):
                if decides:
                    unmeasured.append(f"{labels[case.key()]}: no {metric.label} in {base.name}")
                continue
            judgements = []
            for cases, other, blocked in zip(new_cases, others, blocks, strict=True):
                refused = _refusal(case, other, cases, blocked)
                judgements.append(refused or _measure(case, other, metric))  # type: ignore[arg-type]
            rows.append(Row(case, labels[case.key()], metric, judgements, decides))

    _decide(rows, options)
    extra = []
    for cases, pairs in zip(new_cases, matched, strict=True):
        used = {id(other) for _, other in pairs}
        extra.append([case.label() for case in cases if id(case) not in used])
    stages = [differences.stage_changes([(a, b) for a, b in pairs if b]) for pairs in matched]
    return Comparison(base, news, environment, stages, rows, extra, unmeasured, options)


def _decide(rows: list[Row], options: Options) -> None:
    """What decides together is corrected together; every other metric on its own."""
    families: dict[str, list[Row]] = {}
    for row in rows:
        families.setdefault("" if row.decides else row.metric.name, []).append(row)
    for family in families.values():
        questions = verdicts.correct(found for row in family for found in row.judgements)
        for row in family:
            for found in row.judgements:
                if found.base_values:  # else refused: its verdict stands
                    margin = options.margin(row.metric)
                    verdicts.decide(found, margin, questions, options.allowed(row.metric))
                    if row.decides:
                        verdicts.settle(found, margin, questions)


# Processes per side that are worth a first try, where nothing is known of the noise.
USUAL_PROCESSES = 10


@dataclass
class Remedy:
    """What turns an open answer into a verdict, for both states of what is compared."""

    command: str  # without how often
    total: int  # processes per side
    more: int  # of them, those that there are not yet
    anew: bool  # what there is was disturbed, and does not count


def remedy(row: Row, found: Judgement) -> Remedy | None:
    """None where no reasonable number of processes would do, or the report names no command."""
    command = row.case.records[0].get("reproduce")
    counts = (len(found.base_values), len(found.new_values))
    if found.noisy:
        total = more = max(USUAL_PROCESSES, *counts)
    elif min(counts) == 1 and found.processes_needed is None:
        total, more = USUAL_PROCESSES, USUAL_PROCESSES - min(counts)
    elif found.processes_needed is not None:
        total, more = found.processes_needed, max(1, found.processes_needed - min(counts))
    else:
        return None
    return Remedy(clean(command), total, more, bool(found.noisy)) if command else None
