"""What the page says, as values: one Figure per case, and the headline. No drawing here."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from voxmark_reports import details, inference, verdicts
from voxmark_reports.case_fields import CHOICES_OF_MACHINES, LEADING
from voxmark_reports.cases import (
    Case,
    cases_of,
    process_value,
    shared_members,
    timed_samples,
)
from voxmark_reports.environment import recorded_change_texts
from voxmark_reports.reading import Report
from voxmark_reports.slow_kernels import slow_kernels
from voxmark_reports.text import clean, image_text
from voxmark_reports.verdicts import Judgement

# Where a report names no baseline: the algorithm of the paper's.
_BASELINES = ("tensorflow-stock", "eigen-tensor")


@dataclass
class Figure:
    """A case that was measured, as the charts show it."""

    case: Case
    report: str
    series: str  # backend, and what else tells two cases of one image size apart
    colour: int  # of the series, on all charts of the page
    workload: str  # the case without its backend
    step_seconds: float
    forward_backward_seconds: float
    interval: tuple[float, float] | None  # of step_seconds, 95%
    processes: int
    images_per_second: float
    flops_per_second: float | None
    roofline_share: float | None
    roofline_reason: str

    @property
    def voxels(self) -> int:
        return self.case.voxels

    @property
    def voxels_in_memory(self) -> int:
        """Which its figures of memory are for: those of one rank, and the sum of all copies."""
        return self.voxels // self.case.ranks * self.case.copies

    @property
    def image(self) -> str:
        spec = self.case.spec
        batch = f" batch {spec['batch']}" if spec["batch"] > 1 else ""
        return image_text(spec["image"]) + batch


@dataclass
class SpeedUp:
    """Of forward and backward, which is the paper's step."""

    base: Figure
    other: Figure
    factor: float
    interval: tuple[float, float] | None
    judged: Judgement
    questions: int  # that are told together, and that the p value is corrected for
    processes_needed: int | None  # per side, to settle the direction, if it is as it was seen

    @property
    def p_value(self) -> float:
        """That chance alone gives so much in either direction; one-sided, corrected."""
        return 1.0 if self.judged.adjusted_p is None else self.judged.adjusted_p

    @property
    def noisy(self) -> bool:
        """Times of disturbed runs say nothing for sure, however many there are."""
        return bool(self.judged.noisy)

    @property
    def is_sure(self) -> bool:
        return verdicts.is_significant(self.judged)

    @property
    def is_faster(self) -> bool:
        return self.factor >= 1

    @property
    def times(self) -> float:
        """As fast, or as long: 1 or more."""
        return self.factor if self.is_faster else 1 / self.factor

    @property
    def times_interval(self) -> tuple[float, float] | None:
        """Of `times`, in its direction."""
        if self.interval is None or self.is_faster:
            return self.interval
        low, high = self.interval
        return 1 / high, 1 / low


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Bootstrap interval of a median of processes; none of a single process."""
    return inference.ratio_interval([1.0], values) if len(values) > 1 else None


def _roofline(case: Case, forward_backward: float) -> tuple[float | None, str]:
    """Least seconds that this machine's measured limits allow, over seconds."""
    for record in case.measured:
        if found := details.roofline(record):
            share = None if found.seconds is None else found.seconds / forward_backward
            return share, "" if share is not None else found.reason
    return None, "the limits of this machine were not measured in this run"


def _no_figure(case: Case) -> str | None:
    """Why a case that was measured has no times to draw."""
    for name in ("step_seconds", "forward_backward_seconds"):
        values = case.values(name)
        if not values:
            return "no step was timed after the warm-up"
        if min(values) <= 0:
            return f"{name} is 0"
    return None


def figures_of(reports: Sequence[Report]) -> list[Figure]:
    """Every case with verified times, in the order of the reports. What the null backend shows is
    the harness's cost, and no figure."""
    found: list[Figure] = []
    colours: dict[str, int] = {}
    all_cases = [case for report in reports for case in cases_of(report) if not report.op_level]
    shared = shared_members(all_cases) | LEADING
    for report in reports:
        for case in cases_of(report):
            if case.outcome != "ok" or report.op_level or _no_figure(case):
                continue
            steps = case.values("step_seconds")
            step = statistics.median(steps)
            forward_backward = case.median("forward_backward_seconds")
            assert forward_backward is not None
            series = " ".join(filter(None, [case.backend, case.workload(shared)]))
            if len(reports) > 1:
                series = f"{report.name}: {series}"
            share, reason = _roofline(case, forward_backward)
            flops = case.fact("flops_per_step")
            found.append(
                Figure(
                    case=case,
                    report=report.name,
                    series=series,
                    colour=colours.setdefault(series, len(colours)),
                    workload=case.workload(),
                    step_seconds=step,
                    forward_backward_seconds=forward_backward,
                    interval=median_interval(steps),
                    processes=len(steps),
                    images_per_second=case.copies * case.images / step,
                    flops_per_second=case.copies * flops / step if flops else None,
                    roofline_share=share,
                    roofline_reason=reason,
                )
            )
    return found


