"""Truth and probabilities to metrics, with intervals.

Intervals come from a day-block bootstrap: whole days are drawn with replacement, because flights of one day share its
weather and its knock-on delays, and rows drawn one by one would pretend to a certainty that is not there
(Künsch 1989, block bootstrap; percentile interval).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
    return {name: _estimate(metric, scored, weights, bootstrap.confidence) for name, metric in _metrics(costs).items()}


def auc_estimate(scored: Scored, bootstrap: Bootstrap) -> Estimate | None:
    """AUC with its interval, or None when only one outcome occurs."""
    if np.unique(scored.truth).size < 2:
        return None
    return _estimate(auc, scored, day_weights(scored.day, bootstrap), bootstrap.confidence)


def paired(
    candidate: Scored, champion: Vector, costs: Costs, bootstrap: Bootstrap, names: Sequence[str] = ("auc", "cost")
) -> dict[str, Estimate]:
    """Candidate minus champion on the same rows, both seen through the same drawn days."""
    incumbent = Scored(candidate.truth, champion, candidate.day)
    weights = day_weights(candidate.day, bootstrap)
    table: Mapping[str, Metric] = _metrics(costs)

    def difference(name: str) -> Metric:
        return lambda _, weight: table[name](candidate, weight) - table[name](incumbent, weight)

    return {name: _estimate(difference(name), candidate, weights, bootstrap.confidence) for name in names}


def auc(scored: Scored, weight: Vector) -> float:
    """Area under the ROC curve."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(scored.truth, scored.probability, sample_weight=weight))


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


def _metrics(costs: Costs) -> dict[str, Metric]:
    from sklearn.metrics import average_precision_score, brier_score_loss, f1_score, log_loss

    def of(function: Callable[..., float]) -> Metric:
        return lambda scored, weight: float(function(scored.truth, scored.probability, sample_weight=weight))

    return {
        "auc": auc,
        "average_precision": of(average_precision_score),
        "log_loss": of(log_loss),
        "brier": of(brier_score_loss),
        "calibration_error": calibration_error,
        "f1": lambda scored, weight: float(
            f1_score(scored.truth, scored.probability >= costs.threshold, sample_weight=weight, zero_division=0.0)
        ),
        "cost": lambda scored, weight: expected_cost(scored, weight, costs),
    }


def _estimate(metric: Metric, scored: Scored, weights: Vector, confidence: float) -> Estimate:
    value = metric(scored, np.ones(scored.truth.size))
    rounds = [metric(scored, weight[scored.day]) for weight in weights if _both_outcomes(scored, weight[scored.day])]
    low, high = np.quantile(rounds, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(value=value, low=float(low), high=float(high))


def _both_outcomes(scored: Scored, weight: Vector) -> bool:
    """A draw in which only one outcome is left has no AUC and says nothing."""
    drawn = scored.truth[weight > 0]
    return bool(drawn.size and drawn.min() != drawn.max())
