"""The verdict: which of abort, held and promote comes first, and what each of them waits for."""

import math
import re
from dataclasses import replace
from typing import get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary.worlds import ERRORS, POLICY, T0, TIMING, World, rollout
from slipway.canary import decision, planning
from slipway.canary.decision import decide, trace
from slipway.canary.records import Gap, Metric, Observation, Policy, Reason, Rollout, Timing, Trace, Verdict
from slipway.canary.weighing import weigh

QUICK = settings(max_examples=25, derandomize=True)
TWIN = {"errors": (0.01, 0.01), "latency": (0.033, 0.033), "truth": (0.2, 0.2)}
BROKEN = {**TWIN, "errors": (0.01, 0.11)}
CELLS = 400


def judged(
    seen: World | Observation,
    *,
    at: float,
    of: Rollout | None = None,
    policy: Policy = POLICY,
    timing: Timing = TIMING,
) -> Verdict:
    """Judge so many seconds after the start."""
    seen = seen.observed() if isinstance(seen, World) else seen
    return decide(of or rollout(), seen, policy, timing, T0 + at)


def reasons(verdict: Verdict) -> set[str]:
    """Why it is held."""
    return {hold.reason for hold in verdict.held}


@pytest.fixture(scope="module", name="twin")
def a_twin() -> World:
    """Arms that are alike, over 400 cells at 20 requests a second."""
    return World.drawn(7, CELLS, TWIN)


@pytest.fixture(scope="module", name="broken")
def a_broken_one() -> World:
    """A canary that fails ten times as often."""
    return World.drawn(7, CELLS, BROKEN)


# ---- the plain course ----------------------------------------------------------------------------------------------


def test_a_twin_is_promoted_when_every_metric_is_shown_harmless(twin: World) -> None:
    """It waits for evidence first, and then not at all; the answer says what it rests on."""
    early = judged(twin, at=90)
    assert (early.verdict, reasons(early), early.final) == ("continue", {"evidence"}, False)
    assert early.more_requests > 500
    assert early.more_seconds == pytest.approx(early.more_requests / 2, rel=0.3)  # 2 canary requests a second
    late = judged(twin, at=4000)
    assert (late.verdict, late.cause, late.held, late.more_requests) == ("promote", None, (), None)
    assert "errors less than 1 point worse, latency less than 3 points worse" in late.detail
    assert all(boundary.reached_at for metric in late.metrics for boundary in metric.promote)


def test_a_broken_canary_is_aborted_at_once_and_blamed(broken: World) -> None:
    """Ten points more errors: within two minutes, by the errors, and it stays so."""
    found = judged(broken, at=130)
    assert (found.verdict, found.cause, found.blame) == ("abort", "verdict", "errors")
    assert found.aborted_at <= T0 + 130
    assert re.match(
        r"errors: 1\d\.\d\d% of \d+ canary requests against \d\.\d\d% of [\d,]+ of stable, \+\d+\.\d\d points;"
        r" of canaries at most 0\.25 points worse, at most 1 in 20 ever shows what this one had after [\d mins]+$",
        found.detail,
    )
    for at in (200, 1000, 4000):
        assert judged(broken, at=at).aborted_at == found.aborted_at


def test_evidence_against_the_canary_is_averaged(broken: World) -> None:
    """E-values of all metrics of the policy count alike; one that has shown nothing yet has 1."""
    seen = broken.observed()
    for known in (seen, msgspec.structs.replace(seen, cohorts=())):
        for at in (50, 100, 200):
            found = judged(known, at=at)
            mean = sum(math.exp(metric.abort) for metric in found.metrics) / 3
            assert found.abort == pytest.approx(math.log(mean))
            assert known is seen or found.metrics[2].abort == 0


def test_nothing_known_is_no_verdict() -> None:
    """No sample at all: held, with the reason, and neither promoted nor aborted."""
    nothing = Observation(since=T0 - 600, requests={}, counts={}, reference_share=0.2)
    found = judged(nothing, at=500)
    assert found.verdict == "continue"
    assert reasons(found) == {"samples", "evidence", "maturity"}
    assert (found.abort, found.more_seconds) == (0.0, None)


def test_without_truth_it_judges_what_there_is(twin: World) -> None:
    """`truth: none`: errors alone promote."""
    assert judged(twin, at=4000, policy=ERRORS).verdict == "promote"


