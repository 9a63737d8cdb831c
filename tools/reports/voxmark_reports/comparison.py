"""Compares one base with others: pairs the cases, judges every metric, and knows the exit code."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from voxmark_reports import comparison_scaling, copies, details, differences, verdicts
from voxmark_reports.case_fields import BY_NAME, CHOICES_OF_MACHINES, NOT_IDENTITY
from voxmark_reports.cases import (
    KERNELS,
    Case,
    Metric,
    cases_of,
    metrics_of,
    short_labels,
)
from voxmark_reports.errors import ExitCode, ToolError
from voxmark_reports.reading import Report
from voxmark_reports.text import clean, counted
from voxmark_reports.verdicts import Judgement, Verdict

DEFAULT_FAIL_ON = ("step_seconds", "op_seconds", "peak_bytes", "planned_bytes")


@dataclass
class Options:
    # Metric → how much more of it is allowed, relative; None: what is not the same is a regression.
    fail_on: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(DEFAULT_FAIL_ON))
    noise_floor: float = 0.0  # relative; of this machine, from A/A runs
    ignore: frozenset[str] = frozenset()  # "machine", or members of a case
    machines: bool = False  # sets machines side by side, and judges no change
    asked: bool = False  # fail_on is the user's own: each metric must be there
    history: list[str] | None = None  # the command of the history whose gate this is
    only_common: bool = False  # cases that not all reports have are told, and do not decide

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
    others: list[Case | None]  # what the case was compared with, per new report
    pair: comparison_scaling.Pair | None = None  # of the case's scaling: what it is judged with
    firsts: list[Case | None] = field(default_factory=list)  # as others, of the pair's first


@dataclass
class Comparison:
    base: Report
    news: list[Report]
    environment: list[differences.Difference]
    stages: list[list[differences.StageChange]]  # one list per new report
    rows: list[Row]
    extra: list[list[str]]  # cases that only a new report has
    unmeasured: list[str]  # cases of the base without figures, or without one that decides
    dropped: list[str]  # cases of the base that were left out, as not all reports have them
    ignored: list[str]  # what differs between paired cases, as it may
    same: list[str]  # where the sides hold the same measurements
    options: Options

    @property
    def disturbed(self) -> list[str]:
        """Per report and case how many processes were disturbed, and whether these count."""
        labels = {row.case.key(): row.label for row in self.rows}
        return [
            f"{report.name}: {labels.get(case.key()) or case.label()}: {case.deciding.note}"
            for report in (self.base, *self.news)
            for case in cases_of(report)
            if case.has_figures and case.deciding.note
        ]

    @property
    def missing(self) -> list[str]:
        """Per report and case how many of its processes left no figures, and why."""
        labels = {row.case.key(): row.label for row in self.rows}
        return [
            f"{report.name}: {labels.get(case.key()) or case.label()}: {case.missing_note}"
            for report in (self.base, *self.news)
            for case in cases_of(report)
            if case.has_figures and case.missing_note
        ]

    def judgements(self) -> list[Judgement]:
        return [found for row in self.rows if row.decides for found in row.judgements]

    @property
    def exit_code(self) -> ExitCode:
        code = verdicts.exit_code(self.judgements())
        if not self.options.machines or code != ExitCode.ANSWER_IS_NO:
            return code
        # Slower is an answer there, and no regression.
        others = [f for f in self.judgements() if f.broken or f.verdict != Verdict.SLOWER]
        return verdicts.exit_code(others) if others else ExitCode.DONE

    @property
    def hint(self) -> str:
        """The other way to compare, where that is what these reports are for."""
        blocked = any(difference.blocks for difference in self.environment)
        if self.options.machines and not blocked:
            hosts = {differences.host_name(own): None for own in (self.base, *self.news)}
            kind = "machine" if len(hosts) == 1 else f"kind of machine (hosts {', '.join(hosts)})"
            return (
                f"These reports are of one {kind}: without --machines voxmark compare checks them"
                " for a regression."
            )
        if self.options.machines:
            return ""
        if not blocked or "machine" in self.options.ignore:
            return ""
        return (
            "This is a regression check, which needs one machine. To set machines side by side,"
            " with ratios and their intervals: voxmark compare --machines. To take them for one"
            " machine: --ignore machine."
        )


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
        if match[2] and match[1] == KERNELS.name:
            raise ToolError(f"--fail-on {text}: expected {KERNELS.name}, as no percentage of it is")
        chosen[match[1]] = float(match[2]) / 100 if match[2] else None
    return chosen


def _check_ignore(ignore: frozenset[str], cases: list[Case]) -> None:
    """Raises ToolError for a word that ignores nothing."""
    known = {"machine", *BY_NAME, *(name for case in cases for name in case.spec)}
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

    def told(spec: dict[str, Any], name: str) -> Any:
        return spec.get(name, BY_NAME[name].default if name in BY_NAME else None)

    def changed(other: Case) -> list[str]:
        names = dict.fromkeys([*case.spec, *other.spec])
        return [n for n in names if n not in NOT_IDENTITY and case.spec.get(n) != other.spec.get(n)]

    alike = [other for other in others if other.spec.get("backend") == case.spec.get("backend")]
    if not alike:
        return "not in this report"
    other = min(alike, key=lambda o: len(changed(o)))
    parts = [f"{n} {told(case.spec, n)} → {told(other.spec, n)}" for n in changed(other)]
    return f"not in this report (nearest: {clean(', '.join(parts))})"


def _refusal(base: Case, new: Case | None, news: list[Case], blocked: str) -> Judgement | None:
    """A judgement where figures cannot be set side by side at all."""
    if new is None:
        return Judgement(Verdict.NOT_COMPARABLE, _nearest(base, news))
    if not new.has_figures:
        why = f"{new.outcome}: {new.reason}"
        return Judgement(Verdict.NOT_COMPARABLE, why, broken=bool(new.broken))
    if new.broken and not base.broken:
        return Judgement(Verdict.NOT_COMPARABLE, new.broken_note, broken=True)
    if blocked:
        return Judgement(Verdict.NOT_COMPARABLE, blocked)
    if workload := differences.workload_difference(base, new):
        return Judgement(Verdict.NOT_COMPARABLE, workload)
    return None


def _measure(base: Case, new: Case, metric: Metric, margin: float) -> Judgement:
    before, after = base.values(metric.name), new.values(metric.name)
    if not before or not after:
        side = "the base" if not before else "the new report"
        return Judgement(Verdict.NOT_COMPARABLE, f"{side} has no such figure")
    is_time = metric.unit == "seconds"
    found = verdicts.measure(before, after, metric.exact, None if is_time else margin)
    if is_time:
        found.noisy = base.noisy() or new.noisy()
    return found


def _ignored(options: Options, reports: list[list[Case]]) -> frozenset[str]:
    """What is asked for; for machines also what they are free to choose, where cases stay apart."""
    ignore = options.ignore
    for name in CHOICES_OF_MACHINES if options.machines else ():
        wider = ignore | {name}
        if all(len({case.key(wider) for case in cases}) == len(cases) for cases in reports):
            ignore = wider
    return ignore


def _blocks(base: Report, news: list[Report], options: Options) -> list[str]:
    """Per new report, why none of its figures may be set beside the base's."""
    if options.machines or "machine" in options.ignore:
        return [""] * len(news)
    found = []
    for report in news:
        own = differences.environment_differences([base, report])
        found.append("; ".join(dict.fromkeys(f"{d.blocks}: {d.name}" for d in own if d.blocks)))
    return found


