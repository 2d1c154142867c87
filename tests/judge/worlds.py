"""Canaries in a rehearsal's folder, without chance: losses come evenly, so that only what a test changes differs."""

from pathlib import Path

import msgspec

from slipway.adapters import files
from slipway.adapters.ledger import Ledger
from slipway.adapters.rehearsal import FACTS, Known, Rehearsal, Sample
from slipway.canary.records import Interval, Metric, Policy, Rollout
from slipway.predictions import Origin, Outcome, Prediction

START = 1_800_000_000.0
SCRAPE = 5
POLICY = Policy(
    metrics={
        "errors": Metric(margin=0.01, base=0.01),
        "latency": Metric(margin=0.03, base=0.05),
        "objective": Metric(margin=0.03, base=0.01, bound=0.25),
    }
)
QUERY = 'verdict{namespace="shop", rollout="flights", maturity="0s", deadline="4h"}'


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


def rehearse(
    folder: Path,
    *,
    seconds: int = 900,
    rate: float = 20,
    bad: float = 0.01,
    known: Rollout | None = None,
    more: int = 0,
) -> Path:
    """Write a rehearsal at `rate` requests a second, in which the canary's share of errors is `bad`, stable's 1 %.

    Samples go on for `more` seconds.
    """
    folder.mkdir(exist_ok=True)
    known = known or rollout(seconds)
    files.write_record(folder / FACTS, Known(rollout=known, latency_bound=0.05))
    requests = {"stable": 0.0, "canary": 0.0}
    samples = []
    for tick in range(0, seconds + more + 1, SCRAPE):
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


def predict(ledger: Ledger, *, rate: int, seconds: int, worse: float) -> None:
    """Answer `rate` calls a second, 30 % of them with a positive truth that is known 20 s later, split by weight.

    Stable's Brier loss is 0.19 on each call, the canary's is `worse` more.
    """
    known, predictions, outcomes = rollout(seconds), [], []
    week = [(-86400.0 * day, "stable") for day in range(1, 3) for _ in range(50)]
    inside = []
    tenths = 0
    for number in range(rate * seconds):
        at = number / rate
        weight = [one.weight for one in known.intervals if one.start <= START + at][-1]
        tenths += round(10 * weight)
        arm = "canary" if tenths >= 10 else "stable"
        tenths %= 10
        inside.append((at, arm))
    for number, (at, arm) in enumerate(week + inside):
        truth = float(number % 10 < 3)
        miss = (0.19 + (worse if arm == "canary" else 0.0)) ** 0.5
        origin = Origin(
            id=f"{number}",
            call=f"c{number}",
            at=START + at,
            environment="shop",
            release="1.0.0",
            pod={"stable": "aaa", "canary": "bbb"}[arm],
            score=abs(truth - miss),
        )
        predictions.append(Prediction(origin=origin, features=msgspec.Raw(b"{}"), decision=False))
        outcomes.append(Outcome(origin=origin, truth=truth, received_at=START + at + 20))
    ledger.add(predictions)
    ledger.record(outcomes)
