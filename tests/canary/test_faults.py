"""Faults that others have, planted here: the property that the judge has is lost with each of them.

A property is a function that asserts; a fault replaces one part of the judge. The real one keeps every property, and
each fault breaks the one that is there because of it.
"""

from collections.abc import Callable, Iterable

import msgspec
import numpy as np
import pytest

from canary.worlds import ERRORS, POLICY, T0, TIMING, World, rollout, series
from slipway.canary import decision, evidence, grid
from slipway.canary.decision import decide
from slipway.canary.evidence import Array, Strata
from slipway.canary.records import ARMS, Arm, Cause, Cohort, Observation, Outcome, Policy, Series
from slipway.canary.weighing import Case

Property = Callable[[], None]
Plant = Callable[[pytest.MonkeyPatch], None]

# ---- properties ----------------------------------------------------------------------------------------------------


def drift_aborts_nobody() -> None:
    """Identical arms; the weight goes 5, 25, 50 % while errors rise 0.5, 2, 6 % for both."""
    steps = np.repeat([0, 1, 2], 60)
    weights, rates = np.array([0.05, 0.25, 0.5])[steps], np.array([0.005, 0.02, 0.06])[steps]
    for seed in range(5):
        world = World.drawn(seed, 180, {"errors": (rates, rates)}, weights=weights)
        under_way = rollout(600.0, 1200.0, weights=(0.05, 0.25, 0.5))
        assert decide(under_way, world.observed(), ERRORS, TIMING, T0 + 1810).verdict != "abort"


def what_is_tolerated_is_not_aborted() -> None:
    """A canary worse by 0.2 points, where 0.25 are tolerated, at 2,000 requests a second for an hour."""
    world = World.drawn(1, 360, {"errors": (0.01, 0.012)}, rps=2000.0)
    assert decide(rollout(), world.observed(), ERRORS, TIMING, T0 + 3610).verdict == "promote"


def what_is_worse_by_two_margins_is_not_promoted() -> None:
    """Wherever one looks, over ten canaries."""
    for seed in range(10):
        world = World.drawn(seed, 180, {"errors": (0.01, 0.03)})
        verdict = decide(rollout(), world.observed(), ERRORS, TIMING, T0 + 1810)
        assert verdict.verdict != "promote"
        assert verdict.metrics[0].promote[0].reached_at is None


def every_request_is_one() -> None:
    """Errors that come one by one, each on a counter that is born with it, are all counted, and as wholes."""
    requests: dict[Arm, np.ndarray] = {"stable": np.full(60, 180), "canary": np.full(60, 20)}
    plain = World(requests, {"errors": {arm: np.zeros(60) for arm in ARMS}}).observed()
    born = tuple(Series(times=(T0 + at, T0 + at + 5), values=(1.0, 1.0)) for at in range(32, 592, 20))
    counts = {**plain.counts["errors"], "canary": msgspec.structs.replace(plain.counts["errors"]["canary"], bad=born)}
    seen = msgspec.structs.replace(plain, counts={"errors": counts})
    verdict = decide(rollout(), seen, ERRORS, TIMING, T0 + 610)
    found = verdict.metrics[0].counts
    assert (found["canary"].requests, found["canary"].loss) == (1200, len(born))
    assert (found["stable"].requests, found["stable"].loss) == (60 * 180, 0)


def a_doubt_hides_no_abort() -> None:
    """A canary that fails every tenth request and gets half of its share, because it fails."""
    world = World.drawn(1, 60, {"errors": (0.01, 0.1)})
    verdict = decide(rollout(weights=(0.2,)), world.observed(), ERRORS, TIMING, T0 + 610)
    assert "sample-ratio" in {hold.reason for hold in verdict.held}
    assert (verdict.verdict, verdict.cause) == ("abort", "verdict")


TRUTH = Policy(metrics={"truth": msgspec.structs.replace(POLICY.metrics["truth"], margin=0.02, base=0.19)})
LATE = 0.3147  # share of late flights for which the champion's mean loss is what was measured
BY_CLASS = {"champion": (0.499, 0.056), "challenger": (0.413, 0.072), "leak": (0.847, 0.007)}  # judge.md §11
Told = Callable[[np.ndarray, np.ndarray], np.ndarray]


