"""What manifests and the judge's settings ask of a rehearsal, at its speed. Pure.

Speed divides time, the grid of the judge together with it; margins, error probabilities and counts stay, so a verdict
needs the same evidence. Two times keep a floor, for a machine works no faster: what a process needs to start, and what
the judge needs to answer.
"""

from collections.abc import Mapping

import msgspec

from slipway.canary import query
from slipway.canary.records import Policy
from slipway.errors import Rejected
from slipway.manifests.environment import Environment
from slipway.manifests.safety import SPARE_MEASUREMENTS
from slipway.rollout import analysis, steps
from slipway.rollout.steps import Plan

STARTS = 60.0  # seconds: a progress deadline is not divided below
ANSWERS = 2.0  # seconds: a timeout of the analysis is not divided below
TIMES = ("grid", "scrape", "grace", "settle", "unavailable")  # of the policy


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """When a process counts as ready: GET `path` is answered by 200. Seconds."""

    path: str
    period: float
    timeout: float
    failures: int  # in a row, until it does not


class Scaled(msgspec.Struct, frozen=True, kw_only=True):
    """All of it; seconds."""

    plan: Plan
    policy: Policy
    arguments: dict[str, str]  # of the analysis
    question: str
    timeout: float
    probe: Probe

    @property
    def labels(self) -> dict[str, str]:
        """The arguments that a person names to the judge, too."""
        return {name: value for name, value in self.arguments.items() if name in (*query.NAMES, *query.SPANS)}


def scale(environment: Environment, policy: Policy, speed: float, overrides: Mapping[str, str]) -> Scaled:
    """Read what is to be played; `overrides` are arguments as a step could hand them to the analysis.

    Raises:
        Rejected: the speed leaves no grid, or an argument is unknown or has no value.
        Broken: a condition of the analysis is not known.

    """
    if not 1 <= speed <= policy.grid:
        raise Rejected(
            f"{speed:g} times as fast, the judge's grid of {policy.grid:g} s would not be between 1 s and that",
            f"Name a --speed from 1 to {policy.grid:g}.",
        )
    spec = environment.rollout.spec
    names = {step.analysis.templates[0].template_name for step in spec.strategy.canary.steps if step.analysis}
    rules, found = {}, dict[str, str]()
    for name in sorted(names):
        template = environment.templates[name]
        metric, mine = template.spec.metrics[0], _arguments(environment, name, overrides)
        if "deadline" in overrides:  # what the manifests are held to stays true
            count = int(query.seconds(mine["deadline"]) // query.seconds(metric.interval)) + SPARE_MEASUREMENTS
            metric = msgspec.structs.replace(metric, count=count, inconclusive_limit=count)
        rules[name] = analysis.rules(metric, speed)
        found = {key: _divided(value, speed) if key in query.SPANS else value for key, value in mine.items()}
    if len(names) != 1:
        raise Rejected(f"the steps ask {len(names)} AnalysisTemplates", "A rehearsal plays one: rollouts/rollout.yaml.")
    ready, asked = environment.container.readiness_probe, metric.provider.prometheus
    return Scaled(
        plan=steps.plan(environment.rollout, rules, _floor(spec.progress_deadline_seconds, speed, STARTS)),
        policy=msgspec.structs.replace(policy, **{name: getattr(policy, name) / speed for name in TIMES}),
        arguments=found,
        question=_filled(asked.query, found),
        timeout=_floor(asked.timeout, speed, ANSWERS),
        probe=Probe(
            path=ready.http_get.path,
            period=ready.period_seconds / speed,
            timeout=float(ready.timeout_seconds),
            failures=ready.failure_threshold,
        ),
    )


def _arguments(environment: Environment, template: str, overrides: Mapping[str, str]) -> dict[str, str]:
    metadata = environment.rollout.metadata
    facts = {"metadata.namespace": metadata.namespace, "metadata.name": metadata.name}
    found: dict[str, str | None] = {one.name: one.value for one in environment.templates[template].spec.args}
    for step in environment.rollout.spec.strategy.canary.steps:
        for argument in step.analysis.args if step.analysis else ():
            if argument.name not in found:
                raise Rejected(f"AnalysisTemplate/{template} declares no argument {argument.name!r}", "Declare it.")
            found[argument.name] = facts[argument.value_from.field_ref.field_path]
    if unknown := sorted(set(overrides) - set(found)):
        raise Rejected(f"the analysis has no argument {unknown[0]!r}", f"It has: {', '.join(sorted(found))}.")
    found |= overrides
    if bare := sorted(name for name, value in found.items() if value is None):
        raise Rejected(f"the argument {bare[0]!r} of the analysis has no value", f"Name one: --set {bare[0]}=VALUE")
    return {name: value for name, value in found.items() if value is not None}


def _filled(text: str, arguments: Mapping[str, str]) -> str:
    for name, value in arguments.items():
        text = text.replace(f"{{{{args.{name}}}}}", value)
    if "{{" in text:
        unknown = text.partition("{{")[2].partition("}}")[0]
        raise Rejected(f"the query of the analysis uses {unknown!r}, which is no argument of it", "Declare it.")
    query.parse(text)
    return text


def _divided(duration: str, speed: float) -> str:
    return f"{round(1000 * query.seconds(duration) / speed)}ms"


def _floor(seconds: float, speed: float, least: float) -> float:
    return max(seconds / speed, min(seconds, least))
