"""How others judge: each rule, on the counts that a sample holds. True where a rule aborts, (runs, strata).

Rules are read as the programs' sources have them (Argo Rollouts analysis/analysis.go, Flagger
pkg/controller/scheduler.go, Kayenta MannWhitneyClassifier.scala), on a metric's value per minute.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from judging.worlds import EDGES, P95, Arm, Array, Sample

MINUTE = 6  # strata
Rule = Callable[[Sample], Array]


def share(bad: Array, requests: Array) -> Array:
    """Mean per request; NaN without requests, which no comparison calls bad."""
    return np.divide(bad, requests, out=np.full(requests.shape, np.nan), where=requests > 0)


def p95(buckets: Array) -> Array:
    """Estimate the 95th percentile as `histogram_quantile` does: linear within the bucket that holds it."""
    counts = np.cumsum(buckets, axis=-1)
    rank = 0.95 * counts[..., -1:]
    at = np.argmax(counts >= rank, axis=-1)
    lower, upper = np.append(0, EDGES[:-1])[at], EDGES[at]
    inside = np.take_along_axis(buckets, at[..., None], -1)[..., 0]
    below = np.take_along_axis(counts, at[..., None], -1)[..., 0] - inside
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.isinf(upper), lower, lower + (upper - lower) * (rank[..., 0] - below) / inside)


def so_far(arm: Arm) -> Arm:
    """All that was counted up to each look."""
    return Arm(*(np.cumsum(x, axis=1) for x in (arm.requests, arm.errors, arm.wrong, arm.buckets)))


def by_minute(arm: Arm) -> Arm:
    """Count per minute, (runs, minutes)."""
    return Arm(
        *(
            x.reshape(x.shape[0], -1, MINUTE, *x.shape[2:]).sum(axis=2)
            for x in (arm.requests, arm.errors, arm.wrong, arm.buckets)
        )
    )


def each_minute(alarm: Array) -> Array:
    """Spread decisions at full minutes over the looks."""
    looks = np.zeros((alarm.shape[0], alarm.shape[1] * MINUTE), dtype=bool)
    looks[:, MINUTE - 1 :: MINUTE] = alarm
    return looks


def naive_accuracy(sample: Sample, least: int = 0) -> Array:
    """Abort when accuracy so far is more than 5 points below stable's."""
    stable, canary = so_far(sample.stable), so_far(sample.canary)
    worse = share(canary.wrong, canary.requests) - share(stable.wrong, stable.requests) > 0.05
    return worse & (canary.requests >= least)


def naive_three(sample: Sample, least: int = 0) -> Array:
    """Abort as well when errors so far are 1 point, or the 95th percentile is 1.2 times, above stable's."""
    stable, canary = so_far(sample.stable), so_far(sample.canary)
    errors = share(canary.errors, canary.requests) - share(stable.errors, stable.requests) > 0.01
    slow = p95(canary.buckets) > 1.2 * p95(stable.buckets)
    return naive_accuracy(sample, least) | ((errors | slow) & (canary.requests >= least))


@dataclass(frozen=True)
class Limits:
    """Fixed thresholds on the canary alone."""

    errors: float
    accuracy: float
    p95: float

    def broken(self, canary: Arm) -> tuple[Array, Array, Array]:
        """Where each metric is outside."""
        return (
            share(canary.errors, canary.requests) >= self.errors,
            1 - share(canary.wrong, canary.requests) <= self.accuracy,
            p95(canary.buckets) >= self.p95,
        )


TIGHT = Limits(errors=0.02, accuracy=0.77, p95=1.2 * P95)
LOOSE = Limits(errors=0.05, accuracy=0.70, p95=1.5 * P95)


def failures(sample: Sample, limits: Limits, allowed: int) -> Array:
    """Abort when one metric failed in more than so many minutes, not necessarily in a row.

    No measurement is taken of the last minute: the run has ended by then.
    """
    failed = [np.cumsum(broken, axis=1) for broken in limits.broken(by_minute(sample.canary))]
    alarm = np.max(failed, axis=0) > allowed
    alarm[:, -1] = False
    return each_minute(alarm)


