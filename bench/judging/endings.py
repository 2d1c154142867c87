"""How runs ended, and when."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from judging.worlds import GRID, Array, Sample

UNAVAILABLE, ABORTED, OPEN, PROMOTED = -2, -1, 0, 1
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Endings:
    """One entry per run: outcome, seconds and canary requests until then (of the whole run, where it stayed open)."""

    outcome: Array
    seconds: Array
    requests: Array

    def share(self, outcome: int) -> float:
        """Share of the runs that ended so."""
        return float(np.mean(self.outcome == outcome))

    def median(self, outcome: int, of: str) -> float | None:
        """Median seconds or requests of the runs that ended so."""
        values = getattr(self, of)[self.outcome == outcome]
        return float(np.median(values)) if values.size else None


def join(parts: Sequence[Endings]) -> Endings:
    """Put chunks of runs together, in order."""
    return Endings(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("outcome", "seconds", "requests")))


def first(crossed: Array) -> Array:
    """First look at which it is so, (runs,); NEVER where it never is."""
    return np.where(crossed.any(axis=-1), crossed.argmax(axis=-1), NEVER)


def ended(abort: Array, promote: Array, requests: Array) -> Endings:
    """Endings from the look of an abort and of a promotion, (runs,), and canary requests per stratum.

    At the same look abort goes first.
    """
    at = np.minimum(abort, promote)
    outcome = np.where(at == NEVER, OPEN, np.where(abort <= promote, ABORTED, PROMOTED))
    last = np.minimum(at, requests.shape[-1] - 1)
    until = np.take_along_axis(np.cumsum(requests, axis=-1), last[:, None], axis=-1)[:, 0]
    return Endings(outcome, (last + 1) * GRID, until)


def of_rule(alarm: Array, sample: Sample) -> Endings:
    """Endings under a rule that only aborts: what is left promotes at the end."""
    looks = np.full(len(alarm), alarm.shape[1] - 1)
    return ended(first(alarm), looks, sample.canary.requests)