def everything(_: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Judge the loss of every request that has its truth."""
    return np.ones(losses.size, bool)


def judged_on_truth(model: str, told: Told) -> Outcome:
    """Judge a model against the champion by the losses of the requests that `told` picks."""
    rng, cohorts = np.random.default_rng(3), list[Cohort]()
    for cell in range(120):
        for arm, name, number in (("stable", "champion", 180), ("canary", model, 40)):
            late = rng.random(number) < LATE
            losses = np.where(late, *BY_CLASS[name])
            picked = told(late, losses)
            row = {"cell": cell, "arm": arm, "answered": number, "labelled": int(picked.sum())}
            row |= {"loss": float(losses[picked].sum()), "positives": float(late.sum() * picked.mean())}
            cohorts.append(msgspec.convert(row, Cohort))
    requests = {arm: (series(np.full(120, number)),) for arm, number in (("stable", 180), ("canary", 40))}
    seen = Observation(since=T0 - 600, requests=requests, counts={}, cohorts=tuple(cohorts), reference_share=LATE)
    return decide(rollout(weights=(40 / 220,)), seen, TRUTH, TIMING, T0 + 1210).verdict


def the_leak_is_aborted(told: Told = everything) -> None:
    """Brier loss by class as measured: the leak is better on punctual flights only, the challenger in the mean."""
    assert judged_on_truth("leak", told) == "abort"
    assert judged_on_truth("challenger", told) == "promote"


# ---- faults --------------------------------------------------------------------------------------------------------


def cumulative(plant: pytest.MonkeyPatch) -> None:
    """Compare all requests so far with all requests so far, at each look."""

    def pooled(test: Callable[..., Array]) -> Callable[..., Array]:
        def judged(strata: Strata, *, margin: float, base: float) -> Array:
            parts = (strata.stable_loss, strata.stable_requests, strata.canary_loss, strata.canary_requests)
            looks = Strata(strata.ends[:1], *(np.cumsum(part)[:, None] for part in parts))
            return test(looks, margin=margin, base=base)[:, 0]

        return judged

    for test in (evidence.abort, evidence.promote):
        plant.setattr(evidence, test.__name__, pooled(test))


def no_tolerance(plant: pytest.MonkeyPatch) -> None:
    """Abort on any difference that is no chance."""
    plant.setattr(evidence, "TOLERATED", 0.0)


def any_margin(plant: pytest.MonkeyPatch) -> None:
    """Promote what was not shown to be worse, however much worse it may be."""
    real = evidence.promote
    plant.setattr(evidence, "promote", lambda strata, *, margin, base: real(strata, margin=8 * margin, base=base))


def increase(plant: pytest.MonkeyPatch) -> None:
    """Count as PromQL's `increase()` does: between the first and last sample of a window, stretched to its length."""

    def extrapolated(counters: Iterable[Series], inside: grid.Cells, *, since: float, scrape: float) -> grid.Growth:
        total = np.zeros(inside.number.size)
        for one in counters:
            times, values = np.array(one.times), np.array(one.values)
            for place, end in enumerate(inside.ends.tolist()):
                window = (times > end - inside.length) & (times <= end)
                if window.sum() >= 2:
                    at, seen = times[window], values[window]
                    total[place] += (seen[-1] - seen[0]) * inside.length / (at[-1] - at[0])
        return grid.Growth(total, np.zeros(total.size, bool))

    plant.setattr(grid, "growth", extrapolated)


def hold_first(plant: pytest.MonkeyPatch) -> None:
    """Wait while anything is in doubt."""
    real = decision._outcome

    def patient(case: Case, *, blocked: bool) -> tuple[Outcome, Cause | None]:
        return ("continue", None) if blocked else real(case, blocked=blocked)

    plant.setattr(decision, "_outcome", patient)


FAULTS: list[tuple[Plant, Property]] = [
    (cumulative, drift_aborts_nobody),
    (no_tolerance, what_is_tolerated_is_not_aborted),
    (any_margin, what_is_worse_by_two_margins_is_not_promoted),
    (increase, every_request_is_one),
    (hold_first, a_doubt_hides_no_abort),
]


@pytest.mark.parametrize("kept", [*(kept for _, kept in FAULTS), the_leak_is_aborted], ids=lambda kept: kept.__name__)
def test_the_judge_has_the_property(kept: Property) -> None:
    """Nothing planted: every property holds."""
    kept()


@pytest.mark.parametrize(("fault", "lost"), FAULTS, ids=lambda each: each.__name__)
def test_the_fault_turns_it_red(fault: Plant, lost: Property, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault planted: the property that it concerns is lost."""
    fault(monkeypatch)
    with pytest.raises(AssertionError):
        lost()


def test_the_loss_of_one_class_turns_it_red() -> None:
    """Judged on punctual flights only, where it is the better one, the leak is not aborted."""
    with pytest.raises(AssertionError):
        the_leak_is_aborted(lambda late, _: ~late)
