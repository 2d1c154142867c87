"""Worlds in which a canary is judged: independent requests, outcomes drawn by stratum of ten seconds.

A world says, per stratum, how much traffic there is and how often each arm goes wrong; a sample is what the counters
of many runs in that world would show. Twenty requests a second, half an hour, as docs/judge.md describes.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

GRID = 10.0  # seconds of a stratum
LOOKS = 180
EDGES = np.array([25, 50, 75, 100, 125, 150, 200, 300, 500, np.inf])  # of the latency histogram, ms
MEDIAN, SIGMA = 80.0, 0.5  # of the log-normal latency, ms
P95 = MEDIAN * np.exp(1.6448536269514722 * SIGMA)
BOUND = 200.0  # what the latency metric counts as slow, ms
SLOW = EDGES > BOUND


@dataclass(frozen=True)
class Arm:
    """What one arm counted within each stratum: (runs, strata), buckets (runs, strata, edges)."""

    requests: Array
    errors: Array
    wrong: Array
    buckets: Array

    @property
    def slow(self) -> Array:
        """Requests above the bound."""
        return self.buckets[..., SLOW].sum(axis=-1)


@dataclass(frozen=True)
class Sample:
    """Both arms of many runs."""

    stable: Arm
    canary: Arm


@dataclass(frozen=True)
class Rates:
    """How often an arm goes wrong, per stratum (or at all times), and how slow it is: the factor on its latency."""

    errors: Array | float = 0.01
    wrong: Array | float = 0.20
    slower: float = 1.0


@dataclass(frozen=True)
class World:
    """Traffic and the two arms; `weight` is the canary's share."""

    stable: Rates = field(default_factory=Rates)
    canary: Rates = field(default_factory=Rates)
    rate: float = 20.0  # requests a second
    weight: Array | float = 0.10
    looks: int = LOOKS

    def sample(self, rng: np.random.Generator, runs: int, weight: float | None = None) -> Sample:
        """Draw runs, at the world's weights or at one weight throughout."""
        share = np.broadcast_to(self.weight if weight is None else weight, self.looks)
        arrivals = self.rate * GRID
        return Sample(
            _arm(rng, self.stable, runs, arrivals * (1 - share)), _arm(rng, self.canary, runs, arrivals * share)
        )


def _arm(rng: np.random.Generator, rates: Rates, runs: int, expected: Array) -> Arm:
    requests = rng.poisson(expected, (runs, expected.size))
    return Arm(
        requests=requests,
        errors=rng.binomial(requests, np.broadcast_to(rates.errors, expected.shape)),
        wrong=rng.binomial(requests, np.broadcast_to(rates.wrong, expected.shape)),
        buckets=rng.multinomial(requests, buckets(rates.slower)),
    )


def buckets(slower: float) -> Array:
    """Probability of each bucket of the histogram."""
    from scipy.stats import norm

    return np.diff(norm.cdf(np.log(EDGES / (MEDIAN * slower)) / SIGMA), prepend=0.0)


def thirds(*values: float) -> Array:
    """One value per third of the run."""
    return np.repeat(values, LOOKS // 3)
