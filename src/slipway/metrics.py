"""Truth and probabilities to metrics, with intervals.

Intervals come from a day-block bootstrap: whole days are drawn with replacement, because flights of one day share its
weather and its knock-on delays, and rows drawn one by one would pretend to a certainty that is not there
(Künsch 1989, block bootstrap; percentile interval).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from slipway.records import Estimate

Vector = np.ndarray[Any, np.dtype[Any]]
Metric = Callable[["Scored", Vector], float]
BINS = 10  # of the calibration error, of equal width


@dataclass(frozen=True)
class Costs:
    """What one mistake costs, and how estimates are made."""

    missed: float
    false_alarm: float

    @property
    def threshold(self) -> float:
        """The probability from which on an alarm is the cheaper bet."""
        return self.false_alarm / (self.false_alarm + self.missed)


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made."""

    rounds: int
    confidence: float
    seed: int


@dataclass(frozen=True)
class Scored:
    """Rows with truth (0 or 1), probability, and the number of their day; each of shape (rows,)."""

    truth: Vector
    probability: Vector
    day: Vector

    @cached_property
    def _ranking(self) -> tuple[Vector, Vector]:
        """Rows by falling probability, and the last place of each run of equal ones: sorted once for all draws."""
        order = np.argsort(-self.probability, kind="stable")
        return order, np.append(np.flatnonzero(np.diff(self.probability[order])), self.truth.size - 1)

    def curve(self, weight: Vector) -> tuple[Vector, Vector]:
        """Weight of true and of false alarms at each distinct threshold, from the highest down."""
        order, last = self._ranking
        drawn, late = weight[order], self.truth[order]
        return np.cumsum(drawn * late)[last], np.cumsum(drawn * (1 - late))[last]

    def where(self, mask: Vector) -> "Scored":
        """The rows that a boolean mask selects."""
        return Scored(self.truth[mask], self.probability[mask], self.day[mask])


def day_weights(day: Vector, bootstrap: Bootstrap) -> Vector:
    """How often each day is drawn in each round: shape (rounds, days), where days = max(day) + 1."""
    present = np.unique(day)
    draws = np.random.default_rng(bootstrap.seed).multinomial(
        present.size, np.full(present.size, 1 / present.size), bootstrap.rounds
    )
    weights = np.zeros((bootstrap.rounds, int(day.max()) + 1))
    weights[:, present] = draws
    return weights


def overall(scored: Scored, costs: Costs, bootstrap: Bootstrap) -> dict[str, Estimate]:
    """Every metric of the test window with its interval."""
    weights = day_weights(scored.day, bootstrap)
    return {name: estimate(metric, scored, weights, bootstrap.confidence) for name, metric in _metrics(costs).items()}


def auc_estimate(scored: Scored, bootstrap: Bootstrap) -> Estimate | None:
    """AUC with its interval, or None when only one outcome occurs."""
    if np.unique(scored.truth).size < 2:
        return None
    return estimate(auc, scored, day_weights(scored.day, bootstrap), bootstrap.confidence)


def paired(
    candidate: Scored, champion: Vector, costs: Costs, bootstrap: Bootstrap, names: Sequence[str] = ("auc", "cost")
) -> dict[str, Estimate]:
    """Candidate minus champion on the same rows, both seen through the same drawn days."""
    incumbent = Scored(candidate.truth, champion, candidate.day)
    weights = day_weights(candidate.day, bootstrap)
    table: Mapping[str, Metric] = _metrics(costs)

    def difference(name: str) -> Metric:
        return lambda _, weight: table[name](candidate, weight) - table[name](incumbent, weight)

    return {name: estimate(difference(name), candidate, weights, bootstrap.confidence) for name in names}


# The bootstrap asks for each metric some hundred times; scikit-learn sorts and checks its arguments anew each time and
# takes 20 s where this takes one. tests/unit/test_metrics.py holds them to scikit-learn's values.


def auc(scored: Scored, weight: Vector) -> float:
    """Area under the ROC curve."""
    alarms, false_alarms = scored.curve(weight)
    area = np.trapezoid(np.append(0, alarms), np.append(0, false_alarms))
    return float(area / (alarms[-1] * false_alarms[-1]))


def average_precision(scored: Scored, weight: Vector) -> float:
    """Mean precision over the steps of recall."""
    alarms, false_alarms = scored.curve(weight)
    given = alarms + false_alarms
    precision = np.divide(alarms, given, out=np.ones_like(given), where=given > 0)
    return float(np.sum(np.diff(alarms, prepend=0) * precision) / alarms[-1])


def calibration_error(scored: Scored, weight: Vector) -> float:
    """Expected calibration error over BINS bins of equal width (Naeini et al. 2015)."""
    which = np.minimum((scored.probability * BINS).astype(int), BINS - 1)
    gaps = np.bincount(which, weight * (scored.probability - scored.truth), BINS)
    return float(np.abs(gaps).sum() / weight.sum())


def expected_cost(scored: Scored, weight: Vector, costs: Costs) -> float:
    """Mean cost per flight when an alarm is given from `costs.threshold` on."""
    alarm = scored.probability >= costs.threshold
    cost = np.where(alarm, costs.false_alarm * (1 - scored.truth), costs.missed * scored.truth)
    return float(np.average(cost, weights=weight))


def values(scored: Scored, costs: Costs) -> dict[str, float]:
    """Every metric, without an interval."""
    ones = np.ones(scored.truth.size)
    return {name: metric(scored, ones) for name, metric in _metrics(costs).items()}


def f1(scored: Scored, weight: Vector, costs: Costs) -> float:
    """Harmonic mean of precision and recall at `costs.threshold`; 0 without a true alarm."""
    alarm = scored.probability >= costs.threshold
    right, wrong = weight @ (alarm & (scored.truth == 1)), weight @ (alarm != scored.truth)
    return float(2 * right / (2 * right + wrong)) if right else 0.0


def log_loss(scored: Scored, weight: Vector) -> float:
    """Mean surprise at the truth, in nats."""
    given = np.where(scored.truth == 1, scored.probability, 1 - scored.probability)
    return float(np.average(-np.log(np.maximum(given, np.finfo(float).eps)), weights=weight))


def brier(scored: Scored, weight: Vector) -> float:
    """Mean squared difference of probability and truth."""
    return float(np.average((scored.probability - scored.truth) ** 2, weights=weight))


def _metrics(costs: Costs) -> dict[str, Metric]:
    return {
        "auc": auc,
        "average_precision": average_precision,
        "log_loss": log_loss,
        "brier": brier,
        "calibration_error": calibration_error,
        "f1": lambda scored, weight: f1(scored, weight, costs),
        "cost": lambda scored, weight: expected_cost(scored, weight, costs),
    }


def estimate(
    metric: Metric, scored: Scored, weights: Vector, confidence: float, counts: Vector | None = None
) -> Estimate:
    """A metric with its interval by the draws of `day_weights`; a row stands for one flight, or for `counts` of them.

    Both outcomes must occur.
    """
    count = np.ones(scored.truth.size) if counts is None else counts
    drawn = (weight[scored.day] * count for weight in weights)
    rounds = [metric(scored, weight) for weight in drawn if _both_outcomes(scored, weight)]
    low, high = np.quantile(rounds, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(value=metric(scored, count), low=float(low), high=float(high))


def _both_outcomes(scored: Scored, weight: Vector) -> bool:
    """A draw in which only one outcome is left has no AUC and says nothing."""
    drawn = scored.truth[weight > 0]
    return bool(drawn.size and drawn.min() != drawn.max())
