"""A rehearsal in words and shares: what a person sees of it while it goes on. Pure."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from slipway.canary.explaining import WORDS
from slipway.canary.records import ARMS, Verdict
from slipway.canary.units import duration
from slipway.rollout.records import Tick, Traffic

ENDS = {"healthy": "PROMOTED", "aborted": "ABORTED", "paused": "CANNOT TELL"}


@dataclass(frozen=True)
class Weight:
    """Evidence against a boundary, both as logarithms of e-values."""

    evidence: float
    needed: float
    reached: bool

    @property
    def share(self) -> float:
        """Of what is needed, from 0 to 1."""
        return 1.0 if self.reached else min(max(self.evidence / self.needed, 0.0), 1.0)


@dataclass(frozen=True)
class Lane:
    """A metric in both directions; `harmless` is None where no promotion asks for it, as for the average."""

    name: str
    harmless: Weight | None
    asked: bool  # at this step
    worse: Weight


def lanes(verdict: Verdict) -> Iterator[Lane]:
    """Evidence of each metric against this step's boundary and against the abort's; the average decides the latter."""
    alone = verdict.abort_needed + math.log(max(len(verdict.metrics), 1))  # what it takes if the others are silent
    for each in verdict.metrics:
        boundary = each.promote[verdict.step - 1]
        yield Lane(
            name=each.name,
            harmless=Weight(boundary.evidence, boundary.needed, boundary.reached_at is not None),
            asked=each.required,
            worse=Weight(each.abort, alone, each.abort >= alone),
        )
    reached = verdict.aborted_at is not None
    yield Lane("together", None, asked=True, worse=Weight(verdict.abort, verdict.abort_needed, reached))


def headline(tick: Tick) -> str:
    """How it stands, in capitals."""
    if tick.phase != "progressing":
        return ENDS[tick.phase]
    return "STARTING" if tick.verdict is None else WORDS[tick.verdict.verdict]


def sentences(tick: Tick) -> Iterator[str]:
    """The judge's sentence, what is still needed, and what else holds the promotion up."""
    if tick.verdict is None:
        return
    verdict = tick.verdict
    yield printable(verdict.detail)
    if verdict.verdict != "continue":
        return
    if verdict.more_requests is not None:
        soon = f", {duration(verdict.more_seconds)}" if verdict.more_seconds is not None else ""
        yield f"needs about {verdict.more_requests:,.0f} more canary requests{soon}, if both arms are alike"
    yield from (f"held, {hold.reason}: {printable(hold.detail)}" for hold in verdict.held if hold.reason != "evidence")


def arm(seen: Traffic) -> tuple[str, str, str]:
    """Requests, errors and latency of an arm."""
    share = f"{seen.errors / seen.requests:.2%}" if seen.requests else "-"
    return f"{seen.requests:,}", f"{seen.errors:,} ({share})", "-" if seen.p95 is None else f"{1000 * seen.p95:.1f} ms"


def key(tick: Tick) -> tuple[object, ...]:
    """What is told when it changes."""
    verdict = tick.verdict
    held = {hold.reason for hold in verdict.held} if verdict else set()
    return tick.step, tick.weight, tick.phase, verdict and (verdict.verdict, verdict.cause, verdict.step), held


def line(tick: Tick, began: float) -> str:
    """One line of what is now."""
    where = f"step {tick.step + 1} of {tick.steps}, " if tick.phase == "progressing" else ""
    told = [f"{duration(tick.at - began):>10}  {where}weight {tick.weight:.0%}"]
    for name in ARMS:
        seen = tick.traffic[name]
        p95 = "" if seen.p95 is None else f", p95 {1000 * seen.p95:.1f} ms"
        told.append(f"{name} {seen.requests:,} requests, {seen.errors:,} failed{p95}")
    told.append(f"{tick.truths:,} truths")
    return f"{' | '.join(told)} | {_standing(tick)}"


def _standing(tick: Tick) -> str:
    word, verdict = headline(tick), tick.verdict
    if verdict is None:
        return word
    if verdict.verdict == "continue" and tick.phase == "progressing" and verdict.metrics:
        return f"{word}: waits for {', '.join(dict.fromkeys(hold.reason for hold in verdict.held))}"
    return f"{word}: {printable(verdict.detail)}"


def printable(text: str) -> str:
    """Take out what would move a terminal's cursor; some of it comes from outside."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
