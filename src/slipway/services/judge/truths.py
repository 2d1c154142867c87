"""The truth of a rollout from the ledger, opened when it first answers: the judge starts and goes on without it.

What was told of a matured cell does not change, so a look reads on where the one before it ended: days of truth take
half a minute to read. Only the first look of a judge that was started late waits for that; it is a doubt until then.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from slipway.adapters.ledger import Ledger, cohorts
from slipway.canary.query import Question
from slipway.canary.records import Cohort, Policy, Rollout

REFERENCE_DAYS = 7.0  # of stable before the attempt: every day of the week once
REMEMBERED = 32  # attempts


@dataclass
class _Attempt:
    """What was read of an attempt so far; whoever reads on holds the lock."""

    lock: Lock = field(default_factory=Lock)
    cells: int = 0
    cohorts: list[Cohort] = field(default_factory=list)
    share: float | None = None
    share_known: bool = False


class FromLedger:
    """Reads a ledger; `connect` opens it, and raises Broken where it does not answer."""

    def __init__(self, connect: Callable[[], Ledger]) -> None:
        self._connect, self._lock = connect, Lock()
        self._opened: Ledger | None = None
        self._attempts: dict[tuple[object, ...], _Attempt] = {}

    def cohorts(self, asked: Question, rollout: Rollout, policy: Policy, now: float) -> tuple[Cohort, ...]:
        """Read requests and their truth by cell, of those cells that are judged `now`."""
        spacing = {"started": rollout.started, "grid": policy.grid, "maturity": asked.timing.maturity}
        scale = policy.metrics["truth"].scale
        attempt = self._attempt(asked.environment, rollout.stable, rollout.canary, *spacing.values(), scale)
        until = now - policy.settle
        cells = cohorts.matured(until, **spacing)
        with attempt.lock:
            if attempt.cells < cells:
                attempt.cohorts += cohorts.cohorts(
                    self._ledger(),
                    environment=asked.environment,
                    stable=rollout.stable,
                    canary=rollout.canary,
                    until=until,
                    scale=scale,
                    first=attempt.cells,
                    **spacing,
                )
                attempt.cells = cells
            return tuple(cohort for cohort in attempt.cohorts if cohort.cell < cells)

    def reference_share(self, asked: Question, rollout: Rollout) -> float | None:
        """Read the share of positives before the attempt."""
        attempt = self._attempt(asked.environment, rollout.stable, rollout.started)
        with attempt.lock:
            if not attempt.share_known:
                attempt.share = cohorts.reference_share(
                    self._ledger(),
                    environment=asked.environment,
                    stable=rollout.stable,
                    before=rollout.started,
                    days=REFERENCE_DAYS,
                )
                attempt.share_known = True
            return attempt.share

    def _attempt(self, *key: object) -> _Attempt:
        with self._lock:
            if key not in self._attempts and len(self._attempts) >= REMEMBERED:
                del self._attempts[next(iter(self._attempts))]
            return self._attempts.setdefault(key, _Attempt())

    def _ledger(self) -> Ledger:
        with self._lock:
            if self._opened is None:
                self._opened = self._connect()
            return self._opened
