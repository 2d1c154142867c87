"""How long a verdict takes: against the published bounds, and against what simulations of the judge have measured."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.canary import planning
from slipway.canary.records import Kind, Metric, Policy, Timing

BOUNDS = (  # points: base, margin; canary requests: to promote a like one, to abort one worse by 2 and by 1 margin
    (0.1, 0.5, 941, 380, 1506),
    (0.1, 1, 394, 161, 617),
    (1, 0.1, 69388, 23330, 122919),
    (1, 0.5, 3331, 1202, 5807),
    (1, 1, 1004, 378, 1718),
    (1, 2, 334, 130, 557),
    (5, 1, 3480, 1195, 6144),
    (5, 3, 456, 165, 793),
    (20, 2, 2767, 923, 4907),
    (20, 3, 1252, 421, 2218),
    (20, 5, 466, 159, 824),
)
ERRORS = Metric(margin=0.01, base=0.01)
TRUTH = Metric(margin=0.03, base=0.2)
BOTH = Policy(metrics={"errors": ERRORS, "truth": TRUTH})
AT_ONCE = {"grace": 0.0, "grid": 1.0}  # the evidence alone: nobody waits for the router


@pytest.mark.parametrize(("base", "margin", "promote", "abort", "abort_at_margin"), BOUNDS)
def test_bounds(base: float, margin: float, promote: float, abort: float, abort_at_margin: float) -> None:
    """The bound is the one of the planning table, for a canary with a tenth of the traffic and 5 % of error."""
    base, margin = base / 100, margin / 100
    assert planning.requests(base, margin, 0.0, 0.1, 0.05) == pytest.approx(promote, abs=0.5)
    assert planning.requests(base, margin / 4, 2 * margin, 0.1, 0.05) == pytest.approx(abort, abs=0.5)
    assert planning.requests(base, margin / 4, margin, 0.1, 0.05) == pytest.approx(abort_at_margin, abs=0.5)


@given(
    base=st.floats(0.0005, 0.5),
    margin=st.floats(0.001, 0.3),
    times=st.floats(1.1, 8),
    weight=st.floats(0.01, 0.9),
)
def test_easier_needs_less(base: float, margin: float, times: float, weight: float) -> None:
    """A wider margin, a larger error and a canary that is worse by more each need fewer requests; none needs zero."""
    promote = planning.requests(base, margin, 0.0, weight, 0.05)
    assert 0 < planning.requests(base, times * margin, 0.0, weight, 0.05) < promote
    assert planning.requests(base, margin, 0.0, weight, 0.05 / times) > promote
    abort = planning.requests(base, margin / 4, margin, weight, 0.05)
    assert 0 < planning.requests(base, margin / 4, times * margin, weight, 0.05) < abort


def test_what_cannot_be_told_takes_for_ever() -> None:
    """No number of requests tells a canary that is worse by the margin from one that is worse by the margin."""
    assert planning.requests(0.1, 0.02, 0.02, 0.1, 0.05) == math.inf


@pytest.mark.parametrize(
    ("metrics", "weights", "rps", "seconds"),
    [
        ({"errors": ERRORS, "truth": TRUTH}, (0.05, 0.25, 0.5), 20.0, 380),  # gated at 4, 2, 1 margins
        ({"errors": ERRORS, "truth": TRUTH}, (0.1,), 20.0, 670),
        ({"truth": Metric(margin=0.02, base=0.195)}, (0.1, 0.3, 0.6), 400.0, 12_000 / 400),  # real flights, twin
    ],
)
def test_the_plan_is_what_simulations_took(
    metrics: dict[Kind, Metric], weights: tuple[float, ...], rps: float, seconds: float
) -> None:
    """The time to promote a twin is within a tenth of the median that simulations of the judge took."""
    planned = planning.plan(Policy(metrics=metrics, **AT_ONCE), Timing(), weights, rps)
    assert planned.seconds == pytest.approx(seconds, rel=0.1)


def test_an_abort_pays_for_every_metric() -> None:
    """Where 1 % of errors becomes 3 %, three metrics need the 735 canary requests that simulations took, one 582."""
    three = Policy(metrics={"errors": ERRORS, "latency": Metric(margin=0.03, base=0.033), "truth": TRUTH})
    found = [
        planning.plan(policy, Timing(), (0.1,), 20.0).metrics[0].abort_double
        for policy in (three, Policy(metrics={"errors": ERRORS}))
    ]
    assert found[0].requests == pytest.approx(735, rel=0.1)
    assert found[1].requests == pytest.approx(582, rel=0.1)
    assert found[0].seconds == found[0].requests / 2


def test_each_step_asks_half_of_the_last() -> None:
    """Three gated steps ask 4, 2 and 1 times the margin, of each metric from the step on that requires it."""
    policy = Policy(metrics={"errors": ERRORS, "truth": Metric(margin=0.03, base=0.2, required_from=3)}, **AT_ONCE)
    planned = planning.plan(policy, Timing(), (0.1, 0.3, 0.6), 20.0)
    assert [one.margin for one in planned.metrics if one.name == "errors"] == pytest.approx([0.04, 0.02, 0.01])
    assert [one.required for one in planned.metrics if one.name == "truth"] == [False, False, True]
    assert [step.waits_for for step in planned.steps] == ["errors", "errors", "truth"]


def test_bake_maturity_and_cycle() -> None:
    """A step lasts at least the bake; truth comes late by its maturity; the last step waits for two cycles of it."""
    policy = Policy(metrics={"errors": ERRORS, "truth": Metric(margin=0.03, base=0.2, required_from=3)}, **AT_ONCE)

    def way(grace: float | None = None, **timing: float) -> list[tuple[str, float]]:
        asked = policy if grace is None else msgspec.structs.replace(policy, grace=grace, grid=10.0)
        planned = planning.plan(asked, Timing(deadline=1e6, **timing), (0.1, 0.3, 0.6), 2000.0)
        return [(step.waits_for, step.end) for step in planned.steps]

    quick = way()[-1][1]
    assert way(grace=200) == [("sample-ratio", 210), ("sample-ratio", 420), ("sample-ratio", 630)]
    assert way(bake=1800) == [("bake", 1800), ("bake", 3600), ("bake", 5400)]
    assert way(maturity=6000)[-1] == ("truth", pytest.approx(quick + 6000, rel=0.01))
    assert way(maturity=6000, cycle=86400)[-1] == ("cycle", 2 * 86400 + 6000)


@pytest.mark.parametrize("remedy", ["deadline", "traffic", "weight", "margins"])
def test_each_remedy_helps(remedy: str) -> None:
    """Where the traffic cannot decide in time, each remedy by itself lets it, and a twentieth less of it does not."""
    weights, rps = (0.05, 0.1, 0.2), 10.0
    timing = Timing(deadline=900)
    planned = planning.plan(BOTH, timing, weights, rps)
    assert not planned.decidable
    found = planned.remedies
    assert found is not None
    assert found.traffic is not None
    assert found.weight is not None
    assert found.margins is not None

    def decides(by: float) -> bool:
        policy, after, shares, more = BOTH, timing, weights, rps
        match remedy:
            case "deadline":
                after = Timing(deadline=by * found.deadline)
            case "traffic":
                more = by * found.traffic
            case "weight":
                shares = tuple(max(by * found.weight, each) for each in weights)
            case "margins":
                metrics = {
                    name: Metric(margin=by * found.margins.get(name, metric.margin), base=metric.base)
                    for name, metric in BOTH.metrics.items()
                }
                policy = Policy(metrics=metrics)
        return planning.plan(policy, after, shares, more).decidable

    assert decides(1.0)
    assert not decides(0.95)


def test_only_a_deadline_helps_against_the_clock() -> None:
    """Where maturity and cycles alone take longer than the deadline, no traffic, weight or margin is offered."""
    planned = planning.plan(BOTH, Timing(maturity=21600, cycle=86400, deadline=86400), (0.1, 0.3, 0.6), 20.0)
    found = planned.remedies
    assert found is not None
    assert (found.traffic, found.weight, found.margins) == (None, None, None)
    assert found.deadline == 2 * 86400 + 21600
