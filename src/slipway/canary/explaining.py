"""What to say about how a verdict came about, and in which order. Pure: a trace in, a picture's contents out.

Evidence is drawn as a share of what is needed: at 1 the boundary is reached. Both directions share one scale, so that
whoever is on call sees which of the two came first, without knowing what a logarithm of an e-value is.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from slipway.canary.records import ArmCount, Kind, MetricTrace, Trace, Verdict
from slipway.canary.units import duration, points

TOP = 1.2  # shares above are drawn here
WORDS = {"promote": "PROMOTE", "abort": "ABORT", "continue": "NOT YET", "inconclusive": "CANNOT TELL"}
_TONES: dict[str, Literal["harmless", "worse"]] = {"promote": "harmless", "abort": "worse"}

Tone = Literal["harmless", "worse", "open"]
Points = tuple[tuple[float, float], ...]  # seconds since the start, share of the evidence needed


@dataclass(frozen=True)
class Lane:
    """Evidence over time in both directions; before `asked_from` a promotion does not need this metric."""

    name: str
    harmless: Points
    worse: Points
    asked_from: float | None = 0.0  # None: not yet


@dataclass(frozen=True)
class Span:
    """A stretch of time, in seconds since the start, and what it was."""

    start: float
    end: float
    label: str
    detail: str = ""


@dataclass(frozen=True)
class Row:
    """One metric in words."""

    name: str
    stable: str
    canary: str
    difference: str
    margin: str  # asked at this step
    harmless: str
    worse: str


@dataclass(frozen=True)
class Picture:
    """A trace, ready to be drawn; times are seconds since the start of the attempt."""

    title: str
    headline: str
    tone: Tone
    sentences: tuple[str, ...]
    length: float
    decided: float | None  # when the verdict could first be given
    weights: tuple[Span, ...]
    held: tuple[Span, ...]  # in the order in which the reasons came up; a reason may have several
    lanes: tuple[Lane, ...]  # the first is the verdict's
    rows: tuple[Row, ...]


def picture(trace: Trace) -> Picture:
    """Put a trace in words and shares."""
    rollout, verdict = trace.rollout, trace.verdict
    length = max(verdict.looked_at - verdict.started, 1.0)
    decided = length if verdict.aborted_at is None else verdict.aborted_at - verdict.started
    lines = [_Line(trace, metric) for metric in trace.metrics]
    after = "" if verdict.verdict == "continue" else f" after {duration(decided)}"
    about = f": {verdict.blame}" if verdict.blame and verdict.verdict == "abort" else ""

    def span(start: float, end: float | None, label: str, detail: str = "") -> Span:
        return Span(start - verdict.started, length if end is None else end - verdict.started, label, detail)

    return Picture(
        title=f"{rollout.namespace}/{rollout.name}: canary {rollout.canary} against stable {rollout.stable},"
        f" attempt {rollout.attempt}",
        headline=f"{WORDS[verdict.verdict]}{after}{about}",
        tone=_TONES.get(verdict.verdict, "open"),
        sentences=(verdict.detail,) if rollout.rollback else tuple(_sentences(verdict)),
        length=length,
        decided=None if verdict.verdict == "continue" else decided,
        weights=tuple(span(each.start, each.end, f"{each.weight:.0%}") for each in rollout.intervals),
        held=tuple(
            span(each.start, each.end, each.reason, each.detail)
            for each in trace.held
            if each.reason != "evidence"  # what the lanes show
        ),
        lanes=(_together(trace, lines), *(line.lane for line in lines)),
        rows=tuple(_row(line, verdict) for line in lines),
    )


class _Line:
    """The lane of one metric, and how far it has been shown harmless at any time and margin."""

    def __init__(self, trace: Trace, metric: MetricTrace) -> None:
        verdict = trace.verdict
        self.required_from = metric.required_from
        self.evidence = next(each for each in verdict.metrics if each.name == metric.name)
        self.alone = verdict.abort_needed + math.log(len(trace.metrics))  # what it takes if the others are silent
        self.times = [time - verdict.started for time in metric.times]
        needed = [boundary.needed for boundary in self.evidence.promote]
        self.shares = [[_share(each, need) for each in row] for row, need in zip(metric.promote, needed, strict=True)]
        self.best = [list(accumulate(row, max)) for row in self.shares]
        steps = [_step(trace, time) for time in metric.times]
        self.lane = Lane(
            name=metric.name,
            harmless=tuple(
                (time, self.shares[step - 1][k]) for k, (time, step) in enumerate(zip(self.times, steps, strict=True))
            ),
            worse=tuple((time, _share(each, self.alone)) for time, each in zip(self.times, metric.abort, strict=True)),
            asked_from=next(
                (each.start - verdict.started for each in trace.rollout.intervals if each.step >= metric.required_from),
                None,
            ),
        )

    def shown(self, time: float, step: int) -> float:
        """How much of what a step asks has been shown by a time; what was reached once, stays so."""
        if step < self.required_from:
            return TOP
        before = bisect_right(self.times, time)
        if not before:
            return 0.0
        best = self.best[step - 1][before - 1]
        return best if best >= 1 else self.shares[step - 1][before - 1]


def _together(trace: Trace, lines: Sequence[_Line]) -> Lane:
    """What the verdict is made of: the slowest metric of those asked for, and the average against the canary."""
    started, needed = trace.verdict.started, trace.verdict.abort_needed
    return Lane(
        name="verdict",
        harmless=tuple(
            (time - started, min(line.shown(time - started, _step(trace, time)) for line in lines))
            for time in trace.times
        ),
        worse=tuple(
            (time - started, _share(each, needed)) for time, each in zip(trace.times, trace.abort, strict=True)
        ),
    )


def _step(trace: Trace, time: float) -> int:
    """The gated step that a look at this time judges; the moment at which two of them meet is the earlier one's."""
    passed = [each.step for each in trace.rollout.intervals if each.start < time]
    return passed[-1] if passed else trace.rollout.intervals[0].step


