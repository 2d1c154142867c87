"""From raw counters, cohorts and weight intervals to strata: which requests are compared with which.

Cells of fixed length start at the rollout's. One counts if it lies inside one interval of constant weight, and once no
sample of it can be missing. What a counter grew from one sample to the next is counted where the later one lies, as
whole requests: nothing is interpolated or extrapolated, and numerator and denominator come from the same scrapes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slipway.canary.evidence import Array, Strata
from slipway.canary.records import ARMS, Arm, Cohort, Counts, Gap, Observation, Policy, Rollout, Series

SETTLED = 2  # scrapes after its end until a cell is judged; and after `since`, until a first sample is a birth
MISSED = 2.5  # scrapes between two samples: one may be missed, two are a silence
SILENT = 4  # scrapes without a sample until an arm, or the router itself, is called silent

Whole = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Cells:
    """Cells inside intervals, in order: their numbers from the rollout's start, ends, and intervals; (K,) each."""

    started: float
    length: float
    number: Whole
    interval: Whole

    @property
    def ends(self) -> Array:
        """Seconds since 1970."""
        return self.started + self.length * (self.number + 1).astype(np.float64)

    def place(self, numbers: Array, values: Array) -> Array:
        """Sum values by cell, (K,); what lies in none is left out."""
        if not self.number.size:
            return np.zeros(0)
        inside = (numbers >= 0) & (numbers <= self.number[-1])
        count = int(self.number[-1]) + 1
        placed = np.bincount(numbers[inside].astype(np.int64), weights=values[inside], minlength=count)
        return placed[self.number].astype(np.float64)


@dataclass(frozen=True)
class Growth:
    """By how much counters grew in each cell, (K,), and where that cannot be known."""

    counted: Array
    broken: Mask


@dataclass(frozen=True)
class Truth:
    """What matured: losses as strata, what stayed without truth as strata, and labels and positives over time."""

    loss: Strata
    missing: Strata
    ends: Array  # of the cells, (K,): when each could first be judged
    labelled: Array  # both arms, (K,)
    positives: Array


def cells(rollout: Rollout, policy: Policy, until: float) -> Cells:
    """Cells that ended by `until`, each inside one interval in which the canary had a weight."""
    step, started = policy.grid, rollout.started
    numbers, intervals = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for place, interval in enumerate(rollout.intervals):
        end = until if interval.end is None else min(interval.end, until)
        # Times since 1970 are exact to less than a microsecond: an edge on the interval's end is inside.
        first = int(np.ceil((interval.start - started) / step - 1e-6))
        last = int(np.floor((end - started) / step + 1e-6))
        if interval.weight > 0 and last > first:
            numbers.append(np.arange(first, last))
            intervals.append(np.full(last - first, place))
    return Cells(started, step, np.concatenate(numbers), np.concatenate(intervals))


def closed(rollout: Rollout, policy: Policy, now: float) -> Cells:
    """Cells of which no sample is still under way."""
    return cells(rollout, policy, now - SETTLED * policy.scrape)


def growth(series: Iterable[Series], inside: Cells, *, since: float, scrape: float) -> Growth:
    """Add up the counters of one kind, cell by cell.

    A series that was born counts from 0; where that is not known, one was that appears later than two scrapes after
    `since`. One that was there starts at its first value. A fall is a reset, and what was counted over a silence
    belongs to no cell: both break the cell of the later sample. Values that are no numbers are no samples. One that
    vanishes stops growing.
    """
    counted, broken = np.zeros(inside.number.size), np.zeros(inside.number.size)
    for each in series:
        times, values = np.array(each.times, float), np.array(each.values, float)
        real = np.isfinite(values) & (values >= 0)
        times, values = times[real], values[real]
        if not times.size:
            continue
        born = times[0] > since + SETTLED * scrape if each.born is None else each.born
        grown = np.diff(values, prepend=0.0 if born else values[0])
        wrong = (grown < 0) | (np.diff(times, prepend=times[0]) > MISSED * scrape)
        numbers = np.ceil((times - inside.started) / inside.length - 1e-6) - 1
        counted += inside.place(numbers, np.where(wrong, 0, grown))
        if wrong.any():
            broken += inside.place(numbers, wrong.astype(float))
    return Growth(counted, broken > 0)


