"""Whether what is live is still well, by what turned out to be true. Pure: counts of the ledger in, a finding out.

A candidate must be shown to be good, what is live must be shown to be bad: the hopeful end of each interval is held
against its limit, and against the interval that the same metric had on the test window. It may be asked every hour.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np

from slipway import metrics, outcomes, releases, window
from slipway.changes import State
from slipway.errors import Broken, Rejected
from slipway.history import History
from slipway.metrics import Metric, Scored
from slipway.params import Evaluate, Monitor
from slipway.predictions import Counted
from slipway.records import Check, Estimate, Release, interval

LIVE = ("auc", "brier", "cost")  # as in `Metrics.overall`
OFF = "switched off in params.yaml"


class Monitored(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of the predictions of the release that is live, and what a person may do if they are not well."""

    schema_version: int = 1
    well: bool | None = None  # None: too early to say, or nothing is live
    environment: str
    version: str | None = None
    live_since: str | None = None  # ISO 8601, UTC
    judged_from: str | None = None  # at the latest: from then on it is an error to know too little
    since: str  # of the predictions that are counted
    until: str
    answered: int = 0
    truths: int = 0
    missing: tuple[str, ...] = ()  # what is not known yet
    checks: tuple[Check, ...] = ()
    way_back: str | None = None  # an earlier release; None where all is well, or there is none
    command: str | None = None  # by which a person goes there


@dataclass(frozen=True)
class Asked:
    """What main says of an environment, and the ledger of the release that is live there; `now` in s since 1970."""

    environment: str
    state: State
    past: History
    held: Monitor
    evaluate: Evaluate
    trained: Mapping[str, Estimate]  # the metrics of the test window
    counted: Sequence[Counted]  # in `stretch`
    now: float


def stretch(held: Monitor, now: float) -> tuple[float, float]:
    """From when up to when predictions are counted, in seconds since 1970."""
    until = now - timedelta(hours=held.maturity_hours).total_seconds()
    return until - timedelta(days=held.window_days).total_seconds(), until


