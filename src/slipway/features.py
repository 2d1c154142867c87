"""What the model sees: one function per feature, used by training on frames and by the service on single requests.

A feature reads one column and encodes each value as a float; a missing value is NaN. Training maps the distinct values
of a column through the same function that the service calls for one flight, so that the two cannot drift apart.

To add a feature, add one line to FEATURES.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from slipway import schema
from slipway.errors import Broken
from slipway.schema import COLUMNS, Known

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

NAN = float("nan")


@dataclass(frozen=True)
class Feature:
    """A named encoding of one column. `choices`: the vocabulary, for a category (its encoding is the position)."""

    name: str
    column: str
    encode: Callable[[Any], float]
    choices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if COLUMNS[self.column].known is not Known.BEFORE:
            raise Broken(
                f"feature {self.name!r} reads {self.column!r}, which the catalogue says is known only after departure",
                "Use only what is known before departure (src/slipway/schema.py).",
            )


def _number(name: str) -> Feature:
    return Feature(name, name, float)


def _category(name: str) -> Feature:
    choices = COLUMNS[name].choices
    positions = {choice: float(position) for position, choice in enumerate(choices)}
    return Feature(name, name, positions.__getitem__, choices)


def _weekday(day: date) -> float:
    return float(day.isoweekday())


def _minute(clock: int) -> float:
    return float(schema.minute_of_day(clock))


FEATURES = (
    Feature("minute", "sched_dep_time", _minute),
    Feature("weekday", "date", _weekday),
    _category("origin"),
    _category("carrier"),
    _category("dest"),
    _number("temp"),
    _number("dewp"),
    _number("humid"),
    _number("wind_dir"),
    _number("wind_speed"),
    _number("wind_gust"),
    _number("precip"),
    _number("pressure"),
    _number("visib"),
    _number("seats"),
    _number("year"),
)
NAMES = tuple(feature.name for feature in FEATURES)
READ = tuple(dict.fromkeys(feature.column for feature in FEATURES))
"""The columns that the features read, each once: the fields of a request."""


def row_encoder(columns: Sequence[str] = READ) -> Callable[[Sequence[Any]], list[float]]:
    """Return a function from one flight's values, in the order of `columns`, to its features, in the order of NAMES."""
    plan = [(columns.index(feature.column), feature.encode) for feature in FEATURES]

    def encode(values: Sequence[Any]) -> list[float]:
        return [NAN if values[at] is None else function(values[at]) for at, function in plan]

    return encode


def matrix(frame: "pl.DataFrame", names: Sequence[str] = NAMES) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """Encode a frame that holds the columns READ, shape (rows, features), in the order of `names`."""
    import polars as pl

    by_name = {feature.name: feature for feature in FEATURES}
    columns = [_encoded(frame[by_name[name].column], by_name[name]).alias(name) for name in names]
    return pl.DataFrame(columns).to_numpy().astype("float32", order="C")


def _encoded(values: "pl.Series", feature: Feature) -> "pl.Series":
    import polars as pl

    if feature.encode is float:  # the same, at once for all
        return values.cast(pl.Float64).fill_null(NAN)
    distinct = values.unique().drop_nulls()
    encoded = pl.Series([feature.encode(value) for value in distinct], dtype=pl.Float64)
    return values.replace_strict(distinct, encoded, default=None, return_dtype=pl.Float64).fill_null(NAN)
