"""How Slipway judges the same counts: the evidence of slipway.canary against the boundaries of a policy."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from judging.endings import Endings, ended, first
from judging.worlds import GRID, SLOW, Arm, Array, Sample, buckets
from slipway.canary import evidence
from slipway.canary.evidence import Strata
from slipway.canary.records import Kind, Metric, Policy

POLICY = Policy(
    metrics={
        "errors": Metric(margin=0.01, base=0.01),
        "latency": Metric(margin=0.03, base=float(buckets(1.0)[SLOW].sum()), bound=0.2),
        "truth": Metric(margin=0.03, base=0.20),
    }
)
BAD: Mapping[Kind, Callable[[Arm], Array]] = {
    "errors": lambda arm: arm.errors,
    "latency": lambda arm: arm.slow,
    "truth": lambda arm: arm.wrong,
}
WEIGHTS = (0.10, 0.30, 0.60)
TIMES = (4, 2, 1)  # the margin, at each gated step


@dataclass(frozen=True)
class Counted:
    """What the judge counts in many runs: strata per metric, and the canary's requests, (runs, looks)."""

    strata: Mapping[Kind, Strata]
    requests: Array


def counted(sample: Sample, policy: Policy = POLICY) -> Counted:
    """Take from a sample what the metrics of a policy need."""
    stable, canary = sample.stable, sample.canary
    return Counted(
        {
            kind: strata(BAD[kind](stable), stable.requests, BAD[kind](canary), canary.requests)
            for kind in policy.metrics
        },
        canary.requests,
    )


def strata(stable_loss: Array, stable_requests: Array, canary_loss: Array, canary_requests: Array) -> Strata:
    """Name the counts of one metric, each (runs, looks)."""
    ends = GRID * (1.0 + np.arange(stable_requests.shape[-1]))
    return Strata(ends, *(x.astype(float) for x in (stable_loss, stable_requests, canary_loss, canary_requests)))


def only(*kinds: Kind) -> Policy:
    """Return the policy with some of its metrics."""
    return msgspec.structs.replace(POLICY, metrics={kind: POLICY.metrics[kind] for kind in kinds})


def judge(
    draw: Callable[[float], Counted],
    policy: Policy = POLICY,
    *,
    weights: Sequence[float] = (0.10,),
    times: Sequence[float] = (1,),
    late: int = 0,
    held: Array | None = None,
) -> Endings:
    """Judge runs, step by step: after the look that ends a step, a run goes on with what is drawn at the next weight.

    `draw` gives all looks at one weight; what a run shows before a step ends never depends on what follows. Truth is
    known `late` looks after its stratum; where `held` (runs, looks), nothing is promoted.
    """
    seen = draw(weights[0])
    looks = np.arange(seen.requests.shape[-1])
    done = np.full(len(seen.requests), -1)
    for weight, factor in zip(weights, times, strict=True):
        if weight != weights[0]:
            seen = _followed(seen, draw(weight), looks > done[:, None])
        allowed = looks > done[:, None]  # a step takes at least one look
        done = shown(seen, policy, factor=factor, late=late, allowed=allowed if held is None else allowed & ~held)
    return ended(aborts(seen, policy, late), done, seen.requests)


def aborts(seen: Counted, policy: Policy = POLICY, late: int = 0) -> Array:
    """First look, (runs,), at which the evidence averaged over the metrics is enough to abort."""
    each = [
        _known(evidence.abort(seen.strata[kind], margin=metric.margin, base=metric.base), kind, late)
        for kind, metric in policy.metrics.items()
    ]
    return first(np.logaddexp.reduce(each) - math.log(len(each)) >= -math.log(policy.alpha))


def shown(
    seen: Counted, policy: Policy = POLICY, *, factor: float = 1, late: int = 0, allowed: Array | None = None
) -> Array:
    """First `allowed` look, (runs,), by which every metric was once shown to be worse by less than its margin."""
    looks = np.ones(seen.requests.shape, dtype=bool) if allowed is None else allowed
    for kind, metric in policy.metrics.items():
        proof = evidence.promote(seen.strata[kind], margin=factor * metric.margin, base=metric.base)
        looks = looks & (np.maximum.accumulate(_known(proof, kind, late), axis=-1) >= -math.log(policy.beta))
    return first(looks)


def _known(log_evidence: Array, kind: Kind, late: int) -> Array:
    """Evidence as it is known at each look: none before the first truth is."""
    if kind != "truth" or not late:
        return log_evidence
    return np.concatenate([np.zeros_like(log_evidence[:, :late]), log_evidence[:, :-late]], axis=-1)


def _followed(seen: Counted, drawn: Counted, where: Array) -> Counted:
    def merged(kind: Kind) -> Strata:
        before, after = seen.strata[kind], drawn.strata[kind]
        names = ("stable_loss", "stable_requests", "canary_loss", "canary_requests")
        return replace(before, **{n: np.where(where, getattr(after, n), getattr(before, n)) for n in names})

    return Counted({kind: merged(kind) for kind in seen.strata}, np.where(where, drawn.requests, seen.requests))