def _deciding_metrics(base: Report, cases: list[Case], options: Options) -> list[Metric]:
    """Every metric of the base. Raises ToolError for one that is to decide, and is not there."""
    metrics = metrics_of(cases)
    if KERNELS.name in options.fail_on:
        metrics.append(KERNELS)
    names = [metric.name for metric in metrics]
    needed = options.asked
    scaling = comparison_scaling.metrics_of(cases, options.ignore)
    names += [metric.name for metric in scaling]
    wanted = [n for n in options.fail_on if n not in names and (needed or n not in DEFAULT_FAIL_ON)]
    if wanted:
        raise ToolError(
            f"--fail-on {wanted[0]}: {base.name} has no such metric; it has"
            f" {', '.join([*map(clean, names), KERNELS.name])}"
        )
    return metrics


def _ignored_lines(pairs: list[tuple[Case, Case | None]], ignore: frozenset[str]) -> list[str]:
    """What differs between paired cases, as it may: once, with the number of cases."""
    counts: dict[str, int] = {}
    for base, new in pairs:
        for name in sorted(ignore) if new else ():
            before, after = base.spec.get(name), new.spec.get(name) if new else None
            if before != after:
                text = clean(f"{name} {before} → {after}")
                counts[text] = counts.get(text, 0) + 1
    return [f"{what} (in {counted(count, 'case')})" for what, count in counts.items()]