def baseline_backend(
    reports: Sequence[Report], figures: Sequence[Figure], asked: str | None
) -> str | None:
    """What speed-ups are over: as asked, as the run was told, the paper's, or the slowest."""
    present = dict.fromkeys(figure.case.backend for figure in figures)
    for name in [asked, *map(details.baseline, reports), *_BASELINES]:
        if name in present:
            return name
    return max(figures, key=lambda f: f.step_seconds).case.backend if figures else None


def told_together(pairs: Sequence[tuple[Figure, Figure]]) -> list[SpeedUp]:
    """Base and other; their p values are corrected for all of them, as compare's are."""
    name = "forward_backward_seconds"
    values = [(base.case.values(name), other.case.values(name)) for base, other in pairs]
    judged = verdicts.measure_together(values)
    return [
        _speed_up(base, other, found, len(pairs))
        for (base, other), found in zip(pairs, judged, strict=True)
    ]


def _speed_up(base: Figure, other: Figure, found: Judgement, questions: int) -> SpeedUp:
    found.noisy = base.case.noisy() or other.case.noisy()
    factor = base.forward_backward_seconds / other.forward_backward_seconds
    spread = inference.relative_spread(found.base_values, found.new_values)
    alpha = verdicts.ALPHA / questions
    low_high = found.interval and (1 / found.interval[1], 1 / found.interval[0])
    needed = spread and inference.processes_to_settle(spread, 1 / factor - 1, 0.0, alpha)
    return SpeedUp(base, other, factor, low_high, found, questions, needed or None)


# What a machine is free to choose for the same work.
_FREE = ("backend", "precision", "data", *CHOICES_OF_MACHINES)


def machine_speed_ups(figures: Sequence[Figure]) -> list[SpeedUp]:
    """Per work to do, every report's fastest against the first report's fastest."""
    best: dict[bytes, dict[str, Figure]] = {}
    for figure in figures:
        own = best.setdefault(figure.case.key(_FREE), {})
        known = own.get(figure.report)
        if known is None or figure.forward_backward_seconds < known.forward_backward_seconds:
            own[figure.report] = figure
    pairs = []
    for by_report in best.values():
        first, *others = by_report.values()
        pairs += [(first, other) for other in others]
    return told_together(pairs)


def speed_ups(figures: Sequence[Figure], baseline: str) -> list[SpeedUp]:
    """Every case against the baseline's on the same workload in the same report."""
    bases = {(f.report, f.workload): f for f in figures if f.case.backend == baseline}
    pairs = []
    for figure in figures:
        base = bases.get((figure.report, figure.workload))
        if base is not None and base is not figure:
            pairs.append((base, figure))
    return told_together(pairs)


def headline(found: Sequence[SpeedUp]) -> SpeedUp | None:
    """The fastest on the largest workload that has a baseline."""
    return max(found, key=lambda s: (s.other.voxels, s.factor), default=None)


def rival(figures: Sequence[Figure], top: SpeedUp) -> SpeedUp | None:
    """The faster of the headline's two over the nearest to it, on the same workload in the same
    report; as one of all who are that near."""
    fastest = top.other if top.is_faster else top.base
    others = [
        figure
        for figure in figures
        if figure.workload == fastest.workload
        and figure.report == fastest.report
        and figure is not top.base
        and figure is not top.other
    ]
    found = told_together([(other, fastest) for other in others])
    return min(found, key=lambda s: s.base.forward_backward_seconds, default=None)


# ---- Why ----


def main_implementations(case: Case) -> str:
    """What most of its convolutions run as: "jit:avx512_core"."""
    counts: Counter[str] = Counter()
    for record in case.measured[:1]:
        for stage in record["stages"]:
            if any("convolution" in op for op in stage["ops"]):
                counts[clean(stage["implementation"])] += 1
    return counts.most_common(1)[0][0] if counts else ""


# ---- Warnings, for the top of the page ----


