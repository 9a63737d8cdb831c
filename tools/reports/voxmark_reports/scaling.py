"""What several ranks, or several copies, give: cases of one report that differ in nothing else. No
drawing here.

Weak scaling: as many images for each rank; strong scaling: as many for all ranks together. Both at
the same number of threads for each rank. The efficiency is the step that would be ideal, judged by
the fewest ranks, over the step that was measured.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from voxmark_reports import details, inference
from voxmark_reports.case_fields import BY_NAME
from voxmark_reports.cases import Case

WEAK, STRONG = "weak", "strong"
KINDS = (WEAK, STRONG)


@dataclass
class Scaling:
    """Cases by their number of ranks, the fewest first; at least two."""

    kind: str
    key: Hashable  # the same in another report for the same cases
    by_ranks: dict[int, Case]

    @property
    def first(self) -> Case:
        return self.by_ranks[min(self.by_ranks)]

    @property
    def others(self) -> list[Case]:
        return [case for case in self.by_ranks.values() if case is not self.first]

    @property
    def most(self) -> Case:
        return self.by_ranks[max(self.by_ranks)]


def _norms_of(case: Case) -> tuple[str, ...]:
    """With one rank its own images are those of all: the case begins either kind of series."""
    default = BY_NAME["batch_norm"].default
    return ("global", "local") if case.ranks == 1 else (case.spec.get("batch_norm", default),)


def _groups(
    cases: Iterable[Case], apart: Callable[[Case], Hashable], ignore: Iterable[str]
) -> dict[Hashable, list[Case]]:
    groups: dict[Hashable, list[Case]] = {}
    for case in cases:
        if case.has_figures and case.values("step_seconds"):
            norms = ("",) if "batch_norm" in ignore else _norms_of(case)
            for norm in norms:
                groups.setdefault((norm, apart(case)), []).append(case)
    return groups


def scalings(cases: Sequence[Case], ignore: frozenset[str] = frozenset()) -> list[Scaling]:
    """Of one report. `ignore`: members of a case that do not keep two apart."""
    free = ignore | {"ranks", "batch_norm"}
    images: dict[str, Callable[[Case], Hashable]] = {
        WEAK: lambda case: case.key(free),
        STRONG: lambda case: (case.key(free | {"batch"}), case.images),
    }
    found = []
    for kind in KINDS:
        for key, group in _groups(cases, images[kind], ignore).items():
            by_ranks: dict[int, Case] = {}
            for case in sorted(group, key=lambda c: c.ranks):
                by_ranks.setdefault(case.ranks, case)
            if len(by_ranks) > 1:
                found.append(Scaling(kind, (kind, key), by_ranks))
    return found


def over_ideal(first: Case, case: Case) -> list[float]:
    """By how many times a step is longer than it would be if ranks cost nothing: 1 over the
    efficiency. One value per process, beside the process of the fewest ranks that was measured in
    the same round, so that what changes with time touches both."""
    factor = first.ranks * case.images / (case.ranks * first.images)
    steps = zip(first.values("step_seconds"), case.values("step_seconds"), strict=False)
    return [own / (factor * base) for base, own in steps if base > 0]


# ---- The rows of the page's charts and tables ----

Interval = tuple[float, float]


@dataclass
class Gain:
    """Of images per second, over another case."""

    factor: float
    interval: Interval | None  # 95%; none where a side has one process


def gain(base: Case, other: Case) -> Gain:
    """In sum over ranks and copies."""
    before, after = base.values("step_seconds"), other.values("step_seconds")
    work = (other.images * other.copies) / (base.images * base.copies)
    factor = work * statistics.median(before) / statistics.median(after)
    if len(before) < 2 or len(after) < 2 or min(*before, *after) <= 0:
        return Gain(factor, None)
    low, high = inference.ratio_interval(before, after)
    return Gain(factor, (work / high, work / low))


def layouts(cases: Sequence[Case]) -> list[list[Case]]:
    """Of one report: ranks against threads. Each group has as many cores and images per step, and
    begins with the fewest ranks."""
    free = {"ranks", "threads", "batch", "batch_norm"}

    def apart(case: Case) -> Hashable:
        return case.key(free), case.images, case.ranks * case.spec["threads"]

    groups = _groups(cases, apart, ignore=())
    ordered = [sorted(group, key=lambda case: case.ranks) for group in groups.values()]
    return [group for group in ordered if len({case.ranks for case in group}) > 1]


def by_copies(cases: Sequence[Case]) -> list[list[Case]]:
    """Of one report: cases that differ in copies alone, the fewest first."""
    groups: dict[Hashable, list[Case]] = {}
    for case in cases:
        if case.has_figures and case.values("step_seconds"):
            groups.setdefault(case.key({"copies"}), []).append(case)
    ordered = [sorted(group, key=lambda case: case.copies) for group in groups.values()]
    return [group for group in ordered if len(group) > 1]


# ---- Where the time of ranks goes ----


@dataclass
class RankTimes:
    """Seconds of a step: medians over ranks and processes, as results/tables/rank_table.h has
    them. Exposed is what a rank computes nothing in: statistics, loss and gradients."""

    step: float
    exposed: float
    statistics: float
    loss: float
    gradients: float
    slower_rank: float  # of the exposed: until the last rank came; the rest is the wire's
    hidden: float  # messages of gradients behind which ranks computed
    bytes_sent: float  # by each rank

    @property
    def compute(self) -> float:
        return max(0.0, self.step - self.statistics - self.loss - self.gradients)


_EXPOSED = ("statistics_seconds", "loss_seconds", "gradients_seconds")


def rank_times(case: Case) -> RankTimes | None:
    """None where no process tells of its ranks."""
    step = case.median("step_seconds")
    times = [own.times for record in case.deciding.records for own in details.ranks(record)]
    times = [own for own in times if own]
    if not times or not step:
        return None

    def median(*names: str) -> float:
        return statistics.median(sum(own.get(name, 0.0) for name in names) for own in times)

    return RankTimes(
        step,
        median(*_EXPOSED),
        *map(median, _EXPOSED),
        median("slower_rank_seconds"),
        median("hidden_seconds"),
        median("bytes_sent"),
    )


def model_seconds(case: Case) -> float | None:
    """Of a step, predicted: the median of the processes that tell one."""
    found = [details.rank_model_seconds(record) for record in case.measured]
    values = [seconds for seconds in found if seconds is not None and seconds > 0]
    return statistics.median(values) if values else None


@dataclass
class EachRank:
    """One rank of a case: what all processes told of it, as medians."""

    number: int
    host: str
    cpus: str  # of the first process
    times: dict[str, float]
    peak_bytes: float | None
    host_peak_bytes: float | None  # of all ranks on its host


def each_rank(case: Case) -> list[EachRank]:
    processes = [own for record in case.measured if (own := details.ranks(record))]
    found = []
    for number in range(min(map(len, processes), default=0)):
        own = [process[number] for process in processes]
        names = dict.fromkeys(name for rank in own for name in rank.times)
        times = {n: statistics.median([r.times[n] for r in own if n in r.times]) for n in names}
        peaks = [rank.peak_bytes for rank in own if rank.peak_bytes is not None]
        found.append(
            EachRank(
                number,
                own[0].host,
                own[0].cpus,
                times,
                statistics.median(peaks) if peaks else None,
                None,
            )
        )
    for rank in found:
        beside = [other.peak_bytes for other in found if other.host == rank.host]
        if all(peak is not None for peak in beside):
            rank.host_peak_bytes = sum(peak for peak in beside if peak is not None)
    return found
