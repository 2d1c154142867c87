"""What the rules of others gave before, in the study that this judge was chosen by: 2,000 runs a cell.

The bench that says that our judge is better must first say the same of the others as was said without it.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from judging.endings import ABORTED, Endings
from judging.scenes import ACCURACY, ERRORS, LATENCY, SAME

RUNS = 2000
FEWEST = 20  # aborts of which a median can be taken
# Per rule: aborted % as printed, median seconds, median canary requests; in the order of the scenes.
SCENES = (SAME, ERRORS, ACCURACY, LATENCY)
Cell = tuple[str, int | None, int | None]
PRINTED: Mapping[str, tuple[Cell, Cell, Cell, Cell]] = {
    "naive, accuracy -5 points": (("44.7", 10, None), ("45.6", None, None), ("95.5", 10, 29), ("44", None, None)),
    "naive, accuracy, from 200 requests": (
        ("6.8", None, None),
        ("7.6", None, None),
        ("90.6", 110, 220),
        ("6.5", None, None),
    ),
    "naive, three metrics": (("79.0", 10, None), ("100", 10, 23), ("97.8", 10, None), ("100", 10, None)),
    "naive, three metrics, from 200 requests": (
        ("24.0", 110, None),
        ("100", 110, 212),
        ("91.8", 110, None),
        ("100", 110, None),
    ),
    "Argo, tight": (("95.3", 960, None), ("100", 300, 630), ("100", 300, 644), ("100", 240, 492)),
    "Argo, loose": (("0", None, None), ("38.6", 1320, None), ("35.9", 1320, None), ("82.6", 1080, None)),
    "Flagger, tight, by metric": (("83.7", 1200, None), ("100", 420, None), ("100", 420, None), ("100", 300, None)),
    "Kayenta": (("2.6", 480, None), ("99.8", 480, 969), ("99.8", 540, 1049), ("100", 300, 609)),
    "z-test, .05 at each look": (("71.3", 60, None), ("100", 30, 65), ("100", 50, 93), ("100", 20, 46)),
    "z-test, .05/3 at each look": (("45.2", 90, None), ("100", 50, 102), ("100", 90, 186), ("100", 30, 58)),
    "z-test, .05/3 once": (("4.4", None, None), ("100", 1800, 3600), ("100", 1800, None), ("100", 1800, None)),
}


@dataclass(frozen=True)
class Figure:
    """One printed figure, and what it is here."""

    rule: str
    scene: str
    what: str
    printed: float
    here: float
    within: bool  # three Monte-Carlo errors, of both together


def figures(results: Mapping[str, Mapping[str, Endings]]) -> Iterator[Figure]:
    """Compare all that was played with what was printed."""
    for rule, cells in PRINTED.items():
        for scene, (share, seconds, requests) in zip(SCENES, cells, strict=True):
            if scene in results:
                endings = results[scene][rule]
                yield _share(rule, scene, share, endings)
                for what, printed in (("seconds", seconds), ("requests", requests)):
                    if printed is not None and np.sum(endings.outcome == ABORTED) >= FEWEST:
                        yield _median(rule, scene, what, printed, endings)


def _share(rule: str, scene: str, text: str, endings: Endings) -> Figure:
    """Compare shares by their pooled error, with one more abort and one more other, so that it is never nothing."""
    printed, here, number = float(text) / 100, endings.share(ABORTED), endings.outcome.size
    pooled = (printed * RUNS + here * number + 1) / (RUNS + number + 2)
    error = math.sqrt(pooled * (1 - pooled) * (1 / RUNS + 1 / number))
    rounding = 0.005 * 10.0 ** -len(text.partition(".")[2])
    return Figure(rule, scene, "aborted", printed, here, abs(here - printed) <= 3 * error + rounding)


def _median(rule: str, scene: str, what: str, printed: int, endings: Endings) -> Figure:
    """Compare medians: the printed one lies between the quantiles three errors around ours."""
    values = getattr(endings, what)[endings.outcome == ABORTED]
    error = 0.5 * math.sqrt(1 / values.size + endings.outcome.size / values.size / RUNS)
    low, high = np.quantile(values, np.clip([0.5 - 3 * error, 0.5 + 3 * error], 0, 1), method="inverted_cdf")
    return Figure(rule, scene, what, printed, float(np.median(values)), bool(low <= printed <= high))
