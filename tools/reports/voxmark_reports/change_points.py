"""Where a series of figures moved to another level and stayed there.

Killick, Fearnhead and Eckley's PELT (2012) with a squared-error cost, from the ruptures library, on
logarithms: a change is a ratio.
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


@dataclass
class ChangePoint:
    position: int  # of the first point of the new level
    before: float  # medians of the levels
    after: float

    @property
    def ratio(self) -> float:
        return self.after / self.before


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
    signal = (logarithms / _noise(logarithms)).reshape(-1, 1)
    search = ruptures.Pelt(model="l2", min_size=LEAST_STAY, jump=1).fit(signal)
    ends = search.predict(pen=PENALTY * math.log(len(values)))
    starts = [0, *ends[:-1]]
    levels = [statistics.median(values[a:b]) for a, b in zip(starts, ends, strict=True)]
    found = []
    for position, before, after in zip(starts[1:], levels, levels[1:], strict=False):
        if abs(after / before - 1) >= LEAST_CHANGE:
            found.append(ChangePoint(position, before, after))
    return found