# ---- precedence ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spoilt",
    [
        {"gaps": (Gap(part="requests", detail="Prometheus answers 503"),)},
        {"gaps": (Gap(part="ledger", detail="no answer"),)},
        {"reference_share": None},
        {"reference_share": 0.9},
    ],
    ids=str,
)
def test_a_doubt_holds_a_promotion_and_never_hides_an_abort(
    twin: World, broken: World, spoilt: dict[str, object]
) -> None:
    """The same doubt: the twin goes on, the broken canary is aborted."""
    held = judged(msgspec.structs.replace(twin.observed(), **spoilt), at=4000)
    assert (held.verdict, len(held.held)) == ("continue", 1)
    aborted = judged(msgspec.structs.replace(broken.observed(), **spoilt), at=4000)
    assert (aborted.verdict, aborted.cause) == ("abort", "verdict")
    assert aborted.held


def test_gaps_are_named_for_what_could_not_be_read(twin: World) -> None:
    """Facts and the ledger are reasons of their own; all else is samples."""
    gaps = tuple(Gap(part=part, detail="away") for part in ("facts", "ledger", "latency"))
    found = judged(msgspec.structs.replace(twin.observed(), gaps=gaps), at=4000)
    assert [hold.reason for hold in found.held] == ["facts", "ledger", "samples"]
    assert reasons(found) <= set(get_args(Reason))


def test_silent_samples_hold(twin: World) -> None:
    """Prometheus stops; what was shown before is not enough to promote blindly."""
    assert reasons(judged(twin, at=10 * CELLS + 60)) == {"samples"}


def test_a_histogram_without_the_bucket_is_not_read_as_fast(twin: World) -> None:
    """Latency whose bucket is missing holds; errors of which there are none do not."""
    seen = twin.observed()
    for kind, held in (("latency", {"samples", "evidence"}), ("errors", set())):
        bare = {arm: msgspec.structs.replace(each, bad=()) for arm, each in seen.counts[kind].items()}
        assert reasons(judged(msgspec.structs.replace(seen, counts={**seen.counts, kind: bare}), at=4000)) == held


def test_a_router_that_does_not_split_as_told_holds(twin: World) -> None:
    """Arms that are alike, but at twice the weight."""
    found = judged(twin, at=4000, of=rollout(weights=(0.05,)))
    assert (found.verdict, reasons(found)) == ("continue", {"sample-ratio"})


def test_a_dead_canary_is_aborted_without_statistics(twin: World) -> None:
    """No pod for a minute; and before that minute is over, no promotion either."""
    gone = rollout(available=0, since=3900.0)
    assert reasons(judged(twin, at=3959, of=gone)) == {"facts"}
    found = judged(twin, at=3960, of=gone)
    assert (found.verdict, found.cause, found.detail) == (
        "abort",
        "unavailable",
        "no canary pod has been available for 60 s at a weight of 10%",
    )


def test_a_canary_that_answers_nobody_is_aborted_where_that_can_be_known() -> None:
    """With counters that stay at 0, and without any, as a router has none before the first request.

    Not where samples could not be read; that the ledger or one metric cannot be is another matter.
    """
    mute = World({"stable": np.full(60, 180), "canary": np.zeros(60, int)}).observed()
    unseen = msgspec.structs.replace(mute, requests={"stable": mute.requests["stable"], "canary": ()})
    for seen in (mute, unseen):
        assert judged(seen, at=100).cause == "unavailable"
        for part in ("facts", "ledger", "answers", "errors", "latency", "objective", "requests", "scrapes"):
            found = judged(msgspec.structs.replace(seen, gaps=(Gap(part=part, detail="503"),)), at=100)
            assert found.verdict == ("continue" if part in ("requests", "scrapes") else "abort"), part
    assert judged(mute, at=630).verdict == "continue"


@pytest.mark.parametrize(
    ("aborted", "dead", "late", "blocked"), [tuple(bool(bits >> bit & 1) for bit in range(4)) for bits in range(16)]
)
def test_abort_goes_before_held_and_held_before_promote(aborted: bool, dead: bool, late: bool, blocked: bool) -> None:
    """All sixteen combinations; a doubt only ever turns a promotion into waiting."""
    case = weigh(rollout(), World.drawn(1, 1, {}).observed(), ERRORS, TIMING, T0 + 10)
    case = replace(
        case,
        aborted_at=T0 if aborted else None,
        dead="dead" if dead else None,
        now=case.deadline + 1 if late else case.now,
    )
    expected = (
        ("abort", "verdict")
        if aborted
        else ("abort", "unavailable")
        if dead
        else ("inconclusive", None)
        if late
        else ("continue" if blocked else "promote", None)
    )
    assert decision._outcome(case, blocked=blocked) == expected


