"""The gate's decision, rule by rule: facts in, a decision out."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from slipway.gate import RULES, Candidate, Incomparable, Policy, decide
from slipway.params import Budget, Evaluate, Gate
from slipway.records import (
    Comparison,
    Difference,
    Estimate,
    GateDecision,
    Metrics,
    SliceDifference,
    SliceMetrics,
    Window,
)

NAN = float("nan")
DIGEST, CHAMPION = "sha256:" + "a" * 64, "sha256:" + "c" * 64
THRESHOLDS = Gate(
    auc_floor=0.6,
    calibration_ceiling=0.2,
    cost_ceiling=0.9,
    auc_margin=0.01,
    cost_margin=0.03,
    slice_auc_floor=0.55,
    slice_auc_margin=0.05,
    budget=Budget(latency_ms=5, model_bytes=1000),
)
EVALUATE = Evaluate(
    missed_cost=5,
    false_alarm_cost=1,
    bootstrap_rounds=200,
    confidence=0.95,
    slice_min_rows=500,
    importance_rows=4000,
    seed=1,
)
POLICY = Policy(thresholds=THRESHOLDS, evaluate=EVALUATE, base="b" * 40)


def around(value: float, width: float = 0.01) -> Estimate:
    """An interval."""
    return Estimate(value=value, low=value - width, high=value + width)


HIGH, FAIR, NONE = around(0.7), around(0.6), around(0.0)


def metrics(*, auc: Estimate = HIGH, error: float = 0.1, cost: float = 0.5, group: Any = FAIR) -> Metrics:
    """Metrics of a month in which a fifth of the flights was late: never to warn costs 5 * 0.2 = 1 a flight."""
    return Metrics(
        model_digest=DIGEST,
        test=Window(first="2013-04-01", last="2013-04-30", rows=1000, late_share=0.2, coverage=0.97),
        confidence=0.95,
        overall={"auc": auc, "calibration_error": around(error), "cost": around(cost)},
        slices=(SliceMetrics(by="origin", group="JFK", rows=600, late_share=0.2, auc=group),),
        importance={},
    )


def candidate(**changes: Any) -> Candidate:
    """A model that breaks no rule, with changes."""
    good = Candidate(model_digest=DIGEST, metrics=metrics(), latency_ms=0.1, model_bytes=900, barred=())
    return replace(good, **changes)


def comparison(*, auc: Estimate = NONE, cost: Estimate = NONE, group: Any = NONE) -> Comparison:
    """A champion that is as good, with other differences."""
    return Comparison(
        champion_digest=CHAMPION,
        champion_version="3",
        first="2013-04-01",
        last="2013-04-30",
        rows=1000,
        overall={
            "auc": Difference(candidate=0.7, champion=0.7, difference=auc),
            "cost": Difference(candidate=0.5, champion=0.5, difference=cost),
        },
        slices=(SliceDifference(by="origin", group="JFK", rows=600, auc=group),),
    )


def failed(decision: GateDecision) -> set[str]:
    """The checks that refuse."""
    return {check.name for check in decision.checks if check.passed is False}


def without(rule: str) -> Policy:
    """The policy with one rule switched off."""
    limits = THRESHOLDS
    if rule.startswith("budget."):
        budget = msgspec.structs.replace(limits.budget, **{rule.removeprefix("budget."): None})
        return replace(POLICY, thresholds=msgspec.structs.replace(limits, budget=budget))
    return replace(POLICY, thresholds=msgspec.structs.replace(limits, **{rule: None}))


BAD = {
    "auc_floor": [
        (candidate(metrics=metrics(auc=around(0.605))), comparison()),  # the value is high enough, its low end is not
        (candidate(metrics=metrics(auc=Estimate(value=0.7, low=NAN, high=NAN))), comparison()),
    ],
    "calibration_ceiling": [
        (candidate(metrics=metrics(error=0.195)), comparison()),
        (candidate(metrics=metrics(error=NAN)), comparison()),
    ],
    "cost_ceiling": [
        (candidate(metrics=metrics(cost=0.895)), comparison()),
        (candidate(metrics=metrics(cost=NAN)), comparison()),
    ],
    "auc_margin": [
        (candidate(), comparison(auc=around(-0.005))),
        (candidate(), comparison(auc=around(NAN))),
        (candidate(), comparison(auc=around(0.1, width=0.2))),  # better by far, perhaps: too few days to know
    ],
    "cost_margin": [
        (candidate(), comparison(cost=around(0.025))),
        (candidate(), comparison(cost=around(NAN))),
    ],
    "slice_auc_floor": [
        (candidate(metrics=metrics(group=around(0.53))), comparison()),
        (candidate(metrics=metrics(group=around(NAN))), comparison()),
        (candidate(metrics=metrics(group=None)), comparison()),  # no slice at all is judged
    ],
    "slice_auc_margin": [
        (candidate(), comparison(group=around(-0.07))),
        (candidate(), comparison(group=around(NAN))),
        (candidate(), comparison(group=None)),
    ],
    "budget.latency_ms": [(candidate(latency_ms=5.1), comparison()), (candidate(latency_ms=NAN), comparison())],
    "budget.model_bytes": [(candidate(model_bytes=1001), comparison())],
}
CASES = [(rule, *facts) for rule, cases in BAD.items() for facts in cases]


def test_every_rule_is_in_the_table() -> None:
    """The rules are the keys of `gate`, and each has a row in this table."""
    keys = [field.name for field in msgspec.structs.fields(Gate) if field.name != "budget"]
    keys += [f"budget.{field.name}" for field in msgspec.structs.fields(Budget)]

    assert set(RULES) == set(keys) == set(BAD)


def test_good_candidate_is_accepted() -> None:
    """A candidate that breaks no rule is accepted, and every rule is reported as held."""
    decision = decide(candidate(), comparison(), POLICY, first=False)

    assert decision.accepted
    assert [check.name for check in decision.checks] == ["evidence", "champion", "quarantine", *RULES]
    assert all(check.passed for check in decision.checks)
    assert (decision.model_digest, decision.champion, decision.base) == (DIGEST, CHAMPION, POLICY.base)


@pytest.mark.parametrize(("rule", "facts", "against"), CASES)
def test_a_rule_refuses_alone(rule: str, facts: Candidate, against: Comparison) -> None:
    """What breaks one rule, NaN included, is refused by that rule alone, and accepted when it is switched off."""
    decision = decide(facts, against, POLICY, first=False)
    off = decide(facts, against, without(rule), first=False)

    assert not decision.accepted
    assert failed(decision) == {rule}
    assert off.accepted
    assert next(check for check in off.checks if check.name == rule).passed is None
    assert off.thresholds_digest != decision.thresholds_digest


def test_all_failures_are_reported() -> None:
    """A candidate that breaks several rules hears of each."""
    facts = candidate(metrics=metrics(auc=around(0.5), error=0.4), model_bytes=2000)

    decision = decide(facts, comparison(auc=around(-0.2)), POLICY, first=False)

    assert failed(decision) == {"auc_floor", "calibration_ceiling", "auc_margin", "budget.model_bytes"}


@pytest.mark.parametrize("rule", ["slice_auc_floor", "slice_auc_margin"])
def test_small_and_uncertain_slices_do_not_refuse(rule: str) -> None:
    """A slice without a metric, and one whose interval reaches the limit, are not shown to be bad."""
    measured, compared = metrics(group=Estimate(value=-0.2, low=-0.5, high=0.9)), comparison()
    small = {"group": "LGA", "rows": 2, "auc": None}
    measured, compared = (
        msgspec.structs.replace(facts, slices=(*facts.slices, msgspec.structs.replace(facts.slices[0], **small)))
        for facts in (measured, compared)
    )

    assert rule not in failed(decide(candidate(metrics=measured), compared, POLICY, first=False))


def test_cost_is_counted_as_the_policy_says() -> None:
    """Where a missed flight costs half as much, never to warn does too, and the same cost is refused."""
    cheap = replace(POLICY, evaluate=msgspec.structs.replace(EVALUATE, missed_cost=2.5))

    assert failed(decide(candidate(), comparison(), cheap, first=False)) == {"cost_ceiling"}


def test_change_that_measures_itself_is_refused() -> None:
    """A tree with another `evaluate` than the base is refused for it; another `gate` is only named."""
    measures, decides = (replace(POLICY, changed=(name,)) for name in ("evaluate", "gate"))
    decision = decide(candidate(problems=("train: deps data modified",)), comparison(), measures, first=False)

    assert failed(decision) == {"evidence"}
    assert "train: deps data modified: run `dvc repro`; `evaluate` in params.yaml differs" in decision.checks[0].detail
    assert "--base" in decision.checks[0].detail
    assert decide(candidate(), comparison(), decides, first=False).accepted


@pytest.mark.parametrize(
    ("champion", "first", "accepted", "says"),
    [
        (None, True, True, "first of all"),
        (None, False, False, "--first"),
        (comparison(), True, False, "there is one already"),
        (comparison(), False, True, "version 3"),
        (Incomparable(CHAMPION, "it has seen these days"), False, False, "cannot compare: it has seen these days"),
        (Incomparable(CHAMPION, "it has seen these days"), True, False, "there is one already"),
    ],
)
def test_champion_and_first(champion: Any, first: bool, accepted: bool, says: str) -> None:
    """Only the first of all does without a champion, only when a person says so, and never when there is one."""
    decision = decide(candidate(), champion, POLICY, first=first)
    check = decision.checks[1]

    assert decision.accepted is accepted
    assert check.passed is accepted
    assert says in check.detail


def test_first_still_needs_the_floors() -> None:
    """--first switches no floor off."""
    decision = decide(candidate(metrics=metrics(auc=around(0.5))), None, POLICY, first=True)

    assert failed(decision) == {"auc_floor"}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"metrics": None}, "there are no metrics"),
        ({"metrics": msgspec.structs.replace(metrics(), model_digest=CHAMPION)}, "of another model"),
        ({"problems": ("train: deps data modified",)}, "train: deps data modified"),
    ],
)
def test_evidence_that_cannot_be_believed_is_refused(changes: dict[str, Any], says: str) -> None:
    """Missing, foreign and stale evidence is refused, whatever the numbers say, with `dvc repro` as the remedy."""
    decision = decide(candidate(**changes), comparison(), POLICY, first=False)

    assert failed(decision) == {"evidence"}
    assert says in decision.checks[0].detail
    assert "dvc repro" in decision.checks[0].detail


@pytest.mark.parametrize("first", [False, True])
def test_what_is_quarantined_is_refused(first: bool) -> None:
    """However good it is, and the first of all too: with every reason, and the two ways on."""
    barred = ("recipe sha256:aa… is quarantined since 1.2.0 was aborted", "model sha256:bb… too")
    decision = decide(candidate(barred=barred), None if first else comparison(), POLICY, first=first)

    assert failed(decision) == {"quarantine"}
    assert not decision.accepted
    said = decision.checks[2].detail
    assert all(reason in said for reason in barred)
    assert "change the recipe" in said
    assert "slipway quarantine lift" in said


@pytest.mark.parametrize("name", ["auc", "calibration_error", "cost"])
def test_missing_metric_is_refused(name: str) -> None:
    """Metrics that lack one that a rule needs are refused by that rule."""
    known = metrics()
    lacking = msgspec.structs.replace(known, overall={k: v for k, v in known.overall.items() if k != name})

    decision = decide(candidate(metrics=lacking), comparison(), POLICY, first=False)

    assert failed(decision) == {
        {"auc": "auc_floor", "calibration_error": "calibration_ceiling"}.get(name, "cost_ceiling")
    }


def test_no_late_flight_is_refused() -> None:
    """Where nobody was late there is nothing to compare the cost with: refused, not divided by zero."""
    known = metrics()
    calm = msgspec.structs.replace(known, test=msgspec.structs.replace(known.test, late_share=0.0))

    assert failed(decide(candidate(metrics=calm), comparison(), POLICY, first=False)) == {"cost_ceiling"}
