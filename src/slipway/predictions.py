"""A prediction that was answered, and the truth about it, as the spool and the ledger keep them."""

from typing import Annotated

import msgspec


class _Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Origin(_Frozen, frozen=True, kw_only=True):
    """What a prediction's signed id says of it."""

    id: str
    call: str  # rows of one request share it: a request is the judge's unit
    at: float  # the server's clock when it answered, seconds since 1970
    environment: str
    release: str
    pod: str  # pod-template hash
    score: float


class Prediction(_Frozen, frozen=True, kw_only=True):
    """One row that was answered."""

    origin: Origin
    features: msgspec.Raw  # the row as it was sent, JSON
    decision: bool


class Outcome(_Frozen, frozen=True, kw_only=True):
    """The truth about one prediction. The id is enough: it is stored even when the prediction is not there yet."""

    origin: Origin
    truth: float  # 0 or 1 for a class
    received_at: float
    rating: Annotated[int, msgspec.Meta(ge=1, le=5)] | None = None


class Counted(_Frozen, frozen=True, kw_only=True):
    """Predictions of one day that are alike: in decision, truth, and all but the last digits of their score."""

    day: int  # since 1970, UTC
    score: float
    decision: bool
    truth: float | None  # None: nobody has told it
    count: int
