"""How many requests, and how long, a verdict needs. Pure: a policy, the steps and the traffic in, a plan out.

No test whose error is bounded at every look decides with fewer canary requests, on average, than log(1/error) / D*. D*
is the information of one canary request: the distance from what is true to the nearest world in which the answer would
be wrong (Wald 1945; the infimum over a composite null as in Lai and Robbins 1985). Our test comes close to it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec
from scipy.optimize import minimize_scalar

from slipway.canary import gating
from slipway.canary.evidence import TOLERATED
from slipway.canary.records import Kind, Policy, Timing

PROMOTE_FACTOR = 1.1  # times the bound: what our test needs on average, as bench/judge.py measures it
ABORT_FACTOR = 1.5  # more, for it must first find out how much worse the canary is, and since when
WIDEST = 16.0  # times a margin: beyond it a remedy is none
HEAVIEST = 0.5  # a weight beyond it tells less again: stable, with which the canary is compared, becomes the noisy one
_TINY = 1e-9


class _Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Need(_Frozen, frozen=True, kw_only=True):
    """Canary requests, and seconds until they have been answered and their truth is in."""

    requests: float
    seconds: float


class MetricPlan(_Frozen, frozen=True, kw_only=True):
    """What one metric needs at one step, if all of it came from that step."""

    name: Kind
    step: int
    margin: float  # asked at this step
    required: bool
    promote: Need  # a canary that is like stable
    abort_double: Need  # one that is worse by twice δ₁
    abort_fourfold: Need


class StepPlan(_Frozen, frozen=True, kw_only=True):
    """A step on the way of a canary that is like stable: from `start` to `end` seconds after the first request."""

    step: int
    weight: float
    start: float
    end: float
    waits_for: Kind | Literal["bake", "sample-ratio", "cycle"]  # what comes last


class Remedies(_Frozen, frozen=True, kw_only=True):
    """What would each, alone, let the traffic decide in time; None where it does not help."""

    deadline: float  # seconds
    traffic: float | None  # requests a second
    weight: float | None  # no step with less
    margins: Mapping[Kind, float] | None


class Plan(_Frozen, frozen=True, kw_only=True):
    """How long a canary takes on average; `remedies` where that is too long."""

    schema_version: int = 1
    requests_per_second: float
    timing: Timing
    metrics: tuple[MetricPlan, ...]
    steps: tuple[StepPlan, ...]
    seconds: float  # until a canary that is like stable is promoted
    remedies: Remedies | None

    @property
    def decidable(self) -> bool:
        """Whether that is before the deadline."""
        return self.remedies is None


def requests(base: float, margin: float, difference: float, weight: float, error: float) -> float:
    """Canary requests that any test needs at least, on average, to tell `difference` from `margin`.

    `base` is stable's mean loss, a share from 0 to 1; the canary's is `base + difference`. `weight` is the canary's
    share of the traffic, `error` how often the answer may be wrong where the canary is worse by `margin`. Infinite
    where the two are the same.
    """
    margin = min(margin, 1 - 3 * _TINY)  # nothing is worse by more than 1
    stable, canary = (min(max(mean, _TINY), 1 - _TINY) for mean in (base, base + difference))

    def information(null: float) -> float:
        return _divergence(canary, null + margin) + (1 - weight) / weight * _divergence(stable, null)

    inside = (_TINY, 1 - margin - _TINY)
    least = float(minimize_scalar(information, bounds=inside, method="bounded", options={"xatol": 1e-9}).fun)
    return math.log(1 / error) / least if least > _TINY**1.5 else math.inf


def _divergence(true: float, other: float) -> float:
    """Kullback-Leibler divergence of two shares, in nats."""
    return true * math.log(true / other) + (1 - true) * math.log((1 - true) / (1 - other))


def plan(policy: Policy, timing: Timing, weights: Sequence[float], requests_per_second: float) -> Plan:
    """Say how long canaries take under a policy, by the weights of the gated steps and the traffic of both arms.

    A first attempt, whose every request gets its truth. Evidence is kept from step to step; the step that a metric
    waits for is the one at which it reaches the boundary, not where it began to count.
    """
    policy = gating.within(policy, len(weights))
    steps = _passage(policy, timing, weights, requests_per_second)
    seconds = steps[-1].end
    late = not seconds <= timing.deadline
    return Plan(
        requests_per_second=requests_per_second,
        timing=timing,
        metrics=tuple(
            _metric(policy, timing, name, weights, step=step, traffic=requests_per_second)
            for name in policy.metrics
            for step in range(1, len(weights) + 1)
        ),
        steps=steps,
        seconds=seconds,
        remedies=_remedies(policy, timing, weights, requests_per_second) if late else None,
    )


def _metric(
    policy: Policy, timing: Timing, name: Kind, weights: Sequence[float], *, step: int, traffic: float
) -> MetricPlan:
    metric, weight = policy.metrics[name], weights[step - 1]
    asked = gating.margins(metric.margin, len(weights))[step - 1]
    maturity = _maturity(name, timing)

    def need(bound: float) -> Need:
        return Need(requests=bound, seconds=bound / (traffic * weight) + maturity)

    def abort(times: float) -> Need:
        error = policy.alpha / len(policy.metrics)  # the evidence is averaged: one metric has to carry all
        bound = requests(metric.base, TOLERATED * metric.margin, times * metric.margin, weight, error)
        return need(ABORT_FACTOR * bound)

    return MetricPlan(
        name=name,
        step=step,
        margin=asked,
        required=step >= metric.required_from,
        promote=need(PROMOTE_FACTOR * requests(metric.base, asked, 0.0, weight, policy.beta)),
        abort_double=abort(2),
        abort_fourfold=abort(4),
    )


def _passage(policy: Policy, timing: Timing, weights: Sequence[float], traffic: float) -> tuple[StepPlan, ...]:
    """Follow a canary that is like stable through the steps."""
    passed: list[StepPlan] = []
    for step, weight in enumerate(weights, start=1):
        start = passed[-1].end if passed else 0.0
        waits: dict[Kind | Literal["bake", "sample-ratio", "cycle"], float] = {
            "bake": start + timing.bake,
            "sample-ratio": start + policy.grace + policy.grid,
        }
        for name, metric in policy.metrics.items():
            if step < metric.required_from:
                continue
            asked = gating.margins(metric.margin, len(weights))[step - 1]
            speeds = [
                traffic * each / (PROMOTE_FACTOR * requests(metric.base, asked, 0.0, each, policy.beta))
                for each in weights[:step]
            ]
            waits[name] = _reached([each.start for each in passed] + [start], speeds) + _maturity(name, timing)
        if step == len(weights) and "truth" in policy.metrics:
            waits["cycle"] = 2 * timing.cycle + timing.maturity
        last = max(waits, key=lambda name: waits[name])
        passed.append(StepPlan(step=step, weight=weight, start=start, end=max(start, waits[last]), waits_for=last))
    return tuple(passed)


def _maturity(name: Kind, timing: Timing) -> float:
    return timing.maturity if name == "truth" else 0.0


def _reached(starts: Sequence[float], speeds: Sequence[float]) -> float:
    """When what grows at `speeds` a second, each from its start on, reaches 1."""
    grown = 0.0
    for start, end, speed in zip(starts, [*starts[1:], math.inf], speeds, strict=True):
        if grown + (end - start) * speed >= 1:
            return start + (1 - grown) / speed
        grown += (end - start) * speed
    return math.inf


def _remedies(policy: Policy, timing: Timing, weights: Sequence[float], traffic: float) -> Remedies:
    def fits(policy: Policy = policy, weights: Sequence[float] = weights, traffic: float = traffic) -> bool:
        return _passage(policy, timing, weights, traffic)[-1].end <= timing.deadline

    def wider(times: float) -> Policy:
        changed = {
            name: msgspec.structs.replace(metric, margin=min(times * metric.margin, 1 - _TINY))
            if name in slow
            else metric
            for name, metric in policy.metrics.items()
        }
        return msgspec.structs.replace(policy, metrics=changed)

    alone = {name: msgspec.structs.replace(policy, metrics={name: metric}) for name, metric in policy.metrics.items()}
    slow = [name for name, only in alone.items() if not fits(only)] or list(policy.metrics)
    times = _least(lambda times: fits(wider(times)), 1.0, WIDEST)
    floor = _least(lambda floor: fits(weights=[max(floor, each) for each in weights]), min(weights), HEAVIEST)
    more = _least(lambda more: fits(traffic=more * traffic), 1.0, 1e6)
    return Remedies(
        deadline=_passage(policy, timing, weights, traffic)[-1].end,
        traffic=more and more * traffic,
        weight=floor,
        margins={name: wider(times).metrics[name].margin for name in slow} if times else None,
    )


def _least(fits: Callable[[float], bool], low: float, high: float) -> float | None:
    """Find the least value between `low`, which does not fit, and `high` from which on it fits, within a percent."""
    if low >= high or not fits(high):
        return None
    while high > 1.01 * low:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high
