"""What a run has found out about a change.

A run of a pull request runs the pull request's code: what it hands over is a `Report`, which is decoded strictly, and
believed in nothing but its numbers.
"""

import msgspec

from slipway.records import CheckedMonth, GateDecision, Metrics, ModelInfo
from slipway.rollout.records import Rehearsed


class _Frozen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Data(_Frozen, frozen=True, kw_only=True):
    """What data a commit has: the digest of all of it, and the months that passed validation."""

    digest: str
    months: tuple[CheckedMonth, ...]


class Report(_Frozen, frozen=True, kw_only=True):
    """build/report.json: what a run has found out; None is what it did not come to."""

    schema_version: int = 1
    gate: GateDecision | None
    model: ModelInfo | None
    metrics: Metrics | None
    rehearsal: Rehearsed | None
    data: Data | None


NOTHING = Report(gate=None, model=None, metrics=None, rehearsal=None, data=None)
