"""Where a series of figures moved to another level and stayed there, and how surely it was there.

Whether: Killick, Fearnhead and Eckley's PELT (2012) with a squared-error cost, from the ruptures
library, on logarithms: a change is a ratio. It places a change so that each level has LEAST_STAY
points, and so too early while there are fewer. Where: the posterior over all places between the
neighbouring changes, of levels with Student's t noise, as single outliers must not decide.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import ruptures

LEAST_POINTS = 6  # of a series that is looked at
LEAST_STAY = 3  # points of a level: fewer are outliers
LEAST_CHANGE = 0.03  # as the margin of a comparison
LEAST_NOISE = 0.002  # of seconds, relative: what a clock and a quiet machine leave anyway
PENALTY = 4.0  # times log(n), in units of the noise's variance; false alarms are tested
CONFIDENCE = 0.98  # that the change is where it is said to be; wrong places are tested
_FREEDOM = 4.0  # of Student's t


@dataclass
class ChangePoint:
    position: int  # of the first point of the new level, most probably
    first: int  # the new level begins here at the earliest, with CONFIDENCE
    last: int  # and here at the latest
    before: float  # medians of the levels
    after: float
    is_single: bool = False  # one of the levels is a single point, maybe an outlier

    @property
    def ratio(self) -> float:
        return self.after / self.before

    @property
    def is_located(self) -> bool:
        return self.first == self.last and not self.is_single


def _noise(logarithms: np.ndarray) -> float:
    """Standard deviation, from the differences of neighbours: a jump is but one of them."""
    steps = np.diff(logarithms)
    deviation = 1.4826 * float(np.median(np.abs(steps - np.median(steps)))) / math.sqrt(2)
    return max(deviation, LEAST_NOISE)


def change_points(values: Sequence[float]) -> list[ChangePoint]:
    """Values are positive, in the order of time."""
    if len(values) < LEAST_POINTS or min(values) <= 0:
        return []
    logarithms = np.log(np.asarray(values, float))
    noise = _noise(logarithms)
    signal = (logarithms / noise).reshape(-1, 1)
    search = ruptures.Pelt(model="l2", min_size=LEAST_STAY, jump=1).fit(signal)
    ends = search.predict(pen=PENALTY * math.log(len(values)))
    places = _places(logarithms, ends, noise)
    while (short := _short_level(places)) is not None:
        del ends[short]
        places = _places(logarithms, ends, noise)
    found = []
    bounds = [0, *(place[0] for place in places), len(values)]
    for place, begin, end in zip(places, bounds, bounds[2:], strict=False):
        position = place[0]
        before = statistics.median(values[begin:position])
        after = statistics.median(values[position:end])
        if abs(after / before - 1) >= LEAST_CHANGE:
            is_single = min(position - begin, end - position) == 1
            found.append(ChangePoint(*place, before, after, is_single))
    return found


def _places(
    logarithms: np.ndarray, ends: Sequence[int], noise: float
) -> list[tuple[int, int, int]]:
    """Of each change, given where the levels end about."""
    places: list[tuple[int, int, int]] = []
    begin = 0
    for end in ends[1:]:  # of the level behind the change
        places.append(_place(logarithms[begin:end], begin, noise))
        begin = places[-1][0]
    return places


def _short_level(places: Sequence[tuple[int, int, int]]) -> int | None:
    """The change before a level that did not stay: its points are outliers. A level at either end
    of the series may be longer than what is seen of it."""
    for index in range(len(places) - 1):
        if places[index + 1][0] - places[index][0] < LEAST_STAY:
            return index
    return None


def _place(logarithms: np.ndarray, begin: int, noise: float) -> tuple[int, int, int]:
    """Of the one change in this part of a series, which begins at `begin`: where it most probably
    is, and from where to where it may be."""
    count = len(logarithms)
    scores = np.array([_score(logarithms, at, noise) for at in range(1, count)])
    weights = np.exp(scores - scores.max())
    weights /= weights.sum()
    best = first = last = int(weights.argmax())
    while weights[first : last + 1].sum() < CONFIDENCE:
        below = weights[first - 1] if first > 0 else -1.0
        above = weights[last + 1] if last + 1 < count - 1 else -1.0
        if below >= above:
            first -= 1
        else:
            last += 1
    return begin + 1 + best, begin + 1 + first, begin + 1 + last


def _score(logarithms: np.ndarray, at: int, noise: float) -> float:
    """Logarithm of the likelihood of a change before `at`, the levels integrated out."""
    score = 0.0
    for side in (logarithms[:at], logarithms[at:]):
        residuals = (side - np.median(side)) / noise
        score -= 0.5 * (_FREEDOM + 1) * float(np.log1p(residuals**2 / _FREEDOM).sum())
        score -= 0.5 * math.log(len(side))
    return score
