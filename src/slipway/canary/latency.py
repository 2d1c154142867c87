"""Latency as a share: requests slower than a bound, and which bound. Quantiles cannot be judged by counts; shares can.

The relative bound is chosen once, from stable's histogram in the hour before the attempt, so it depends on nothing
that is judged. A bound must be an edge of the histogram: between edges nothing is known.
"""

import math
from collections.abc import Mapping, Sequence

from slipway.errors import Broken

HOUR = 3600.0
WITHIN = 1.25  # the edge may be so many times the quantile
QUANTILE = 0.95
EDGES = "Give the router finer buckets, each at most 1.25 times the one before: rollouts/judge.yaml has a list."

Edges = Mapping[float, float]  # upper edge in seconds (inf included) -> requests at or below it, cumulative


def bound(before: Sequence[Edges], since: Sequence[Edges]) -> float:
    """Choose the smallest edge that at least 95 % of stable's requests of that hour were within.

    Each element is one series of buckets, an hour before the attempt and at its start; a series that fell was reset
    in between, one that is new began at 0. They must be in the same order; an empty one is a series that was not there.

    Raises:
        Broken: there were no requests, or no edge is within 25 % of the quantile.

    """
    total: dict[float, float] = {}
    for old, new in zip(before, since, strict=True):
        reset = any(new.get(edge, 0.0) < count for edge, count in old.items())
        for edge, count in new.items():
            total[edge] = total.get(edge, 0.0) + count - (0.0 if reset else old.get(edge, 0.0))
    edge, quantile = _quantile(total)
    if edge > WITHIN * quantile:
        raise Broken(
            f"no edge of the histogram is within 25 % of stable's p95 (about {quantile:.3g} s; the next is {edge:g})",
            EDGES,
        )
    return edge


def _quantile(total: Edges) -> tuple[float, float]:
    """Upper edge of the bucket that holds the quantile, and where in it, were its requests spread evenly."""
    ordered = sorted(total.items())
    requests = ordered[-1][1] if ordered else 0.0
    if requests <= 0:
        raise Broken(
            "stable answered nothing in the hour before the attempt, so there is no p95 to compare with",
            "Send it traffic for an hour first, or take `latency` out of rollouts/judge.yaml.",
        )
    wanted, lower, below = QUANTILE * requests, 0.0, 0.0
    for edge, count in ordered:
        if count >= wanted:
            share = (wanted - below) / (count - below)
            return edge, lower + (edge - lower) * share if math.isfinite(edge) else lower
        lower, below = edge, count
    raise Broken("the buckets of stable's histogram do not add up", "Look at what the selector `within` finds.")


def pattern(edge: float) -> str:
    """Spell an edge, in the histogram's unit, as a regular expression for its label: 1 may stand there as 1.0."""
    text = f"{edge:.12g}"
    return text.replace(".", r"\\.") if "." in text else rf"{text}(\\.0)?"
