"""What makes a comparison doubtful, and so only blocks a promotion; and whether the canary answers at all."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from slipway.canary import evidence
from slipway.canary.evidence import Array
from slipway.canary.grid import Cells, Growth, Mask, Truth, Whole
from slipway.canary.records import Arm, Policy, Reason, Rollout

_PSEUDO = 100  # requests: how sharply the prior of the sample ratio stands around the weight
_UNLABELLED = 0.05  # share that usually stays without truth; a guess costs time, never validity


@dataclass(frozen=True)
class Watch:
    """A doubt over time: whether it blocks from each of `times` on, until the next, and how it stands now."""

    reason: Reason
    times: Array
    held: Mask
    detail: str

    @property
    def now(self) -> bool:
        """Whether it blocks now."""
        return bool(self.held.size and self.held[-1])


def sample_ratio(
    rollout: Rollout, inside: Cells, requests: Mapping[Arm, Growth], policy: Policy, settled: float
) -> Watch:
    """Doubt a router whose split is not the weight; the grace after a change of weight is not looked at.

    `settled` is how long after its end a cell is judged, in seconds.
    """
    since = np.array([interval.start for interval in rollout.intervals])[inside.interval] + policy.grace
    asked = (inside.ends - inside.length >= since - 1e-6) & ~requests["stable"].broken & ~requests["canary"].broken
    weights = np.array([interval.weight for interval in rollout.intervals])[inside.interval]
    asked &= weights < 1
    stable, canary = requests["stable"].counted[asked], requests["canary"].counted[asked]
    path = ratio_evidence(weights[asked], inside.interval[asked], stable, canary)
    needed = -math.log(policy.sample_ratio_alpha)
    detail = ""
    if path.size:
        last = inside.interval[asked] == inside.interval[asked][-1]
        share = canary[last].sum() / max(stable[last].sum() + canary[last].sum(), 1)
        detail = (
            f"the canary got {share:.1%} of {stable[last].sum() + canary[last].sum():,.0f} requests at a weight of"
            f" {weights[asked][-1]:.1%}: evidence {path[-1]:.1f} of {needed:.1f} that the router does not split as told"
        )
    return Watch("sample-ratio", inside.ends[asked] + settled, path >= needed, detail)


def ratio_evidence(weights: Array, steps: Whole, stable: Array, canary: Array) -> Array:
    """Log evidence (K,) after each cell that requests are not split by `weights`, begun anew at each of `steps`.

    A beta-binomial mixture (Lindon & Malek 2022, arXiv:2011.03567), multiplied over the steps.
    """
    gamma = math.lgamma
    path, before = [], 0.0
    step, of_stable, of_canary, here = None, 0.0, 0.0, 0.0
    for weight, at, more_stable, more_canary in zip(
        weights.tolist(), steps.tolist(), stable.tolist(), canary.tolist(), strict=True
    ):
        if at != step:
            step, before = at, before + here
            of_stable = of_canary = 0.0
            a, b = _PSEUDO * weight, _PSEUDO * (1 - weight)
            prior = gamma(a) + gamma(b) - gamma(a + b)
        of_stable, of_canary = of_stable + more_stable, of_canary + more_canary
        here = gamma(a + of_canary) + gamma(b + of_stable) - gamma(a + b + of_canary + of_stable) - prior
        here -= of_canary * math.log(weight) + of_stable * math.log1p(-weight)
        path.append(before + here)
    return np.array(path)


def coverage(truth: Truth, policy: Policy) -> Watch:
    """Doubt truth that is missing more often for one arm than for the other, among what was answered."""
    path = evidence.differs(truth.missing, base=_UNLABELLED)
    needed = -math.log(policy.coverage_alpha)
    detail = ""
    if path.size:
        missing = truth.missing
        stable, canary = (
            loss.sum() / requests.sum()
            for loss, requests in (
                (missing.stable_loss, missing.stable_requests),
                (missing.canary_loss, missing.canary_requests),
            )
        )
        detail = (
            f"no truth for {stable:.1%} of what stable answered and {canary:.1%} of what the canary answered:"
            f" evidence {path[-1]:.1f} of {needed:.1f} that this is no chance, so the labelled may not be alike"
        )
    return Watch("coverage", truth.missing.ends, path >= needed, detail)


def truth_mix(truth: Truth, reference: float | None, policy: Policy) -> Watch:
    """Doubt a stretch of time with unusually many or few positives: what is best there may not be best."""
    labelled, positives = np.cumsum(truth.labelled), np.cumsum(truth.positives)
    share = np.divide(positives, labelled, out=np.full(labelled.size, np.nan), where=labelled > 0)
    if reference is None:
        held = np.ones(labelled.size, bool)
        detail = "there is no share of positives from before to compare with: stable has had no truth yet"
    else:
        low, high = (times * reference for times in policy.truth_mix)
        held = (labelled > 0) & ~((share >= low) & (share <= high))
        detail = ""
        if held.any():
            detail = (
                f"{share[-1]:.1%} of {labelled[-1]:,.0f} labels are positive, and usually {reference:.1%} are:"
                f" outside {low:.1%} to {high:.1%}, so this stretch of time is not like the others"
            )
    return Watch("truth-mix", truth.ends, held, detail)


def unavailable(
    rollout: Rollout, inside: Cells, requests: Mapping[Arm, Growth], policy: Policy, now: float, *, readable: bool
) -> str | None:
    """Say why the canary counts as dead, or None. No statistics: nobody is there, or nobody answers.

    `readable` is whether the counters can be believed: what was not read is no silence of the canary.
    """
    current = rollout.intervals[-1]
    if current.weight <= 0:
        return None
    if rollout.available == 0 and rollout.unavailable_since is not None:
        lasted = now - max(rollout.unavailable_since, current.start)
        if lasted >= policy.unavailable:
            return f"no canary pod has been available for {lasted:.0f} s at a weight of {current.weight:.0%}"
    if not readable or current.weight >= 1:
        return None
    # Since it was last heard of, however long that is: where there is little traffic, a minute promises too few.
    heard = (requests["canary"].counted > 0) | requests["stable"].broken | requests["canary"].broken
    heard |= inside.interval != len(rollout.intervals) - 1
    mute = slice(int(np.flatnonzero(heard)[-1]) + 1 if heard.any() else 0, None)
    seconds = inside.number[mute].size * inside.length
    stable = float(requests["stable"].counted[mute].sum())
    promised = stable * current.weight / (1 - current.weight)
    if seconds >= policy.unavailable and promised >= policy.expected:
        return (
            f"the canary answered none of about {promised:.0f} requests that its weight of {current.weight:.0%}"
            f" promised in {seconds:.0f} s, in which stable answered {stable:,.0f}"
        )
    return None
