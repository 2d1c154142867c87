"""What a rehearsal tells of itself, and what the relay sees of a rollout.

Times are seconds since 1970 (UTC), weights are shares from 0 to 1.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from slipway.canary.records import Arm, Verdict
from slipway.records import Cause, Evidence

Phase = Literal["progressing", "healthy", "aborted", "paused"]


class _Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Seen(_Frozen, frozen=True, kw_only=True):
    """A rollout as the controller has it at one moment; a rehearsal writes the same (`seen.json`)."""

    schema_version: int = 1
    namespace: str
    rollout: str
    image: str  # digest of the image that the Deployment asks for
    rollback: bool  # the Deployment says that a person goes back to that image
    phase: Phase  # healthy: that image serves everything; aborted: the one before does; paused: for a person to decide
    cause: Cause | None  # of an end; None while it goes on
    detail: str  # the controller's own words
    at: float  # when it was looked at


class Traffic(_Frozen, frozen=True, kw_only=True):
    """What the clients of one arm have seen since the start."""

    requests: int
    errors: int  # answers of 400 or more, and none at all
    p95: float | None  # seconds; None before the first answer


class Tick(_Frozen, frozen=True, kw_only=True):
    """A rehearsal at one moment: what the live view draws, one line of ticks.jsonl."""

    at: float
    step: int  # of the Rollout, as its `currentStepIndex`
    steps: int
    weight: float
    phase: Phase
    traffic: Mapping[Arm, Traffic]
    truths: int  # that were told so far
    verdict: Verdict | None  # the judge's answer to a person; None before it was asked


class Rehearsed(_Frozen, frozen=True, kw_only=True):
    """result.json of a rehearsal: how it ended."""

    schema_version: int = 1
    environment: str
    stable: str  # version
    canary: str
    image: str  # digest of the canary's image
    outcome: Literal["promoted", "aborted", "inconclusive"]
    cause: Cause | None  # of an end that the controller or the judge has made; None of an inconclusive one
    message: str  # the controller's words
    evidence: Evidence | None  # the judge's; None where it was never asked, as in a first deployment
    traffic: Mapping[Arm, Traffic]
    seconds: float
    seed: int
    arguments: tuple[str, ...]  # of `slipway rehearse`, to play the same again; no address and no password is in them


class Replayed(_Frozen, frozen=True, kw_only=True):
    """What `slipway replay` has sent to one address."""

    schema_version: int = 1
    to: str
    host: str | None  # the name that was asked for, where it is not that of the address
    seconds: float
    traffic: Traffic
    statuses: Mapping[str, int]  # requests by the status of the answer, or `none`
    truths: int  # that were taken
    seed: int
