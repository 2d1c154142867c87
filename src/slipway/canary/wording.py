"""What a verdict says to the person on call: sentences with the figures in them."""

import math
from collections.abc import Sequence

from slipway.canary.evidence import TOLERATED
from slipway.canary.records import Cause, Hold, Outcome
from slipway.canary.units import duration
from slipway.canary.weighing import Case, Weighed, last, needed

GOES_BACK = "a person goes back to this release; it is not judged"


def sentence(case: Case, outcome: Outcome, cause: Cause | None, blame: Weighed | None, held: Sequence[Hold]) -> str:
    """Say in one sentence what was decided, and why."""
    after = duration(case.now - case.rollout.started)
    waits = ", ".join(dict.fromkeys(hold.reason for hold in held)) or "nothing"
    match outcome, cause:
        case "abort", "verdict" if blame is not None and case.aborted_at is not None:
            odds = math.exp(needed(case.policy.alpha, case.rollout.attempt))
            then = duration(case.aborted_at - case.rollout.started)
            harmless = _points(TOLERATED * blame.metric.margin)
            return (
                f"{blame.kind}: {_arms(blame)}; of canaries at most {harmless} worse, at most 1 in {odds:,.0f} ever"
                f" shows what this one had after {then}"
            )
        case "abort", "unavailable":
            return str(case.dead)
        case "abort", _:
            return f"no verdict within {after}, and the policy aborts at the deadline; it waited for: {waits}"
        case "inconclusive", _:
            return f"cannot tell: the deadline of {duration(case.timing.deadline)} is over; it waited for: {waits}"
        case "promote", _:
            step = case.rollout.step
            shown = [
                f"{each.kind} less than {_points(each.margins[step - 1])} worse"
                for each in case.metrics
                if each.metric.required_from <= step
            ]
            return f"after {after} at step {step} of {case.rollout.steps}: {', '.join(shown) or 'nothing is asked for'}"
    return f"after {after} at step {case.rollout.step} of {case.rollout.steps} it waits for: {waits}"


def evidence(case: Case, each: Weighed, step: int) -> str:
    """Say how far a metric is from what a step asks."""
    aim = f"{each.kind} less than {_points(each.margins[step - 1])} worse"
    reached = each.reached[step - 1]
    if reached is not None:
        return f"{aim}: shown after {duration(reached - case.rollout.started)}"
    enough = needed(case.policy.beta, case.rollout.attempt)
    said = f"{aim}: evidence {last(each.promote[step - 1]):.2f} of {enough:.2f}"
    said += f"; {_arms(each)}"
    return said if each.more is None else f"{said}; about {each.more:,.0f} more canary requests if both are alike"


def _points(share: float) -> str:
    """Write a difference of shares."""
    return "1 point" if share == 0.01 else f"{100 * share:g} points"


def _arms(each: Weighed) -> str:
    strata = each.strata
    canary, stable = strata.canary_requests.sum(), strata.stable_requests.sum()
    if not canary or not stable:
        return "nothing to compare yet"
    means = strata.canary_loss.sum() / canary, strata.stable_loss.sum() / stable
    form = "mean loss {:.4f}" if each.kind == "truth" else "{:.2%}"
    return (
        f"{form.format(means[0])} of {canary:,.0f} canary requests against {form.format(means[1])} of {stable:,.0f} of"
        f" stable, {100 * (means[0] - means[1]):+.2f} points"
    )
