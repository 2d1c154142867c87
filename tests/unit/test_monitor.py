"""Whether what is live is well: each rule lets a good week pass and finds a bad one; little is never called well."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import pytest
from tests import samples
from tests.unit.test_history import revisions

from slipway import history, monitor, quarantine
from slipway.changes import State
from slipway.errors import Broken
from slipway.monitor import Asked
from slipway.params import Evaluate, Monitor
from slipway.predictions import Counted
from slipway.records import Estimate, Quarantine, Stable

P = "production"
EVALUATE = Evaluate(
    missed_cost=5,
    false_alarm_cost=1,
    bootstrap_rounds=100,
    confidence=0.95,
    slice_min_rows=500,
    importance_rows=4000,
    seed=1,
)
HELD = Monitor(
    window_days=28,
    maturity_hours=24,
    least_days=7,
    least_truths=1000,
    coverage_floor=0.8,
    auc_floor=0.7,
    brier_ceiling=0.2,
    cost_ceiling=0.6,
    training_interval=True,
)
TRAINED = {
    "auc": Estimate(value=0.76, low=0.7, high=0.8),
    "brier": Estimate(value=0.13, low=0.1, high=0.2),
    "cost": Estimate(value=0.55, low=0.4, high=0.75),
}
RULES = ("auc_floor", "brier_ceiling", "cost_ceiling", "auc_interval", "brier_interval", "cost_interval")
OFF: dict[str, Any] = dict.fromkeys(("auc_floor", "brier_ceiling", "cost_ceiling")) | {"training_interval": False}


def week(late: Sequence[int] = (10, 15), days: int = 10, size: int = 10, **changes: Any) -> list[Counted]:
    """Days on which 75 flights were called punctual and 25 late, times `size`; `late` of each were.

    Every second day is a little different, so that intervals have a width.
    """
    cells = []
    for day in range(days):
        more = day % 2
        for score, decision, all_, were in ((0.2, False, 75, late[0] + more), (0.8, True, 25, late[1] - more)):
            for truth, count in ((1.0, were), (0.0, all_ - were)):
                cells.append(Counted(day=20_000 + day, score=score, decision=decision, truth=truth, count=count * size))
    return [msgspec.structs.replace(one, **changes) for one in cells]


GOOD = week()
BAD = week((30, 3))  # those that were called punctual are late, and the other way round


def failed(counted: Sequence[Counted], trained: Any = None, **held: Any) -> set[str]:
    """The rules that say that it is not well."""
    found = monitor.check(counted, trained or TRAINED, msgspec.structs.replace(HELD, **held), EVALUATE)
    assert [one.name for one in found] == list(RULES)
    return {one.name for one in found if one.passed is False}


def alone(rule: str) -> dict[str, Any]:
    """Every other rule switched off; the intervals have one switch."""
    return OFF | ({"training_interval": True} if rule.endswith("_interval") else {rule: getattr(HELD, rule)})


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_finds_what_is_bad(rule: str) -> None:
    """A good week passes it; the same flights with another truth do not; switched off, it says nothing."""
    assert failed(GOOD, **alone(rule)) == set()
    assert rule in failed(BAD, **alone(rule))
    assert rule not in failed(BAD, **OFF)
    off = {one.name: one.passed for one in monitor.check(BAD, TRAINED, msgspec.structs.replace(HELD, **OFF), EVALUATE)}
    assert set(off.values()) == {None}


def test_the_numbers_are_those_of_the_flights() -> None:
    """AUC, Brier score and cost of 100 flights, by hand, in what is told."""
    told = {one.name: one.detail for one in monitor.check(week((10, 15)), TRAINED, HELD, EVALUATE)}
    # Days alternate between 10 and 15 late, and 11 and 14: the mean is 10.5 and 14.5 of 75 and 25.
    auc = (14.5 * 64.5 + 0.5 * (14.5 * 10.5 + 10.5 * 64.5)) / (25 * 75)
    brier = (64.5 * 0.04 + 10.5 * 0.64 + 14.5 * 0.04 + 10.5 * 0.64) / 100
    cost = (10.5 * 5 + 10.5) / 100
    assert told["auc_floor"].startswith(f"{auc:.3f} [")
    assert told["brier_interval"].startswith(f"{brier:.3f} [")
    assert told["cost_interval"].startswith(f"{cost:.3f} [")
    assert told["cost_ceiling"].startswith(f"{cost / 1.25:.3f} [")
    assert told["auc_interval"].endswith("in training 0.760 [0.700, 0.800]; needs a high end ≥ 0.7")


@pytest.mark.parametrize("rule", ["auc_floor", "brier_ceiling", "cost_ceiling"])
def test_what_may_be_well_is_well(rule: str) -> None:
    """A value beyond its limit whose interval reaches the limit is no finding: only what is shown is."""
    name = rule.partition("_")[0]
    found = {one.name: one.detail for one in monitor.check(GOOD, TRAINED, HELD, EVALUATE)}[rule]
    value, low, high = (float(text.strip("[],;")) for text in found.split()[:3])
    beyond = {"auc": (value + high) / 2}.get(name, (value + low) / 2)
    assert low < value < high
    assert failed(GOOD, **alone(rule) | {rule: beyond}) == set()
    far = {"auc": high + 0.01}.get(name, low - 0.01)
    assert failed(GOOD, **alone(rule) | {rule: far}) == {rule}


def test_what_training_has_not_measured_is_not_judged() -> None:
    """A card without a metric switches its rule off, and says so."""
    found = {one.name: one for one in monitor.check(BAD, {"auc": TRAINED["auc"]}, HELD, EVALUATE)}
    assert (found["brier_interval"].passed, found["brier_interval"].detail) == (None, "not measured in training")
    assert found["auc_interval"].passed is False


A = [{"1.0.0": [f"proposed {P}"]}, {"1.0.0": [f"promoted {P}"]}]
B = [*A, {"1.1.0": [f"proposed {P}"]}, {"1.1.0": [f"promoted {P}"]}]
C = [*B, {"1.2.0": [f"proposed {P}"]}, {"1.2.0": [f"promoted {P}"]}]
BACK = [*C, {"1.2.0": [f"rolled-back {P}"], "1.1.0": [f"restored {P}"]}]
ELSEWHERE = [*B, {"1.1.0": ["proposed staging"]}, {"1.1.0": ["promoted staging"]}]


def asked(counted: Sequence[Counted], at: str, commits: Any = B, live: str | None = "1.1.0") -> Asked:
    """What is known at a time, ISO 8601; the commits are those of 15 May and the days after it."""
    made = revisions(*commits)
    stable = Stable(environments={P: live} if live else {})
    return Asked(
        environment=P,
        state=State(releases=made[-1].releases, stable=stable, quarantine=Quarantine()),
        past=history.tell(history.noted(made)),
        held=HELD,
        evaluate=EVALUATE,
        trained=TRAINED,
        counted=counted,
        now=datetime.fromisoformat(at).timestamp(),
    )


@pytest.mark.parametrize(
    ("commits", "day"), [(B, 18), (BACK, 21), (ELSEWHERE, 18)], ids=["promoted", "restored", "elsewhere later"]
)
def test_what_is_young_is_not_judged_until_it_is_old_enough(commits: Any, day: int) -> None:
    """Eight days from the last event that made it live here: the second before is too early, then it is an error."""
    old = f"2013-05-{day + 8}T00:00:00+00:00"
    found = monitor.judge(asked([], f"2013-05-{day + 7}T23:59:59+00:00", commits))
    assert (found.well, found.version, found.checks, found.command) == (None, "1.1.0", (), None)
    assert (found.live_since, found.judged_from) == (f"2013-05-{day}T00:00:00+00:00", old)
    with pytest.raises(Broken, match="in production, since"):
        monitor.judge(asked([], old, commits))


def test_what_is_known_well_enough_is_judged_at_once() -> None:
    """However young it is, good or bad; and only what is bad has a way back."""
    young = "2013-05-18T00:00:01+00:00"
    good, bad = monitor.judge(asked(GOOD, young)), monitor.judge(asked(BAD, young))
    assert (good.well, good.missing, good.way_back, good.command) == (True, (), None, None)
    assert (bad.well, bad.way_back) == (False, "1.0.0")
    assert bad.command is not None
    assert (good.answered, good.truths) == (10_000, 10_000)


def test_what_is_counted_is_old_enough_and_not_too_old() -> None:
    """28 days, up to the one that may still lack its truth."""
    day = 86400.0
    assert monitor.stretch(HELD, 40 * day) == (11 * day, 39 * day)


def test_where_nothing_is_live_there_is_nothing_to_say() -> None:
    """Neither well nor not, and no version."""
    found = monitor.judge(asked([], "2014-05-18T00:00:00+00:00", live=None))
    assert (found.well, found.version, found.judged_from) == (None, None, None)


@pytest.mark.parametrize(
    ("counted", "said"),
    [
        ([], "0 truths, needs 1,000; truths of 0 days, needs 7; not both outcomes"),
        (week(size=1, days=9), "900 truths, needs 1,000"),
        (week(days=6), "truths of 6 days, needs 7"),
        ([*GOOD, *week(days=3, truth=None)], "the truth of 77% of 13,000 predictions, needs 80%"),
        (week(truth=0.0), "not both outcomes"),
        (week(truth=None), "0 truths, needs 1,000; truths of 0 days, needs 7; the truth of 0%"),
    ],
    ids=["nothing", "few truths", "few days", "much untold", "one outcome", "no truth"],
)
def test_too_little_is_no_finding(counted: list[Counted], said: str) -> None:
    """Neither well nor not: what is short, and what is asked for."""
    with pytest.raises(Broken, match="too little is known") as error:
        monitor.judge(asked(counted, "2013-06-15T00:00:00+00:00"))
    assert said in error.value.what
    assert said in "; ".join(monitor.judge(asked(counted, "2013-05-19T00:00:00+00:00")).missing)


@pytest.mark.parametrize(
    ("commits", "live", "barred", "back"),
    [
        (A, "1.0.0", (), None),
        (B, "1.1.0", (), "1.0.0"),
        (C, "1.2.0", (), "1.1.0"),
        (C, "1.2.0", ("1.1.0",), "1.0.0"),
        (C, "1.2.0", ("1.1.0", "1.0.0"), None),
        (BACK, "1.1.0", (), "1.0.0"),
        ([*B, {"1.2.0": ["proposed staging"]}, {"1.2.0": ["promoted staging"]}], "1.1.0", (), "1.0.0"),
        ([*B, {"1.2.0": [f"proposed {P}"]}], "1.1.0", (), "1.0.0"),
    ],
    ids=["the first", "one before", "two before", "barred", "all barred", "left by a person", "elsewhere", "in flight"],
)
def test_the_way_back(commits: list[Any], live: str, barred: tuple[str, ...], back: str | None) -> None:
    """What was live last before; not what is quarantined, what a rollback has left, or what was only in staging."""
    made = revisions(*commits)
    events = Quarantine()
    for version in barred:
        events = quarantine.bar(
            events, samples.release(version), sparing=(), environment="staging", at="2013", cause="verdict"
        )
    state = State(releases=made[-1].releases, stable=Stable(environments={P: live}), quarantine=events)
    told = history.tell(history.noted(made))
    assert monitor.way_back(told, state, P, at="2013-06-01T00:00:00+00:00", why="it is not well") == back