def test_evidence_goes_before_absence(broken: World) -> None:
    """A canary that was shown to be worse and then died was aborted by the evidence."""
    assert judged(broken, at=4000, of=rollout(available=0, since=3000.0)).cause == "verdict"


@pytest.mark.parametrize("on_deadline", ["inconclusive", "abort"])
@pytest.mark.parametrize("at", [20, 130, 4000, 200_000])
def test_a_person_who_goes_back_is_not_judged(broken: World, at: float, on_deadline: str) -> None:
    """Promoted at every look: on evidence against it, dead, held, without a sample and after the deadline."""
    policy = msgspec.structs.replace(POLICY, on_deadline=on_deadline)
    nothing = Observation(since=T0 - 600, requests={}, counts={})
    gaps = msgspec.structs.replace(broken.observed(), gaps=(Gap(part="requests", detail="no answer"),))
    for seen in (broken.observed(), nothing, gaps):
        for known in (rollout(), rollout(available=0, since=0), rollout(attempt=3)):
            back = msgspec.structs.replace(known, rollback=True)
            found = judged(seen, at=at, of=back, policy=policy, timing=Timing(bake=1e6, cycle=1e5, deadline=100_000))
            assert (found.verdict, found.cause, found.final, found.held) == ("promote", None, False, ())
            assert (found.aborted_at, found.more_requests, found.more_seconds) == (None, None, None)
            assert found.detail == "a person goes back to this release; it is not judged"


def test_a_rollback_shows_what_it_overrules(broken: World) -> None:
    """The trace says that it is one, and keeps the evidence; the next release is judged by it again."""
    back = msgspec.structs.replace(rollout(), rollback=True)
    told = trace(back, broken.observed(), POLICY, TIMING, T0 + 130)
    assert (told.rollout.rollback, told.verdict, told.held) == (True, judged(broken, at=130, of=back), ())
    assert told.verdict.abort > told.verdict.abort_needed
    assert (told.verdict.blame, judged(broken, at=130).verdict) == ("errors", "abort")


# ---- what a step asks ----------------------------------------------------------------------------------------------


def test_early_steps_ask_for_less(twin: World) -> None:
    """Four, two and one margins: each is reached later, and the step that is judged decides which one counts."""
    three = (0.1, 0.1, 0.1)
    found = judged(twin, at=4000, of=rollout(1000.0, 2000.0, weights=three))
    for metric in found.metrics:
        reached = [boundary.reached_at for boundary in metric.promote]
        assert reached == sorted(reached)
        assert len(set(reached)) == 3
    errors = found.metrics[0]
    assert [boundary.margin for boundary in errors.promote] == [0.04, 0.02, 0.01]
    first = errors.promote[0].reached_at - T0
    policy = msgspec.structs.replace(POLICY, metrics={"errors": POLICY.metrics["errors"]}, grace=0.0)
    assert judged(twin, at=first, policy=policy, of=rollout(weights=(0.1,))).verdict == "continue"
    begun = msgspec.structs.replace(rollout(weights=(0.1,)), steps=3)
    assert judged(twin, at=first - 1, policy=policy, of=begun).verdict == "continue"
    assert judged(twin, at=first, policy=policy, of=begun).verdict == "promote"


def test_a_metric_is_asked_for_from_its_step_on_and_aborts_from_the_start() -> None:
    """Truth that is needed at the last step only: the first promotes without, and aborts on it."""
    metrics = {**POLICY.metrics, "truth": msgspec.structs.replace(POLICY.metrics["truth"], required_from=2)}
    policy = msgspec.structs.replace(POLICY, metrics=metrics)
    patient = msgspec.structs.replace(TIMING, maturity=50_000.0)
    begun = msgspec.structs.replace(rollout(), steps=2)
    twin = World.drawn(3, CELLS, TWIN)
    assert judged(twin, at=4000, policy=policy, timing=patient, of=begun).verdict == "promote"
    second = rollout(2000.0, weights=(0.1, 0.1))
    found = judged(twin, at=4000, policy=policy, timing=patient, of=second)
    assert (found.verdict, reasons(found)) == ("continue", {"maturity", "evidence"})
    worse = World.drawn(3, CELLS, {**TWIN, "truth": (0.2, 0.4)})
    found = judged(worse, at=2000, policy=policy, of=begun)
    assert (found.verdict, found.blame) == ("abort", "truth")
    assert not found.metrics[2].required


