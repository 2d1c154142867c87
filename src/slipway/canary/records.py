"""What the judge is told, and what it answers.

Times are seconds since 1970 (UTC), weights are shares from 0 to 1, evidence is the natural logarithm of an e-value.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

Share = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Arm = Literal["stable", "canary"]
ARMS: tuple[Arm, Arm] = ("stable", "canary")
Kind = Literal["errors", "latency", "objective", "truth"]


class _Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


# ---- what is asked: rollouts/judge.yaml and the query of the analysis -------------------------------------------


class Metric(_Frozen, frozen=True, kw_only=True):
    """A bounded loss of a request, and how much worse the canary may be."""

    margin: Share  # δ₁: a canary worse by so much must not be promoted; absolute, 0.01 is one point
    base: Share  # what stable usually shows; a guess costs time, never validity
    required_from: Annotated[int, msgspec.Meta(ge=1)] = 1  # the gated step from which on it must be shown harmless
    bound: Annotated[float, msgspec.Meta(gt=0)] | None = None  # objective: seconds, an edge of the histogram
    scale: Annotated[float, msgspec.Meta(gt=0)] = 1.0  # truth: loss = min(1, ((score - truth) / scale)²)


class Policy(_Frozen, frozen=True, kw_only=True):
    """What every canary is held to. Without `truth` the judge does without it."""

    metrics: Mapping[Kind, Metric]
    alpha: Share = 0.05  # a harmless canary is ever aborted with at most this probability, over a first attempt
    beta: Share = 0.05  # a canary worse by the margin is ever promoted with at most this probability
    grid: Annotated[float, msgspec.Meta(ge=1)] = 10.0  # seconds of a stratum, at least two scrapes
    scrape: Annotated[float, msgspec.Meta(gt=0)] = 5.0  # seconds between two samples of a counter
    grace: Seconds = 60.0  # after a change of weight, for the sample ratio
    settle: Seconds = 10.0  # after its maturity, until truth that came in time is surely stored
    sample_ratio_alpha: Share = 0.001
    coverage_alpha: Share = 0.01
    truth_mix: tuple[float, float] = (0.7, 1.6)  # times the reference share of positives
    unavailable: Seconds = 60.0  # so long without an available or an answering canary aborts
    expected: Annotated[int, msgspec.Meta(ge=1)] = 20  # canary requests that the weight promised and nobody answered
    on_deadline: Literal["inconclusive", "abort"] = "inconclusive"


class Timing(_Frozen, frozen=True, kw_only=True):
    """What an environment asks for, in seconds; staging asks for nothing."""

    bake: Seconds = 0.0  # at least so long at each weight
    maturity: Seconds = 0.0  # how long truth may take; a later label is never judged
    cycle: Seconds = 0.0  # truth must span two of them before the last step: a day, where days differ
    deadline: Seconds = 3600.0  # from the start of the attempt


# ---- what is known ----------------------------------------------------------------------------------------------


class Interval(_Frozen, frozen=True, kw_only=True):
    """A stretch of time at one weight; `end` is None while it lasts."""

    start: float
    end: float | None
    weight: float
    step: int  # the gated step, from 1


class Rollout(_Frozen, frozen=True, kw_only=True):
    """A canary under way, as the controller, or a rehearsal, knows it."""

    namespace: str
    name: str
    stable: str  # pod-template hash
    canary: str
    attempt: Annotated[int, msgspec.Meta(ge=1)]
    intervals: tuple[Interval, ...]  # of this attempt, in order, not overlapping; the last one is now
    steps: Annotated[int, msgspec.Meta(ge=1)]  # gated steps in all
    available: Annotated[int, msgspec.Meta(ge=0)]  # canary pods that could answer
    unavailable_since: float | None  # since when none could
    rollback: bool = False  # a person's way back to an earlier release: not judged, `slipway.dev/rollback` says so

    @property
    def started(self) -> float:
        """When the attempt began: the origin of the grid."""
        return self.intervals[0].start

    @property
    def step(self) -> int:
        """The gated step that is being judged."""
        return self.intervals[-1].step


class Series(_Frozen, frozen=True, kw_only=True):
    """Raw samples of one cumulative counter, in order of time. Births count from 0, a fall is a reset."""

    times: tuple[float, ...]
    values: tuple[float, ...]
    born: bool | None = None  # began at 0, for its router was scraped before without it; None: not known


class Counts(_Frozen, frozen=True, kw_only=True):
    """The counters of one arm for one metric: all requests, and those that count as bad.

    `good` holds the complement where that is what is counted, as a histogram does; then `bad` is empty.
    """

    total: tuple[Series, ...]
    bad: tuple[Series, ...] = ()
    good: tuple[Series, ...] = ()


class Cohort(_Frozen, frozen=True, kw_only=True):
    """Requests that one arm answered in one cell of the grid, and their truth as of the cell's end + maturity.

    The unit is a request: a call with many rows counts once, with the mean over its rows.
    """

    cell: int  # starts at `started + cell * grid`
    arm: Arm
    answered: int
    labelled: int
    loss: float  # sum over the labelled
    positives: float  # sum of truth over the labelled; for a numeric truth, of what is 1 or more


Part = Literal["facts", "ledger", "scrapes", "requests", "answers"] | Kind


class Gap(_Frozen, frozen=True, kw_only=True):
    """Something that a source did not say: it blocks a promotion, and never decides."""

    part: Part
    detail: str


class Observation(_Frozen, frozen=True, kw_only=True):
    """What the sources say at one look."""

    since: float  # samples were asked for from here on
    requests: Mapping[Arm, tuple[Series, ...]]
    counts: Mapping[Kind, Mapping[Arm, Counts]]  # errors, latency, objective
    cohorts: tuple[Cohort, ...] = ()
    reference_share: float | None = None  # share of positives of stable before the attempt
    gaps: tuple[Gap, ...] = ()


# ---- what is answered -------------------------------------------------------------------------------------------

Outcome = Literal["promote", "abort", "continue", "inconclusive"]
Cause = Literal["verdict", "unavailable", "deadline"]
Reason = Literal[
    "facts", "samples", "ledger", "sample-ratio", "coverage", "truth-mix", "bake", "cycle", "maturity", "evidence"
]


class Hold(_Frozen, frozen=True, kw_only=True):
    """Why no promotion yet."""

    reason: Reason
    detail: str


class ArmCount(_Frozen, frozen=True, kw_only=True):
    """Requests of an arm that count for a metric, and the sum of their losses."""

    requests: float
    loss: float


class Boundary(_Frozen, frozen=True, kw_only=True):
    """Evidence that the canary is less than `margin` worse, against what is needed."""

    margin: float
    evidence: float  # now
    needed: float
    reached_at: float | None


class MetricEvidence(_Frozen, frozen=True, kw_only=True):
    """One metric at one look."""

    name: Kind
    required: bool  # at this step
    counts: Mapping[Arm, ArmCount]
    abort: float  # evidence now that the canary is worse than tolerated
    promote: tuple[Boundary, ...]  # from the first step's margin to the last
    better: Literal["yes", "no", "unknown"]
    more_requests: float | None  # of the canary, until this step's boundary, if both arms are alike; None: not needed


class Verdict(_Frozen, frozen=True, kw_only=True):
    """The answer at one look. The same facts, the same answer: nothing is remembered between looks."""

    schema_version: int = 1
    verdict: Outcome
    cause: Cause | None  # of an abort
    final: bool  # inconclusive at the deadline: the answer will not change
    held: tuple[Hold, ...]
    detail: str  # one sentence for a person
    blame: Kind | None  # the metric with the largest evidence against the canary
    abort: float  # evidence now, averaged over the metrics
    abort_needed: float
    aborted_at: float | None  # when the stratum in which the boundary was reached could first be judged
    metrics: tuple[MetricEvidence, ...]
    more_requests: float | None
    more_seconds: float | None
    attempt: int
    step: int
    started: float
    looked_at: float


class MetricTrace(_Frozen, frozen=True, kw_only=True):
    """One metric over the attempt; each row of numbers has one entry per stratum, in order of time."""

    name: Kind
    required_from: int = 1  # the gated step, as in `Metric`
    times: tuple[float, ...]  # when the stratum could first be judged
    stable: tuple[ArmCount, ...]  # within the stratum
    canary: tuple[ArmCount, ...]
    abort: tuple[float, ...]
    promote: tuple[tuple[float, ...], ...]  # by step, as `MetricEvidence.promote`


class HeldSpan(_Frozen, frozen=True, kw_only=True):
    """A stretch of time in which a reason blocked the promotion; `end` is None while it does."""

    reason: Reason
    detail: str
    start: float
    end: float | None


class Trace(_Frozen, frozen=True, kw_only=True):
    """How a verdict came about: what `slipway judge explain` draws."""

    schema_version: int = 1
    rollout: Rollout
    verdict: Verdict
    times: tuple[float, ...]  # of `abort`
    abort: tuple[float, ...]  # evidence averaged over the metrics
    metrics: tuple[MetricTrace, ...]
    held: tuple[HeldSpan, ...]
