"""What blocks a promotion, now and over time. None of it hides an abort."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from slipway.canary import grid, wording
from slipway.canary.records import HeldSpan, Hold, Reason
from slipway.canary.units import duration
from slipway.canary.weighing import Case

_OF_TRUTH = ("coverage", "truth-mix")
_ABOUT = {
    "sample-ratio": "the router did not split as the weight said",
    "coverage": "truth was missing more often for one arm",
    "truth-mix": "the share of positives was not the usual one",
}


@dataclass(frozen=True)
class Wait:
    """What a step waits for, `until` when it did (None: it still does), and how much longer, in seconds, if known."""

    reason: Reason
    detail: str
    until: float | None
    left: float | None


def holds(case: Case) -> tuple[Hold, ...]:
    """Everything that blocks a promotion now."""
    waiting = (Hold(reason=wait.reason, detail=wait.detail) for wait in pending(case))
    return (*case.gaps, *_doubts(case), *waiting)


def pending(case: Case) -> list[Wait]:
    """What the step of now still waits for."""
    return [wait for wait in _waits(case, case.rollout.step) if wait.until is None]


def spans(case: Case) -> list[HeldSpan]:
    """Stretches of time in which something blocked the promotion, in order."""
    return sorted((*_waited(case), *_doubted(case), *_unread(case)), key=lambda span: span.start)


def _doubts(case: Case) -> Iterator[Hold]:
    for watch in case.watches:
        if watch.now and (watch.reason not in _OF_TRUTH or _asks_for_truth(case, case.rollout.step)):
            yield Hold(reason=watch.reason, detail=watch.detail)


def _asks_for_truth(case: Case, step: int) -> bool:
    return case.truth is not None and case.policy.metrics["truth"].required_from <= step


def _waits(case: Case, step: int) -> Iterator[Wait]:
    """Give all that a step waits for, also what it has already."""
    until, left = _baked(case, step)
    yield Wait("bake", f"{duration(left)} yet at this weight, of {duration(case.timing.bake)}", until, left)
    yield from _compared(case, step)
    if case.truth is not None and _asks_for_truth(case, step):
        ends = case.truth.loss.ends
        left = max(0.0, case.rollout.started + case.timing.maturity + case.policy.settle - case.now)
        detail = f"no truth yet: it is judged when it is {duration(case.timing.maturity)} old"
        yield Wait("maturity", detail, float(ends[0]) if ends.size else None, left)
    if case.truth is not None and step == case.rollout.steps and case.timing.cycle > 0:
        ends = case.truth.ends[case.truth.labelled > 0]
        spanned = ends - ends[0] if ends.size else np.zeros(0)
        enough = np.flatnonzero(spanned >= 2 * case.timing.cycle)
        seen = float(spanned[-1]) if spanned.size else 0.0
        detail = f"truth spans {duration(seen)}, and has to span {duration(2 * case.timing.cycle)}"
        yield Wait("cycle", detail, float(ends[enough[0]]) if enough.size else None, 2 * case.timing.cycle - seen)
    for each in case.metrics:
        if each.metric.required_from <= step:
            left_if_known = each.more / case.rate if each.more is not None and case.rate else None
            yield Wait("evidence", wording.evidence(case, each, step), each.reached[step - 1], left_if_known)


def _baked(case: Case, step: int) -> tuple[float | None, float]:
    """When a step had been at its weight for long enough, and how many seconds are left."""
    left = case.timing.bake
    for interval in case.rollout.intervals:
        if interval.step == step:
            lasted = (case.now if interval.end is None else min(interval.end, case.now)) - interval.start
            if lasted >= left:
                return interval.start + left, 0.0
            left -= max(0.0, lasted)
    return None, left


def _compared(case: Case, step: int) -> Iterator[Wait]:
    """Wait until the sample ratio was looked at once at this weight: before, a stuck router cannot be seen."""
    grace, settled = case.policy.grace, grid.SETTLED * case.policy.scrape
    here = [each for each in case.rollout.intervals if each.step == step and each.weight < 1]
    if not here:
        return
    ratio = next(watch for watch in case.watches if watch.reason == "sample-ratio")
    looked = [
        at
        for at in ratio.times.tolist()
        if any(
            each.start + grace < at - settled <= (math.inf if each.end is None else each.end) + 1e-6 for each in here
        )
    ]
    due = here[-1].start + grace + case.policy.grid + settled
    detail = f"not looked at yet at this weight: for {duration(grace)} the router may still be taking it up"
    yield Wait("sample-ratio", detail, looked[0] if looked else None, max(0.0, due - case.now))


def _waited(case: Case) -> Iterator[HeldSpan]:
    begun = {interval.step: interval.start for interval in reversed(case.rollout.intervals)}
    steps = sorted(begun)
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        over = None if following is None else begun[following]
        for wait in _waits(case, step):
            end = over if wait.until is None else wait.until
            if end is None or end > begun[step]:
                yield HeldSpan(reason=wait.reason, detail=wait.detail, start=begun[step], end=end)


def _doubted(case: Case) -> Iterator[HeldSpan]:
    asked = [interval.start for interval in case.rollout.intervals if _asks_for_truth(case, interval.step)]
    for watch in case.watches:
        since = min(asked, default=math.inf) if watch.reason in _OF_TRUTH else case.rollout.started
        turns = np.flatnonzero(np.diff(watch.held, prepend=False)).tolist()  # on, off, on, ...
        for start, stop in zip(turns[::2], [*turns[1::2], None], strict=False):
            first = max(float(watch.times[start]), since)
            last = None if stop is None else float(watch.times[stop])
            if first < (case.now if last is None else last):
                detail = _ABOUT[watch.reason] if last is not None else watch.detail
                yield HeldSpan(reason=watch.reason, detail=detail, start=first, end=last)


def _unread(case: Case) -> Iterator[HeldSpan]:
    for gap in case.gaps:
        yield HeldSpan(reason=gap.reason, detail=gap.detail, start=case.now, end=None)
