"""Canaries to judge: counters as Prometheus would have sampled them, and truth as the ledger would have counted it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from slipway.canary.records import (
    ARMS,
    Arm,
    Cohort,
    Counts,
    Gap,
    Interval,
    Kind,
    Metric,
    Observation,
    Policy,
    Rollout,
    Series,
    Timing,
)

T0 = 1_760_000_000.0  # far from 0, as real times are
POLICY = Policy(
    metrics={
        "errors": Metric(margin=0.01, base=0.01),
        "latency": Metric(margin=0.03, base=0.033),
        "truth": Metric(margin=0.03, base=0.2),
    }
)
ERRORS = Policy(metrics={"errors": Metric(margin=0.01, base=0.01)})
TIMING = Timing(deadline=100_000.0)


def rollout(
    *ends: float, weights: Sequence[float] = (0.1,), attempt: int = 1, available: int = 2, since: float | None = None
) -> Rollout:
    """A canary whose steps ended so many seconds after its start; the last one lasts."""
    starts = (0.0, *ends)
    return Rollout(
        namespace="flights",
        name="flights",
        stable="5d8",
        canary="7c4",
        attempt=attempt,
        intervals=tuple(
            Interval(start=T0 + start, end=None if end is None else T0 + end, weight=weight, step=step)
            for step, (start, end, weight) in enumerate(zip(starts, (*ends, None), weights, strict=True), start=1)
        ),
        steps=len(weights),
        available=available,
        unavailable_since=None if since is None else T0 + since,
    )


@dataclass
class World:
    """Counts per cell of 10 s, (K,), by arm; seeded where they are drawn."""

    requests: Mapping[Arm, np.ndarray]
    bad: dict[Kind, Mapping[Arm, np.ndarray]] = field(default_factory=dict)
    labelled: float = 1.0

    @classmethod
    def drawn(
        cls,
        seed: int,
        cells: int,
        rates: Mapping[Kind, tuple[float, float]],
        *,
        rps: float = 20.0,
        weights: float | np.ndarray = 0.1,
    ) -> "World":
        """Draw both arms; `rates` are stable's and the canary's mean losses."""
        rng = np.random.default_rng(seed)
        every = rng.poisson(10 * rps, cells)
        canary = rng.binomial(every, weights)
        requests: dict[Arm, np.ndarray] = {"stable": every - canary, "canary": canary}
        return cls(
            requests,
            {
                kind: {arm: rng.binomial(requests[arm], rate) for arm, rate in zip(ARMS, pair, strict=True)}
                for kind, pair in rates.items()
            },
        )

    def observed(
        self, *, scrape: float = 5.0, reference: float | None = 0.2, gaps: tuple[Gap, ...] = ()
    ) -> Observation:
        """Sample all counters at every scrape; what a cell counts has grown evenly, in whole requests."""
        return Observation(
            since=T0 - 600,
            requests={arm: (series(self.requests[arm], scrape),) for arm in ARMS},
            counts={
                kind: {
                    arm: Counts(total=(series(self.requests[arm], scrape),), bad=(series(bad[arm], scrape),))
                    for arm in ARMS
                }
                for kind, bad in self.bad.items()
                if kind != "truth"
            },
            cohorts=self.cohorts(),
            reference_share=reference,
            gaps=gaps,
        )

    def cohorts(self) -> tuple[Cohort, ...]:
        """Truth of every cell; as many are positive as stable's rate says."""
        wrong = self.bad.get("truth")
        if wrong is None:
            return ()
        return tuple(
            Cohort(cell=cell, arm=arm, answered=n, labelled=n, loss=float(x), positives=round(0.2 * n))
            for arm in ARMS
            for cell, (n, x) in enumerate(zip(self.requests[arm].tolist(), wrong[arm].tolist(), strict=True))
        )


def series(counts: np.ndarray, scrape: float = 5.0, *, phase: float = 0.0, before: float = 60.0) -> Series:
    """One counter that stood at 0 before the start, sampled every `scrape` seconds, `phase` after the cells' edges."""
    edges = np.concatenate([[0], np.cumsum(counts)])
    last = 10.0 * counts.size
    times = np.arange(-before, last + 1e-9, scrape) + phase
    values = np.floor(np.interp(times, 10.0 * np.arange(edges.size), edges))
    return Series(times=tuple((T0 + times).tolist()), values=tuple(values.tolist()))


def changed(record: msgspec.Struct, **fields: object) -> msgspec.Struct:
    """Copy a frozen record with other fields."""
    return msgspec.structs.replace(record, **fields)