def test_doubts_about_truth_wait_until_it_is_asked_for(twin: World) -> None:
    """Without a share to compare with, the first step goes on and the second is held."""
    metrics = {**POLICY.metrics, "truth": msgspec.structs.replace(POLICY.metrics["truth"], required_from=2)}
    policy, seen = msgspec.structs.replace(POLICY, metrics=metrics), twin.observed(reference=None)
    begun = msgspec.structs.replace(rollout(), steps=2)
    assert judged(seen, at=2000, policy=policy, of=begun).verdict == "promote"
    second = rollout(2000.0, weights=(0.1, 0.1))
    assert reasons(judged(seen, at=4000, policy=policy, of=second)) == {"truth-mix"}
    told = trace(second, seen, policy, TIMING, T0 + 4000)
    assert [span.start - T0 for span in told.held if span.reason == "truth-mix"] == [2000]


def test_a_step_bakes(twin: World) -> None:
    """At least so long at this weight, in all runs of the step together."""
    timing = msgspec.structs.replace(TIMING, bake=600.0)
    begun = rollout(2000.0, weights=(0.1, 0.1))
    found = judged(twin, at=2599, of=begun, timing=timing)
    assert (found.verdict, reasons(found), found.more_seconds) == ("continue", {"bake"}, 1.0)
    assert judged(twin, at=2600, of=begun, timing=timing).verdict == "promote"
    first, second = begun.intervals
    paused = msgspec.structs.replace(second, end=T0 + 2400), msgspec.structs.replace(second, start=T0 + 3000)
    begun = msgspec.structs.replace(begun, intervals=(first, *paused))
    assert judged(twin, at=3199, of=begun, timing=timing).more_seconds == 1.0
    assert judged(twin, at=3200, of=begun, timing=timing).verdict == "promote"


def test_truth_spans_two_cycles_before_the_last_step(twin: World) -> None:
    """Only there, and only where days differ."""
    timing = msgspec.structs.replace(TIMING, cycle=1800.0)
    settle = POLICY.settle
    assert reasons(judged(twin, at=3600 + settle, timing=timing)) == {"cycle"}
    assert judged(twin, at=3610 + settle, timing=timing).verdict == "promote"
    assert (
        judged(twin, at=3600 + settle, timing=timing, of=msgspec.structs.replace(rollout(), steps=2)).verdict
        == "promote"
    )
    assert judged(twin, at=3600, timing=timing, policy=ERRORS).verdict == "promote"


def test_no_step_ends_before_the_split_was_looked_at(twin: World) -> None:
    """At the first step and at a later one: a cell after the grace, and its scrapes, must have been there."""
    policy = msgspec.structs.replace(ERRORS, metrics={"errors": Metric(margin=0.2, base=0.01)})
    later = rollout(1000.0, weights=(0.1, 0.1))
    for start, of in ((0, rollout()), (1000, later)):
        assert reasons(judged(twin, at=start + 79, policy=policy, of=of)) == {"sample-ratio"}
        assert judged(twin, at=start + 80, policy=policy, of=of).verdict == "promote"


def test_a_metric_that_no_step_asks_for_is_asked_for_at_the_last(twin: World) -> None:
    """`required_from` beyond the steps would gate nothing; the trace and the plan say the step that it is."""
    late = {"errors": ERRORS.metrics["errors"], "truth": Metric(margin=0.001, base=0.2, required_from=9)}
    policy = msgspec.structs.replace(ERRORS, metrics=late)
    found = judged(twin, at=4000, policy=policy)
    assert found.verdict == "continue"
    assert [metric.required for metric in found.metrics] == [True, True]
    told = trace(rollout(), twin.observed(), policy, TIMING, T0 + 4000)
    assert [metric.required_from for metric in told.metrics] == [1, 1]
    plan = planning.plan(policy, TIMING, [0.1], 20.0)
    assert [metric.required for metric in plan.metrics] == [True, True]


