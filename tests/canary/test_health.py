"""What makes a comparison doubtful, and when a canary counts as dead."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary.worlds import ERRORS, POLICY, T0, rollout, series
from slipway.canary import grid, health
from slipway.canary.records import ARMS, Arm, Cohort, Rollout

QUICK = settings(max_examples=60, derandomize=True)


def ratio(canary: int, stable: int, weight: float) -> float:
    """Log evidence of one count against one weight."""
    found = health.ratio_evidence(
        np.array([weight]), np.array([0]), np.array([float(stable)]), np.array([float(canary)])
    )
    return float(found[0])


# ---- sample ratio --------------------------------------------------------------------------------------------------


def test_the_sample_ratio_weighs_what_the_specification_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """The golden values of judge.md §1; the third has another prior."""
    assert ratio(120, 880, 0.1) == pytest.approx(0.640383, abs=1e-6)
    assert ratio(30, 970, 0.05) == pytest.approx(3.373960, abs=1e-6)
    monkeypatch.setattr(health, "_PSEUDO", 2)
    assert ratio(60, 940, 0.05) == pytest.approx(-2.717266, abs=1e-6)


@QUICK
@given(number=st.integers(1, 60), weight=st.floats(0.01, 0.99))
def test_a_router_that_splits_as_told_is_a_fair_game(number: int, weight: float) -> None:
    """The exact mean of the e-value over all splits is 1."""
    mean = sum(
        math.comb(number, canary)
        * weight**canary
        * (1 - weight) ** (number - canary)
        * math.exp(ratio(canary, number - canary, weight))
        for canary in range(number + 1)
    )
    assert mean == pytest.approx(1, rel=1e-6)


def watched(
    weights: tuple[float, ...], ends: tuple[float, ...], canary: np.ndarray, stable: np.ndarray
) -> health.Watch:
    """The sample ratio of a rollout whose steps ended at `ends`."""
    under_way = rollout(*ends, weights=weights)
    inside = grid.closed(under_way, ERRORS, T0 + 10 * canary.size + 10)
    return health.sample_ratio(under_way, inside, grown(inside, canary, stable), ERRORS, 10.0)


def grown(inside: grid.Cells, canary: np.ndarray, stable: np.ndarray) -> dict[Arm, grid.Growth]:
    """Requests of both arms by cell."""
    return {
        arm: grid.growth([series(counts)], inside, since=T0 - 600, scrape=5.0)
        for arm, counts in zip(ARMS, (stable, canary), strict=True)
    }


def test_a_router_that_is_stuck_is_found_at_once() -> None:
    """The weight goes from 5 to 25 % and the router stays: held at the first look after the grace."""
    canary, stable = np.full(120, 10), np.full(120, 190)
    found = watched((0.05, 0.25), (600.0,), canary, stable)
    assert found.times[found.held].min() - T0 == 600 + 60 + 10 + 10
    assert "5.0% of" in found.detail


def test_the_grace_forgives_what_a_change_of_weight_takes() -> None:
    """A router that follows 30 s late is no mismatch; without the grace it is."""
    canary, stable = np.full(120, 10), np.full(120, 190)
    canary[63:], stable[63:] = 50, 150
    assert not watched((0.05, 0.25), (600.0,), canary, stable).held.any()
    hasty = msgspec.structs.replace(ERRORS, grace=0.0)
    under_way = rollout(600.0, weights=(0.05, 0.25))
    inside = grid.closed(under_way, ERRORS, T0 + 1210)
    assert health.sample_ratio(under_way, inside, grown(inside, canary, stable), hasty, 10.0).held.any()


def test_each_weight_begins_anew() -> None:
    """A split that is right at every weight is right, though it is nobody's average."""
    canary = np.concatenate([np.full(60, 10), np.full(60, 50), np.full(60, 100)])
    assert not watched((0.05, 0.25, 0.5), (600.0, 1200.0), canary, 200 - canary).held.any()


# ---- truth ---------------------------------------------------------------------------------------------------------


def truth(cells: int, stable: tuple[int, int, float], canary: tuple[int, int, float]) -> grid.Truth:
    """The same cohort again and again: answered, labelled, positives, by arm."""
    rows = [
        msgspec.convert(
            {"cell": cell, "arm": arm, "answered": n, "labelled": k, "loss": 0.1 * k, "positives": positives}, Cohort
        )
        for cell in range(cells)
        for arm, (n, k, positives) in zip(ARMS, (stable, canary), strict=True)
    ]
    return grid.matured(rows, grid.cells(rollout(), POLICY, T0 + 10 * cells), 0.0)


