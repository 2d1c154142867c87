"""Metrics against scikit-learn's, and intervals against what they promise."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from slipway import metrics
from slipway.metrics import Bootstrap, Costs, Scored

COSTS = Costs(missed=5, false_alarm=1)
BOOTSTRAP = Bootstrap(rounds=200, confidence=0.95, seed=1)


def sample(rows: int, seed: int, *, ties: bool = False, days: int = 10) -> Scored:
    """Truth that follows the probability, on some days."""
    random = np.random.default_rng(seed)
    probability = random.random(rows)
    if ties:
        probability = np.round(probability, 1)
    truth = (random.random(rows) < probability).astype(int)
    truth[:2] = (0, 1)
    return Scored(truth, probability, random.integers(0, days, rows))


@settings(max_examples=60)
@given(st.integers(2, 300), st.integers(0, 10_000), st.booleans())
def test_metrics_equal_scikit_learns(rows: int, seed: int, ties: bool) -> None:
    """With weights, ties and all, each metric has scikit-learn's value."""
    scored = sample(rows, seed, ties=ties)
    weight = np.random.default_rng(seed).integers(0, 3, rows).astype(float)
    weight[:2] = 1
    arguments: Any = (scored.truth, scored.probability)

    assert metrics.auc(scored, weight) == pytest.approx(reference.roc_auc_score(*arguments, sample_weight=weight))
    assert metrics.brier(scored, weight) == pytest.approx(reference.brier_score_loss(*arguments, sample_weight=weight))
    assert metrics.log_loss(scored, weight) == pytest.approx(reference.log_loss(*arguments, sample_weight=weight))
    expected = reference.average_precision_score(*arguments, sample_weight=weight)
    assert metrics.average_precision(scored, weight) == pytest.approx(expected)
    called = scored.probability >= COSTS.threshold
    expected = reference.f1_score(scored.truth, called, sample_weight=weight, zero_division=0.0)
    assert metrics.f1(scored, weight, COSTS) == pytest.approx(expected)


def test_cost_counts_five_for_a_missed_flight_and_one_for_a_false_alarm() -> None:
    """Four flights, one mistake of each kind: (5 + 1) / 4."""
    scored = Scored(np.array([1, 1, 0, 0]), np.array([0.9, 0.1, 0.9, 0.1]), np.zeros(4, int))

    assert metrics.expected_cost(scored, np.ones(4), COSTS) == 1.5
    assert COSTS.threshold == pytest.approx(1 / 6)


def test_calibration_error_is_the_mean_gap_between_said_and_happened() -> None:
    """Always 0.75 where half happens: 0.25."""
    scored = Scored(np.array([1, 0, 1, 0]), np.full(4, 0.75), np.zeros(4, int))

    assert metrics.calibration_error(scored, np.ones(4)) == pytest.approx(0.25)


def test_interval_is_wider_when_days_differ() -> None:
    """Rows of one day share its luck: the same rows on few days leave less certainty than on many."""
    few, many = sample(2000, 7, days=6), sample(2000, 7, days=400)
    random = np.random.default_rng(3)
    shift = random.normal(0, 0.2, 6)[few.day]
    moody = Scored(few.truth, np.clip(few.probability + shift, 0, 1), few.day)

    def width(scored: Scored) -> float:
        estimate = metrics.overall(scored, COSTS, BOOTSTRAP)["brier"]
        return estimate.high - estimate.low

    assert width(moody) > width(Scored(moody.truth, moody.probability, many.day))


def test_same_seed_gives_the_same_interval() -> None:
    """Intervals are a function of their arguments."""
    first, second = (metrics.overall(sample(500, 5), COSTS, BOOTSTRAP) for _ in range(2))

    assert first == second


@pytest.mark.parametrize("metric", [metrics.auc, metrics.brier, metrics.calibration_error])
def test_a_row_may_stand_for_many_flights(metric: metrics.Metric) -> None:
    """The estimate of counted rows is that of the rows written out, draws without both outcomes left out in both."""
    rows = sample(40, 5, days=3)
    rows.truth[rows.day == 0] = 0
    counts = np.random.default_rng(5).integers(1, 5, rows.truth.size)
    written = Scored(*(np.repeat(column, counts) for column in (rows.truth, rows.probability, rows.day)))
    draws = metrics.day_weights(rows.day, BOOTSTRAP)
    assert 3 in draws[:, 0]

    counted = metrics.estimate(metric, rows, draws, 0.95, counts)
    expected = metrics.estimate(metric, written, draws, 0.95)
    assert (counted.value, counted.low, counted.high) == pytest.approx((expected.value, expected.low, expected.high))


def test_paired_difference_of_a_twin_is_zero() -> None:
    """A candidate compared with itself differs by nothing, in every draw."""
    scored = sample(500, 5)

    for estimate in metrics.paired(scored, scored.probability, COSTS, BOOTSTRAP).values():
        assert (estimate.low, estimate.value, estimate.high) == (0, 0, 0)


def test_one_outcome_has_no_auc() -> None:
    """Where everybody was on time there is nothing to rank."""
    scored = Scored(np.zeros(10, int), np.linspace(0, 1, 10), np.arange(10))

    assert metrics.auc_estimate(scored, BOOTSTRAP) is None
