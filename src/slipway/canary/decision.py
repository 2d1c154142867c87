"""Promote, abort, go on, or cannot tell: one verdict from all that is known, and how it came about.

Abort goes before held, and held before promote: what makes a comparison doubtful may come from a broken canary, so it
never hides an abort. Everything is worked out again at each look; nothing counts before the moment at which it could
first be judged, so a later look sees what an earlier one saw.
"""

import msgspec
import numpy as np

from slipway.canary import wording
from slipway.canary.evidence import Array
from slipway.canary.holding import holds, pending, spans
from slipway.canary.records import (
    ArmCount,
    Boundary,
    Cause,
    MetricEvidence,
    MetricTrace,
    Observation,
    Outcome,
    Policy,
    Rollout,
    Timing,
    Trace,
    Verdict,
)
from slipway.canary.weighing import Case, Weighed, last, needed, weigh


def decide(rollout: Rollout, observation: Observation, policy: Policy, timing: Timing, now: float) -> Verdict:
    """Judge a canary at `now`. The same facts, the same answer."""
    return _answer(weigh(rollout, observation, policy, timing, now))


def trace(rollout: Rollout, observation: Observation, policy: Policy, timing: Timing, now: float) -> Trace:
    """Judge a canary at `now`, and tell how it came to that."""
    case = weigh(rollout, observation, policy, timing, now)
    return Trace(
        rollout=rollout,
        verdict=_answer(case),
        times=tuple(case.times.tolist()),
        abort=tuple(case.abort.tolist()),
        metrics=tuple(_metric_trace(each) for each in case.metrics),
        held=() if rollout.rollback else tuple(spans(case)),
    )


def _answer(case: Case) -> Verdict:
    judged = _verdict(case)
    if not case.rollout.rollback:
        return judged
    return msgspec.structs.replace(
        judged,
        verdict="promote",
        cause=None,
        final=False,
        held=(),
        detail=wording.GOES_BACK,
        aborted_at=None,
        more_requests=None,
        more_seconds=None,
    )


def _verdict(case: Case) -> Verdict:
    held = holds(case)
    outcome, cause = _outcome(case, blocked=bool(held))
    blame = _blamed(case)
    more = [each.more for each in case.metrics if each.more is not None]
    left = [wait.left for wait in pending(case)]
    known = [seconds for seconds in left if seconds is not None]
    return Verdict(
        verdict=outcome,
        cause=cause,
        final=outcome == "inconclusive",
        held=held,
        detail=wording.sentence(case, outcome, cause, blame, held),
        blame=blame.kind if blame else None,
        abort=last(case.abort),
        abort_needed=needed(case.policy.alpha, case.rollout.attempt),
        aborted_at=case.aborted_at,
        metrics=tuple(_metric(case, each) for each in case.metrics),
        more_requests=max(more, default=None),
        more_seconds=max(known) if known and len(known) == len(left) else None,
        attempt=case.rollout.attempt,
        step=case.rollout.step,
        started=case.rollout.started,
        looked_at=case.now,
    )


def _outcome(case: Case, *, blocked: bool) -> tuple[Outcome, Cause | None]:
    """Abort > held > promote; the deadline ends what is neither aborted nor promoted by then."""
    if case.aborted_at is not None:
        return "abort", "verdict"
    if case.dead is not None:
        return "abort", "unavailable"
    if case.now >= case.deadline:
        return ("abort", "deadline") if case.policy.on_deadline == "abort" else ("inconclusive", None)
    return ("continue" if blocked else "promote"), None


def _blamed(case: Case) -> Weighed | None:
    """Find the metric with most evidence against the canary: when it was aborted, or else now."""
    at = case.now if case.aborted_at is None else case.aborted_at

    def against(each: Weighed) -> float:
        return last(each.abort[: np.searchsorted(each.strata.ends, at, side="right")])

    worst = max(case.metrics, key=against)
    return worst if against(worst) > 0 else None


def _metric(case: Case, each: Weighed) -> MetricEvidence:
    strata, enough = each.strata, needed(case.policy.beta, case.rollout.attempt)
    return MetricEvidence(
        name=each.kind,
        required=each.metric.required_from <= case.rollout.step,
        counts={
            "stable": ArmCount(requests=float(strata.stable_requests.sum()), loss=float(strata.stable_loss.sum())),
            "canary": ArmCount(requests=float(strata.canary_requests.sum()), loss=float(strata.canary_loss.sum())),
        },
        abort=last(each.abort),
        promote=tuple(
            Boundary(margin=margin, evidence=last(path), needed=enough, reached_at=reached)
            for margin, path, reached in zip(each.margins, each.promote, each.reached, strict=True)
        ),
        better="unknown" if each.better == each.not_better else "yes" if each.better else "no",
        more_requests=each.more,
    )


def _metric_trace(each: Weighed) -> MetricTrace:
    strata = each.strata

    def counts(requests: Array, loss: Array) -> tuple[ArmCount, ...]:
        return tuple(ArmCount(requests=n, loss=x) for n, x in zip(requests.tolist(), loss.tolist(), strict=True))

    return MetricTrace(
        name=each.kind,
        required_from=each.metric.required_from,
        times=tuple(strata.ends.tolist()),
        stable=counts(strata.stable_requests, strata.stable_loss),
        canary=counts(strata.canary_requests, strata.canary_loss),
        abort=tuple(each.abort.tolist()),
        promote=tuple(tuple(path.tolist()) for path in each.promote),
    )