def strata(arms: Mapping[Arm, Counts], inside: Cells, *, since: float, scrape: float) -> Strata:
    """Make strata of the counters of one metric; a cell in which more is bad than there is, is dropped."""
    usable = np.ones(inside.number.size, bool)
    counts: dict[Arm, tuple[Array, Array]] = {}
    for arm in ARMS:
        total, bad, good = (
            growth(kind, inside, since=since, scrape=scrape)
            for kind in (arms[arm].total, arms[arm].bad, arms[arm].good)
        )
        loss = total.counted - good.counted if arms[arm].good else bad.counted
        usable &= ~(total.broken | bad.broken | good.broken) & (loss >= 0) & (loss <= total.counted)
        counts[arm] = loss, total.counted
    return _merged(inside, usable, counts, SETTLED * scrape)


def matured(cohorts: Sequence[Cohort], inside: Cells, lag: float) -> Truth:
    """Make strata of the truth in `inside`, which are the cells that ended `lag` seconds ago or earlier."""
    usable = np.ones(inside.number.size, bool)
    losses: dict[Arm, tuple[Array, Array]] = {}
    missing: dict[Arm, tuple[Array, Array]] = {}
    labels, positives = np.zeros(inside.number.size), np.zeros(inside.number.size)
    for arm in ARMS:
        rows = [(c.cell, c.answered, c.labelled, c.loss, c.positives) for c in cohorts if c.arm == arm]
        table = np.array(rows, float).reshape(-1, 5).T
        answered, labelled, loss, positive = (inside.place(table[0], column) for column in table[1:])
        rounding = 1e-9 * labelled  # of a sum of losses
        usable &= (labelled <= answered) & (loss >= 0) & (loss <= labelled + rounding) & (positive <= labelled)
        losses[arm] = np.minimum(loss, labelled), labelled
        missing[arm] = answered - labelled, answered
        labels, positives = labels + labelled, positives + positive
    return Truth(
        loss=_merged(inside, usable, losses, lag),
        missing=_merged(inside, usable, missing, lag),
        ends=inside.ends + lag,
        labelled=np.where(usable, labels, 0),
        positives=np.where(usable, positives, 0),
    )


def silences(observation: Observation, policy: Policy, now: float) -> tuple[Gap, ...]:
    """Say which arms have been silent for four scrapes, though they were known; stable always is.

    A canary that was never seen is none: a router has no counter of a service that it has sent nothing.
    """
    found = list[str]()
    for arm in ARMS:
        times = [each.times[-1] for each in observation.requests.get(arm, ()) if each.times]
        if not times and arm == "stable":
            found.append("there is no sample of stable's requests")
        elif times and now - max(times) > SILENT * policy.scrape:
            seconds = now - max(times)
            found.append(f"no sample of {arm}'s requests for {seconds:.0f} s; one is due every {policy.scrape:g} s")
    return tuple(Gap(part="requests", detail=detail) for detail in found)


def _merged(inside: Cells, usable: Mask, counts: Mapping[Arm, tuple[Array, Array]], lag: float) -> Strata:
    """Join neighbours, by requests alone, until both arms have one; what is left over in an interval says nothing."""
    loss_s, requests_s, loss_c, requests_c = (values[usable] for arm in ARMS for values in counts[arm])
    number, interval = inside.number[usable], inside.interval[usable]
    starts, stops = _groups(requests_s, requests_c, (np.diff(number) != 1) | (np.diff(interval) != 0))
    bounds = np.stack([starts, stops], axis=-1).ravel()

    def joined(values: Array) -> Array:
        return np.add.reduceat(np.append(values, 0.0), bounds)[::2] if bounds.size else np.zeros(0)

    return Strata(
        ends=inside.ends[usable][stops - 1] + lag,
        stable_loss=joined(loss_s),
        stable_requests=joined(requests_s),
        canary_loss=joined(loss_c),
        canary_requests=joined(requests_c),
    )


def _groups(stable: Array, canary: Array, cut: Mask) -> tuple[Whole, Whole]:
    """Find the cells [start, stop) of each stratum; `cut` tells where two neighbours may not be joined."""
    # Where there is traffic, every cell is a stratum: the loop begins where that ends.
    lacking = np.flatnonzero((stable < 1) | (canary < 1))
    head = int(lacking[0]) if lacking.size else stable.size
    starts, stops = list(range(head)), list(range(1, head + 1))
    start, of_stable, of_canary = head, 0.0, 0.0
    fresh = [True, *cut.tolist()]
    for place, s, c in zip(range(head, stable.size), stable[head:].tolist(), canary[head:].tolist(), strict=True):
        if fresh[place]:
            start, of_stable, of_canary = place, 0.0, 0.0
        of_stable, of_canary = of_stable + s, of_canary + c
        if of_stable >= 1 and of_canary >= 1:
            starts.append(start)
            stops.append(place + 1)
            start, of_stable, of_canary = place + 1, 0.0, 0.0
    return np.array(starts, np.int64), np.array(stops, np.int64)
