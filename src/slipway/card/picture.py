"""A card to look at: where each number lies on its axis, in percent of the width, beside what knowing nothing gives."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from slipway.card.reading import Card
from slipway.records import Estimate, SliceMetrics, Window

TICKS = 6  # at most, less one, on an axis
NARROW = 0.005  # no axis is shorter: an interval may be a point
GUESSED = 0.5  # the AUC of an answer that is always the same


@dataclass(frozen=True)
class Axis:
    """Round numbers from below the smallest value to above the largest."""

    start: float
    end: float
    step: float

    def place(self, value: float) -> float:
        """Percent of the width."""
        return round(100 * (value - self.start) / (self.end - self.start), 3)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Place and label of each round number."""
        count = round((self.end - self.start) / self.step)
        values = [round(self.start + number * self.step, 9) for number in range(count + 1)]
        return [(self.place(value), f"{value:g}") for value in values]


@dataclass(frozen=True)
class Whisker:
    """A metric with its interval: places, and the numbers as text."""

    at: float
    left: float
    right: float
    value: str
    interval: str


@dataclass(frozen=True)
class Measure:
    """A metric of the whole test window, on an axis of its own."""

    name: str
    about: str
    better: str  # higher or lower
    whisker: Whisker
    axis: Axis
    guess: float | None  # where an answer lies that knows only how often it happens


@dataclass(frozen=True)
class Group:
    """A group of the test rows; without a whisker it has too few of them."""

    name: str
    rows: int
    share: float  # of it the positive ones
    whisker: Whisker | None


@dataclass(frozen=True)
class Slicing:
    """The groups of one column, on the axis that all slicings share."""

    by: str
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Bar:
    """What the AUC loses when a feature is shuffled: from where to where, and the number."""

    name: str
    left: float
    width: float
    value: str


@dataclass(frozen=True)
class Span:
    """A window of the data on the calendar that both share."""

    name: str
    window: Window
    left: float
    width: float


@dataclass(frozen=True)
class Picture:
    """All that is drawn."""

    measures: tuple[Measure, ...]
    overall: Whisker  # the AUC of all rows, on the axis of the slicings
    axis: Axis  # of the slicings
    guess: float  # on it
    slicings: tuple[Slicing, ...]
    importance: tuple[Bar, ...]
    windows: tuple[Span, ...]


NAMES = {  # name, what it says, which way is better
    "auc": ("AUC", "how well it ranks, 1 is perfect", "higher"),
    "average_precision": ("Average precision", "how often a warning is right, over all thresholds", "higher"),
    "log_loss": ("Log loss", "surprise at the truth", "lower"),
    "brier": ("Brier score", "mean squared error of the probability", "lower"),
    "calibration_error": ("Calibration error", "distance of what is said from what is seen", "lower"),
    "f1": ("F1", "warnings that are right against those that are missed, at the threshold", "higher"),
    "cost": ("Cost", "mean cost of a row at the threshold", "lower"),
}


def draw(card: Card) -> Picture:
    """Lay a card out."""
    overall = card.overall
    known = [overall["auc"], *(each.auc for each in card.slices if each.auc)]
    axis = _axis([GUESSED, *(value for each in known for value in (each.low, each.high))])
    return Picture(
        measures=tuple(_measure(name, overall[name], card.test.late_share) for name in sorted(overall, key=_order)),
        overall=_whisker(overall["auc"], axis),
        axis=axis,
        guess=axis.place(GUESSED),
        slicings=_slicings(card.slices, axis),
        importance=_bars(card.importance),
        windows=_spans({"train": card.train, "test": card.test}),
    )


def _order(name: str) -> tuple[int, str]:
    return (list(NAMES).index(name) if name in NAMES else len(NAMES), name)


def _axis(values: Sequence[float]) -> Axis:
    low, high = min(values), max(values)
    rough = max(high - low, NARROW) / (TICKS - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    start, end = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Axis(round(start * step, 9), round(max(end, start + 1) * step, 9), step)


def _whisker(estimate: Estimate, axis: Axis) -> Whisker:
    return Whisker(
        at=axis.place(estimate.value),
        left=axis.place(estimate.low),
        right=axis.place(estimate.high),
        value=f"{estimate.value:.3f}",
        interval=f"{estimate.low:.3f} to {estimate.high:.3f}",
    )


def _measure(name: str, estimate: Estimate, share: float) -> Measure:
    shown, about, better = NAMES.get(name, (name.replace("_", " "), "", ""))
    guess = _guesses(share).get(name)
    axis = _axis([estimate.low, estimate.value, estimate.high, *([] if guess is None else [guess])])
    return Measure(shown, about, better, _whisker(estimate, axis), axis, None if guess is None else axis.place(guess))


def _guesses(share: float) -> dict[str, float]:
    """What is measured of an answer that is always the share itself."""
    surprise = -sum(part * math.log(part) for part in (share, 1 - share) if part > 0)
    return {"auc": GUESSED, "average_precision": share, "brier": share * (1 - share), "log_loss": surprise}


def _slicings(slices: Sequence[SliceMetrics], axis: Axis) -> tuple[Slicing, ...]:
    found: dict[str, list[Group]] = {}
    for each in slices:
        whisker = _whisker(each.auc, axis) if each.auc else None
        found.setdefault(each.by, []).append(Group(each.group, each.rows, each.late_share, whisker))
    return tuple(Slicing(by, tuple(groups)) for by, groups in found.items())


def _bars(importance: Mapping[str, float]) -> tuple[Bar, ...]:
    lost = sorted(importance.items(), key=lambda item: (-item[1], item[0]))
    if not lost:
        return ()
    least, most = min(0.0, lost[-1][1]), max(0.0, lost[0][1])
    reach = (most - least) or 1.0
    return tuple(
        Bar(name, round(100 * (min(value, 0) - least) / reach, 3), round(100 * abs(value) / reach, 3), f"{value:+.3f}")
        for name, value in lost
    )


def _spans(windows: Mapping[str, Window]) -> tuple[Span, ...]:
    days = {name: (date.fromisoformat(each.first), date.fromisoformat(each.last)) for name, each in windows.items()}
    start = min(first for first, _ in days.values())
    length = (max(last for _, last in days.values()) - start).days + 1
    return tuple(
        Span(
            name,
            windows[name],
            left=round(100 * (first - start).days / length, 3),
            width=round(100 * ((last - first).days + 1) / length, 3),
        )
        for name, (first, last) in days.items()
    )
