"""Whether an environment's traffic can decide a canary: its settings, its manifests, and the plan that follows."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from slipway.adapters import files
from slipway.canary import query, settings
from slipway.canary.records import Policy, Timing
from slipway.canary.settings import Settings
from slipway.canary.units import duration, points
from slipway.errors import Rejected
from slipway.manifests.environment import Environment

if TYPE_CHECKING:
    from slipway.canary.planning import Plan

SETTINGS = Path("rollouts/judge.yaml")


def read(path: Path) -> Settings:
    """Read what canaries are held to: `rollouts/judge.yaml`, or a file like it; `settings.parse` has the errors."""
    return settings.parse(files.parse_yaml(files.read_bytes(path), str(path)), str(path))


def gated(environment: Environment) -> tuple[tuple[float, ...], Timing]:
    """Weights of the steps that an analysis follows, and the times that its template hands to the judge."""
    weight, weights, timing = 0.0, list[float](), Timing()
    for step in environment.rollout.spec.strategy.canary.steps:
        if step.analysis is None:
            weight = (step.set_weight or 0) / 100
            continue
        weights.append(weight)
        arguments = environment.templates[step.analysis.templates[0].template_name].spec.args
        timing = query.timing({each.name: each.value for each in arguments if each.value})
    return tuple(weights), timing


def plan(policy: Policy, timing: Timing, weights: Sequence[float], traffic: float) -> "Plan":
    """Plan a verdict of what an environment is held to; SciPy comes with it, which takes half a second."""
    from slipway.canary import planning

    return planning.plan(settings.asked(policy, timing), timing, weights, traffic)


def require_decidable(root: Path, name: str, environment: Environment) -> str:
    """Refuse what the traffic of an environment cannot decide; returns what was found, in a sentence.

    Raises:
        Rejected: a canary that is like stable would not be promoted before the deadline.

    """
    known = read(root / SETTINGS)
    traffic = known.traffic.get(name)
    if traffic is None:
        return f"{SETTINGS} does not say how much traffic {name} has: not checked whether that decides a canary"
    weights, timing = gated(environment)
    found = plan(known.policy, timing, weights, traffic)
    if not found.decidable:
        raise Rejected(verdict(found, name), f"Any of these would help: {'; '.join(remedies(found))}.")
    return f"a canary like stable takes about {duration(found.seconds)}"


def verdict(found: "Plan", name: str) -> str:
    """Say when a canary that is like stable is promoted, and when it should be."""
    told = f"{found.requests_per_second:g} requests a second in {name}: a canary like stable is"
    if math.isinf(found.seconds):
        return f"{told} never promoted"
    return f"{told} promoted after {duration(found.seconds)}, the deadline is {duration(found.timing.deadline)}"


def remedies(found: "Plan") -> Iterator[str]:
    """Name what would, each alone, let the traffic decide; figures are rounded up."""
    known = found.remedies
    if known is None:
        return
    unit = next(unit for unit, least in ((3600, 86400), (60, 3600), (1, 0)) if known.deadline >= least)
    if math.isfinite(known.deadline):
        yield f"a deadline of {duration(math.ceil(known.deadline / unit) * unit)} (rollouts/analysis.yaml)"
    if known.margins:
        wider = ", ".join(f"{name} {points(_up(margin))}" for name, margin in known.margins.items())
        yield f"wider margins, {wider} ({SETTINGS})"
    if known.weight:
        yield f"no step below {math.ceil(100 * known.weight)} % (rollouts/rollout.yaml)"
    if known.traffic:
        yield f"{_up(known.traffic):,g} requests a second"


def _up(value: float) -> float:
    """Round up to two digits."""
    digit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.ceil(value / digit - 1e-9) * digit
