"""`rollouts/judge.yaml` as frozen records: what a canary is held to, and where its counters are found."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from slipway.canary.records import Arm, Policy, Timing
from slipway.errors import Broken


class Selectors(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Five PromQL selectors of raw series; a router is told to the judge by nothing else.

    {namespace}, {rollout}, {arm} ("stable" or "canary") and, in `within`, {le} (a regular expression) are filled in.
    """

    requests: str  # counter: all answers of an arm
    errors: str  # counter: those that are errors to the client
    answers: str  # counter: all that the histogram timed
    within: str  # counter: those at or below the edge {le} of the histogram
    scrapes: str  # gauge: 1 when a scrape of the router succeeded
    edge_seconds: float = 1.0  # what an edge counts: 1 for seconds, 0.001 for milliseconds


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    policy: Policy
    selectors: Selectors
    traffic: Mapping[str, Annotated[float, msgspec.Meta(gt=0)] | None] = {}  # by environment; None is not known


def parse(raw: Any, origin: str) -> Settings:  # noqa: ANN401  # whatever the YAML holds
    """Check the parsed YAML of the file.

    Raises:
        Broken: a key is unknown or missing, a value has the wrong type or range, or a selector tells no arms apart.

    """
    remedy = "Compare the file with src/slipway/canary/records.py and settings.py, which document each key."
    try:
        settings = msgspec.convert(raw, Settings)
    except msgspec.ValidationError as error:
        raise Broken(f"{origin}: {error}", remedy) from error
    if not set(settings.policy.metrics) - {"truth"}:
        raise Broken(f"{origin}: nothing is judged where there is no truth", "Judge at least `errors`.")
    if "objective" in settings.policy.metrics and settings.policy.metrics["objective"].bound is None:
        raise Broken(f"{origin}: the metric `objective` has no `bound`", "Give it one in seconds, such as 0.25.")
    if settings.policy.grid < 2 * settings.policy.scrape:
        raise Broken(f"{origin}: `grid` is shorter than two scrapes", "Make it at least twice `scrape`.")
    for name in ("requests", "errors", "answers", "within"):
        needed = ("{namespace}", "{rollout}", "{arm}", *(["{le}"] if name == "within" else []))
        missing = [part for part in needed if part not in getattr(settings.selectors, name)]
        if missing:
            raise Broken(f"{origin}: the selector `{name}` has no {missing[0]}", "Without it, it finds other requests.")
    return settings


def asked(policy: Policy, timing: Timing) -> Policy:
    """What an environment is held to: one that gives truth no time to arrive, as staging, is not judged by it."""
    if timing.maturity > 0:
        return policy
    metrics = {kind: metric for kind, metric in policy.metrics.items() if kind != "truth"}
    return msgspec.structs.replace(policy, metrics=metrics)


def fill(selector: str, namespace: str, rollout: str, arm: Arm, le: str = "") -> str:
    """Fill in a selector. The names must have been checked: they become part of a PromQL expression."""
    filled = selector.replace("{namespace}", namespace).replace("{rollout}", rollout).replace("{arm}", arm)
    return filled.replace("{le}", le)
