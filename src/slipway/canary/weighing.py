"""All that is known at one look, put on scales: evidence of every metric over time, doubts, and gaps."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from slipway.canary import evidence, gating, grid, health, planning
from slipway.canary.evidence import Array, Strata
from slipway.canary.grid import Truth
from slipway.canary.health import Watch
from slipway.canary.records import ARMS, Arm, Counts, Gap, Hold, Kind, Metric, Observation, Policy, Rollout, Timing

_NONE = Strata(*(np.zeros(0) for _ in range(5)))
_COUNTING = ("scrapes", "requests")  # without these nobody knows whether the canary answers


@dataclass(frozen=True)
class Weighed:
    """One metric: its strata, and the evidence after each of them, (K,)."""

    kind: Kind
    metric: Metric
    strata: Strata
    abort: Array
    margins: tuple[float, ...]  # by step
    promote: tuple[Array, ...]  # by step
    reached: tuple[float | None, ...]  # by step: when it was enough
    better: bool
    not_better: bool
    more: float | None  # canary requests until this step's boundary, if both are alike; None: not asked for, or there

    @property
    def stable_mean(self) -> float:
        """Stable's mean loss, which the configured base counts for until there is something better."""
        return float((self.strata.stable_loss.sum() + self.metric.base) / (self.strata.stable_requests.sum() + 1))


@dataclass(frozen=True)
class Case:
    """A canary at one look. Evidence counts up to the deadline; after it the answer does not change."""

    rollout: Rollout
    policy: Policy
    timing: Timing
    now: float
    metrics: tuple[Weighed, ...]
    times: Array  # (T,): whenever a stratum of any metric could first be judged
    abort: Array  # (T,): evidence averaged over the metrics
    aborted_at: float | None
    truth: Truth | None
    watches: tuple[Watch, ...]
    gaps: tuple[Hold, ...]
    dead: str | None  # why the canary counts as dead
    rate: float | None  # canary requests a second at this weight

    @property
    def deadline(self) -> float:
        """When the answer becomes final."""
        return self.rollout.started + self.timing.deadline


def needed(error: float, attempt: int) -> float:
    """Log evidence of a boundary; a retry may err half as often."""
    return -math.log(error) + (attempt - 1) * math.log(2)


def last(path: Array) -> float:
    """Evidence now: none before the first stratum."""
    return float(path[-1]) if path.size else 0.0


def weigh(rollout: Rollout, observation: Observation, policy: Policy, timing: Timing, now: float) -> Case:
    """Work out everything that a verdict at `now` needs."""
    policy = gating.within(policy, rollout.steps)
    until = min(now, rollout.started + timing.deadline)
    settled = grid.SETTLED * policy.scrape
    inside = grid.closed(rollout, policy, until)
    requests = {
        arm: grid.growth(observation.requests.get(arm, ()), inside, since=observation.since, scrape=policy.scrape)
        for arm in ARMS
    }
    truth = None
    if "truth" in policy.metrics:
        lag = timing.maturity + policy.settle
        truth = grid.matured(observation.cohorts, grid.cells(rollout, policy, until - lag), lag)
    unread = (*observation.gaps, *grid.silences(observation, policy, now))
    gaps = [_hold(gap) for gap in unread]
    if rollout.available == 0:
        gaps.append(Hold(reason="facts", detail="no canary pod is available"))
    if inside.number.size and all((requests["stable"].broken | requests["canary"].broken).tolist()):
        seconds = grid.MISSED * policy.scrape
        gaps.append(
            Hold(reason="samples", detail=f"no two samples lie within {seconds:g} s: is `scrape` what it says?")
        )
    metrics = []
    for kind, metric in policy.metrics.items():
        if kind == "truth":
            strata = truth.loss if truth else _NONE
        else:
            arms = {arm: observation.counts.get(kind, {}).get(arm, Counts(total=())) for arm in ARMS}
            strata = grid.strata(arms, inside, since=observation.since, scrape=policy.scrape)
            if bare := _bare(kind, arms):
                strata = _NONE
                gaps.append(Hold(reason="samples", detail=f"{kind}: no bucket of {' and '.join(bare)} at the bound"))
        metrics.append(_weighed(kind, metric, strata, rollout, policy))
    times, abort = _averaged(metrics)
    watches = [health.sample_ratio(rollout, inside, requests, policy, settled)]
    if truth:
        watches += [health.coverage(truth, policy), health.truth_mix(truth, observation.reference_share, policy)]
    here = inside.interval == len(rollout.intervals) - 1
    seconds = here.sum() * inside.length
    return Case(
        rollout=rollout,
        policy=policy,
        timing=timing,
        now=now,
        metrics=tuple(metrics),
        times=times,
        abort=abort,
        aborted_at=_first(times, abort, needed(policy.alpha, rollout.attempt)),
        truth=truth,
        watches=tuple(watches),
        gaps=tuple(gaps),
        dead=health.unavailable(
            rollout, inside, requests, policy, until, readable=all(gap.part not in _COUNTING for gap in unread)
        ),
        rate=float(requests["canary"].counted[here].sum() / seconds) if seconds else None,
    )