def test_truth_that_is_missing_for_one_arm_is_found_in_both_directions() -> None:
    """Among what was answered; alike missing is no reason to doubt."""
    assert health.coverage(truth(60, (180, 171, 30), (20, 12, 2)), POLICY).now
    assert health.coverage(truth(60, (180, 140, 30), (20, 20, 4)), POLICY).now
    assert not health.coverage(truth(60, (180, 90, 18), (20, 10, 2)), POLICY).held.any()
    assert not health.coverage(truth(0, (1, 1, 0), (1, 1, 0)), POLICY).now


def test_requests_that_were_not_answered_are_no_missing_truth() -> None:
    """A canary that answers half as many, and gets truth for the same share, is covered alike."""
    assert not health.coverage(truth(200, (360, 342, 60), (20, 19, 4)), POLICY).held.any()


@pytest.mark.parametrize(
    ("share", "reference", "held"),
    [
        (0.2, 0.2, False),
        (0.13, 0.2, True),
        (0.14, 0.2, False),
        (0.32, 0.2, False),
        (0.33, 0.2, True),
        (0.2, None, True),
    ],
)
def test_an_unusual_share_of_positives_is_doubted(share: float, reference: float | None, held: bool) -> None:
    """Within 0.7 to 1.6 times what is usual, edges included; without anything to compare with, always."""
    found = health.truth_mix(truth(10, (900, 900, 900 * share), (100, 100, 100 * share)), reference, POLICY)
    assert found.now is held


# ---- availability --------------------------------------------------------------------------------------------------


def dead(
    under_way: Rollout, now: float, canary: np.ndarray, stable: np.ndarray, *, readable: bool = True
) -> str | None:
    """Whether the canary counts as dead so many seconds after the start."""
    inside = grid.closed(under_way, ERRORS, T0 + now)
    return health.unavailable(under_way, inside, grown(inside, canary, stable), ERRORS, T0 + now, readable=readable)


NOBODY, SOME = np.zeros(60, int), np.full(60, 5)


def test_a_canary_without_pods_is_dead_after_a_minute() -> None:
    """Not before, not at a weight of 0, and counted from when the weight was given."""
    gone = rollout(available=0, since=100.0)
    assert dead(gone, 159.0, SOME, 9 * SOME) is None
    assert "60 s" in str(dead(gone, 160.0, SOME, 9 * SOME))
    assert dead(rollout(weights=(0.0,), available=0, since=100.0), 500.0, SOME, 9 * SOME) is None
    assert dead(rollout(150.0, weights=(0.1, 0.3), available=0, since=100.0), 209.0, SOME, 9 * SOME) is None
    assert dead(rollout(available=0), 500.0, SOME, 9 * SOME) is None  # since when is not known


def test_a_canary_that_answers_nobody_is_dead() -> None:
    """Stable served enough for the weight to promise 20 canary requests within a minute, and there was none."""
    stable = np.full(60, 30)  # 180 in a minute: 20 promised at 10 %
    assert "answered none of about 20 requests" in str(dead(rollout(), 70.0, NOBODY, stable))
    assert dead(rollout(), 69.9, NOBODY, stable) is None  # the minute is not over
    assert dead(rollout(), 70.0, NOBODY, np.full(60, 29)) is None  # too little was promised
    assert dead(rollout(), 70.0, np.eye(60, dtype=int)[3], stable) is None  # it answered once
    assert dead(rollout(60.0, weights=(0.1, 0.3)), 125.0, NOBODY, stable) is None  # not yet at this weight
    assert dead(rollout(), 70.0, NOBODY, stable, readable=False) is None  # nobody looked


def test_where_there_is_little_traffic_a_silence_is_longer() -> None:
    """Nine stable requests in 10 s promise one: a silence of 200 s is what 20 are missing from, wherever it begins."""
    few = np.full(60, 9)
    assert dead(rollout(), 209.0, NOBODY, few) is None
    assert "about 20 requests" in str(dead(rollout(), 210.0, NOBODY, few))
    heard = np.eye(60, dtype=int)[9]
    assert dead(rollout(), 309.0, heard, few) is None
    assert "in 200 s" in str(dead(rollout(), 310.0, heard, few))


def test_a_canary_that_dies_later_is_dead_a_minute_later() -> None:
    """Only what came after its last answer counts."""
    canary = np.where(np.arange(60) < 30, 5, 0)
    assert dead(rollout(), 360.0, canary, 9 * SOME) is None
    assert dead(rollout(), 370.0, canary, 9 * SOME) is not None
