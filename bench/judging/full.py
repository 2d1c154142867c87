"""Whole rollouts, look by look: raw samples every 5 s, cohorts, weights as the controller sets them, `decide`.

Here the judge sees what it sees in a cluster, so that what is no statistics shows as well: a canary that stops
answering, and a router that does not split as it is told.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np

from judging.endings import ABORTED, OPEN, PROMOTED, UNAVAILABLE, Endings
from judging.ours import POLICY, WEIGHTS
from judging.scenes import OURS, Play, Rng
from judging.worlds import SLOW, buckets
from slipway.canary.decision import decide
from slipway.canary.records import ARMS, Arm, Cohort, Counts, Interval, Observation, Rollout, Series, Timing

STARTED = 1_800_000_000.0  # seconds since 1970
BEFORE = 3600.0  # seconds of samples from before the rollout
LOOK = 30.0  # seconds between two looks, as the AnalysisTemplate has it
DEADLINE = 1800.0
POSITIVES = 0.25  # share of positives in the truth
ERRORS, WRONG, SLOWER = 0.01, 0.20, float(buckets(1.0)[SLOW].sum())


@dataclass(frozen=True)
class Live:
    """What happens to a rollout: `silent_after` and `gone_after` are seconds from its start, drawn for each run."""

    rate: float = 20.0
    errors: float = ERRORS  # of the canary
    router: Callable[[float], float] = lambda weight: weight
    silent_after: tuple[float, float] | None = None  # the canary answers nothing any more
    gone_after: tuple[float, float] | None = None  # nor does it have an available pod

    def play(self, rng: Rng, runs: int) -> Mapping[str, Endings]:
        """Judge runs one by one."""
        ended = np.array([self._run(rng) for _ in range(runs)], dtype=float)
        return {OURS: Endings(ended[:, 0].astype(int), ended[:, 1], ended[:, 2])}

    def _run(self, rng: Rng) -> tuple[int, float, float]:
        silent, gone = (rng.uniform(*span) if span else np.inf for span in (self.silent_after, self.gone_after))
        intervals = [Interval(start=STARTED, end=None, weight=WEIGHTS[0], step=1)]
        counters = Counters(POLICY.scrape)
        outcome, elapsed, timing = OPEN, 0.0, Timing(deadline=DEADLINE)
        while outcome == OPEN and elapsed < DEADLINE + LOOK:
            elapsed += LOOK
            weight = self.router(intervals[-1].weight)
            counters.run(rng, elapsed, self, weight, min(silent, gone))
            now, away = STARTED + elapsed, elapsed >= gone
            rollout = Rollout(
                namespace="bench",
                name="flights",
                stable="s",
                canary="c",
                attempt=1,
                intervals=tuple(intervals),
                steps=len(WEIGHTS),
                available=0 if away else 2,
                unavailable_since=STARTED + gone if away else None,
            )
            verdict = decide(rollout, counters.seen(), POLICY, timing, now)
            if verdict.verdict == "abort":
                outcome = UNAVAILABLE if verdict.cause == "unavailable" else ABORTED
            elif verdict.verdict == "promote" and len(intervals) == len(WEIGHTS):
                outcome = PROMOTED
            elif verdict.verdict == "promote":
                intervals[-1] = msgspec.structs.replace(intervals[-1], end=now)
                step = len(intervals)
                intervals.append(Interval(start=now, end=None, weight=WEIGHTS[step], step=step + 1))
        return outcome, elapsed, counters.total("canary")


@dataclass
class Counters:
    """Cumulative counters of both arms as they are scraped, and the truth of each cell, which comes at once."""

    scrape: float
    times: list[float] = field(default_factory=list)
    values: dict[Arm, list[tuple[float, float, float]]] = field(default_factory=dict)  # requests, errors, slow
    cohorts: list[Cohort] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Stable has counted before; the canary is born with its first request."""
        self.times = list(np.arange(STARTED - BEFORE, STARTED + 1e-6, self.scrape))
        self.values = {"stable": [(1e6, 1e4, 4e4)] * len(self.times), "canary": [(0.0, 0.0, 0.0)] * len(self.times)}

    def run(self, rng: Rng, until: float, live: Live, weight: float, dead_after: float) -> None:
        """Let traffic pass until so many seconds after the start."""
        while self.times[-1] < STARTED + until - 1e-6:
            self.times.append(self.times[-1] + self.scrape)
            alive = self.times[-1] - STARTED <= dead_after
            for arm, share, bad in (("stable", 1 - weight, ERRORS), ("canary", weight * alive, live.errors)):
                requests = rng.poisson(live.rate * self.scrape * share)
                grown = (requests, rng.binomial(requests, bad), rng.binomial(requests, SLOWER))
                self.values[arm].append(tuple(a + b for a, b in zip(self.values[arm][-1], grown, strict=True)))
            if len(self.times) % 2:
                self._label(rng)

    def _label(self, rng: Rng) -> None:
        """Give the cell that has just ended its truth."""
        cell = round((self.times[-1] - STARTED) / POLICY.grid) - 1
        for arm in ARMS:
            answered = int(self.values[arm][-1][0] - self.values[arm][-3][0])
            wrong, positives = rng.binomial(answered, [WRONG, POSITIVES])
            self.cohorts.append(
                Cohort(
                    cell=cell,
                    arm=arm,
                    answered=answered,
                    labelled=answered,
                    loss=float(wrong),
                    positives=float(positives),
                )
            )

    def total(self, arm: Arm) -> float:
        """Requests of an arm in all."""
        return self.values[arm][-1][0] - self.values[arm][0][0]

    def seen(self) -> Observation:
        """What the sources would say now."""
        series = {arm: [self._series(arm, column) for column in range(3)] for arm in ARMS}
        requests = {arm: (series[arm][0],) for arm in ARMS}
        return Observation(
            since=STARTED - BEFORE,
            requests=requests,
            counts={
                "errors": {arm: Counts(total=requests[arm], bad=(series[arm][1],)) for arm in ARMS},
                "latency": {arm: Counts(total=requests[arm], bad=(series[arm][2],)) for arm in ARMS},
            },
            cohorts=tuple(self.cohorts),
            reference_share=POSITIVES,
        )

    def _series(self, arm: Arm, column: int) -> Series:
        values = [row[column] for row in self.values[arm]]
        first = next((place for place, value in enumerate(values) if value), len(values))
        return Series(times=tuple(self.times[first:]), values=tuple(values[first:]))


def stuck(weight: float) -> float:
    """Stay at the first step's weight, whatever is asked."""
    return min(weight, WEIGHTS[0])


def halved(weight: float) -> float:
    """Give the canary half of what is asked."""
    return weight / 2


WHOLE = "whole records: "
SAME, SCARCE, SILENT, GONE = (
    f"{WHOLE}{name}"
    for name in ("identical arms", "identical arms, 0.5 requests/s", "the canary stops answering", "its pods are gone")
)
STUCK, HALF = f"{WHOLE}the router stays at 10 %", f"{WHOLE}the router gives half, errors 1 to 11 %"
SCENES: dict[str, Play] = {
    SAME: Live().play,
    SCARCE: Live(rate=0.5).play,
    SILENT: Live(silent_after=(30, 120)).play,
    GONE: Live(gone_after=(30, 120)).play,
    STUCK: Live(router=stuck).play,
    HALF: Live(router=halved, errors=0.11).play,
}
