"""Small worlds of predictions and labels, and what a look at them must say, counted one by one."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
from hypothesis import strategies as st

from slipway.canary.records import Cohort
from slipway.predictions import Origin, Outcome, Prediction

STARTED, GRID = 1_800_000_000.1, 10.1  # no whole seconds: an edge of a cell may then round into the cell before
MATURITY, SCALE = 25.0, 2.0
PODS = {"pod-s": "stable", "pod-c": "canary"}
FEATURES = msgspec.Raw(b'{"distance": 1.0, "carrier": "\\u00e9"}')


def origin(identity: str, at: float, *, call: str = "", pod: str = "pod-s", score: float = 0.25) -> Origin:
    """Say what an id says; alone in its call if no call is named."""
    return Origin(id=identity, call=call or identity, at=at, environment="live", release="1.0.0", pod=pod, score=score)


def prediction(of: Origin) -> Prediction:
    """Make the prediction of an id."""
    return Prediction(origin=of, features=FEATURES, decision=of.score > 0.5)


def outcome(of: Origin, truth: float, after: float, rating: int | None = None) -> Outcome:
    """Make a label that is received `after` seconds."""
    return Outcome(origin=of, truth=truth, received_at=of.at + after, rating=rating)


@dataclass
class World:
    """What was answered, what of it has been shipped, and the one label of each id that has any."""

    origins: list[Origin]
    shipped: list[Prediction]
    labels: list[Outcome]
    until: float = STARTED + 100.0
    window: dict[str, float] = field(default_factory=lambda: {"grid": GRID, "maturity": MATURITY, "scale": SCALE})


Look = Callable[[World], tuple[Cohort, ...]]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw calls of one to three rows around the window, at edges of cells too, with labels early, late and never."""
    origins, shipped, labels = [], [], []
    edges = st.builds(lambda cell, off: STARTED + cell * GRID + off, st.integers(-1, 9), st.sampled_from([0.0, 1e-6]))
    times = st.one_of(st.floats(STARTED - 15, STARTED + 105), edges)
    for number in range(draw(st.integers(0, 25))):
        at, pod = draw(times), draw(st.sampled_from(["pod-s", "pod-c", "pod-old"]))
        for row in range(draw(st.integers(1, 3))):
            of = origin(f"{number}.{row}", at, call=str(number), pod=pod, score=draw(st.floats(0, 1)))
            origins.append(of)
            if draw(st.booleans()):
                shipped.append(prediction(of))
            if draw(st.booleans()):
                labels.append(outcome(of, draw(st.sampled_from([0.0, 1.0, 3.5])), draw(st.floats(0, 60))))
    return World(origins, shipped, labels, until=draw(st.floats(STARTED, STARTED + 130)))


def told(
    world: World,
    *,
    answered_at: Callable[[Origin, Outcome | None], float] = lambda of, _: of.at,
    counts: Callable[[Outcome, float], bool] = lambda label, end: label.received_at < end + MATURITY,
    labels: Sequence[Outcome] | None = None,
    call_of: Callable[[Origin], str] = lambda of: of.call,
) -> tuple[Cohort, ...]:
    """Count a look by hand. What may be given in place of the rules are the faults that a test must see."""
    known: dict[str, list[Outcome]] = {}
    for label in world.labels if labels is None else labels:
        known.setdefault(label.origin.id, []).append(label)
    calls: dict[tuple[int, str, str], list[tuple[float, float]]] = {}
    for of in {one.origin.id: one.origin for one in (*world.shipped, *world.labels)}.values():
        said = known.get(of.id, [])
        cell = math.floor((answered_at(of, said[0] if said else None) - STARTED) / GRID)
        if not 0 <= cell < math.floor((world.until - MATURITY - STARTED) / GRID) or of.pod not in PODS:
            continue
        rows = calls.setdefault((cell, of.pod, call_of(of)), [])
        end = STARTED + (cell + 1) * GRID
        rows += [(min(1.0, ((of.score - one.truth) / SCALE) ** 2), one.truth >= 1) for one in said if counts(one, end)]
    return tuple(
        Cohort(
            cell=cell,
            arm=PODS[pod],
            answered=len(group),
            labelled=sum(bool(rows) for rows in group),
            loss=sum(sum(loss for loss, _ in rows) / len(rows) for rows in group if rows),
            positives=sum(sum(positive for _, positive in rows) / len(rows) for rows in group if rows),
        )
        for cell, pod in sorted({key[:2] for key in calls})
        for group in [[rows for key, rows in calls.items() if key[:2] == (cell, pod)]]
    )


def alike(one: Sequence[Cohort], other: Sequence[Cohort]) -> bool:
    """Compare looks: counts to the last, sums to the billionths that the database adds."""
    return [(c.cell, c.arm, c.answered, c.labelled) for c in one] == [
        (c.cell, c.arm, c.answered, c.labelled) for c in other
    ] and all(
        math.isclose(a.loss, b.loss, abs_tol=1e-7) and math.isclose(a.positives, b.positives, abs_tol=1e-7)
        for a, b in zip(one, other, strict=True)
    )