def test_a_retry_asks_for_twice_the_evidence_of_everything(twin: World) -> None:
    """Both errors are halved from attempt to attempt."""
    for attempt, error in ((1, 0.05), (2, 0.025), (3, 0.0125)):
        found = judged(twin, at=60, of=rollout(attempt=attempt))
        assert found.abort_needed == pytest.approx(math.log(1 / error))
        assert all(b.needed == pytest.approx(math.log(1 / error)) for metric in found.metrics for b in metric.promote)


def test_the_deadline_ends_in_doubt_or_as_the_policy_says() -> None:
    """Inconclusive and final, or an abort with its own cause; what comes later changes nothing."""
    slow = World.drawn(1, CELLS, TWIN, rps=1.0)
    timing = msgspec.structs.replace(TIMING, deadline=1000.0)
    assert judged(slow, at=999, timing=timing).verdict == "continue"
    found = judged(slow, at=1000, timing=timing)
    assert (found.verdict, found.final, found.cause) == ("inconclusive", True, None)
    assert found.detail == "cannot tell: the deadline of 16 min 40 s is over; it waited for: evidence"
    strict = msgspec.structs.replace(POLICY, on_deadline="abort")
    found = judged(slow, at=1000, timing=timing, policy=strict)
    assert (found.verdict, found.cause) == ("abort", "deadline")
    turning = World.drawn(1, CELLS, {"errors": (0.01, 0.9)}, rps=1.0)
    turning.bad["errors"]["canary"][:100] = 0
    assert judged(turning, at=2500, policy=ERRORS).verdict == "abort"
    assert judged(turning, at=2500, policy=ERRORS, timing=timing).verdict == "inconclusive"
    for since, verdict in ((940.0, "abort"), (941.0, "inconclusive"), (1010.0, "inconclusive")):
        gone = rollout(available=0, since=since)
        assert {judged(slow, at=look, of=gone, timing=timing).verdict for look in (1010, 1100)} == {verdict}


def test_better_is_reported() -> None:
    """Yes, no, or not known, by metric; it is never asked for."""
    world = World.drawn(5, CELLS, {"errors": (0.01, 0.03), "latency": (0.3, 0.1), "truth": (0.2, 0.2)}, rps=5.0)
    assert [metric.better for metric in judged(world, at=4000).metrics] == ["no", "yes", "unknown"]


# ---- what may not matter -------------------------------------------------------------------------------------------


@QUICK
@given(seed=st.integers(0, 2**32 - 1), first=st.integers(1, 80), more=st.integers(1, 80))
def test_a_later_look_never_takes_back_what_was_shown(seed: int, first: int, more: int) -> None:
    """An abort stays an abort at the same moment; a boundary that was reached was reached then."""
    world = World.drawn(seed, 160, {"errors": (0.05, 0.1), "truth": (0.3, 0.3)}, rps=10)
    policy = replaced_metrics("errors", "truth")
    early, late = (judged(world, at=10 * cells, policy=policy) for cells in (first, first + more))
    if early.aborted_at:
        assert late.aborted_at == early.aborted_at
    for then, now in zip(early.metrics, late.metrics, strict=True):
        for before, after in zip(then.promote, now.promote, strict=True):
            assert before.reached_at in {None, after.reached_at}


def replaced_metrics(*kinds: str) -> Policy:
    """The policy with some of its metrics."""
    return msgspec.structs.replace(POLICY, metrics={kind: POLICY.metrics[kind] for kind in kinds})


@QUICK
@given(seed=st.integers(0, 2**32 - 1), look=st.integers(1, 59), late=st.integers(0, 500))
def test_labels_that_are_not_mature_change_nothing(seed: int, look: int, late: int) -> None:
    """Cohorts younger than the maturity may say anything: the evidence is that of those that are old enough."""
    world = World.drawn(seed, 60, {"truth": (0.2, 0.3)})
    timing, policy, now = msgspec.structs.replace(TIMING, maturity=100.0), replaced_metrics("truth"), 10 * look + 5
    seen = world.observed()
    young = tuple(
        msgspec.structs.replace(each, loss=float(min(late, each.labelled)), positives=0.0)
        if 10 * (each.cell + 1) + 100 > now
        else each
        for each in seen.cohorts
    )
    assert judged(seen, at=now, timing=timing, policy=policy) == judged(
        msgspec.structs.replace(seen, cohorts=young), at=now, timing=timing, policy=policy
    )