def checks(sample: Sample, limits: Limits, threshold: int) -> Array:
    """Abort when any metric failed in so many minutes."""
    failed = np.any(limits.broken(by_minute(sample.canary)), axis=0)
    return each_minute(np.cumsum(failed, axis=1) >= threshold)


def mann_whitney(sample: Sample) -> Array:
    """Compare a value per minute, every minute from five points on: the interval of the Hodges-Lehmann shift at 98 %.

    A metric fails when the interval lies above a quarter of the estimated shift and the mean is not below stable's.
    """
    stable, canary = by_minute(sample.stable), by_minute(sample.canary)
    pairs = (
        (share(stable.errors, stable.requests), share(canary.errors, canary.requests)),
        (share(stable.wrong, stable.requests), share(canary.wrong, canary.requests)),
        (p95(stable.buckets), p95(canary.buckets)),
    )
    minutes = stable.requests.shape[1]
    alarm = np.zeros(stable.requests.shape, dtype=bool)
    for points in range(5, minutes + 1):
        failed = [_higher(ours[:, :points], theirs[:, :points]) for theirs, ours in pairs]
        alarm[:, points - 1] = np.any(failed, axis=0)
    return each_minute(alarm)


def _higher(ours: Array, theirs: Array) -> Array:
    """Tell whether ours is higher than theirs, (runs,), from (runs, points) of both."""
    number = ours.shape[1]
    shifts = np.sort((ours[:, :, None] - theirs[:, None, :]).reshape(ours.shape[0], -1), axis=1)
    deviation = np.sqrt(number * number * (2 * number + 1) / 12)
    rank = int(np.floor(number * number / 2 - norm.ppf(0.99) * deviation - 0.5))
    lowest = shifts[:, max(rank, 0)]
    shift = np.median(shifts, axis=1)
    return (lowest > 0.25 * np.abs(shift)) & (ours.mean(axis=1) >= theirs.mean(axis=1))


def z_test(sample: Sample, level: float, *, once: bool = False) -> Array:
    """Compare pooled shares so far, one-sided, at each look or only at the last; from 30 canary requests on."""
    stable, canary = so_far(sample.stable), so_far(sample.canary)
    alarm = np.any(
        [
            _z(canary.errors, canary.requests, stable.errors, stable.requests),
            _z(canary.wrong, canary.requests, stable.wrong, stable.requests),
            _z(canary.slow, canary.requests, stable.slow, stable.requests),
        ]
        > norm.ppf(1 - level),
        axis=0,
    ) & (canary.requests >= 30)
    if once:
        alarm[:, :-1] = False
    return alarm


def _z(bad: Array, number: Array, other_bad: Array, other_number: Array) -> Array:
    pooled = share(bad + other_bad, number + other_number)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (bad / number - other_bad / other_number) / np.sqrt(pooled * (1 - pooled) * (1 / number + 1 / other_number))
    return np.nan_to_num(z, nan=0.0)


RULES: dict[str, Rule] = {
    "naive, accuracy -5 points": naive_accuracy,
    "naive, accuracy, from 200 requests": lambda sample: naive_accuracy(sample, 200),
    "naive, three metrics": naive_three,
    "naive, three metrics, from 200 requests": lambda sample: naive_three(sample, 200),
    "Argo, tight": lambda sample: failures(sample, TIGHT, 3),
    "Argo, loose": lambda sample: failures(sample, LOOSE, 3),
    "Flagger, tight, by metric": lambda sample: failures(sample, TIGHT, 4),
    "Flagger, tight": lambda sample: checks(sample, TIGHT, 5),
    "Kayenta": mann_whitney,
    "z-test, .05 at each look": lambda sample: z_test(sample, 0.05),
    "z-test, .05/3 at each look": lambda sample: z_test(sample, 0.05 / 3),
    "z-test, .05/3 once": lambda sample: z_test(sample, 0.05 / 3, once=True),
}
