"""Canaries in a rehearsal's folder, without chance: losses come evenly, so that only what a test changes differs."""

from pathlib import Path

from slipway.adapters import files
from slipway.adapters.rehearsal import FACTS, Known, Rehearsal, Sample
from slipway.canary.records import Interval, Metric, Policy, Rollout

START = 1_800_000_000.0
SCRAPE = 5
POLICY = Policy(
    metrics={
        "errors": Metric(margin=0.01, base=0.01),
        "latency": Metric(margin=0.03, base=0.05),
        "objective": Metric(margin=0.03, base=0.01, bound=0.25),
    }
)
QUERY = 'verdict{namespace="shop", rollout="flights", deadline="4h"}'


def rollout(seconds: float, **changes: object) -> Rollout:
    """A canary whose three steps took a third of `seconds` each, the last of which is going on."""
    edges = [START + seconds * third / 3 for third in range(3)]
    intervals = tuple(
        Interval(start=start, end=end, weight=weight, step=step)
        for step, (start, end, weight) in enumerate(
            zip(edges, [*edges[1:], None], (0.1, 0.3, 0.6), strict=True), start=1
        )
    )
    facts = {
        "namespace": "shop",
        "name": "flights",
        "stable": "aaa",
        "canary": "bbb",
        "attempt": 1,
        "intervals": intervals,
        "steps": 3,
        "available": 2,
        "unavailable_since": None,
    }
    return Rollout(**(facts | changes))  # type: ignore[arg-type]


def rehearse(folder: Path, *, seconds: int = 900, rate: float = 20, bad: float = 0.01, known: Rollout | None = None) -> Path:
    """Write a rehearsal at `rate` requests a second, in which the canary's share of errors is `bad`, stable's 1 %."""
    folder.mkdir(exist_ok=True)
    known = known or rollout(seconds)
    files.write_record(folder / FACTS, Known(rollout=known, latency_bound=0.05))
    requests = {"stable": 0.0, "canary": 0.0}
    samples = []
    for tick in range(0, seconds + 1, SCRAPE):
        weight = [one.weight for one in known.intervals if one.start < START + tick or not tick][-1]
        for arm, share in (("stable", 1 - weight), ("canary", weight)):
            requests[arm] += rate * SCRAPE * share * (tick > 0)
            count, wrong = int(requests[arm]), bad if arm == "canary" else 0.01
            for counter, le, value in (
                ("requests", None, count),
                ("errors", None, int(count * wrong)),
                ("within", 0.05, count - int(count * 0.05)),
                ("within", 0.25, count - int(count * 0.01)),
            ):
                samples.append(Sample(time=START + tick, arm=arm, counter=counter, le=le, value=value))  # type: ignore[arg-type]
    Rehearsal(folder).append(*samples)
    return folder
