"""From two sets of values to a verdict, and from verdicts to an exit code."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from voxmark_reports import inference
from voxmark_reports.errors import ExitCode

ALPHA = 0.01  # one-sided, after Holm's correction
MARGIN = 0.03  # closer than that is the same, as far as anybody should care
# Per side: with fewer no difference whatsoever is significant.
LEAST_PROCESSES = next(n for n in range(1, 100) if inference.smallest_p(n, n) < ALPHA)


class Verdict(StrEnum):
    FASTER = "faster"  # or smaller, or fewer
    SLOWER = "slower"
    SAME = "same"
    INCONCLUSIVE = "inconclusive"
    NOT_COMPARABLE = "not comparable"


@dataclass
class Judgement:
    """One case and metric, base against new."""

    verdict: Verdict
    reason: str = ""  # why there is no clearer answer
    base_values: list[float] = field(default_factory=list)  # one per process
    new_values: list[float] = field(default_factory=list)
    exact: bool = False  # every process gives the same: no statistics
    noisy: str | None = None  # why no time of these runs can be trusted
    ratio: float | None = None  # new over base
    interval: tuple[float, float] | None = None
    p_slower: float | None = None  # one-sided, before and after correction
    p_faster: float | None = None
    adjusted_p: float | None = None  # of the direction that was seen
    detectable: float | None = None  # the smallest relative change that could have been found
    processes_needed: int | None = None  # per side, to settle it
    broken: bool = False  # measured before, wrong or dead now: counts as a regression
    allowed: float | None = None  # relative; so much slower is no regression, as the user said
    is_allowed: bool = False  # surely no slower than that

    @property
    def base(self) -> float | None:
        return statistics.median(self.base_values) if self.base_values else None

    @property
    def new(self) -> float | None:
        return statistics.median(self.new_values) if self.new_values else None

    @property
    def change(self) -> float:
        return 0.0 if self.ratio is None else self.ratio - 1

    @property
    def code(self) -> ExitCode:
        """What it says to whom it decides for."""
        if self.broken:
            return ExitCode.ANSWER_IS_NO
        if self.verdict == Verdict.NOT_COMPARABLE:
            return ExitCode.NOT_COMPARABLE
        if self.is_allowed or self.verdict in (Verdict.SAME, Verdict.FASTER):
            return ExitCode.DONE
        if self.verdict == Verdict.INCONCLUSIVE:
            return ExitCode.INCONCLUSIVE
        maybe_allowed = self.ratio is not None and self.change < (self.allowed or 0.0)
        return ExitCode.INCONCLUSIVE if maybe_allowed else ExitCode.ANSWER_IS_NO


def measure(base: Sequence[float], new: Sequence[float], exact: bool = False) -> Judgement:
    """All that needs no correction for other cases. Its verdict is not final: see decide()."""
    found = Judgement(Verdict.INCONCLUSIVE, base_values=list(base), new_values=list(new))
    found.exact = exact
    if found.base:
        found.ratio = found.new / found.base
    if exact:
        return found
    found.p_slower, found.p_faster = inference.rank_test(base, new)
    # A median of 0 can turn up in a resample of counts; then there is no ratio to speak of.
    if min(base) > 0 and len(base) > 1 and len(new) > 1:
        found.interval = inference.ratio_interval(base, new)
    return found


def decide(found: Judgement, margin: float, questions: int, allowed: float | None = None) -> None:
    """The verdict, given the corrected p value and how many were asked together.

    `margin`: closer than that is the same. `allowed`: how much slower the user lets pass; it
    decides what the verdict means for the exit code, and never makes the same of what is slower.
    """
    base, new = found.base_values, found.new_values
    found.allowed = allowed
    appeared = found.ratio is None and base != new  # from nothing to something
    if found.exact:
        differs = appeared or found.change != 0
        found.verdict = _direction(found) if differs else Verdict.SAME
        found.is_allowed = not appeared and found.change <= (allowed or 0.0)
        return

    alpha = ALPHA / questions
    spread = inference.relative_spread(base, new)
    if spread is not None:
        found.detectable = inference.detectable_effect(spread, len(base), len(new), alpha, margin)
    if found.noisy:
        found.reason = f"noisy: {found.noisy}"
        return
    if inference.smallest_p(len(base), len(new)) >= ALPHA:
        found.reason = f"{len(base)} against {len(new)} processes can never be significant"
        return
    if allowed is not None and found.interval is not None:
        found.is_allowed = found.interval[1] - 1 <= allowed
    if _surely_within(found, margin) or found.base == found.new == 0:
        found.verdict = Verdict.SAME
    elif found.adjusted_p is None or found.adjusted_p >= ALPHA:
        found.reason = "the noise hides what there may be"
    elif appeared or abs(found.change) >= margin:
        found.verdict = _direction(found)
    else:
        found.reason = f"there is a change, but maybe one within {100 * margin:.3g}%"
    if found.code == ExitCode.INCONCLUSIVE and found.verdict == Verdict.SLOWER:
        found.reason = f"maybe by more than the {100 * (allowed or 0.0):.3g}% that are allowed"


def settle(found: Judgement, margin: float, questions: int) -> None:
    """How many processes it would take where the answer is open."""
    spread = inference.relative_spread(found.base_values, found.new_values)
    if found.code == ExitCode.INCONCLUSIVE and spread is not None and found.ratio is not None:
        needed = inference.processes_to_settle(
            spread, found.change, max(margin, found.allowed or 0.0), ALPHA / questions
        )
        found.processes_needed = needed and max(needed, LEAST_PROCESSES)


def _surely_within(found: Judgement, margin: float) -> bool:
    return found.interval is not None and all(abs(end - 1) <= margin for end in found.interval)


def _direction(found: Judgement) -> Verdict:
    assert found.base is not None and found.new is not None
    return Verdict.SLOWER if found.new > found.base else Verdict.FASTER


def correct(judgements: Iterable[Judgement]) -> int:
    """Holm over all of them together, each direction apart. How many there were."""
    family = [found for found in judgements if found.p_slower is not None]
    slower = inference.holm([found.p_slower or 0.0 for found in family])
    faster = inference.holm([found.p_faster or 0.0 for found in family])
    for found, p_slower, p_faster in zip(family, slower, faster, strict=True):
        found.adjusted_p = min(p_slower, p_faster)
    return max(1, len(family))


def exit_code(deciding: Sequence[Judgement]) -> ExitCode:
    """A regression outweighs what could not be compared, that what could not be told.

    Nothing compared is never a pass.
    """
    codes = {found.code for found in deciding}
    if ExitCode.ANSWER_IS_NO in codes:
        return ExitCode.ANSWER_IS_NO
    if ExitCode.NOT_COMPARABLE in codes or not codes:
        return ExitCode.NOT_COMPARABLE
    return ExitCode.INCONCLUSIVE if ExitCode.INCONCLUSIVE in codes else ExitCode.DONE