def warnings(reports: Sequence[Report]) -> list[str]:
    """What a reader must know before believing a figure."""
    found: dict[str, None] = {}
    for report in reports:
        name = f"{report.name}: " if len(reports) > 1 else ""
        if report.program.get("dirty"):
            found[f"{name}built from sources with uncommitted changes"] = None
        if partial := details.partial(report):
            found[f"{name}a partial report: {partial}"] = None
        for fault in report.contradictions:
            found[f"contradicts itself: {fault}"] = None
        for change in details.environment_changes(report):
            for text in recorded_change_texts(change):
                found[f"{name}changed while it ran: {text}"] = None
        if busy := details.busy_at_start(report):
            found[f"{name}the machine was busy when the run began: {busy}"] = None
        cases = [] if report.op_level else cases_of(report)
        shared = shared_members(cases)
        for case in cases:
            label = name + case.label(shared)
            if case.outcome == "ok":
                verified = [record["verification"]["verified"] for record in case.measured]
                if not all(verified):
                    found[f"{label}: not verified: {_unverified_reason(case)}"] = None
                if why := _no_figure(case):
                    found[f"{label}: left out of the figures: {why}"] = None
                for apart in dict.fromkeys(map(details.copies_apart, case.measured)):
                    if apart:
                        found[f"{label}: {apart}"] = None
                for kernel, count in slow_kernels(case).items():
                    found[f"{label}: {count} stages run as {kernel}, which is slow"] = None
            if noise := case.noisy():
                found[f"{label}: disturbed while it was timed: {noise}"] = None
            elif note := case.deciding.note:
                found[f"{label}: {note}"] = None
    return list(found)


def _unverified_reason(case: Case) -> str:
    reasons = (record["verification"].get("reason") for record in case.measured)
    return clean(next(filter(None, reasons), "no reason given"))


# ---- Scaling by threads, energy, price ----


def thread_scaling(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """Cases that differ in threads only: how much faster than the fewest, and the efficiency."""
    same = shared_members([figure.case for figure in figures]) | LEADING | {"threads"}
    groups: dict[tuple[str, bytes], list[Figure]] = {}
    for figure in figures:
        groups.setdefault((figure.report, figure.case.key({"threads"})), []).append(figure)
    rows = []
    for group in groups.values():
        group.sort(key=lambda f: f.case.spec["threads"])
        first = group[0]
        if len(group) < 2:
            continue
        for figure in group:
            factor = first.step_seconds / figure.step_seconds
            threads = figure.case.spec["threads"]
            words = (figure.case.backend, figure.image, figure.case.workload(same))
            rows.append(
                {
                    "report": figure.report,
                    "series": " ".join(filter(None, words)),
                    "threads": threads,
                    "step_seconds": figure.step_seconds,
                    "speed_up": factor,
                    "efficiency": factor * first.case.spec["threads"] / threads,
                }
            )
    return rows


def joules_per_image(case: Case) -> float | None:
    found = map(details.joules_per_image, case.measured)
    values = [joules for joules in found if joules is not None]
    return statistics.median(values) if values else None


def relative_steps(reports: Sequence[Report], figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """Every timed step over its case's median, in the order of measurement: drift and disturbance
    show as a slope and as outliers."""
    by_case = {(figure.report, figure.case.key()): figure for figure in figures}
    rows = []
    for report in reports:
        for position, record in enumerate(report.records):
            spec = {name: value for name, value in record["case"].items() if name != "process"}
            figure = by_case.get((report.name, Case(spec).key()))
            if figure is None or record["outcome"] != "ok":
                continue
            for index, sample in enumerate(timed_samples(record)):
                told = sample["readings"].get("tainted")
                flagged = clean(", ".join(map(str, told if isinstance(told, list) else [])))
                rows.append(
                    {
                        "report": report.name,
                        "record": position,
                        "order": position + (index + 0.5) / len(record["samples"]),
                        "series": figure.series,
                        "size": figure.image,
                        "process": record["case"]["process"],
                        "relative": sample["step_seconds"] / figure.step_seconds,
                        "step_seconds": sample["step_seconds"],
                        "switches": sample["readings"].get("involuntary_switches"),
                        "flag": "disturbed" if flagged else "steady",
                        "flagged": flagged or "no",
                    }
                )
    return rows


def process_points(figure: Figure) -> list[dict[str, Any]]:
    """Raw points: one per process."""
    points = []
    for record in figure.case.measured:
        seconds = process_value(record, "step_seconds")
        if seconds:
            points.append(
                {
                    "series": figure.series,
                    "size": figure.image,
                    "voxels": figure.voxels,
                    "process": record["case"]["process"],
                    "step_seconds": seconds,
                    "images_per_second": figure.case.copies * figure.case.images / seconds,
                }
            )
    return points