def judge(asked: Asked) -> Monitored:
    """Say whether what is live is well, and how to go back if not; or that it is too early to say.

    Raises:
        Broken: too little is known of a release that is old enough for more.

    """
    held, environment = asked.held, asked.environment
    since, until = (datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") for at in stretch(held, asked.now))
    live = asked.state.stable_of(environment)
    if live is None:
        return Monitored(environment=environment, since=since, until=until)
    began = _began(live, environment)
    judged_from = began + timedelta(days=held.least_days, hours=held.maturity_hours)
    found = Monitored(
        environment=environment,
        version=live.package.bundle.version,
        live_since=began.isoformat(),
        judged_from=judged_from.isoformat(),
        since=since,
        until=until,
        answered=total(asked.counted),
        truths=total(_told(asked.counted)),
        missing=tuple(_missing(asked.counted, held)),
    )
    if not found.missing:
        return _judged(found, asked)
    if asked.now < judged_from.timestamp():
        return found
    raise Broken(
        f"{found.version} in {environment}, since {since}: too little is known: {'; '.join(found.missing)}",
        "Wait, or see that truths are told: docs/ledger.md. What is asked for: `monitor` in params.yaml.",
    )


def _began(release: Release, environment: str) -> datetime:
    """When the stable of an environment became it."""
    made = [one.at for one in release.events if one.environment == environment and one.kind in releases.STABLE_BY]
    return datetime.fromisoformat(made[-1])


def _missing(counted: Sequence[Counted], held: Monitor) -> Iterator[str]:
    told = _told(counted)
    answered, truths, days = total(counted), total(told), len({one.day for one in told})
    if truths < held.least_truths:
        yield f"{truths:,} truths, needs {held.least_truths:,}"
    if days < held.least_days:
        yield f"truths of {days:,} days, needs {held.least_days:,}"
    if truths < held.coverage_floor * answered:
        yield f"the truth of {truths / answered:.0%} of {answered:,} predictions, needs {held.coverage_floor:.0%}"
    if len({_late(one) for one in told}) < 2:
        yield "not both outcomes"


def _told(counted: Sequence[Counted]) -> list[Counted]:
    return [one for one in counted if one.truth is not None]


def total(counted: Sequence[Counted]) -> int:
    """Count the predictions."""
    return sum(one.count for one in counted)


def _late(one: Counted) -> float:
    return float(one.truth is not None and one.truth >= 1)


def _judged(found: Monitored, asked: Asked) -> Monitored:
    checks = check(_told(asked.counted), asked.trained, asked.held, asked.evaluate)
    why = "; ".join(f"{one.name} {one.detail}" for one in checks if one.passed is False)
    found = msgspec.structs.replace(found, well=not why, checks=checks)
    back = way_back(asked.past, asked.state, found.environment, at=found.until, why=why) if why else None
    if back is None:
        return found
    command = f"slipway rollback --to {back} --environment {found.environment} --why {shlex.quote(why)}"
    return msgspec.structs.replace(found, way_back=back, command=command)


def check(
    told: Sequence[Counted], trained: Mapping[str, Estimate], held: Monitor, evaluate: Evaluate
) -> tuple[Check, ...]:
    """Hold predictions whose truth is known, of both outcomes, to each rule; `trained` as in `Asked`."""
    live, never = _live(told, evaluate)
    share = Estimate(value=live["cost"].value / never, low=live["cost"].low / never, high=live["cost"].high / never)
    judged = (
        _floor("auc_floor", live["auc"], held.auc_floor, ""),
        _ceiling("brier_ceiling", live["brier"], held.brier_ceiling, ""),
        _ceiling("cost_ceiling", share, held.cost_ceiling, " of the cost of never warning"),
    )
    return (*judged, *(_trained(name, live[name], trained.get(name), held) for name in LIVE))


def _live(told: Sequence[Counted], evaluate: Evaluate) -> tuple[dict[str, Estimate], float]:
    """Each metric of LIVE with its interval by whole days, and what it would have cost never to warn."""
    day, truth, count = (np.array(column) for column in zip(*((o.day, _late(o), o.count) for o in told), strict=True))
    scored = Scored(truth, np.array([one.score for one in told]), day - day.min())
    warned = np.array([one.decision for one in told])
    costs, bootstrap = window.settings(evaluate)
    cost = np.where(warned, costs.false_alarm * (1 - truth), costs.missed * truth)
    table: Mapping[str, Metric] = {
        "auc": metrics.auc,
        "brier": metrics.brier,
        "cost": lambda _, weight: float(np.average(cost, weights=weight)),
    }
    draws = metrics.day_weights(scored.day, bootstrap)
    found = {name: metrics.estimate(table[name], scored, draws, bootstrap.confidence, count) for name in LIVE}
    return found, costs.missed * float(np.average(truth, weights=count))


def _floor(name: str, live: Estimate, limit: float | None, of: str) -> Check:
    if limit is None:
        return Check(name=name, passed=None, detail=OFF)
    return Check(name=name, passed=live.high >= limit, detail=f"{interval(live)}{of}; needs a high end ≥ {limit:g}")


def _ceiling(name: str, live: Estimate, limit: float | None, of: str) -> Check:
    if limit is None:
        return Check(name=name, passed=None, detail=OFF)
    return Check(name=name, passed=live.low <= limit, detail=f"{interval(live)}{of}; needs a low end ≤ {limit:g}")


def _trained(metric: str, live: Estimate, trained: Estimate | None, held: Monitor) -> Check:
    name = f"{metric}_interval"
    if not held.training_interval:
        return Check(name=name, passed=None, detail=OFF)
    if trained is None:
        return Check(name=name, passed=None, detail="not measured in training")
    of = f", in training {interval(trained)}"
    return _floor(name, live, trained.low, of) if metric == "auc" else _ceiling(name, live, trained.high, of)


def way_back(told: History, state: State, environment: str, *, at: str, why: str) -> str | None:
    """The release that was live last before the one that is, and that `slipway rollback` would take; None if none is.

    One that a person has left by a rollback was bad, and is passed over.
    """
    for span in reversed(told.spans):
        release = state.releases[span.version]
        if span.environment == environment and releases.kinds(release, environment)[-1] != "rolled-back":
            with suppress(Rejected):
                if outcomes.rollback(state, span.version, environment=environment, at=at, why=why):
                    return span.version
    return None
