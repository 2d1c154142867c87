"""What is asked of our judge, and whether it was met."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from judging import full
from judging.endings import ABORTED, PROMOTED, UNAVAILABLE, Endings
from judging.flights import PAIRS
from judging.scenes import (
    ACCURACY,
    AT_MARGIN,
    AT_TWICE,
    DELAYED,
    ERRORS,
    GATED,
    MATURITY,
    MISSING,
    OURS,
    RATIOS,
    SAME,
    SCARCE,
    SESSIONS,
    SHIFTING,
    SHIFTING_WORSE,
    TOLERATED,
)

ALPHA = BETA = 0.05
Results = Mapping[str, Mapping[str, Endings]]


@dataclass(frozen=True)
class Target:
    """A figure of our judge, and the limit that it is held to."""

    scene: str
    what: str
    value: float
    limit: float
    at_most: bool

    @property
    def met(self) -> bool:
        """Whether it is; a figure that could not be had is not."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit


def targets(results: Results) -> Iterator[Target]:
    """Every target on what was played."""
    ours = {scene: endings[OURS] for scene, endings in results.items() if OURS in endings}
    for scene, what, limit, at_most in _limits():
        if scene in ours:
            yield Target(scene, what, _value(ours[scene], what), limit, at_most)
    for scene, ratio in RATIOS.items():
        if scene in ours:
            times = round(float(ours[scene].requests.mean()) / ratio.bound, 2)  # as precise as it is
            yield Target(scene, "times the bound", times, ratio.limit, at_most=True)


ABORTS, PROMOTES, SECONDS, NO_CANARY = "aborted", "promoted", "median seconds to abort", "aborted as unavailable"


def _value(endings: Endings, what: str) -> float:
    if what == SECONDS:
        median = endings.median(ABORTED, "seconds")
        return np.inf if median is None else median
    return endings.share({ABORTS: ABORTED, PROMOTES: PROMOTED, NO_CANARY: UNAVAILABLE}[what])


def _limits() -> Iterator[tuple[str, str, float, bool]]:
    for scene in (SAME, GATED + SAME, *SHIFTING, next(iter(SCARCE))):
        yield scene, ABORTS, 0.01, True
    for scene in (DELAYED + SAME, DELAYED + SAME + MISSING):
        yield scene, ABORTS, 0.015, True
    yield SESSIONS, ABORTS, ALPHA, True
    yield TOLERATED, ABORTS, ALPHA, True
    for scene in (ERRORS, GATED + ERRORS, SHIFTING_WORSE):
        yield scene, ABORTS, 0.995, False
    for scene, wait in ((ACCURACY, 0.0), (GATED + ACCURACY, 0.0), (DELAYED + ACCURACY, MATURITY)):
        yield scene, ABORTS, 0.99, False
        yield scene, SECONDS, wait + 560, True
    yield DELAYED + ACCURACY + MISSING, ABORTS, 0.99, False
    for prefix in ("", GATED):
        for scene in AT_MARGIN:
            yield prefix + scene, PROMOTES, BETA, True
        for scene in AT_TWICE:
            yield prefix + scene, PROMOTES, 0.01, True
    for scene in PAIRS:
        if "leak" in scene:
            yield scene, PROMOTES, 1 / 300, True
    yield full.SAME, ABORTS, 0.01, True
    for scene in (full.SILENT, full.GONE):  # a few are aborted before it happens, as identical arms are
        yield scene, NO_CANARY, 0.99, False
    yield full.STUCK, ABORTS, 0.01, True
    yield full.STUCK, PROMOTES, 0.0, True
    yield full.HALF, ABORTS, 0.995, False