@QUICK
@given(skew=st.floats(-9, 9), seed=st.integers(0, 2**32 - 1))
def test_a_skewed_clock_makes_no_verdict(skew: float, seed: int) -> None:
    """Samples of both arms stamped seconds off: of arms that are alike, none is aborted."""
    world = World.drawn(seed, 120, {"errors": (0.01, 0.01)})
    seen = world.observed()

    def moved(series: object) -> object:
        return msgspec.structs.replace(series, times=tuple(at + skew for at in series.times))

    shifted = msgspec.structs.replace(
        seen,
        requests={arm: tuple(moved(one) for one in each) for arm, each in seen.requests.items()},
        counts={
            kind: {
                arm: msgspec.structs.replace(each, total=tuple(map(moved, each.total)), bad=tuple(map(moved, each.bad)))
                for arm, each in arms.items()
            }
            for kind, arms in seen.counts.items()
        },
    )
    plain, off = (judged(each, at=1150, policy=ERRORS) for each in (seen, shifted))
    assert (plain.verdict == "abort") == (off.verdict == "abort")
    assert off.metrics[0].counts["stable"].requests == pytest.approx(
        plain.metrics[0].counts["stable"].requests, rel=0.05
    )


def test_the_order_of_what_is_known_does_not_matter(twin: World) -> None:
    """Cohorts and metrics in any order: the same answer."""
    seen = twin.observed()
    turned = msgspec.structs.replace(seen, cohorts=seen.cohorts[::-1])
    assert judged(seen, at=3000) == judged(turned, at=3000)


# ---- the trace -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", name="told")
def a_trace(twin: World) -> Trace:
    """A canary of three steps, with a bake and a maturity, that could be promoted in the end."""
    timing = msgspec.structs.replace(TIMING, bake=300.0, maturity=200.0)
    return trace(rollout(500.0, 1500.0, weights=(0.1, 0.1, 0.1)), twin.observed(), POLICY, timing, T0 + 4000)


def test_a_trace_tells_what_the_verdict_rests_on(told: Trace) -> None:
    """The same verdict, the same evidence, one entry a stratum, and it survives JSON."""
    assert told.verdict.verdict == "promote"
    assert told.abort[-1] == told.verdict.abort
    for metric, final in zip(told.metrics, told.verdict.metrics, strict=True):
        assert metric.abort[-1] == final.abort
        assert [row[-1] for row in metric.promote] == [boundary.evidence for boundary in final.promote]
        assert sum(each.requests for each in metric.canary) == final.counts["canary"].requests
        assert len(metric.times) == len(metric.stable) == len(metric.abort) == len(metric.promote[2])
    assert msgspec.json.decode(msgspec.json.encode(told), type=Trace) == told


def test_a_trace_tells_what_blocked_and_when(told: Trace, twin: World) -> None:
    """Bakes at each step, the maturity at the first, evidence until it was reached; doubts from when to when."""
    spans = {(span.reason, span.start - T0, span.end and span.end - T0) for span in told.held}
    assert {("bake", 0.0, 300.0), ("bake", 500.0, 800.0), ("bake", 1500.0, 1800.0)} <= spans
    assert ("maturity", 0.0, 210.0 + POLICY.settle) in spans
    assert ("sample-ratio", 0.0, 80.0) in spans
    assert all(span.end is None or span.end > span.start for span in told.held)
    stuck = trace(rollout(weights=(0.05,)), twin.observed(), POLICY, TIMING, T0 + 4000)
    doubt = [span for span in stuck.held if span.reason == "sample-ratio"][-1]
    assert doubt.end is None
    assert doubt.start < T0 + 1000


# ---- cost ----------------------------------------------------------------------------------------------------------


def test_three_days_can_be_judged() -> None:
    """25,920 strata of three metrics: finite, and right."""
    world = World.drawn(1, 25_920, TWIN, rps=2.0)
    found = judged(world, at=259_210, timing=msgspec.structs.replace(TIMING, deadline=300_000.0))
    assert found.verdict == "promote"
    assert math.isfinite(found.abort)


def test_what_is_still_needed_is_what_planning_says(twin: World) -> None:
    """At the first look nothing is shown yet: the plan's figure, with stable's rate as it was seen so far."""
    found = judged(twin, at=1, policy=ERRORS)
    bound = planning.requests(0.01, 0.01, 0.0, 0.1, 0.05)
    assert found.more_requests == pytest.approx(planning.PROMOTE_FACTOR * bound, rel=1e-6)