def _bare(kind: Kind, arms: Mapping[Arm, Counts]) -> list[Arm]:
    """Name the arms without a bucket: as if nothing were slow. No counter of errors at all is what is hoped for."""
    return [arm for arm, each in arms.items() if kind != "errors" and each.total and not (each.bad or each.good)]


def _hold(gap: Gap) -> Hold:
    """Say what a gap blocks; all that is neither the cluster nor the ledger comes as samples."""
    return Hold(reason=gap.part if gap.part in ("facts", "ledger") else "samples", detail=f"{gap.part}: {gap.detail}")


def _weighed(kind: Kind, metric: Metric, strata: Strata, rollout: Rollout, policy: Policy) -> Weighed:
    asked = gating.margins(metric.margin, rollout.steps)
    paths = {margin: evidence.promote(strata, margin=margin, base=metric.base) for margin in set(asked)}
    promote = tuple(paths[margin] for margin in asked)
    enough = needed(policy.beta, rollout.attempt)
    sure = needed(policy.alpha, rollout.attempt)
    better, not_better = (
        bool((test(strata, margin=metric.margin, base=metric.base) >= sure).any())
        for test in (evidence.better, evidence.not_better)
    )
    weighed = Weighed(
        kind=kind,
        metric=metric,
        strata=strata,
        abort=evidence.abort(strata, margin=metric.margin, base=metric.base),
        margins=asked,
        promote=promote,
        reached=tuple(_first(strata.ends, path, enough) for path in promote),
        better=better,
        not_better=not_better,
        more=None,
    )
    return replace(weighed, more=_more(weighed, rollout, enough)) if metric.required_from <= rollout.step else weighed


def _more(weighed: Weighed, rollout: Rollout, enough: float) -> float | None:
    step, weight = rollout.step, rollout.intervals[-1].weight
    if weighed.reached[step - 1] is not None or weight <= 0:
        return None
    missing = enough - last(weighed.promote[step - 1])
    margin = min(weighed.margins[step - 1], evidence.WIDEST)
    bound = planning.requests(weighed.stable_mean, margin, 0.0, min(weight, planning.HEAVIEST), math.exp(-1))
    return planning.PROMOTE_FACTOR * bound * missing if math.isfinite(bound) else None


def _averaged(metrics: Sequence[Weighed]) -> tuple[Array, Array]:
    """Average e-values, which holds whatever their dependence; a metric that has shown nothing yet has 1."""
    times = np.unique(np.concatenate([each.strata.ends for each in metrics]))
    stepwise = [np.append(0.0, each.abort)[np.searchsorted(each.strata.ends, times, side="right")] for each in metrics]
    return times, np.logaddexp.reduce(stepwise, axis=0) - math.log(len(metrics))


def _first(times: Array, path: Array, enough: float) -> float | None:
    """When a path first was enough: what has been shown, stays shown."""
    found = np.flatnonzero(path >= enough)
    return float(times[found[0]]) if found.size else None
