"""The statistics of a comparison, as pure functions of the processes' values. Two sides, base and
new; a ratio is new over base. Nothing here knows what was measured.

Sources: Mann and Whitney 1947; Holm 1979; Efron's percentile bootstrap; the asymptotic efficiency
3/pi of the rank test under normal noise (Lehmann, Nonparametrics, 1975).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import special

RESAMPLES = 4000
LEVEL = 0.95
POWER = 0.95  # with which the minimum detectable effect is found
MAX_EXACT = 60  # processes of both sides; beyond, the normal approximation is as good
MAX_ENUMERATED = 13_000  # arrangements of a permutation test: 8 against 8 processes
SIMULATIONS = 2000
RANK_EFFICIENCY = 3 / math.pi
# Standard error of a median over that of a mean, normal noise.
MEDIAN_FACTOR = math.sqrt(math.pi / 2)


@lru_cache(maxsize=256)
def _resampled_middles(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Which two sorted values each resample's median lies between.

    A resample of sorted values is a multiset of positions, and its median is that of the positions:
    drawn and sorted once for all cases with so many processes.
    """
    positions = np.random.default_rng([seed, count]).integers(count, size=(RESAMPLES, count))
    positions.sort(axis=1)
    return positions[:, (count - 1) // 2], positions[:, count // 2]


def _resampled_medians(values: np.ndarray, seed: int) -> np.ndarray:
    low, high = _resampled_middles(len(values), seed)
    ordered = np.sort(values)
    return (ordered[low] + ordered[high]) / 2


def ratio_interval(base: Sequence[float], new: Sequence[float]) -> tuple[float, float]:
    """Percentile bootstrap of the ratio of medians. Values are positive; repeatable."""
    medians = _resampled_medians(np.asarray(base, float), seed=1)
    ratios = _resampled_medians(np.asarray(new, float), seed=2) / medians
    low, high = np.quantile(ratios, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


@lru_cache(maxsize=64)
def _arrangements(count: int, chosen: int) -> np.ndarray:
    return np.array(list(itertools.combinations(range(count), chosen)))


@lru_cache(maxsize=256)
def _exact_tail(base_count: int, new_count: int) -> np.ndarray:
    """P(U >= u) for u = 0, 1, ... when both sides are alike and nothing ties.

    The counts are the coefficients of a Gaussian binomial: the product over i of
    (1 - x^(base_count + i)) / (1 - x^i). scipy has the same, at milliseconds a call.
    """
    size = base_count * new_count + 1
    ways = np.zeros(size)
    ways[0] = 1
    for i in range(1, new_count + 1):
        longer = base_count + i
        if longer < size:
            ways[longer:] -= ways[:-longer].copy()
        for start in range(i):
            ways[start::i] = np.cumsum(ways[start::i])
    return np.cumsum(ways[::-1])[::-1] / ways.sum()


def _ranks(values: np.ndarray) -> np.ndarray:
    """Midranks: equal values share the mean of their ranks."""
    below = np.sum(values[:, None] > values, axis=1)
    alike = np.sum(values[:, None] == values, axis=1)
    return below + (alike + 1) / 2


def rank_test(base: Sequence[float], new: Sequence[float]) -> tuple[float, float]:
    """One-sided Mann-Whitney, both sides: how likely is so much of `new` above `base`, and so much
    of it below, if both are alike?
    """
    n, m = len(base), len(new)
    if min(*base, *new) == max(*base, *new):
        return 1.0, 1.0  # as counts that never change
    ranks = _ranks(np.array([*base, *new], float))
    new_sum = ranks[n:].sum()
    has_ties = len(set(ranks.tolist())) < n + m
    if not has_ties and n + m <= MAX_EXACT:
        u = int(new_sum - m * (m + 1) / 2)
        tail = _exact_tail(n, m)
        return float(tail[u]), float(tail[n * m - u])
    if has_ties and math.comb(n + m, m) <= MAX_ENUMERATED:
        sums = ranks[_arrangements(n + m, m)].sum(axis=1)  # half ranks: exact in floating point
        return float(np.mean(sums >= new_sum)), float(np.mean(sums <= new_sum))
    from scipy import stats  # takes a second to load, and is seldom needed

    above = stats.mannwhitneyu(new, base, alternative="greater", method="asymptotic")
    below = stats.mannwhitneyu(new, base, alternative="less", method="asymptotic")
    return float(above.pvalue), float(below.pvalue)


def smallest_p(base_count: int, new_count: int) -> float:
    """What the test gives at best, when every value of one side lies above the other's."""
    return 1 / math.comb(base_count + new_count, base_count)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted for the number of questions asked at once."""
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        running = max(running, (len(p_values) - rank) * p_values[index])
        adjusted[index] = min(1.0, running)
    return adjusted


def relative_spread(base: Sequence[float], new: Sequence[float]) -> float | None:
    """Pooled standard deviation of processes over their side's mean; none with one process each."""
    squares = freedom = 0.0
    for side in (np.asarray(base, float), np.asarray(new, float)):
        if len(side) > 1 and side.mean() > 0:
            squares += float(np.sum((side / side.mean() - 1) ** 2))
            freedom += len(side) - 1
    return math.sqrt(squares / freedom) if freedom else None


@lru_cache(maxsize=1024)
def _shift_found(base_count: int, new_count: int, alpha: float) -> float:
    """In standard deviations of normal noise: the shift that the test finds with POWER.

    By simulation, as few processes make the test's p values coarse.
    """
    if base_count + new_count > MAX_EXACT:
        error = math.sqrt((1 / base_count + 1 / new_count) / RANK_EFFICIENCY)
        return float((special.ndtri(1 - alpha) + special.ndtri(POWER)) * error)
    random = np.random.default_rng([3, base_count, new_count])
    base = random.standard_normal((SIMULATIONS, 1, base_count))
    new = random.standard_normal((SIMULATIONS, new_count, 1))
    critical = int(np.sum(_exact_tail(base_count, new_count) >= alpha))
    low, high = 0.0, 10.0
    while high - low > 0.01:
        middle = (low + high) / 2
        u = np.sum(new + middle > base, axis=(1, 2))
        low, high = (low, middle) if np.mean(u >= critical) >= POWER else (middle, high)
    return high


def half_width(spread: float, base_count: int, new_count: int) -> float:
    """Of the ratio's interval, relative, as it is to be expected for normal noise."""
    error = MEDIAN_FACTOR * spread * math.sqrt(1 / base_count + 1 / new_count)
    return float(special.ndtri((1 + LEVEL) / 2)) * error


def detectable_effect(
    spread: float, base_count: int, new_count: int, alpha: float, margin: float
) -> float | None:
    """The relative change that is found with probability POWER, for normal noise.

    It must be significant, and be seen beyond the margin. None where so few processes can never
    reach alpha.
    """
    if smallest_p(base_count, new_count) >= alpha:
        return None
    error = MEDIAN_FACTOR * spread * math.sqrt(1 / base_count + 1 / new_count)
    seen = margin + float(special.ndtri(POWER)) * error
    return max(spread * _shift_found(base_count, new_count, round(alpha, 9)), seen)


def processes_to_settle(
    spread: float, change: float, margin: float, alpha: float, most: int = 100
) -> int | None:
    """Processes per side from which a verdict is likely, if the change is as it was seen.

    Well beyond the margin the test must find it; within, the interval must fit between the
    margins, also where the medians come out less well. None where more than `most` would be needed.
    """
    if abs(change) <= margin:
        wide = float(special.ndtri((1 + LEVEL) / 2) + special.ndtri(POWER))
        error = MEDIAN_FACTOR * spread * wide
        room = margin - abs(change)
        counts = range(2, most + 1) if room > 0 else ()
        return next((n for n in counts if error * math.sqrt(2 / n) <= room), None)

    def found(count: int) -> bool:
        effect = detectable_effect(spread, count, count, alpha, margin)
        return effect is not None and effect <= abs(change)

    low, high = 1, most  # not found with `low`; more find more
    if not found(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return high
