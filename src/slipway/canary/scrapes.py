"""Whether the router is scraped, and since when: without it, silence looks like no traffic."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from slipway.canary.records import Policy, Series
from slipway.errors import Broken

MISSED = 4  # scrapes without a sample, as for the arms


def since(alive: Sequence[Series], policy: Policy, asked: float, now: float) -> float:
    """From when on samples are known: not earlier than `asked`, nor than the first scrape.

    A counter that is first seen together with the first scrape was there before; it was not born.

    Raises:
        Broken: nothing is scraped now, or too seldom for the grid.

    """
    remedy = "Look at Prometheus' targets page and at the selector `scrapes` of rollouts/judge.yaml."
    good = [[at for at, value in zip(one.times, one.values, strict=True) if value == 1] for one in alive]
    last = max((times[-1] for times in good if times), default=None)
    if last is None or now - last > MISSED * policy.scrape:
        silent = "yet" if last is None else f"for {now - last:.0f} s"
        raise Broken(f"no scrape of the router {silent}", remedy)
    apart = [median(b - a for a, b in pairwise(times)) for times in good if len(times) > 1]
    if apart and max(apart) > 1.5 * policy.scrape:
        raise Broken(
            f"the router is scraped every {max(apart):.0f} s, the policy says {policy.scrape:g}",
            "Set scrape_interval in Prometheus, or `scrape` and `grid` in rollouts/judge.yaml.",
        )
    return max(asked, min(times[0] for times in good if times))
