"""What a caller sends and gets, made from the catalogue: the fields are the columns that the features read.

The decoder checks every value while it parses. It says no quickly, but in its own words: `explain` then looks at the
refused body again, field by field with the same types, and says in plain words which value is wrong and what is right.
"""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Annotated, Any, Literal

import msgspec

from slipway import features, schema
from slipway.schema import COLUMNS, Column, Kind

MAX_ROWS = 1000
MAX_BYTES = 1 << 20
MAX_ID = 512  # characters
RESULTS = {  # what becomes of a truth, and the status that says so
    "stored": 200,
    "same": 200,
    "conflict": 409,
    "malformed": 422,
    "future": 422,
    "key": 403,
    "forged": 403,
    "foreign": 403,
}
FIELDS = tuple(COLUMNS[name] for name in features.READ)
CLOCKS = tuple(clock for clock in range(2400) if schema.valid_clock(clock))

TYPES: dict[Kind, Callable[[Column], Any]] = {
    Kind.CATEGORY: lambda column: Literal[column.choices],
    Kind.CLOCK: lambda _: Literal[CLOCKS],
    Kind.DATE: lambda _: date,
    Kind.NUMBER: lambda column: Annotated[float, msgspec.Meta(ge=column.low, le=column.high)],
    Kind.TEXT: lambda _: Annotated[str, msgspec.Meta(max_length=64)],
}
EXPECTED: dict[Kind, Callable[[Column], str]] = {
    Kind.CATEGORY: lambda column: f"one of {', '.join(column.choices)}",
    Kind.CLOCK: lambda _: "a local time as HHMM, an integer from 0 to 2359 with minutes below 60, such as 1745",
    Kind.DATE: lambda _: "a calendar day as YYYY-MM-DD, such as 2013-05-17",
    Kind.NUMBER: lambda column: f"a number from {column.low:g} to {column.high:g}",
    Kind.TEXT: lambda _: "a text of at most 64 characters",
}


def _type(column: Column) -> Any:  # noqa: ANN401  # a type, as msgspec reads them
    kind = TYPES[column.kind](column)
    return kind if column.required else kind | None


Flight = msgspec.defstruct(
    "Flight",
    [(column.name, _type(column)) if column.required else (column.name, _type(column), None) for column in FIELDS],
    kw_only=True,
    forbid_unknown_fields=True,
    gc=False,
)
"""One flight as a caller sends it. Fields in the order of features.READ."""

KNOWN = {column.name: _type(column) for column in FIELDS}  # built once: to explain an error takes the loop's time
Flights = Annotated[list[Flight], msgspec.Meta(min_length=1, max_length=MAX_ROWS)]  # type: ignore[valid-type]  # made above
DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Flight | Flights)


class Prediction(msgspec.Struct, gc=False):
    """The answer for one flight."""

    probability: float  # that the flight arrives late
    late: bool  # the decision: late if the probability is at or above the model's threshold
    version: str  # of the release that answered
    model: str  # first digits of the model's digest
    id: str | msgspec.UnsetType = msgspec.UNSET  # to say the truth by, later; absent where nothing is remembered


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a request was refused. `reason` is one of few words, for the metrics; the rest is for the caller."""

    status: int
    reason: str
    error: str
    field: str | None = None
    row: int | None = None  # from 0, in a request with many flights
    allowed: str | tuple[str, ...] | None = None


class Refused(Exception):
    """A request is refused, because of `problem`."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.error)
        self.problem = problem


def decode(body: bytes) -> tuple[Sequence[Any], bool]:
    """Return the flights of a request, and whether it was an array.

    Raises:
        Refused: the body is not one flight, or 1 to MAX_ROWS of them.

    """
    try:
        decoded = DECODER.decode(body)
    except (ValueError, RecursionError) as error:  # ValueError: msgspec's errors, and bytes that are no UTF-8
        raise Refused(explain(body, str(error))) from None
    return (decoded, True) if isinstance(decoded, list) else ((decoded,), False)


def explain(body: bytes, otherwise: str) -> Problem:
    """Say what is wrong with a refused body; `otherwise` is said of one in which nothing is found."""
    try:
        value = msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:
        return Problem(400, "json", f"The body is not valid JSON: {error}.")
    many = isinstance(value, list)
    rows = value if many else [value]
    if not 1 <= len(rows) <= MAX_ROWS:
        return Problem(422, "rows", f"The request holds {len(rows)} flights; send 1 to {MAX_ROWS}.")
    for number, row in enumerate(rows):
        if problem := flaw(row):
            where = {"row": number, "error": f"Row {number}: {problem.error}"} if many else {}
            return msgspec.structs.replace(problem, **where)
    return Problem(422, "value", f"The request is refused: {otherwise}.")


def flaw(row: Any) -> Problem | None:  # noqa: ANN401  # whatever the caller sent
    """Find the first thing wrong with one flight, None if there is nothing."""
    if not isinstance(row, dict):
        return Problem(422, "type", f"A flight is an object with named fields, not {shown(row)}.")
    for name in row:
        if name not in KNOWN:
            error = f"{shown(name)} is not a field of a flight."
            return Problem(422, "unknown", error, shown(name), allowed=tuple(KNOWN))
    for column in FIELDS:
        expected = EXPECTED[column.kind](column)
        if column.name not in row:
            if column.required:
                error = f"{column.name} is missing; it must be {expected}."
                return Problem(422, "missing", error, column.name, allowed=column.choices or expected)
        elif not _fits(row[column.name], column):
            error = f"{column.name} is {shown(row[column.name])}; it must be {expected}."
            return Problem(422, "value", error, column.name, allowed=column.choices or expected)
    return None


def shown(value: Any) -> str:  # noqa: ANN401  # JSON values, of any shape
    """Render a value for a sentence, cut to a length that a person reads."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 40 else f"{text[:40]}..."


def _fits(value: Any, column: Column) -> bool:  # noqa: ANN401  # JSON values, of any shape
    try:
        msgspec.convert(value, KNOWN[column.name])
    except msgspec.ValidationError:
        return False
    return True


class Truth(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody has learnt about a prediction."""

    id: Annotated[str, msgspec.Meta(max_length=MAX_ID)]
    late: bool  # it arrived 15 minutes late or more
    rating: Annotated[int, msgspec.Meta(ge=1, le=5)] | None = None


class Receipt(msgspec.Struct, omit_defaults=True):
    """What became of one truth. `status` is that of HTTP; only 200 is taken."""

    id: str
    status: int
    result: str
    error: str | None = None


TRUTHS: msgspec.json.Decoder[Truth | list[Truth]] = msgspec.json.Decoder(
    Truth | Annotated[list[Truth], msgspec.Meta(min_length=1, max_length=MAX_ROWS)]
)


def decode_truths(body: bytes) -> tuple[list[Truth], bool]:
    """Return the truths of a request, and whether it was an array.

    Raises:
        Refused: the body is not one truth, or 1 to MAX_ROWS of them.

    """
    try:
        decoded = TRUTHS.decode(body)
    except msgspec.ValidationError as error:
        sentence = f"The feedback is refused: {error}. Send id, late, and rating (1 to 5) if there is one."
        raise Refused(Problem(422, "value", sentence)) from None
    except (ValueError, RecursionError) as error:
        raise Refused(Problem(400, "json", f"The body is not valid JSON: {error}.")) from None
    return (decoded, True) if isinstance(decoded, list) else ([decoded], False)