def compare(base: Report, news: list[Report], options: Options) -> Comparison:
    base_cases = cases_of(base)
    new_cases = [cases_of(report) for report in news]
    _check_ignore(options.ignore, [case for cases in (base_cases, *new_cases) for case in cases])
    environment = differences.environment_differences([base, *news], options.machines)
    if not any(case.has_figures for case in base_cases):
        raise ToolError(f"{base.name}: nothing was measured in it", ExitCode.NOT_COMPARABLE)
    ignore = _ignored(options, [base_cases, *new_cases])
    matched = [_pair(base_cases, cases, ignore) for cases in new_cases]
    blocks = _blocks(base, news, options)
    metrics = _deciding_metrics(base, base_cases, options)

    rows, unmeasured, dropped = [], [], []
    labels = short_labels(base_cases)
    for position, case in enumerate(base_cases):
        others = [pairs[position][1] for pairs in matched]
        label = labels[case.key()]
        if options.only_common and not all(others):
            dropped.append(label)
            continue
        if not case.has_figures:
            unmeasured.append(f"{label}: {case.outcome} in {base.name}: {case.reason}")
            continue
        for metric in metrics:
            # The harness's own cost is known, and not judged.
            decides = metric.name in options.fail_on and case.outcome != "overhead"
            if metric is not KERNELS and not case.values(metric.name):
                if decides:
                    unmeasured.append(f"{label}: no {metric.label} in {base.name}")
                continue
            judgements = [
                _refusal(case, other, cases, blocked) or _measured(case, other, metric, options)  # type: ignore[arg-type]
                for cases, other, blocked in zip(new_cases, others, blocks, strict=True)
            ]
            rows.append(Row(case, label, metric, judgements, decides, others))
    if dropped and not rows:
        names = ", ".join(report.name for report in news)
        raise ToolError(
            f"{names}: no measured case in common with {base.name}", ExitCode.NOT_COMPARABLE
        )

    if rows:
        rows += _scaling_rows(base_cases, new_cases, matched, labels, ignore, blocks, options)
    _decide(rows, options)
    extra = []
    for cases, pairs in zip(new_cases, matched, strict=True):
        used = {id(other) for _, other in pairs}
        extra.append([case.label() for case in cases if id(case) not in used])
    return Comparison(
        base=base,
        news=news,
        environment=environment
        + [own for pairs in matched for own in (*_timings(pairs), *_programs(pairs))],
        stages=[differences.stage_changes([(a, b) for a, b in pairs if b]) for pairs in matched],
        rows=rows,
        extra=extra,
        unmeasured=unmeasured,
        dropped=dropped,
        ignored=[line for pairs in matched for line in _ignored_lines(pairs, ignore)],
        same=copies.shared_lines(base, news),
        options=options,
    )


