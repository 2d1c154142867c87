"""Ticks of rehearsals, with the judge's own verdicts on counts that a seed has drawn."""

import msgspec
import numpy as np

from canary.worlds import POLICY, T0, World, rollout
from slipway.canary import decision
from slipway.canary.records import Metric, Policy, Timing, Trace
from slipway.rollout.records import Tick, Traffic

LAST = Policy(metrics={**POLICY.metrics, "truth": Metric(margin=0.03, base=0.2, required_from=3)})
TIMING = Timing(deadline=1e5, maturity=60)
WEIGHTS = (0.1, 0.3, 0.6)
ENDS = (200, 400)  # of the first two weights, seconds


def play(truth: float) -> tuple[list[Tick], Trace]:
    """Play three weights; `truth` is the canary's mean loss, stable's 0.2. A look every 5 s, until it has ended."""
    weights = np.repeat(WEIGHTS, [20, 20, 60])
    rates = {"errors": (0.01, 0.01), "latency": (0.033, 0.033), "truth": (0.2, truth)}
    seen = World.drawn(3, 100, rates, weights=weights).observed()
    ticks: list[Tick] = []
    for at in range(0, 1000, 5):
        done = [end for end in ENDS if end <= at]
        known = rollout(*done, weights=WEIGHTS[: len(done) + 1])
        known = msgspec.structs.replace(known, steps=len(WEIGHTS))
        trace = decision.trace(known, seen, LAST, TIMING, T0 + at)
        told = trace.verdict if at >= 10 else None
        phase, step, weight = "progressing", 1 + 2 * len(done), WEIGHTS[len(done)]
        if told and told.verdict == "abort":
            phase, step, weight = "aborted", 0, 0.0
        elif told and told.verdict == "promote" and len(done) == len(ENDS):
            phase, step, weight = "healthy", 7, 1.0
        ticks.append(
            Tick(
                at=T0 + at,
                step=step,
                steps=7,
                weight=weight,
                phase=phase,
                traffic={
                    "stable": Traffic(requests=18 * at, errors=at // 6, p95=0.0041),
                    "canary": Traffic(requests=2 * at, errors=at // 60, p95=0.0043 if at else None),
                },
                truths=15 * at,
                verdict=told,
            )
        )
        if phase != "progressing":
            return ticks, trace
    raise AssertionError("it does not end")
