"""The truth of a rollout from the ledger, opened when it first answers: the judge starts and goes on without it."""

from collections.abc import Callable
from threading import Lock

from slipway.adapters.ledger import Ledger, cohorts
from slipway.canary.query import Question
from slipway.canary.records import Cohort, Policy, Rollout

REFERENCE_DAYS = 7.0  # of stable before the attempt: every day of the week once


class FromLedger:
    """Reads a ledger; `connect` opens it, and raises Broken where it does not answer."""

    def __init__(self, connect: Callable[[], Ledger]) -> None:
        self._connect, self._lock = connect, Lock()
        self._opened: Ledger | None = None

    def cohorts(self, asked: Question, rollout: Rollout, policy: Policy, now: float) -> tuple[Cohort, ...]:
        """Read requests and their truth by cell."""
        return cohorts.cohorts(
            self._ledger(),
            environment=asked.environment,
            stable=rollout.stable,
            canary=rollout.canary,
            started=rollout.started,
            grid=policy.grid,
            until=now,
            maturity=asked.timing.maturity,
            scale=policy.metrics["truth"].scale,
        )

    def reference_share(self, asked: Question, rollout: Rollout) -> float | None:
        """Read the share of positives before the attempt."""
        return cohorts.reference_share(
            self._ledger(),
            environment=asked.environment,
            stable=rollout.stable,
            before=rollout.started,
            days=REFERENCE_DAYS,
        )

    def _ledger(self) -> Ledger:
        with self._lock:
            if self._opened is None:
                self._opened = self._connect()
            return self._opened