def _scaling_rows(
    cases: list[Case],
    new_cases: list[list[Case]],
    matched: list[list[tuple[Case, Case | None]]],
    labels: dict[bytes, str],
    ignore: frozenset[str],
    blocks: list[str],
    options: Options,
) -> list[Row]:
    """A row per case of several ranks that some report has too, and kind of scaling."""
    others = [{id(case): other for case, other in pairs} for pairs in matched]
    rows = []
    for pair in comparison_scaling.pairs_of(cases, ignore):
        metric = comparison_scaling.METRICS[pair.kind]
        decides = metric.name in options.fail_on
        firsts = [own[id(pair.first)] for own in others]
        seconds = [own[id(pair.case)] for own in others]
        both = [a is not None and b is not None for a, b in zip(firsts, seconds, strict=True)]
        if not any(both) or (options.only_common and not all(both)):
            continue  # the cases themselves are told
        judgements = [
            comparison_scaling.judge(
                pair,
                [(pair.first, first), (pair.case, second)],
                lambda base, new, own=own, blocked=blocked: _refusal(base, new, own, blocked),
            )
            for first, second, own, blocked in zip(firsts, seconds, new_cases, blocks, strict=True)
        ]
        label = labels[pair.case.key()]
        rows.append(Row(pair.case, label, metric, judgements, decides, seconds, pair, firsts))
    return rows


def _timings(pairs: list[tuple[Case, Case | None]]) -> list[differences.Difference]:
    """Ops of one name that were not timed the same way."""
    counts: dict[tuple[str, str], int] = {}
    for base, new in pairs:
        both = base.fact("timing"), new.fact("timing") if new else None
        if new and both[0] != both[1]:
            own = (clean(both[0] or "-"), clean(both[1] or "-"))
            counts[own] = counts.get(own, 0) + 1
    return [
        differences.Difference(f"timing of {counted(count, 'case')}", list(own))
        for own, count in counts.items()
    ]


def _programs_of(case: Case) -> dict[str, str]:
    return next(filter(None, map(details.program_hashes, case.records)), {})


def changed_program(base: Case, new: Case) -> list[str]:
    """The files of an outside program that hold something else now, under the same names."""
    before, after = _programs_of(base), _programs_of(new)
    return [path for path in before if path in after and before[path] != after[path]]


def _programs(pairs: list[tuple[Case, Case | None]]) -> list[differences.Difference]:
    """Once per file, whichever cases it computes."""
    found: dict[str, differences.Difference] = {}
    for base, new in pairs:
        for path in changed_program(base, new) if new else ():
            hashes = [clean(_programs_of(side)[path])[:12] for side in (base, new) if side]
            found[path] = differences.Difference(f"program {path}", hashes)
    return list(found.values())


def _measured(base: Case, new: Case, metric: Metric, options: Options) -> Judgement:
    if metric is not KERNELS:
        return _measure(base, new, metric, options.margin(metric))
    changed = differences.changed_ops(base, new)
    if changed is None:
        return Judgement(Verdict.NOT_COMPARABLE, "a report does not tell its kernels")
    return verdicts.measure([0.0], [float(changed)], exact=True)


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
    for row in rows:
        for found, other in zip(row.judgements, row.others, strict=True):
            if found.base_values and other is not None:
                notes = [*_program_notes(row.case, other), *_broken_notes(row.case, other)]
                found.reason = "; ".join(filter(None, [found.reason, *notes]))


def _program_notes(base: Case, new: Case) -> list[str]:
    changed = changed_program(base, new)
    return [f"another program: {PurePath(changed[0]).name} has changed"] if changed else []


def _broken_notes(base: Case, new: Case) -> list[str]:
    """Where the base had failures too, these are no news, and stand beside the verdict."""
    sides = (("base", base.broken_note), ("new", new.broken_note))
    return [f"{side}: {note}" for side, note in sides if note]
