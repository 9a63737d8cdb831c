"""From two sets of values to a verdict, and from verdicts to an exit code."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from voxmark_reports import inference
from voxmark_reports.errors import ExitCode
from voxmark_reports.text import counted

ALPHA = 0.01  # one-sided, after Holm's correction
MARGIN = 0.03  # closer than that is the same, as far as anybody should care
# Processes of a nearly deterministic quantity (bytes, faults) agree within so much on either side.
STEADY = 0.01


def least_processes(questions: int) -> int:
    """Per side: with fewer no difference whatsoever is significant among so many questions."""
    return next(n for n in range(1, 100) if inference.smallest_p(n, n) < ALPHA / questions)


LEAST_PROCESSES = least_processes(1)
# Per side, worth a first try where fewer than LEAST_PROCESSES tell next to nothing of the noise.
USUAL_PROCESSES = 10


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
    steady: bool = False  # nearly so, and told by equality: no statistics either
    may_be_steady: bool = False  # bytes and counts: with enough processes equality may tell
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


def measure(
    base: Sequence[float], new: Sequence[float], exact: bool = False, steady: float | None = None
) -> Judgement:
    """All that needs no correction for other cases. Its verdict is not final: see decide().

    `steady`: the margin within which a nearly deterministic quantity is the same; none for times.
    """
    found = Judgement(Verdict.INCONCLUSIVE, base_values=list(base), new_values=list(new))
    found.exact = exact
    if found.base:
        found.ratio = found.new / found.base
    if exact:
        return found
    # A median of 0 can turn up in a resample of counts; then there is no ratio to speak of.
    if min(base) > 0 and len(base) > 1 and len(new) > 1:
        found.interval = inference.ratio_interval(base, new)
    found.may_be_steady = steady is not None
    found.steady = steady is not None and _is_told_by_equality(base, new, steady)
    if not found.steady:
        found.p_slower, found.p_faster = inference.rank_test(base, new)
    return found


def _is_told_by_equality(base: Sequence[float], new: Sequence[float], margin: float) -> bool:
    """Whether the processes of each side agree so closely that no test is needed: every pair of a
    base and a new process is the same within the margin, or every pair differs by more.

    Also one question of many has the rank test's own level here: two sides of one distribution
    fall apart like this no more often than they are ordered, which is why it takes as many
    processes.
    """
    if inference.smallest_p(len(base), len(new)) >= ALPHA:
        return False
    close = min(STEADY, margin / 3)
    if any(max(side) - min(side) > close * min(side) for side in (base, new)):
        return False
    if min(*base, *new) == 0:
        return True  # all of a side is 0
    least, most = min(new) / max(base) - 1, max(new) / min(base) - 1
    return least > margin or most < -margin or (-margin <= least and most <= margin)


def decide(found: Judgement, margin: float, questions: int, allowed: float | None = None) -> None:
    """The verdict, given the corrected p value and how many were asked together.

    `margin`: closer than that is the same. `allowed`: how much slower the user lets pass; it
    decides what the verdict means for the exit code, and never makes the same of what is slower.
    """
    found.allowed = allowed
    if found.exact or found.steady:
        _decide_by_equality(found, 0.0 if found.exact else margin)
        _tell_if_maybe_allowed(found)
        return
    base, new = found.base_values, found.new_values
    spread = inference.relative_spread(base, new)
    if spread is not None:
        found.detectable = inference.detectable_effect(
            spread, len(base), len(new), ALPHA / questions, margin
        )
    if found.noisy:
        found.reason = f"noisy: {found.noisy}"
        return
    if inference.smallest_p(len(base), len(new)) >= ALPHA:
        found.reason = _why_too_few(found)
        return
    if allowed is not None and found.interval is not None:
        found.is_allowed = found.interval[1] - 1 <= allowed
    if _surely_within(found, margin) or found.base == found.new == 0:
        found.verdict = Verdict.SAME
    elif not is_significant(found):
        found.reason = _why_not_significant(found, questions)
    elif _appeared(found) or abs(found.change) >= margin:
        found.verdict = _direction(found)
    else:
        found.reason = f"there is a change, but maybe one within {100 * margin:.3g}%"
    _tell_if_maybe_allowed(found)


def _why_too_few(found: Judgement) -> str:
    there = f"{len(found.base_values)} against {counted(len(found.new_values), 'process')}"
    if found.may_be_steady:
        return f"{there}: it needs {LEAST_PROCESSES} processes a side to be compared for equality"
    return f"{there} can never be significant"


def _tell_if_maybe_allowed(found: Judgement) -> None:
    if found.code == ExitCode.INCONCLUSIVE and found.verdict == Verdict.SLOWER:
        found.reason = f"maybe by more than the {100 * (found.allowed or 0.0):.3g}% that is allowed"


def _appeared(found: Judgement) -> bool:
    """From nothing to something: there is no ratio."""
    return found.ratio is None and found.base != found.new


def _decide_by_equality(found: Judgement, margin: float) -> None:
    appeared = _appeared(found)
    differs = appeared or abs(found.change) > margin
    found.verdict = _direction(found) if differs else Verdict.SAME
    worst = found.change
    if found.steady and found.interval:
        worst = found.interval[1] - 1
    found.is_allowed = not appeared and worst <= (found.allowed or 0.0)


def is_significant(found: Judgement) -> bool:
    """The one rule for compare and report: the p value as corrected for all that is told with it,
    of processes that nothing disturbed."""
    return not found.noisy and found.adjusted_p is not None and found.adjusted_p < ALPHA


def _why_not_significant(found: Judgement, questions: int) -> str:
    counts = (len(found.base_values), len(found.new_values))
    least = inference.smallest_p(*counts)
    if least * questions >= ALPHA:
        return (
            f"{counts[0]} against {counted(counts[1], 'process')} can show no change among"
            f" {questions} tests (Holm: p is at best {least:.2g} x {questions} ="
            f" {least * questions:.2g}, expected below {ALPHA});"
            f" {least_processes(questions)} a side can"
        )
    p_value = min(found.p_slower or 1.0, found.p_faster or 1.0)
    if p_value < ALPHA:
        return (
            f"p = {p_value:.2g} would do for one test; among {questions} tests it counts as"
            f" {found.adjusted_p:.2g} (Holm), expected below {ALPHA}"
        )
    return "the noise hides what there may be"


def settle(found: Judgement, margin: float, questions: int) -> None:
    """How many processes it would take where the answer is open. Of few processes the spread is
    a guess: then at least as many as usual, or as equality takes."""
    count = min(len(found.base_values), len(found.new_values))
    needed = _needed(found, margin, questions)
    if found.code == ExitCode.INCONCLUSIVE and count < LEAST_PROCESSES:
        needed = LEAST_PROCESSES if found.may_be_steady else max(USUAL_PROCESSES, needed or 0)
    found.processes_needed = needed


def _needed(found: Judgement, margin: float, questions: int) -> int | None:
    spread = inference.relative_spread(found.base_values, found.new_values)
    if found.code != ExitCode.INCONCLUSIVE or spread is None or found.ratio is None:
        return None
    wanted = max(margin, found.allowed or 0.0)
    needed = inference.processes_to_settle(spread, found.change, wanted, ALPHA / questions)
    if needed is None:
        return None
    is_change = abs(found.change) > wanted
    needed = max(needed, least_processes(questions) if is_change else LEAST_PROCESSES)
    # As many should have done, or nearly: only a good deal more is likely to.
    there = min(len(found.base_values), len(found.new_values))
    if needed - there < max(1, there // 4):
        needed = there + math.ceil(there / 2)
    return needed


def _surely_within(found: Judgement, margin: float) -> bool:
    return found.interval is not None and all(abs(end - 1) <= margin for end in found.interval)


def _direction(found: Judgement) -> Verdict:
    assert found.base is not None and found.new is not None
    return Verdict.SLOWER if found.new > found.base else Verdict.FASTER


def correct(judgements: Iterable[Judgement]) -> int:
    """Holm over all of them together, each direction apart. How many there were that a test is
    needed for."""
    family = [found for found in judgements if found.p_slower is not None]
    slower = inference.holm([found.p_slower or 0.0 for found in family])
    faster = inference.holm([found.p_faster or 0.0 for found in family])
    for found, p_slower, p_faster in zip(family, slower, faster, strict=True):
        found.adjusted_p = min(p_slower, p_faster)
    return max(1, len(family))


def measure_together(pairs: Sequence[tuple[Sequence[float], Sequence[float]]]) -> list[Judgement]:
    """Base and new of what is told together, each corrected for all of it; see is_significant()."""
    found = [measure(base, new) for base, new in pairs]
    correct(found)
    return found


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
