"""The evidence against golden values, a scalar form, and the exact mean that its guarantee rests on."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary import oracle
from slipway.canary import evidence
from slipway.canary.evidence import Strata

Test = Callable[..., np.ndarray]
QUICK = settings(max_examples=60, derandomize=True)


def strata(rows: Sequence[Sequence[float]]) -> Strata:
    """Strata of 10 s from rows of x_s, n_s, x_c, n_c."""
    table = np.array(rows, float).reshape(-1, 4).T
    return Strata(10.0 * np.arange(1, table.shape[1] + 1), *table)


@pytest.mark.parametrize(
    ("row", "centre", "null", "effect", "log_e"),
    [
        ((2, 180, 1, 20), 0.01, 0, 0.02, 0.562261),
        ((2, 180, 1, 20), 0.01, 0.0025, 0.0225, 0.465615),
        ((36, 180, 7, 20), 0.2, 0.0075, 0.0375, 0.398421),
        ((2, 180, 0, 20), 0.01, 0.01, 0, 0.205599),
        ((0, 5, 1, 1), 0.01, 0, 0.1, 1.501958),
        ((100, 9000, 30, 1000), 0.01, 0.0025, 0.0225, 6.255031),
        ((1.7, 180, 0.4, 20), 0.01, 0, 0.02, 0.056758),
    ],
)
def test_one_stratum_weighs_what_the_specification_says(
    row: tuple[float, ...], centre: float, null: float, effect: float, log_e: float
) -> None:
    """The golden values of judge.md §5.3, by the vectors and by the scalar form."""
    assert evidence._growth(strata([row]), null, centre)(effect)[0] == pytest.approx(log_e, abs=1e-6)
    assert oracle.log_e(row, centre, null, effect) == pytest.approx(log_e, abs=1e-6)


def test_the_mixture_weighs_what_the_specification_says() -> None:
    """The golden values of judge.md §5.4: five times the same stratum."""
    found = np.exp(evidence.abort(strata([(2, 180, 1, 20)] * 5), margin=0.01, base=0.01))
    assert found == pytest.approx([1.231741, 1.639218, 2.281678, 3.277739, 4.820128], abs=1e-6)


@st.composite
def counted(draw: st.DrawFn) -> list[oracle.Row]:
    """Up to 40 strata of any traffic, with empty arms and fractional losses among them."""
    arm = st.tuples(st.integers(0, 3000), st.floats(0, 1)).map(lambda drawn: (drawn[0] * drawn[1], drawn[0]))
    rare = st.tuples(st.integers(0, 300), st.integers(0, 2)).map(lambda drawn: (min(drawn), drawn[0]))
    rows = draw(st.lists(st.tuples(arm | rare, arm | rare), max_size=40))
    return [(float(x_s), float(n_s), float(x_c), float(n_c)) for (x_s, n_s), (x_c, n_c) in rows]


@QUICK
@given(rows=counted(), margin=st.floats(0.001, 0.2), base=st.floats(0.0005, 0.9))
def test_vectors_say_what_the_scalar_form_says(rows: list[oracle.Row], margin: float, base: float) -> None:
    """Any strata: abort and promote equal the plain loops, to rounding, in logarithms."""
    for vectors, plain in ((evidence.abort, oracle.abort), (evidence.promote, oracle.promote)):
        try:
            expected = [math.log(each) for each in plain(rows, margin, base)]
        except (OverflowError, ValueError):
            continue  # what the plain loops cannot hold is what logarithms are for
        assert vectors(strata(rows), margin=margin, base=base) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@QUICK
@given(rows=counted(), cut=st.integers(0, 40), margin=st.floats(0.001, 0.3), base=st.floats(0.001, 0.9))
def test_what_comes_later_changes_nothing(rows: list[oracle.Row], cut: int, margin: float, base: float) -> None:
    """The evidence of a prefix is the prefix of the evidence, to the last bit: a running maximum never drops."""
    for test in (evidence.abort, evidence.promote, evidence.better, evidence.not_better):
        whole = test(strata(rows), margin=margin, base=base)
        assert np.array_equal(whole[:cut], test(strata(rows[:cut]), margin=margin, base=base))


@QUICK
@given(rows=counted(), runs=st.integers(1, 3))
def test_leading_axes_are_runs(rows: list[oracle.Row], runs: int) -> None:
    """Many runs at once give what each gives alone."""
    single = strata(rows)
    arrays = (single.stable_loss, single.stable_requests, single.canary_loss, single.canary_requests)
    many = Strata(single.ends, *(np.stack([each] * runs) for each in arrays))
    for test in (evidence.abort, evidence.promote):
        alone = test(single, margin=0.02, base=0.1)
        assert np.allclose(test(many, margin=0.02, base=0.1), np.stack([alone] * runs), rtol=1e-12)


# ---- the guarantee: under the null the mean is at most 1 ---------------------------------------------------------


def chances(rates: Sequence[float]) -> np.ndarray:
    """The distribution of a sum of coins with these rates."""
    found = np.ones(1)
    for rate in rates:
        found = np.convolve(found, [1 - rate, rate])
    return found


def mean(test: Test, stable: Sequence[float], canary: Sequence[float], *, margin: float, base: float) -> float:
    """Exact mean of M after one stratum whose requests fail at these rates, over all outcomes."""
    p_s, p_c = chances(stable), chances(canary)
    x_s, x_c = (grid.ravel()[:, None] for grid in np.meshgrid(range(p_s.size), range(p_c.size), indexing="ij"))
    every = np.ones_like(x_s)
    outcomes = Strata(
        np.ones(1),
        *(part.astype(float) for part in (x_s, every * len(stable), x_c, every * len(canary))),
    )
    return float(np.outer(p_s, p_c).ravel() @ np.exp(test(outcomes, margin=margin, base=base)).ravel())


def at_null(test: Test, margin: float) -> float:
    """The difference between the arms at the edge of each null."""
    return {"abort": margin / 4, "promote": margin, "better": -margin / 4, "not_better": -margin / 4}[test.__name__]


ALL = (evidence.abort, evidence.promote, evidence.better, evidence.not_better)


@pytest.mark.parametrize("test", ALL, ids=lambda test: test.__name__)
@QUICK
@given(
    numbers=st.tuples(st.integers(1, 25), st.integers(1, 25)),
    rate=st.floats(0.0, 1.0),
    margin=st.floats(0.002, 0.5),
    base=st.floats(0.001, 0.9),
)
def test_the_mean_at_the_null_is_at_most_one(
    test: Test, numbers: tuple[int, int], rate: float, margin: float, base: float
) -> None:
    """Enumerate all outcomes at the edge of the null, whatever the true rate and the guess of it."""
    null = at_null(test, margin)
    stable = min(max(rate, -null), 1 - max(null, 0.0))
    found = mean(test, [stable] * numbers[0], [stable + null] * numbers[1], margin=margin, base=base)
    assert found <= 1 + 1e-9


@pytest.mark.parametrize("test", ALL, ids=lambda test: test.__name__)
@QUICK
@given(data=st.data(), margin=st.floats(0.01, 0.4), base=st.floats(0.01, 0.9))
def test_unlike_requests_keep_the_mean_below_one(test: Test, data: st.DataObject, margin: float, base: float) -> None:
    """Requests of one stratum may fail at different rates: only their averages stand at the edge of the null."""
    null = at_null(test, margin)
    low, high = max(0.0, -null), 1 - max(null, 0.0)
    rates = data.draw(st.lists(st.floats(low, high), min_size=2, max_size=12))
    shifts = data.draw(st.lists(st.floats(0, 1), min_size=2, max_size=12))
    average = sum(rates) / len(rates) + null
    spread = min(average, 1 - average) * (np.array(shifts) - np.mean(shifts))
    assert mean(test, rates, (average + spread).tolist(), margin=margin, base=base) <= 1 + 1e-9


@pytest.mark.parametrize(("test", "margin"), [(evidence.abort, 0.2), (evidence.promote, 0.2)])
def test_two_strata_that_know_of_each_other_keep_the_mean(test: Test, margin: float) -> None:
    """The second stratum's stake follows from the first's outcome, rates drift from 10 to 60 %: still fair."""
    null, total = at_null(test, margin), 0.0
    first, second = 0.1, 0.6
    outcomes = [(a, b) for a in range(4) for b in range(4)]
    weights, rows = [], []
    for x_s, x_c in outcomes:
        for y_s, y_c in outcomes:
            weights.append(
                math.prod(
                    chances([rate] * 3)[x]
                    for rate, x in ((first, x_s), (first + null, x_c), (second, y_s), (second + null, y_c))
                )
            )
            rows.append([(x_s, 3, x_c, 3), (y_s, 3, y_c, 3)])
    table = np.array(rows, float)
    many = Strata(np.arange(2.0), *(table[..., column] for column in range(4)))
    total = float(np.array(weights) @ np.exp(test(many, margin=margin, base=0.1))[:, 1])
    assert sum(weights) == pytest.approx(1)
    assert total <= 1 + 1e-9


def test_bounded_losses_are_no_worse_than_coins() -> None:
    """Losses of 0, ½ and 1 with the averages of the null: the mean stays below 1 (weighted means)."""
    thirds = [(0, 0.3), (0.5, 0.4), (1, 0.3)]  # mean ½
    moved = [(0, 0.25), (0.5, 0.4), (1, 0.35)]  # mean 0.55
    rows, weights = [], []
    for a, p in thirds:
        for b, q in thirds:
            for c, r in moved:
                rows.append([(a + b, 2, c, 1)])
                weights.append(p * q * r)
    table = np.array(rows, float)
    many = Strata(np.ones(1), *(table[..., column] for column in range(4)))
    for test, margin in ((evidence.abort, 0.2), (evidence.promote, 0.05)):
        assert float(np.array(weights) @ np.exp(test(many, margin=margin, base=0.5))[:, 0]) <= 1 + 1e-12


# ---- what it can show, and hold -----------------------------------------------------------------------------------


def test_three_days_of_strata_neither_overflow_nor_forget() -> None:
    """25,920 strata of a busy service: finite both for a twin and for a canary that fails always."""
    long = np.full(25_920, 1.0)
    for failing in (100.0, 1000.0):
        held = Strata(10.0 * np.arange(long.size), long * 900, long * 9000, long * failing, long * 1000)
        for test in ALL:
            assert np.isfinite(test(held, margin=0.01, base=0.1)).all()
    assert evidence.abort(held, margin=0.01, base=0.1)[-1] > 1e6


def test_a_regression_that_begins_late_is_found() -> None:
    """After 30 minutes alike, errors go from 1 to 11 %: cash that was kept back finds it within a few strata."""
    rows = [(2, 180, 0.2, 20)] * 180 + [(2, 180, 2.2, 20)] * 12
    assert evidence.abort(strata(rows), margin=0.01, base=0.01)[-1] > math.log(20)


def test_a_margin_wider_than_any_difference_is_soon_kept() -> None:
    """Four times 30 points, at an early step: harmless unless nearly every canary request fails and no other."""
    rows = [(36, 180, 4, 20)] * 5
    assert evidence.promote(strata(rows), margin=1.2, base=0.2)[-1] > math.log(20)
    assert evidence.promote(strata([(0, 180, 20, 20)] * 5), margin=1.2, base=0.2)[-1] < 0


def test_an_empty_arm_says_nothing() -> None:
    """A stratum in which one arm served nobody leaves the evidence where it was, but for what its absence costs: 0."""
    for row in ((3, 180, 0, 0), (0, 0, 3, 20), (0, 0, 0, 0)):
        assert evidence._growth(strata([row]), 0.0025, 0.01)(0.02)[0] == 0.0


@pytest.mark.parametrize(
    ("failing", "shown"),
    [
        (60, {evidence.abort, evidence.not_better}),
        (40, {evidence.promote, evidence.not_better}),
        (20, {evidence.promote, evidence.better}),
    ],
    ids=["worse", "alike", "better"],
)
def test_evidence_goes_up_for_what_is_true(failing: int, shown: set[Test]) -> None:
    """Stable fails 20 % and the canary 30, 20 or 10 %, at a margin of 5 points: what is true is shown, and no more."""
    seen = strata([(360, 1800, failing, 200)] * 180)
    assert {test for test in ALL if test(seen, margin=0.05, base=0.2).max() >= math.log(20)} == shown


def test_differs_finds_either_direction() -> None:
    """The two-sided evidence of the coverage check: half of the cash on each side."""
    up, down, same = (strata([(18, 180, x, 20)] * 60) for x in (6, 0, 2))
    assert evidence.differs(up, base=0.1)[-1] > 5
    assert evidence.differs(down, base=0.1)[-1] > 5
    assert evidence.differs(same, base=0.1).max() < 3


def test_more_traffic_of_the_same_kind_is_more_evidence() -> None:
    """Evidence of a worse canary grows with the requests, at every margin."""
    ends = [evidence.abort(strata([(n, 100 * n, n, 10 * n)] * 20), margin=0.02, base=0.01)[-1] for n in (1, 2, 4, 8)]
    assert all(first < second for first, second in pairwise(ends))
