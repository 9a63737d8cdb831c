"""The statistics against scipy, against enumeration, and against simulated truth."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from voxmark_reports import inference, verdicts
from voxmark_reports.verdicts import Verdict

TABLE = "results/tables/detectable_shifts.json"


@pytest.mark.parametrize("counts", [(3, 3), (5, 7), (10, 10), (25, 30)])
def test_rank_test_without_ties_is_scipys_exact_one(counts: tuple[int, int]) -> None:
    random = np.random.default_rng(sum(counts))
    base, new = random.standard_normal(counts[0]), random.standard_normal(counts[1]) + 0.3
    for p_value, alternative in zip(
        inference.rank_test(base, new), ("greater", "less"), strict=True
    ):
        expected = stats.mannwhitneyu(new, base, alternative=alternative, method="exact").pvalue
        assert p_value == pytest.approx(expected, rel=1e-9)


def test_rank_test_with_ties_enumerates() -> None:
    base, new = [1.0, 1.0, 2.0, 2.0, 2.0], [2.0, 2.0, 3.0, 3.0, 3.0]

    def statistic(first: np.ndarray, second: np.ndarray) -> float:
        return float(stats.mannwhitneyu(second, first).statistic)

    expected = stats.permutation_test(
        (base, new), statistic, vectorized=False, alternative="greater", n_resamples=math.inf
    ).pvalue
    assert inference.rank_test(base, new)[0] == pytest.approx(expected)


def test_many_ties_take_the_normal_approximation() -> None:
    base, new = [1.0] * 10 + [2.0] * 10, [1.0] * 4 + [2.0] * 16
    expected = stats.mannwhitneyu(new, base, alternative="greater", method="asymptotic").pvalue
    assert inference.rank_test(base, new)[0] == pytest.approx(expected)


def test_three_against_three_never_reach_five_percent() -> None:
    assert inference.rank_test([1, 2, 3], [10, 20, 30])[0] == pytest.approx(0.05)
    assert inference.smallest_p(3, 3) == pytest.approx(0.05)


def test_holm_corrects_step_by_step() -> None:
    # Worked by hand: 0.01*4, 0.02*3, 0.03*2 (not below the one before), 0.5.
    assert inference.holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert inference.holm([0.9, 0.8]) == [1.0, 1.0]
    assert inference.holm([]) == []


def test_interval_covers_the_true_ratio() -> None:
    random = np.random.default_rng(7)
    covered = 0
    for _ in range(400):
        base, new = 1 + 0.02 * random.standard_normal((2, 10))
        low, high = inference.ratio_interval(base, 1.1 * new)
        covered += low <= 1.1 <= high
    assert covered / 400 >= 0.93  # the percentile bootstrap of a median is near its nominal 0.95


def test_interval_is_repeatable() -> None:
    base, new = [1.0, 1.1, 0.9, 1.05], [1.2, 1.0, 1.3, 1.1]
    assert inference.ratio_interval(base, new) == inference.ratio_interval(base, new)


def judge(base: np.ndarray, new: np.ndarray, margin: float = verdicts.MARGIN) -> Verdict:
    found = verdicts.measure(base, new)
    verdicts.decide(found, margin, verdicts.correct([found]))
    return found.verdict


def share(verdict: Verdict, count: int, spread: float, change: float, pairs: int = 1000) -> float:
    """Of simulated pairs of normal noise that get this verdict."""
    random = np.random.default_rng([11, count])
    found = 0
    for _ in range(pairs):
        base, new = 1 + spread * random.standard_normal((2, count))
        found += judge(base, (1 + change) * new) == verdict
    return found / pairs


# trust.md's figure for 10; the others are what the same noise allows, stated so that users know.
@pytest.mark.parametrize(("count", "least"), [(5, 0.65), (8, 0.92), (10, 0.95), (20, 0.99)])
def test_power_to_find_five_percent_at_two_percent_spread(count: int, least: float) -> None:
    assert share(Verdict.SLOWER, count, 0.02, 0.05) > least


@pytest.mark.parametrize("count", [5, 10, 20])
def test_the_detectable_change_is_detected(count: int) -> None:
    effect = inference.detectable_effect(0.02, count, count, verdicts.ALPHA, verdicts.MARGIN)
    assert effect is not None
    found = share(Verdict.SLOWER, count, 0.02, effect)
    assert inference.POWER - 0.03 < found < 1  # and is not simply large


def test_the_repeats_advised_settle_a_change() -> None:
    count = inference.processes_to_settle(0.04, 0.08, verdicts.MARGIN, verdicts.ALPHA)
    assert count is not None and count > 8
    assert share(Verdict.SLOWER, count, 0.04, 0.08, 400) > 0.9
    assert share(Verdict.SLOWER, count // 2, 0.04, 0.08, 400) < 0.9


def test_the_repeats_advised_settle_sameness() -> None:
    count = inference.processes_to_settle(0.02, 0.0, verdicts.MARGIN, verdicts.ALPHA)
    assert count is not None
    assert share(Verdict.SAME, 2 * count, 0.02, 0.0, 400) > share(
        Verdict.SAME, count // 2, 0.02, 0, 400
    )


def test_a_change_at_the_margin_is_not_settled_by_any_number() -> None:
    assert inference.processes_to_settle(0.02, verdicts.MARGIN, verdicts.MARGIN, 0.01) is None


def test_the_table_of_detectable_shifts_is_what_the_simulation_says() -> None:
    table = json.loads((Path(__file__).resolve().parents[3] / TABLE).read_text())["shifts"]
    assert [row["processes_per_side"] for row in table] == list(range(5, 31))
    for row in table:
        count = row["processes_per_side"]
        effect = inference.detectable_effect(1e-6, count, count, alpha=0.01, margin=0)
        assert effect == pytest.approx(1e-6 * row["shift"], rel=0.03), count
    shifts = [row["shift"] for row in table]
    assert shifts == sorted(shifts, reverse=True)