def _share(evidence: float, needed: float) -> float:
    return min(max(evidence / needed, 0.0), TOP)


def _sentences(verdict: Verdict) -> Iterator[str]:
    yield verdict.detail
    if verdict.verdict == "promote":
        needed = min(metric.promote[verdict.step - 1].needed for metric in verdict.metrics)
        yield f"Of canaries that are worse by such a margin, at most 1 in {math.exp(needed):,.0f} is ever promoted."
    yield from (f"held, {hold.reason}: {hold.detail}" for hold in verdict.held if hold.reason != "evidence")
    if verdict.verdict == "continue" and verdict.more_requests is not None:
        soon = f", {duration(verdict.more_seconds)}" if verdict.more_seconds is not None else ""
        yield f"If both arms are alike: about {verdict.more_requests:,.0f} more canary requests{soon}."


def _row(line: _Line, verdict: Verdict) -> Row:
    evidence = line.evidence
    boundary = evidence.promote[verdict.step - 1]
    stable, canary = (_mean(evidence.counts[arm]) for arm in ("stable", "canary"))
    if boundary.reached_at is not None:
        shown = f"after {duration(boundary.reached_at - verdict.started)}"
    else:
        shown = f"{_share(boundary.evidence, boundary.needed):.0%}"
    return Row(
        name=evidence.name,
        stable=_told(evidence.name, evidence.counts["stable"], stable),
        canary=_told(evidence.name, evidence.counts["canary"], canary),
        difference="-" if stable is None or canary is None else f"{100 * (canary - stable):+.2f} pt",
        margin=points(boundary.margin),
        harmless=shown if evidence.required else f"({shown})",
        worse=f"{min(_share(evidence.abort, line.alone), 1):.0%}",
    )


def _mean(count: ArmCount) -> float | None:
    return count.loss / count.requests if count.requests else None


def _told(name: Kind, count: ArmCount, mean: float | None) -> str:
    if mean is None:
        return "no request"
    return f"{mean:.4f} of {count.requests:,.0f}" if name == "truth" else f"{mean:.2%} of {count.requests:,.0f}"


def ticks(length: float) -> list[float]:
    """Round times from 0 to `length`, seven at most."""
    for unit in (1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200):
        if length <= 6 * unit:
            break
    else:
        unit = 86400 * math.ceil(length / 86400 / 6)
    return [float(unit * number) for number in range(int(length / unit) + 1)]
