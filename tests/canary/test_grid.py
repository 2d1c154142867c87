"""From samples to strata: whole requests, each counted once, and only those that can be compared."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary.worlds import ERRORS, T0, World, rollout, series
from slipway.canary import grid, scrapes
from slipway.canary.records import ARMS, Cohort, Counts, Series

QUICK = settings(max_examples=60, derandomize=True)
SINCE = T0 - 600
COUNTS = st.lists(st.integers(0, 50), min_size=1, max_size=30)


def cells(number: int) -> grid.Cells:
    """So many cells of 10 s at one weight."""
    return grid.closed(rollout(), ERRORS, T0 + 10 * number + 10)


def grown(*counters: Series, number: int) -> np.ndarray:
    """What counters grew by in each cell, NaN where that cannot be known."""
    found = grid.growth(counters, cells(number), since=SINCE, scrape=5.0)
    return np.where(found.broken, np.nan, found.counted)


def sampled(*points: tuple[float, float]) -> Series:
    """A counter with these (seconds since the start, value)."""
    return Series(times=tuple(T0 + at for at, _ in points), values=tuple(value for _, value in points))


def steady(number: int, value: float = 0.0) -> list[tuple[float, float]]:
    """A sample every 5 s since a minute before the start."""
    return [(float(at), value) for at in range(-60, 10 * number + 1, 5)]


def made(world: World, number: int) -> grid.Strata:
    """Strata of the errors of a world."""
    return grid.strata(world.observed().counts["errors"], cells(number), since=SINCE, scrape=5.0)


# ---- counters ------------------------------------------------------------------------------------------------------


@QUICK
@given(counts=COUNTS)
def test_every_request_is_counted_once_in_its_cell(counts: list[int]) -> None:
    """What each cell saw comes back whole: nothing is interpolated, extrapolated or doubled."""
    assert grown(series(np.array(counts)), number=len(counts)).tolist() == counts


@QUICK
@given(counts=COUNTS, data=st.data())
def test_more_scrapes_split_nothing(counts: list[int], data: st.DataObject) -> None:
    """Other samples in between change no cell, as long as one lies on each edge."""
    edges = np.concatenate([[0], np.cumsum(counts)])
    last = 10.0 * len(counts)
    extra = data.draw(st.lists(st.floats(0.01, last), max_size=20))
    times = np.unique([*np.arange(-60, last + 1, 5), *extra])
    values = np.floor(np.interp(times, 10.0 * np.arange(edges.size), edges))
    assert grown(sampled(*zip(times.tolist(), values.tolist(), strict=True)), number=len(counts)).tolist() == counts


@QUICK
@given(counts=COUNTS, skew=st.floats(-20, 20))
def test_a_skewed_clock_loses_and_invents_nothing(counts: list[int], skew: float) -> None:
    """Samples stamped seconds too early or late move requests to a neighbour; none is counted twice."""
    found = grown(series(np.array(counts), phase=skew), number=len(counts))
    assert (found == np.floor(found)).all()
    assert 0 <= found.sum() <= sum(counts)
    assert abs(found.sum() - sum(counts)) <= sum(counts[:3]) + sum(counts[-3:])


@QUICK
@given(counts=COUNTS, data=st.data())
def test_values_that_are_no_numbers_are_no_samples(counts: list[int], data: st.DataObject) -> None:
    """NaN and infinities among the samples change nothing."""
    good = series(np.array(counts))
    points = list(zip(good.times, good.values, strict=True))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.floats(T0 - 60, T0 + 10 * len(counts)))
        points.append((at, data.draw(st.sampled_from([math.nan, math.inf, -math.inf, -1.0]))))
    points.sort(key=lambda point: point[0])
    spoilt = Series(times=tuple(at for at, _ in points), values=tuple(value for _, value in points))
    assert grown(spoilt, number=len(counts)).tolist() == counts


def test_a_series_born_at_one_counts_from_nothing() -> None:
    """The first 500 of a status code appears as 1: it is one request, which a rate would never see."""
    born = sampled((22.0, 1.0), (27.0, 1.0), (32.0, 3.0), (37.0, 3.0))
    assert grown(born, number=4).tolist() == [0, 0, 1, 2]


def test_a_series_that_was_there_starts_where_it_stood() -> None:
    """A counter that stands at a million when samples begin, in the midst of the canary, has not grown by a million."""
    old = sampled(*[(float(at), 1e6 + at) for at in range(5, 41, 5)])
    for first, counted in ((T0, [5, 10, 10, 10]), (T0 - 5.0, [5, 10, 10, 10]), (T0 - 6.0, [1e6 + 10, 10, 10, 10])):
        found = grid.growth([old], cells(4), since=first, scrape=5.0)
        assert found.counted.tolist() == counted


def test_a_birth_that_was_seen_goes_before_the_time_of_the_first_sample() -> None:
    """A router that is found late has counted for years; a counter that it did not show a scrape before has not."""
    points = [(float(at), 1e6 + at) for at in range(25, 41, 5)]
    for born, counted in ((False, [0, 0, 5, 10]), (True, [0, 0, 1e6 + 30, 10])):
        assert grown(msgspec.structs.replace(sampled(*points), born=born), number=4).tolist() == counted


def test_an_error_after_a_restart_of_the_router_is_counted() -> None:
    """The counter of errors is gone until the next error: neither that nor its cell is lost, though others are."""
    scraped = [T0 + at for at in range(-60, 101, 5)]
    total = sampled(*[(float(at), 100.0 + at if at < 12 else at - 12.0) for at in range(-60, 101, 5)])
    for first in (1.0, 2.0, 5.0):  # the last two hide the reset: there had been two errors
        bad = sampled(*steady(1, 2.0), *[(float(at), first) for at in range(80, 101, 5)])
        found = [
            grid.growth(scrapes.lives(one, scraped, ERRORS), cells(10), since=SINCE, scrape=5.0) for one in (total, bad)
        ]
        assert np.flatnonzero(found[0].broken | found[1].broken).tolist() == [1]
        assert found[1].counted.tolist() == [0] * 7 + [first, 0, 0]


def test_a_reset_breaks_its_cell_and_no_other() -> None:
    """A counter falls when its process starts again: what that cell saw is unknown, what follows is not."""
    points = [(at, 1000.0 + at) for at in range(-60, 21, 5)] + [(at, at - 22.0) for at in range(25, 51, 5)]
    found = grown(sampled(*[(float(at), value) for at, value in points]), number=5)
    assert np.isnan(found).tolist() == [False, False, True, False, False]
    assert found[[0, 1, 3, 4]].tolist() == [10, 10, 10, 10]


def test_what_was_counted_in_a_silence_belongs_to_no_cell() -> None:
    """Scrapes fail for 30 s: the whole jump lands in the cell of the return, which is left out."""
    points = [(float(at), 60.0 + at) for at in range(-60, 61, 5) if not 12 < at < 42]
    found = grown(sampled(*points), number=6)
    assert np.isnan(found).tolist() == [False, False, False, False, True, False]
    assert found[[0, 1, 2, 3, 5]].tolist() == [10, 0, 0, 0, 10]


def test_one_missed_scrape_is_no_silence() -> None:
    """One sample of three is missing: the count stays, in the cell of the next one."""
    points = [(float(at), 60.0 + at) for at in range(-60, 41, 5) if at != 15]
    assert grown(sampled(*points), number=4).tolist() == [10, 10, 10, 10]


def test_a_series_that_vanishes_stops_growing() -> None:
    """A pod that ends takes its counter along; what it had served stays counted."""
    gone = sampled(*[(float(at), 60.0 + at) for at in range(-60, 21, 5)])
    stays = series(np.array([1, 1, 1, 1]))
    assert grown(gone, stays, number=4).tolist() == [11, 11, 1, 1]
    assert grown(stays, gone, number=4).tolist() == [11, 11, 1, 1]


# ---- cells ---------------------------------------------------------------------------------------------------------


@QUICK
@given(
    lengths=st.lists(st.floats(0.5, 200), min_size=1, max_size=5),
    pauses=st.lists(st.floats(0, 30), min_size=5, max_size=5),
    look=st.floats(0, 1500),
)
def test_no_cell_straddles_a_change_of_weight(lengths: list[float], pauses: list[float], look: float) -> None:
    """Every cell lies within one interval, on the grid of the start, and is two scrapes old."""
    intervals, at = [], T0
    for place, (length, pause) in enumerate(zip(lengths, pauses, strict=False), start=1):
        end = None if place == len(lengths) else at + length
        intervals.append({"start": at, "end": end, "weight": 0.1 * place, "step": place})
        at += length + pause
    under_way = msgspec.convert(msgspec.to_builtins(rollout()) | {"intervals": intervals, "steps": 5}, type(rollout()))
    found = grid.closed(under_way, ERRORS, T0 + look)
    assert (np.diff(found.number) > 0).all()
    for number, place, end in zip(found.number.tolist(), found.interval.tolist(), found.ends.tolist(), strict=True):
        inside = under_way.intervals[place]
        assert end == pytest.approx(T0 + 10 * (number + 1))
        assert inside.start <= end - 10 + 1e-4
        assert inside.end is None or end <= inside.end + 1e-4
        assert end <= T0 + look - 10 + 1e-4


def test_a_weight_of_nothing_has_no_cells() -> None:
    """What stable serves before the canary has a share is compared with nothing."""
    under_way = rollout(30.0, weights=(0.0, 0.1))
    assert grid.closed(under_way, ERRORS, T0 + 60).number.tolist() == [3, 4]


# ---- strata --------------------------------------------------------------------------------------------------------


def test_neighbours_are_joined_until_both_arms_have_a_request() -> None:
    """By requests alone: losses decide nothing, and what is left over at the end says nothing yet."""
    world = World(
        {"stable": np.array([5, 0, 5, 5, 5, 5]), "canary": np.array([0, 0, 1, 1, 0, 0])},
        {"errors": {"stable": np.array([1, 0, 0, 0, 2, 2]), "canary": np.array([0, 0, 0, 1, 0, 0])}},
    )
    found = made(world, 6)
    assert found.stable_requests.tolist() == [10, 5]
    assert found.canary_requests.tolist() == [1, 1]
    assert found.stable_loss.tolist() == [1, 0]
    assert found.canary_loss.tolist() == [0, 1]
    assert (found.ends - T0).tolist() == [40, 50]  # 10 s after their last cell's end: two scrapes


def test_nothing_is_joined_over_a_change_of_weight() -> None:
    """A canary request before the change and a stable one after it are never compared."""
    world = World({"stable": np.array([0, 0, 9, 9]), "canary": np.array([1, 1, 0, 0])}, {})
    arms = {arm: Counts(total=(series(world.requests[arm]),)) for arm in ARMS}
    changing = grid.closed(rollout(20.0, weights=(0.1, 0.3)), ERRORS, T0 + 50)
    assert grid.strata(arms, changing, since=SINCE, scrape=5.0).ends.size == 0
    assert grid.strata(arms, cells(4), since=SINCE, scrape=5.0).ends.size == 1


@QUICK
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(1, 60), rps=st.sampled_from([0.2, 1.0, 20.0]))
def test_a_later_look_sees_the_same_strata(seed: int, cut: int, rps: float) -> None:
    """An earlier look at the samples there were then gives the first of the strata of a later one."""
    world = World.drawn(seed, 60, {"errors": (0.1, 0.2)}, rps=rps)
    whole = made(world, 60)
    then = T0 + 10 * cut + 3.7
    early = {
        arm: Counts(
            **{
                kind: tuple(
                    Series(
                        times=tuple(at for at in one.times if at <= then),
                        values=tuple(v for at, v in zip(one.times, one.values, strict=True) if at <= then),
                    )
                    for one in getattr(counts, kind)
                )
                for kind in ("total", "bad")
            }
        )
        for arm, counts in world.observed().counts["errors"].items()
    }
    seen = grid.strata(early, grid.closed(rollout(), ERRORS, then), since=SINCE, scrape=5.0)
    number = seen.ends.size
    assert (whole.ends <= then).sum() == number
    for name in ("ends", "stable_loss", "stable_requests", "canary_loss", "canary_requests"):
        assert getattr(seen, name).tolist() == getattr(whole, name)[:number].tolist()


@QUICK
@given(order=st.permutations(range(12)))
def test_the_order_of_series_and_within_a_cell_does_not_matter(order: list[int]) -> None:
    """Twelve requests of one cell, in any order, from any counter: the same stratum."""
    failing = {2, 7, 9}
    times = [0.5 + 0.75 * place for place in range(12)]
    total = sampled((-5.0, 0.0), (0.0, 0.0), *[(at, place + 1.0) for place, at in enumerate(times)], (10.0, 12.0))
    seen = np.cumsum([request in failing for request in order])
    bad = sampled((-5.0, 0.0), (0.0, 0.0), *zip(times, seen.astype(float).tolist(), strict=True), (10.0, 3.0))
    other = series(np.array([30]))
    kept, turned = (total, other), (other, total)
    results = [
        grid.strata(
            {"stable": Counts(total=both, bad=(bad,)), "canary": Counts(total=both, bad=(bad,))},
            cells(1),
            since=SINCE,
            scrape=5.0,
        )
        for both in (kept, turned)
    ]
    for found in results:
        assert (found.stable_requests.tolist(), found.stable_loss.tolist()) == ([42], [3])
        assert (found.canary_requests.tolist(), found.canary_loss.tolist()) == ([42], [3])


def test_more_bad_than_there_are_is_left_out() -> None:
    """Numerator and denominator that contradict each other make no stratum, and the neighbours stay."""
    world = World(
        {"stable": np.array([9, 9, 9]), "canary": np.array([3, 3, 3])},
        {"errors": {"stable": np.array([0, 0, 1]), "canary": np.array([1, 4, 0])}},
    )
    found = made(world, 3)
    assert found.canary_loss.tolist() == [1, 0]
    assert found.stable_loss.tolist() == [0, 1]


def test_a_histogram_counts_what_is_not_good() -> None:
    """Slow is all less what is within the bound."""
    arms = {arm: Counts(total=(series(np.array([10, 10])),), good=(series(np.array([9, 7])),)) for arm in ARMS}
    assert grid.strata(arms, cells(2), since=SINCE, scrape=5.0).canary_loss.tolist() == [1, 3]


def test_without_traffic_there_is_nothing() -> None:
    """No requests, or none of one arm: no stratum."""
    for stable, canary in ((0, 0), (9, 0), (0, 9)):
        requests = {"stable": np.full(5, stable), "canary": np.full(5, canary)}
        assert made(World(requests, {"errors": {arm: np.zeros(5) for arm in ARMS}}), 5).ends.size == 0


# ---- truth ---------------------------------------------------------------------------------------------------------


def cohort(cell: int, arm: str, answered: int, labelled: int, loss: float, *, positives: float = 0.0) -> Cohort:
    """One row of the ledger."""
    row = {"cell": cell, "arm": arm, "answered": answered, "labelled": labelled, "loss": loss, "positives": positives}
    return msgspec.convert(row, Cohort)


def matured(rows: list[Cohort], now: float, maturity: float = 600.0) -> grid.Truth:
    """Truth as of `now`, in seconds since the start."""
    return grid.matured(rows, grid.cells(rollout(), ERRORS, T0 + now - maturity), maturity)


def test_truth_counts_when_it_is_mature_and_once() -> None:
    """A cell is judged from its end + maturity on, and is the same at every later look."""
    rows = [cohort(cell, arm, 10, 8, 2.0 + cell, positives=3) for cell in range(3) for arm in ARMS]
    assert matured(rows, 609.9).loss.ends.size == 0
    for now, number in ((610.0, 1), (620.0, 2), (639.0, 3), (9999.0, 3)):
        found = matured(rows, now)
        assert (found.loss.ends - T0).tolist() == [610, 620, 630][:number]
        assert found.loss.canary_loss.tolist() == [2, 3, 4][:number]
        assert found.missing.canary_loss.tolist() == [2, 2, 2][:number]
        assert found.missing.canary_requests.tolist() == [10, 10, 10][:number]
        assert found.labelled.sum() == 16 * number


def test_truth_that_contradicts_itself_is_left_out() -> None:
    """More labels than answers, more loss than labels, or no number: that cell says nothing."""
    good = [cohort(0, arm, 10, 8, 2.0) for arm in ARMS]
    for wrong in (cohort(1, "canary", 5, 6, 0), cohort(1, "canary", 9, 5, 5.5), cohort(1, "canary", 9, 5, math.nan)):
        found = matured([*good, cohort(1, "stable", 9, 9, 1.0), wrong], 9999.0)
        assert found.loss.canary_loss.tolist() == [2.0]


def test_truth_outside_the_intervals_is_no_stratum() -> None:
    """Cells that straddle a change of weight count for truth no more than for counters."""
    rows = [cohort(cell, arm, 10, 10, 1.0) for cell in range(5) for arm in ARMS]
    inside = grid.cells(rollout(25.0, weights=(0.1, 0.3)), ERRORS, T0 + 50)
    assert grid.matured(rows, inside, 0.0).loss.ends.size == 4


# ---- gaps ----------------------------------------------------------------------------------------------------------


def test_an_arm_that_fell_silent_is_named() -> None:
    """Samples that stop are said, with for how long; a stable that was never seen too, but no such canary."""
    world = World({"stable": np.full(10, 9), "canary": np.full(10, 1)})
    seen = world.observed()
    assert grid.silences(seen, ERRORS, T0 + 120) == ()
    assert (
        grid.silences(seen, ERRORS, T0 + 121)[1].detail
        == "no sample of canary's requests for 21 s; one is due every 5 s"
    )
    unseen = msgspec.structs.replace(seen, requests={"stable": seen.requests["stable"], "canary": ()})
    assert grid.silences(unseen, ERRORS, T0 + 100) == ()
    unseen = msgspec.structs.replace(seen, requests={"canary": seen.requests["canary"]})
    assert [gap.detail for gap in grid.silences(unseen, ERRORS, T0 + 100)] == [
        "there is no sample of stable's requests"
    ]
