"""Whether the router is scraped, and since when: without it, silence looks like no traffic, and age like a birth."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median

import numpy as np

from slipway.canary.grid import SILENT
from slipway.canary.records import Policy, Series
from slipway.errors import Broken


def since(scraped: Iterable[Sequence[float]], policy: Policy, asked: float, now: float) -> float:
    """From when on samples are known: not earlier than `asked`, nor than the first scrape.

    A counter that is first seen together with the first scrape was there before; it was not born. `scraped` are the
    times of each target's scrapes, in order.

    Raises:
        Broken: nothing is scraped now, or too seldom for the grid.

    """
    remedy = "Look at Prometheus' targets page and at the selector `scrapes` of rollouts/judge.yaml."
    good = [times for times in scraped if times]
    last = max((times[-1] for times in good), default=None)
    if last is None or now - last > SILENT * policy.scrape:
        silent = "yet" if last is None else f"for {now - last:.0f} s"
        raise Broken(f"no scrape of the router {silent}", remedy)
    apart = [median(b - a for a, b in pairwise(times)) for times in good if len(times) > 1]
    if apart and max(apart) > 1.5 * policy.scrape:
        raise Broken(
            f"the router is scraped every {max(apart):.0f} s, the policy says {policy.scrape:g}",
            "Set scrape_interval in Prometheus, or `scrape` and `grid` in rollouts/judge.yaml.",
        )
    return max(asked, min(times[0] for times in good))


def lives(counter: Series, scraped: Sequence[float], policy: Policy) -> tuple[Series, ...]:
    """Cut a counter wherever its target was scraped without it, at the times `scraped`, in order.

    A router that starts again shows no counter of errors before the next error, and that one counts: left out as what
    comes after a silence, every first error would be lost. A counter that was there at the first scrape of a target
    may be years old; it was not born.
    """
    times, half = np.array(counter.times), policy.scrape / 2
    before = np.searchsorted(scraped, times - half)  # scrapes before each sample, and up to it
    upto = np.searchsorted(scraped, times + half)
    cuts = (np.flatnonzero(before[1:] > upto[:-1]) + 1).tolist()
    return tuple(
        Series(times=counter.times[start:end], values=counter.values[start:end], born=bool(before[start] > 0))
        for start, end in pairwise([0, *cuts, times.size])
    )
