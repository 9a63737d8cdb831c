"""How often two runs of the same program are told apart, with noise that was recorded, not assumed.

Real A/A pairs on the machine of the day are for people to look at: voxmark compare of two runs.
"""

from __future__ import annotations

import json
import statistics
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from voxmark_reports import verdicts
from voxmark_reports.verdicts import Verdict

PAIRS = 2000
SEED = 20240531
NOISE = json.loads((Path(__file__).parent / "recorded_noise.json").read_text())["step_seconds"]


def judge(base: list[float], new: list[float]) -> Verdict:
    found = verdicts.measure(base, new)
    verdicts.decide(found, verdicts.MARGIN, verdicts.correct([found]))
    return found.verdict


def outcomes(values: np.ndarray, count: int, change: float = 0.0) -> Counter[Verdict]:
    """Of pairs drawn from one pool of values, `count` a side."""
    random = np.random.default_rng([SEED, count])
    found: Counter[Verdict] = Counter()
    for _ in range(PAIRS):
        drawn = random.permutation(values)[: 2 * count]
        found[judge(list(drawn[:count]), list((1 + change) * drawn[count:]))] += 1
    return found


def upper_bound(alarms: int) -> float:
    """Clopper and Pearson's, one-sided, 95%."""
    return float(stats.beta.ppf(0.95, alarms + 1, PAIRS - alarms))


@pytest.mark.parametrize("count", [5, 10, 20])
def test_false_alarms_stay_below_two_percent(count: int) -> None:
    found = outcomes(np.array([statistics.median(steps) for steps in NOISE]), count)
    assert upper_bound(found[Verdict.SLOWER]) <= 0.02, found
    assert upper_bound(found[Verdict.FASTER]) <= 0.02, found


def test_taking_steps_for_samples_would_alarm_all_the_time() -> None:
    """The test above can fail: this is what it would see, were the process not the sample."""
    random = np.random.default_rng(SEED)
    alarms = 0
    for _ in range(200):
        drawn = random.permutation(len(NOISE))[:4]
        base, new = (
            [step for process in side for step in NOISE[process]] for side in (drawn[:2], drawn[2:])
        )
        alarms += judge(base, new) in (Verdict.SLOWER, Verdict.FASTER)
    assert alarms / 200 > 0.2


def test_a_doubled_time_is_found_in_this_noise_too() -> None:
    found = outcomes(np.array([statistics.median(steps) for steps in NOISE]), 20, change=1.0)
    assert found[Verdict.SLOWER] / PAIRS > 0.95, found


def test_holm_keeps_a_hundred_cases_from_alarming_together() -> None:
    random = np.random.default_rng(SEED)
    values = np.array([statistics.median(steps) for steps in NOISE])
    sweeps_with_alarm = 0
    for _ in range(100):
        family = []
        for _ in range(100):
            drawn = random.permutation(values)[:20]
            family.append(verdicts.measure(list(drawn[:10]), list(drawn[10:])))
        questions = verdicts.correct(family)
        for found in family:
            verdicts.decide(found, verdicts.MARGIN, questions)
        sweeps_with_alarm += any(found.verdict == Verdict.SLOWER for found in family)
    assert sweeps_with_alarm <= 4  # 1% expected; 5 or more would happen once in 300 runs
