"""Prometheus, as the judge asks it: is the router scraped often enough, and are its series those of judge.yaml."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from slipway.canary import latency
from slipway.canary.facts import at
from slipway.canary.settings import fill
from slipway.doctor.asking import Checking, Doubt, Fault, Fine, Refused, listed
from slipway.doctor.canary import rollout_of
from slipway.doctor.records import Wanted, World
from slipway.doctor.services import prometheus_of, reached
from slipway.errors import Broken

TARGETS = "Look at Prometheus' page of targets, and at its scrape job for the router."
WINDOW = 12  # scrapes that are looked at, for how far they are apart
Samples = Sequence[Mapping[str, Any]]


def prometheus(world: World) -> Checking:
    """It answers the API that the judge asks, at the address that the judge was given."""
    service = prometheus_of(world, world.environments[0])
    if (yield from reached(world, service)) or at(service.live(world), "spec", "type") == "ExternalName":
        _ask(world, world.environments[0], "time()")
    return Fine(service.label)


def scraped(world: World) -> Checking:
    """Every router is up, and scraped as often as the policy says: a longer silence looks like no traffic."""
    from slipway.canary import scrapes  # NumPy comes with it

    wanted, policy = world.environments[0], world.settings.policy
    selector = world.settings.selectors.scrapes
    found, where = _ask(world, wanted, selector), prometheus_of(world, wanted).label
    if not found:
        yield Fault(where, f"{selector} finds nothing: the router is not scraped", TARGETS)
        return Fine("")
    down = [str(at(each, "metric", "instance")) for each in found if _value(each) != 1]
    if down:
        yield Fault(where, f"{selector} is not 1 for {listed(down)}", TARGETS)
    now = max(float(each["value"][0]) for each in found)
    past = _ask(world, wanted, f"{selector}[{max(60.0, WINDOW * policy.scrape):.0f}s]")
    times = [[float(at) for at, value in each.get("values") or () if float(value) == 1] for each in past]
    try:
        scrapes.since(times, policy, 0.0, now)
    except Broken as error:
        yield Fault(where, error.what, error.remedy)
    return Fine(f"{len(found)} up")


def series(world: World, wanted: Wanted) -> Checking:
    """Each selector of judge.yaml finds stable's series, under the labels that it names."""
    rollout_of(world, wanted)
    where, found = prometheus_of(world, wanted).label, 0
    for name in ("requests", "errors", "answers", "within"):
        selector = _stable(world, wanted, name)
        seen = _ask(world, wanted, selector)
        found += len(seen)
        if seen or name == "errors":  # of which there may have been none
            continue
        if clash := _clashing(world, wanted, selector):
            what = f"{name}: Prometheus has put its own label in the place of the router's, which is {clash} now"
            mend = "Set honor_labels: true in the scrape job, or write exported_service in rollouts/judge.yaml."
        else:
            what = f"{name}: {selector} finds nothing for stable"
            mend = (
                "Send it a request; if it stays so, compare the selector in rollouts/judge.yaml with the series there."
            )
        yield Fault(where, f"{wanted.name}: {what}", mend)
    return Fine(f"{found} of stable")


def edges(world: World, wanted: Wanted) -> Checking:
    """The histogram, as it is counted, has the edges that latency is judged by."""
    rollout_of(world, wanted)
    metrics, unit = world.settings.policy.metrics, world.settings.selectors.edge_seconds
    histograms: dict[tuple[Any, ...], dict[float, float]] = {}
    for each in _ask(world, wanted, _stable(world, wanted, "within")):
        labels = {**each["metric"]}
        edge = float(labels.pop("le", "nan")) * unit
        histograms.setdefault(tuple(sorted(labels.items())), {})[edge] = _value(each)
    known = {edge for each in histograms.values() for edge in each}
    where = prometheus_of(world, wanted).label
    if not known:
        raise Doubt(f"there is no histogram of stable in {wanted.name}", "The check series says why.")
    bound = metrics["objective"].bound if "objective" in metrics else None
    if bound is not None and not any(math.isclose(edge, bound) for edge in known):
        yield Fault(where, f"{wanted.name}: no edge is at {bound:g} s, the objective", latency.EDGES)
    if "latency" in metrics and any(max(each.values()) for each in histograms.values()):
        try:
            chosen = latency.bound([{} for _ in histograms], list(histograms.values()))
        except Broken as error:
            yield Fault(where, f"{wanted.name}: {error.what}", error.remedy)
        else:
            return Fine(f"latency would be judged at {chosen:g} s")
    return Fine(f"{len(known)} edges")


def _stable(world: World, wanted: Wanted, name: str) -> str:
    return fill(getattr(world.settings.selectors, name), wanted.namespace, wanted.rollout, "stable", ".+")


def _clashing(world: World, wanted: Wanted, selector: str) -> str | None:
    """The label that holds what `service` should, where a series is found by it."""
    renamed = re.sub(r"(?<=[{,\s])service(?==|!)", "exported_service", selector)
    return "exported_service" if renamed != selector and _ask(world, wanted, renamed) else None


def _ask(world: World, wanted: Wanted, text: str) -> Samples:
    """Ask the judge's Prometheus.

    Raises:
        Doubt: it does not answer, or not as Prometheus does.

    """
    service = prometheus_of(world, wanted)
    try:
        answer = service.get(world, "api/v1/query", query=text)
    except Refused as said:
        raise Doubt(f"{service.label} refuses {text}: {said}", "Look at its log, and at rollouts/judge.yaml.") from None
    found = at(answer, "data", "result")
    if at(answer, "status") != "success" or not isinstance(found, list):
        raise Doubt(f"what {service.label} answers is not of the query API", service.forward("api/v1/query?query=up"))
    return found


def _value(one: Mapping[str, Any]) -> float:
    return float(one["value"][1])
