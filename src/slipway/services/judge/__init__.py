"""The judge: asks its sources what they know of a canary, decides, and forgets. Two replicas say the same.

It reads, and never writes. A source that fails or is slow takes away a promotion, not the answer, and not an abort
that the others give reason for.
"""

import logging
import math
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from time import monotonic
from typing import Literal, Protocol, TypeVar

import msgspec

from slipway.canary import decision, settings
from slipway.canary.query import SPANS, Question, question
from slipway.canary.records import Cohort, Gap, Hold, Observation, Part, Policy, Reason, Rollout, Trace, Verdict
from slipway.errors import Broken, SlipwayError

Answer = TypeVar("Answer")
Source = Literal["facts", "samples", "ledger"]

PARTS: dict[Source, Part] = {"facts": "facts", "ledger": "ledger", "samples": "requests"}
FACTS_SECONDS = 2.0  # together within the 8 seconds that the analysis waits, with some to decide
SOURCES_SECONDS = 5.0
THREADS = 32


class Facts(Protocol):
    """Where a rollout's past is known: a cluster, or a rehearsal."""

    def rollout(self, namespace: str, name: str, now: float) -> Rollout:
        """Say what is known at `now`."""

    def asked(self, namespace: str, name: str) -> Mapping[str, str]:
        """Say what the rollout's last analysis asks for: `bake` and the like."""


class Samples(Protocol):
    """Where counters are: Prometheus, or a rehearsal."""

    def observe(self, rollout: Rollout, policy: Policy, now: float) -> Observation:
        """Read the counters of an attempt, without the truth."""


class Truths(Protocol):
    """Where the truth is: the ledger."""

    def cohorts(self, asked: Question, rollout: Rollout, policy: Policy, now: float) -> tuple[Cohort, ...]:
        """Read requests and their truth by cell."""

    def reference_share(self, asked: Question, rollout: Rollout) -> float | None:
        """Read the share of positives before the attempt."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One look: the verdict, what it was made from, and which sources failed."""

    question: Question
    rollout: Rollout | None
    observation: Observation | None
    verdict: Verdict
    failed: tuple[Source, ...]
    seconds: float


class Judge:
    """Answers what is asked, always. Without `truths` there must be no metric of truth in the policy.

    Raises:
        Broken: there is.

    """

    def __init__(
        self,
        policy: Policy,
        facts: Facts,
        samples: Samples,
        truths: Truths | None,
        *,
        seconds: tuple[float, float] = (FACTS_SECONDS, SOURCES_SECONDS),
    ) -> None:
        if "truth" in policy.metrics and truths is None:
            raise Broken(
                "the policy judges the truth, and there is no ledger to read it from",
                "Name one with --ledger, or take `truth` out of rollouts/judge.yaml.",
            )
        self.policy = policy
        self._facts, self._samples, self._truths = facts, samples, truths
        self._seconds_of_facts, self._seconds_of_sources = seconds
        self._pool = ThreadPoolExecutor(THREADS, "source")

    def complete(self, labels: Mapping[str, str]) -> Question:
        """Make the question that the analysis would ask, where a person names no more than the rollout.

        Raises:
            Rejected: the labels are none of a question.

        """
        given = question(labels)
        failed: dict[Source, str] = {}
        asked = self._pool.submit(self._facts.asked, given.namespace, given.rollout)
        known = _result("facts", asked, monotonic() + self._seconds_of_facts, failed) or {}
        return question({**{name: text for name, text in known.items() if name in (*SPANS, "environment")}, **labels})

    def look(self, asked: Question, now: float) -> Look:
        """Judge a rollout at `now`. Never raises: whatever fails is a doubt, and a doubt does not promote."""
        began = monotonic()
        rollout, observation, failed = self._gather(asked, now)
        if rollout is None or observation is None:
            verdict = self._doubt(now, failed["facts"])
        else:
            try:
                verdict = decision.decide(rollout, observation, self._held_to(asked), asked.timing, now)
            except Exception:
                logging.getLogger(__name__).exception("no verdict on %s", asked)
                verdict = self._doubt(
                    now, "the judge could not work out a verdict; its log says why", reason="evidence"
                )
        return Look(
            question=asked,
            rollout=rollout,
            observation=observation,
            verdict=verdict,
            failed=tuple(failed),
            seconds=monotonic() - began,
        )

    def trace(self, asked: Question, now: float) -> Trace:
        """Tell how a verdict came about.

        Raises:
            Broken: nothing is known of the rollout.

        """
        rollout, observation, failed = self._gather(asked, now)
        if rollout is None or observation is None:
            raise Broken(failed["facts"], "Ask again; /verdict says the same.")
        return decision.trace(rollout, observation, self._held_to(asked), asked.timing, now)

    def _held_to(self, asked: Question) -> Policy:
        return settings.asked(self.policy, asked.timing)

    def _gather(self, asked: Question, now: float) -> tuple[Rollout | None, Observation | None, dict[Source, str]]:
        """Ask every source, each in a thread and for so long only; what failed is told by source."""
        failed: dict[Source, str] = {}
        end = monotonic() + self._seconds_of_facts
        past = self._pool.submit(self._facts.rollout, asked.namespace, asked.rollout, now)
        rollout = _result("facts", past, end, failed)
        if rollout is None:
            return None, None, failed
        end, policy = monotonic() + self._seconds_of_sources, self._held_to(asked)
        counting = self._pool.submit(self._samples.observe, rollout, policy, now)
        if self._truths is not None and "truth" in policy.metrics:
            truth = self._pool.submit(self._truths.cohorts, asked, rollout, policy, now)
            share = self._pool.submit(self._truths.reference_share, asked, rollout)
            cohorts, reference = _result("ledger", truth, end, failed), _result("ledger", share, end, failed)
        else:
            cohorts, reference = (), None
        observation = _result("samples", counting, end, failed) or Observation(since=now, requests={}, counts={})
        return (
            rollout,
            msgspec.structs.replace(
                observation,
                cohorts=cohorts or (),
                reference_share=reference,
                gaps=(*observation.gaps, *(Gap(part=PARTS[source], detail=what) for source, what in failed.items())),
            ),
            failed,
        )

    def _doubt(self, now: float, detail: str, *, reason: Reason = "facts") -> Verdict:
        """Make the answer where nothing is known: go on, promote nothing."""
        return Verdict(
            verdict="continue",
            cause=None,
            final=False,
            held=(Hold(reason=reason, detail=detail),),
            detail=f"No verdict: {detail}",
            blame=None,
            abort=0.0,
            abort_needed=math.log(1 / self.policy.alpha),
            aborted_at=None,
            metrics=(),
            more_requests=None,
            more_seconds=None,
            attempt=0,
            step=0,
            started=now,
            looked_at=now,
        )


def _result(source: Source, asked: Future[Answer], end: float, failed: dict[Source, str]) -> Answer | None:
    """Wait for an answer until `end`; None, and a sentence in `failed`, where none comes."""
    try:
        return asked.result(max(0.0, end - monotonic()))
    except TooLate:
        failed[source] = f"no answer from the {source} in time"
    except SlipwayError as error:
        failed[source] = f"{error.what}. {error.remedy}"
    except Exception:
        logging.getLogger(__name__).exception("the %s could not be read", source)
        failed[source] = f"the {source} could not be read; the judge's log says why"
    return None
