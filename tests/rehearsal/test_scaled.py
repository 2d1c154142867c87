"""Manifests become a plan at a speed: time is divided and evidence is not, and what is not understood is refused."""

from typing import Any

import msgspec
import pytest
from tests.conftest import ROOT
from tests.rehearsal.plans import changed, environment, one

from slipway import manifests
from slipway.canary import query
from slipway.commands import deciding
from slipway.errors import Rejected
from slipway.manifests import tree
from slipway.rollout.analysis import Rules
from slipway.rollout.scaled import TIMES, Scaled, scale

POLICY = deciding.read(ROOT / deciding.SETTINGS).policy


def scaled(speed: float = 1, name: str = "production", **overrides: str) -> Scaled:
    """The plan of an environment."""
    return scale(environment(name), POLICY, speed, overrides)


def rules(found: Scaled) -> list[Rules]:
    """What its analyses count by."""
    return [step for step in found.plan.steps if isinstance(step, Rules)]


def test_the_steps_are_those_of_the_rollout() -> None:
    """Weights and analyses, in order; the question is the template's."""
    found = scaled()
    assert [step if isinstance(step, float) else "analysis" for step in found.plan.steps] == [
        *(0.1, "analysis", 0.3, "analysis", 0.6, "analysis", 1.0)
    ]
    asked = query.parse(found.question)
    assert (asked.namespace, asked.rollout, asked.environment) == ("flights-production", "flights", "production")
    assert asked.timing == deciding.gated(environment())[1]
    assert (rules(found)[0].interval, rules(found)[0].retry, found.timeout) == (30, 10, 8)
    assert found.policy == POLICY


def test_speed_divides_time_and_grid_together_and_leaves_evidence() -> None:
    """Margins, error probabilities and counts stay."""
    slow, fast = scaled(), scaled(10)
    for name in TIMES:
        assert getattr(fast.policy, name) == getattr(slow.policy, name) / 10
    assert msgspec.structs.replace(fast.policy, **{name: getattr(POLICY, name) for name in TIMES}) == POLICY
    before, after = (query.parse(one.question).timing for one in (slow, fast))
    assert [getattr(after, name) * 10 for name in query.SPANS] == [getattr(before, name) for name in query.SPANS]
    assert [one.count for one in rules(fast)] == [one.count for one in rules(slow)]
    assert fast.probe.period == slow.probe.period / 10
    assert set(TIMES) == {"grid", "scrape", "grace", "settle", "unavailable"}  # all seconds of a Policy


def test_what_a_machine_needs_is_not_divided_below_a_floor() -> None:
    """A process starts no faster, and the judge answers no faster."""
    assert (scaled(10).plan.progress_deadline, scaled(10).timeout) == (60, 2)
    assert (scaled(2).plan.progress_deadline, scaled(2).timeout) == (150, 4)


@pytest.mark.parametrize("speed", [0.5, 0.0, -1.0, 10.1, 1000.0, float("nan"), float("inf")])
def test_a_speed_that_leaves_no_grid_is_refused(speed: float) -> None:
    """The error names the fastest one."""
    with pytest.raises(Rejected, match="grid of 10 s") as refused:
        scaled(speed)
    assert refused.value.remedy == "Name a --speed from 1 to 10."


def test_an_argument_is_overridden_as_a_step_could() -> None:
    """A shorter deadline keeps the relation to the count that the manifests are held to."""
    found = scaled(10, bake="0s", maturity="20s", deadline="40m")
    timing = query.parse(found.question).timing
    assert (timing.bake, timing.maturity, timing.deadline, timing.cycle) == (0, 2, 240, 8640)
    assert {(one.count, one.inconclusive_limit) for one in rules(found)} == {(86, 86)}


@pytest.mark.parametrize(
    ("overrides", "what"),
    [({"bakes": "0s"}, "no argument 'bakes'"), ({"bake": "soon"}, "no duration"), ({"maturity": 'x"'}, "no duration")],
)
def test_an_argument_that_is_none_is_refused(overrides: dict[str, str], what: str) -> None:
    """Nothing is a default for what is misspelt."""
    with pytest.raises(Rejected, match=what):
        scaled(1, **overrides)


def put(kind: str, path: str, value: Any) -> Any:
    """Return a change that puts a value at a dotted path of the object of a kind."""

    def how(objects: list[dict[str, Any]]) -> None:
        here: Any = one(objects, kind)
        *way, last = path.split(".")
        for key in way:
            here = here[int(key) if key.isdigit() else key]
        here[last] = value

    return how


METRIC, STEPS = "spec.metrics.0", "spec.strategy.canary.steps"


@pytest.mark.parametrize(
    ("kind", "path", "value", "named"),
    [
        ("AnalysisTemplate", f"{METRIC}.initialDelay", "1m", "initialDelay"),
        ("AnalysisTemplate", "spec.dryRun", [{"metricName": ".*"}], "dryRun"),
        ("AnalysisTemplate", f"{METRIC}.successCondition", "result[0] >= 0", "successCondition"),
        ("AnalysisTemplate", f"{METRIC}.failureCondition", "false", "failureCondition"),
        ("AnalysisTemplate", f"{METRIC}.failureLimit", 3, "failureLimit"),
        ("AnalysisTemplate", f"{METRIC}.provider", {"web": {"url": "http://judge.slipway.svc"}}, "web"),
        ("AnalysisTemplate", f"{METRIC}.provider.prometheus.rangeQuery", {}, "rangeQuery"),
        ("Rollout", f"{STEPS}.0.pause", {"duration": "1m"}, "pause"),
        ("Rollout", f"{STEPS}.1.analysis.dryRun", [], "dryRun"),
        ("Rollout", f"{STEPS}.0.setCanaryScale", {"weight": 5}, "setCanaryScale"),
        ("Rollout", "spec.strategy.canary.maxSurge", "50%", "maxSurge"),
        ("Rollout", "spec.strategy.canary.analysis", {"templates": []}, "analysis"),
        ("Rollout", "spec.rollbackWindow", {"revisions": 3}, "rollbackWindow"),
        ("Rollout", "spec.strategy", {"blueGreen": {}}, "blueGreen"),
        ("Rollout", "spec.strategy.canary.trafficRouting", {"istio": {}}, "istio"),
    ],
)
def test_a_field_or_condition_that_is_not_known_is_refused_by_its_name(
    kind: str, path: str, value: object, named: str
) -> None:
    """What the controller would do with it is not guessed."""
    found, problems = manifests.examine(tree.objects(changed(put(kind, path, value))))
    assert found is None
    assert named in " ".join(problems)


def test_the_manifests_are_played_as_they_stand() -> None:
    """The check above can pass."""
    assert manifests.examine(tree.objects(changed(lambda _: None)))[1] == []


def test_a_question_with_a_word_that_is_no_argument_is_refused() -> None:
    """It would be asked with the braces in it."""
    known = environment()
    template = known.templates["judge"]
    (metric,) = template.spec.metrics
    asked = msgspec.structs.replace(metric.provider.prometheus, query='verdict{rollout="{{args.rolout}}"}')
    metric = msgspec.structs.replace(metric, provider=msgspec.structs.replace(metric.provider, prometheus=asked))
    spec = msgspec.structs.replace(template.spec, metrics=(metric,))
    known.templates["judge"] = msgspec.structs.replace(template, spec=spec)
    with pytest.raises(Rejected, match=r"'args\.rolout', which is no argument"):
        scale(known, POLICY, 1, {})
