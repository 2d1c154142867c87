"""What the judge tells Prometheus of its looks. Only rollouts that exist get series, so nobody can make more."""

from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from slipway.canary.records import ARMS, Reason
from slipway.services.judge import Look

ROLLOUT = ("namespace", "rollout")
REASONS = get_args(Reason)


class Meters:
    """The counters and gauges of one judge. Evidence is a natural logarithm; it decides at what is needed."""

    def __init__(self) -> None:
        self._registry = here = CollectorRegistry()
        self._evidence = Gauge(
            "slipway_judge_evidence", "Evidence now", [*ROLLOUT, "metric", "boundary"], registry=here
        )
        self._needed = Gauge("slipway_judge_needed", "What decides", [*ROLLOUT, "metric", "boundary"], registry=here)
        self._verdict = Gauge("slipway_judge_verdict", "As the analysis is told", ROLLOUT, registry=here)
        self._held = Gauge(
            "slipway_judge_held", "1 while a promotion waits for it", [*ROLLOUT, "reason"], registry=here
        )
        self._coverage = Gauge(
            "slipway_judge_coverage", "Share of answers with their truth in time", [*ROLLOUT, "arm"], registry=here
        )
        self._requests = Gauge(
            "slipway_judge_requests", "Requests that were compared", [*ROLLOUT, "arm", "metric"], registry=here
        )
        self._looks = Counter("slipway_judge_looks", "Looks by verdict", ["verdict"], registry=here)
        self._errors = Counter(
            "slipway_judge_source_errors", "Looks at which a source failed", ["source"], registry=here
        )
        self._seconds = Histogram("slipway_judge_look_seconds", "Seconds of a look, sources included", registry=here)

    def text(self) -> bytes:
        """Render the exposition."""
        return generate_latest(self._registry)

    def seen(self, look: Look, value: int) -> None:
        """Count a look; `value` is what the analysis was told."""
        self._looks.labels(look.verdict.verdict).inc()
        self._seconds.observe(look.seconds)
        for source in look.failed:
            self._errors.labels(source).inc()
        if look.rollout is None or look.observation is None:
            return
        name, verdict = (look.question.namespace, look.question.rollout), look.verdict
        self._verdict.labels(*name).set(value)
        for reason in REASONS:
            self._held.labels(*name, reason).set(any(hold.reason == reason for hold in verdict.held))
        self._set(name, "all", "abort", verdict.abort, verdict.abort_needed)
        for metric in verdict.metrics:
            self._set(name, metric.name, "abort", metric.abort, verdict.abort_needed)
            boundary = metric.promote[verdict.step - 1]
            self._set(name, metric.name, "promote", boundary.evidence, boundary.needed)
            for arm, count in metric.counts.items():
                self._requests.labels(*name, arm, metric.name).set(count.requests)
        for arm in ARMS:
            mine = [cohort for cohort in look.observation.cohorts if cohort.arm == arm]
            answered = sum(cohort.answered for cohort in mine)
            if answered:
                self._coverage.labels(*name, arm).set(sum(cohort.labelled for cohort in mine) / answered)

    def _set(self, name: tuple[str, str], metric: str, boundary: str, evidence: float, needed: float) -> None:
        self._evidence.labels(*name, metric, boundary).set(evidence)
        self._needed.labels(*name, metric, boundary).set(needed)
