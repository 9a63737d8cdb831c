"""The scaling of two reports: whether ranks give as much as they did, by the verdicts' own rules.

A row of a comparison says by how many times a step is longer than ranks that cost nothing would
make it: less is better, as of all that is compared. People are told the efficiency, which is 1 over
that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from voxmark_reports import scaling, verdicts
from voxmark_reports.cases import Case, Metric
from voxmark_reports.text import change_text, counted, percent
from voxmark_reports.verdicts import Judgement, Verdict

METRICS = {kind: Metric(f"{kind}_step_over_ideal", "ratio") for kind in scaling.KINDS}
NAMES = frozenset(metric.name for metric in METRICS.values())


@dataclass
class Pair:
    """A case of several ranks, and that of the fewest, of which its efficiency is told."""

    kind: str
    first: Case
    case: Case

    def values(self) -> list[float]:
        return scaling.over_ideal(self.first, self.case)

    @property
    def over(self) -> str:
        return counted(self.first.ranks, "rank")


def pairs_of(cases: Sequence[Case], ignore: frozenset[str]) -> list[Pair]:
    """None where numbers of ranks are taken for one."""
    if "ranks" in ignore:
        return []
    return [
        Pair(own.kind, own.first, case)
        for own in scaling.scalings(cases, ignore)
        for case in own.others
    ]


def metrics_of(cases: Sequence[Case], ignore: frozenset[str]) -> list[Metric]:
    kinds = {pair.kind for pair in pairs_of(cases, ignore)}
    return [metric for kind, metric in METRICS.items() if kind in kinds]


def judge(
    base: Pair,
    found: Sequence[tuple[Case, Case | None]],
    refusal: Callable[[Case, Case | None], Judgement | None],
) -> Judgement:
    """`found`: the pair's first case and its other one, each with what it is compared with."""
    for own, other in found:
        if refused := refusal(own, other):
            return refused
    (_, first), (_, case) = found
    assert first is not None and case is not None
    before, after = base.values(), scaling.over_ideal(first, case)
    if not before or not after:
        return Judgement(Verdict.NOT_COMPARABLE, "no such figure")
    judged = verdicts.measure(before, after)
    judged.noisy = next(
        (noise for own in (base.first, base.case, first, case) if (noise := own.noisy())), None
    )
    return judged


def line(kind: str, label: str, over: str, found: Judgement, word: str) -> str:
    """ "onednn 64x64x64 batch 1 4 ranks: weak scaling over 1 rank: efficiency 90% → 81%, ..."."""
    text = f"{label}: {kind} scaling over {over}: "
    if found.base is None or found.new is None:
        return f"{text}{word}: {found.reason}"
    text += f"efficiency {percent(1 / found.base)} → {percent(1 / found.new)}"
    if found.ratio:
        text += f", {change_text(1 / found.ratio)}"
    if found.interval:
        ends = (change_text(1 / end) for end in reversed(found.interval))
        text += f" ({'..'.join(ends)})"
    text += f": {word}"
    if found.adjusted_p is not None:
        text += f", p {found.adjusted_p:.2g}"
    return text + (f" ({found.reason})" if found.reason else "")
