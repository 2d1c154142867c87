"""A ledger of flights whose truth is known: how good the scores were is a parameter."""

import time

import msgspec
import numpy as np

from slipway.adapters.ledger import Ledger
from slipway.predictions import Origin, Outcome, Prediction

DAY = 86400.0
DAYS, EACH = 10, 120
numbers = iter(range(10**9))


def fill(
    ledger: Ledger, release: str, *, right: float, told: float = 1.0, days: int = DAYS, ago: float = 2 * DAY
) -> float:
    """Flights of some days, a quarter of them late; a share `right` is scored for what it turns out to be.

    Returns the AUC of scores that have two values: the mean of both rates of hits.
    """
    predictions, outcomes = [], []
    hits: dict[bool, list[bool]] = {True: [], False: []}
    for number, (a, b, c) in enumerate(np.random.default_rng(1).random((days * EACH, 3))):
        at = time.time() - ago - (number % days) * DAY
        late, hit = bool(a < 0.25), bool(b < right)
        hits[late].append(hit)
        score = 0.8 if late == hit else 0.1
        name = f"{release} {next(numbers)}"
        of = Origin(id=name, call=name, at=at, environment="production", release=release, pod="p", score=score)
        predictions.append(Prediction(origin=of, features=msgspec.Raw(b"{}"), decision=score > 0.5))
        if c < told:
            outcomes.append(Outcome(origin=of, truth=float(late), received_at=at + 3600))
    ledger.add(predictions)
    ledger.record(outcomes)
    return sum(sum(each) / len(each) for each in hits.values()) / 2
