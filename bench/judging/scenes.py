"""What is played: each scene gives, from a seed and a number of runs, how the runs ended under each judge."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from judging import baselines, ours
from judging.endings import NEVER, Endings, ended, of_rule
from judging.ours import POLICY, TIMES, WEIGHTS, Counted, counted, only, strata
from judging.worlds import GRID, SIGMA, SLOW, Array, Rates, World, buckets, thirds
from slipway.canary import evidence, planning
from slipway.canary.records import Kind, Policy

OURS = "Slipway"
RAW = "Slipway, by request"
Rng = np.random.Generator
Play = Callable[[Rng, int], Mapping[str, Endings]]

SAME, ERRORS, ACCURACY, LATENCY = "identical arms", "errors +2 pt", "accuracy -5 pt", "latency +30 %"
SIDE_BY_SIDE = {
    SAME: World(),
    ERRORS: World(canary=Rates(errors=0.03)),
    ACCURACY: World(canary=Rates(wrong=0.25)),
    LATENCY: World(canary=Rates(slower=1.3)),
}


def slower_by(points: float) -> float:
    """Return the factor on all latencies that puts so many more requests above the bound."""
    from scipy.stats import norm

    base = POLICY.metrics["latency"].base
    return float(np.exp(SIGMA * (norm.isf(base) - norm.isf(base + points))))


def at(margins: float) -> dict[str, World]:
    """Worlds in which the canary is worse by so many margins on one metric."""
    errors, latency, truth = (margins * POLICY.metrics[kind].margin for kind in ("errors", "latency", "truth"))
    return {
        f"errors +{errors * 100:g} pt": World(canary=Rates(errors=0.01 + errors)),
        f"accuracy -{truth * 100:g} pt": World(canary=Rates(wrong=0.20 + truth)),
        f"slow requests +{latency * 100:g} pt": World(canary=Rates(slower=slower_by(latency))),
    }


def both(rates: Rates, weight: Array | float = 0.10) -> World:
    """Return a world in which both arms are alike."""
    return World(stable=rates, canary=rates, weight=weight)


AT_MARGIN, AT_TWICE = at(1), at(2)
LOOKS = np.arange(180)
WAVE = np.sin(2 * np.pi * (LOOKS + 0.5) * GRID / 300)
DRIFT = Rates(errors=thirds(0.005, 0.02, 0.06), wrong=thirds(0.15, 0.20, 0.30))
SHIFTING = {
    "weight 5, 25, 50 % while both arms get worse": both(DRIFT, thirds(0.05, 0.25, 0.50)),
    "both arms rise and fall in 5 minutes": both(Rates(errors=0.01 + 0.009 * WAVE, wrong=0.20 + 0.10 * WAVE)),
    "both arms fail 30 % for 2 minutes": both(Rates(errors=np.where((LOOKS >= 60) & (LOOKS < 72), 0.30, 0.01))),
}
SHIFTING_WORSE = "weight 5, 25, 50 % while both arms get worse, errors +2 pt"
TOLERATED = "worse by a quarter of every margin"
SCARCE = {
    "identical arms, 0.5 requests/s": World(rate=0.5),
    "errors 1 to 30 %, 0.5 requests/s": World(rate=0.5, canary=Rates(errors=0.30)),
    "accuracy .8 to .4, 0.5 requests/s": World(rate=0.5, canary=Rates(wrong=0.60)),
}


def compared(world: World) -> Play:
    """Judge the same samples by us and by every rule."""

    def play(rng: Rng, runs: int) -> Mapping[str, Endings]:
        sample = world.sample(rng, runs)
        others = {name: of_rule(rule(sample), sample) for name, rule in baselines.RULES.items()}
        return {OURS: ours.judge(lambda _: counted(sample))} | others

    return play


def alone(world: World) -> Play:
    """Judge a world at its own weights."""
    return lambda rng, runs: {OURS: ours.judge(lambda _: counted(world.sample(rng, runs)))}


def gated(world: World, weights: tuple[float, ...] = WEIGHTS, policy: Policy = POLICY) -> Play:
    """Judge a world whose weight rises as the evidence allows."""

    def play(rng: Rng, runs: int) -> Mapping[str, Endings]:
        def draw(weight: float) -> Counted:
            return counted(world.sample(rng, runs, weight), policy)

        return {OURS: ours.judge(draw, policy, weights=weights, times=TIMES)}

    return play


# ---- truth that comes late ----------------------------------------------------------------------------------------

MATURITY = 600.0  # seconds
LATE = int(MATURITY / GRID)
HOUR = 360  # looks: Timing's deadline, so that truth has 50 minutes of it
SOON, LATER = 120.0, 300.0  # mean seconds until truth; 13 % of LATER's comes too late to count
RISING = np.interp(np.arange(HOUR), [0, 180], [0.30, 0.10])  # share of wrong predictions


def delayed(stable: Array | float, canary: Array | float, wait: float) -> Play:
    """Judge by cohorts at MATURITY: only what came until then counts; `wait` is the canary's mean delay.

    Where truth is missing more often for one arm, nothing is promoted.
    """
    world = World(stable=Rates(wrong=stable), canary=Rates(wrong=canary), looks=HOUR)

    def play(rng: Rng, runs: int) -> Mapping[str, Endings]:
        sample = world.sample(rng, runs)
        in_time = [1 - np.exp(-(MATURITY + GRID / 2) / mean) for mean in (SOON, wait)]
        answered = (sample.stable.requests, sample.canary.requests)
        labelled = [rng.binomial(n, share) for n, share in zip(answered, in_time, strict=True)]
        wrong = [rng.binomial(n, np.broadcast_to(p, HOUR)) for n, p in zip(labelled, (stable, canary), strict=True)]
        seen = counted(sample)
        truth = strata(wrong[0], labelled[0], wrong[1], labelled[1])
        missing = strata(answered[0] - labelled[0], answered[0], answered[1] - labelled[1], answered[1])
        doubt = evidence.differs(missing, base=0.05) >= -np.log(POLICY.coverage_alpha)
        held = np.concatenate([np.zeros_like(doubt[:, :LATE]), doubt[:, :-LATE]], axis=1)
        seen = replace(seen, strata={**seen.strata, "truth": truth})
        return {OURS: ours.judge(lambda _: seen, late=LATE, held=held)}

    return play


# ---- requests that hang together ----------------------------------------------------------------------------------


def sessions(rng: Rng, runs: int) -> Mapping[str, Endings]:
    """Twenty requests a session; 5 % of the users fail at 20 % of theirs. By session it is right, by request not."""
    length, policy = 20, only("errors")
    by_session, by_request = [], []
    for weight in (0.9, 0.1):
        started = rng.poisson(20 * GRID / length * weight, (runs, 180))
        unlucky = rng.binomial(started, 0.05)
        failed = rng.binomial(unlucky, 1 - 0.8**length)
        by_session.append((failed, started))
        by_request.append((rng.binomial(unlucky * length, 0.2), started * length))
    metric = msgspec.structs.replace(policy.metrics["errors"], base=0.05)
    of_sessions = msgspec.structs.replace(policy, metrics={"errors": metric})
    return {
        OURS: ours.judge(lambda _: _one("errors", by_session), of_sessions),
        RAW: ours.judge(lambda _: _one("errors", by_request), policy),
    }


def _one(kind: Kind, arms: list[tuple[Array, Array]]) -> Counted:
    (stable_loss, stable), (canary_loss, canary) = arms
    return Counted({kind: strata(stable_loss, stable, canary_loss, canary)}, canary)


# ---- how close to the bound ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ratio:
    """One metric on its own, and one boundary: how many canary requests until it, and how many any test needs."""

    kind: Kind
    canary: Rates
    difference: float  # of the canary's mean loss
    error: float  # alpha or beta
    limit: float  # target, times the bound
    aborts: bool = True

    @property
    def bound(self) -> float:
        """Canary requests that no test can do without, on average."""
        metric = POLICY.metrics[self.kind]
        margin = metric.margin * evidence.TOLERATED if self.aborts else metric.margin
        return planning.requests(metric.base, margin, self.difference, 0.10, self.error)

    def play(self, rng: Rng, runs: int) -> Mapping[str, Endings]:
        """Go on for an hour, so that hardly a run is cut short."""
        policy = msgspec.structs.replace(only(self.kind), alpha=self.error, beta=self.error)
        seen = counted(World(canary=self.canary, looks=HOUR).sample(rng, runs), policy)
        never = np.full(runs, NEVER)
        at = ours.aborts(seen, policy) if self.aborts else ours.shown(seen, policy)
        return {OURS: ended(at, never, seen.requests) if self.aborts else ended(never, at, seen.requests)}


SLOWER = float(buckets(1.3)[SLOW].sum()) - POLICY.metrics["latency"].base
RATIOS = {
    "abort, errors 1 to 3 %, at .05": Ratio("errors", Rates(errors=0.03), 0.02, 0.05, 1.7),
    "abort, errors 1 to 3 %, at .05/3": Ratio("errors", Rates(errors=0.03), 0.02, 0.05 / 3, 1.7),
    "abort, accuracy .80 to .75, at .05/3": Ratio("truth", Rates(wrong=0.25), 0.05, 0.05 / 3, 1.7),
    "abort, latency +30 %, at .05": Ratio("latency", Rates(slower=1.3), SLOWER, 0.05, 1.7),
    "abort, latency +30 %, at .05/3": Ratio("latency", Rates(slower=1.3), SLOWER, 0.05 / 3, 1.7),
    "abort, errors 1 to 11 %, at .05": Ratio("errors", Rates(errors=0.11), 0.10, 0.05, 2.1),
    "promote, errors": Ratio("errors", Rates(), 0.0, 0.05, 1.15, aborts=False),
    "promote, accuracy": Ratio("truth", Rates(), 0.0, 0.05, 1.15, aborts=False),
    "promote, latency": Ratio("latency", Rates(), 0.0, 0.05, 1.15, aborts=False),
}


# ---- all of it ----------------------------------------------------------------------------------------------------


GATED, NARROW = "10, 30, 60 % by evidence: ", "5, 25, 50 % by evidence, two metrics: "
WORSE_SHIFT = World(stable=DRIFT, canary=replace(DRIFT, errors=DRIFT.errors + 0.02), weight=thirds(0.05, 0.25, 0.50))
A_QUARTER = World(canary=Rates(errors=0.0125, wrong=0.2075, slower=slower_by(0.0075)))
DELAYED, MISSING = "truth after 10 minutes: ", ", 13 % of the canary's missing"
SESSIONS = "sessions of 20 requests"
TWO = only("errors", "truth")
SCENES: dict[str, Play] = {
    **{name: compared(world) for name, world in (SIDE_BY_SIDE | SHIFTING | SCARCE).items()},
    SHIFTING_WORSE: compared(WORSE_SHIFT),
    TOLERATED: alone(A_QUARTER),
    **{name: alone(world) for name, world in (AT_MARGIN | AT_TWICE).items() if name not in SIDE_BY_SIDE},
    **{GATED + name: gated(world) for name, world in (SIDE_BY_SIDE | AT_MARGIN | AT_TWICE).items()},
    **{
        NARROW + name: gated(world, (0.05, 0.25, 0.50), TWO)
        for name, world in (SIDE_BY_SIDE | AT_MARGIN).items()
        if name in (SAME, ERRORS, "errors +1 pt")
    },
    DELAYED + SAME: delayed(RISING, RISING, SOON),
    DELAYED + ACCURACY: delayed(0.20, 0.25, SOON),
    DELAYED + SAME + MISSING: delayed(RISING, RISING, LATER),
    DELAYED + ACCURACY + MISSING: delayed(0.20, 0.25, LATER),
    SESSIONS: sessions,
    **{name: ratio.play for name, ratio in RATIOS.items()},
}
