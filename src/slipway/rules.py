"""What each batch of data is held to: the catalogue and `validate` of params.yaml, as a list of checks.

A check names an expectation of Great Expectations; nothing here needs the library, which takes seconds to import.
"""

import calendar
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from slipway import schema
from slipway.errors import Broken
from slipway.params import Validate
from slipway.records import CheckedMonth
from slipway.schema import Column, Kind

REMEDIES = {  # by rule: the keys of `validate`, in the order in which they are checked
    "columns": "Add or drop the columns, or change the catalogue in src/slipway/schema.py.",
    "types": "Write the column with the type its kind in src/slipway/schema.py asks for.",
    "nulls": "Fill the values at their source, or allow a larger share in validate.nulls of params.yaml.",
    "choices": "Correct the code, or add the new one to src/slipway/schema.py: the request contract grows with it.",
    "ranges": "Correct the values at their source, or widen the range in src/slipway/schema.py.",
    "duplicates": "Remove the repeated rows.",
    "contiguous": "Add the file of that month, or remove those of all months before it.",
    "row_count": "See whether the month is complete; if it is, raise validate.row_count in params.yaml.",
    "target_rate": f"See whether {schema.TRUTH} is what it was; if so, raise validate.target_rate in params.yaml.",
}

_INTEGERS = tuple(f"{sign}Int{bits}Dtype" for sign in ("", "U") for bits in (8, 16, 32, 64))
_TYPES = {
    Kind.CATEGORY: ("StringDtype",),
    Kind.TEXT: ("StringDtype",),
    Kind.DATE: ("datetime64[ms]",),
    Kind.CLOCK: _INTEGERS,
    Kind.NUMBER: (*_INTEGERS, "Float32Dtype", "Float64Dtype"),
}
_CLOCKS = tuple(filter(schema.valid_clock, range(2400)))


@dataclass(frozen=True)
class Check:
    """One expectation: the rule it belongs to, its class in the library, what it asks in words and as arguments."""

    rule: str
    expectation: str
    columns: tuple[str, ...]  # what it reads; none: the table as a whole
    asks: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Failure:
    """A check that did not hold: for `count` of the rows, with at most three of them, as text."""

    where: str  # the table, and its month
    check: Check
    columns: tuple[str, ...]
    count: int
    observed: str
    rows: tuple[str, ...]


def of_table(table: str, month: str | None, params: Validate) -> tuple[Check, ...]:
    """Everything that is asked of the rows of one file; `month` (YYYY-MM) is the one that its name gives."""
    key = [schema.COLUMNS[name] for name in schema.KEYS[table]]
    columns = (
        *(replace(column, required=True) for column in key if column.table != table),
        *(column for column in schema.CATALOGUE if column.table == table),
    )
    names = tuple(column.name for column in columns)
    checks = [
        Check("columns", "ExpectTableColumnsToMatchSet", (), "the catalogue's columns", {"column_set": list(names)}),
        *(check for column in columns for check in _of_column(column, params.nulls or {}, month)),
        _unique(schema.KEYS[table]),
    ]
    return tuple(check for check in checks if getattr(params, check.rule) not in (None, False))


def of_months(params: Validate) -> tuple[Check, ...]:
    """What is asked of the calendar: a row per month from the first to the last, with the file of each table."""
    return tuple(
        _column("contiguous", "ExpectColumnValuesToNotBeNull", table, "a file for every month")
        for table in schema.MONTHLY
        if params.contiguous
    )


def of_row_count(params: Validate, previous: CheckedMonth | None) -> tuple[Check, ...]:
    """How many flights a month may have, by the month before it; the first may have any number but none."""
    if params.row_count is None:
        return ()
    low, high, asks = 1, None, "at least one row"
    if previous and previous.rows:
        low = max(1, round(previous.rows * (1 - params.row_count)))
        high = round(previous.rows * (1 + params.row_count))
        asks = f"{low:,} to {high:,} rows after {previous.rows:,} in {previous.month}"
    arguments = {"min_value": low, "max_value": high}
    return (Check("row_count", "ExpectTableRowCountToBeBetween", (), asks, arguments),)


def of_target_rate(params: Validate, previous: CheckedMonth | None) -> tuple[Check, ...]:
    """Which share of the flights may be late, by the month before it; the first is compared with nothing."""
    if params.target_rate is None or previous is None or previous.late_share is None:
        return ()
    before = previous.late_share
    low, high = max(0.0, before - params.target_rate), min(1.0, before + params.target_rate)
    asks = f"{low:.3f} to {high:.3f} of the flights late after {before:.3f} in {previous.month}"
    return (_column("target_rate", "ExpectColumnMeanToBeBetween", "late", asks, min_value=low, max_value=high),)


def refuse_unknown_nulls(params: Validate) -> None:
    """Stop if a share of missing values is allowed to a column that does not exist, or is never missing.

    Raises:
        Broken: it would look like a rule and check nothing.

    """
    optional = {column.name for column in schema.CATALOGUE if not column.required}
    if unknown := sorted(set(params.nulls or {}) - optional):
        raise Broken(
            f"validate.nulls of params.yaml names {', '.join(unknown)}, which may not be missing or does not exist",
            f"Name columns of src/slipway/schema.py that are not required: {', '.join(sorted(optional))}.",
        )


def _of_column(column: Column, nulls: Mapping[str, float], month: str | None) -> Iterator[Check]:
    name, types = column.name, list(_TYPES[column.kind])
    yield _column("types", "ExpectColumnValuesToBeInTypeList", name, f"the type of a {column.kind}", type_list=types)
    allowed = 0.0 if column.required else nulls.get(name)
    if allowed is not None:
        asks = f"at most {allowed:.0%} missing" if allowed else "no value missing"
        yield _column("nulls", "ExpectColumnValuesToNotBeNull", name, asks, mostly=1 - allowed)
    if column.choices:
        asks = f"one of the {len(column.choices)} known values"
        yield _column("choices", "ExpectColumnValuesToBeInSet", name, asks, value_set=list(column.choices))
    if column.kind is Kind.CLOCK:
        yield _column("ranges", "ExpectColumnValuesToBeInSet", name, "a time as HHMM", value_set=list(_CLOCKS))
    if column.kind is Kind.NUMBER:
        asks, bounds = f"{column.low:g} to {column.high:g}", {"min_value": column.low, "max_value": column.high}
        yield _column("ranges", "ExpectColumnValuesToBeBetween", name, asks, **bounds)
    if column.kind is Kind.DATE and month:
        # A set of at most 31 days: the library compares ranges value by value, ten times slower on dates.
        yield _column("ranges", "ExpectColumnValuesToBeInSet", name, f"a day of {month}", value_set=_days(month))


def _days(month: str) -> list[datetime]:
    year, number = map(int, month.split("-"))
    return [datetime(year, number, day + 1) for day in range(calendar.monthrange(year, number)[1])]  # noqa: DTZ001  # local days


def _unique(key: tuple[str, ...]) -> Check:
    asks = f"one row per {', '.join(key)}"
    if len(key) == 1:
        return _column("duplicates", "ExpectColumnValuesToBeUnique", key[0], asks)
    arguments = {"column_list": list(key)}
    return Check("duplicates", "ExpectCompoundColumnsToBeUnique", key, asks, arguments)


def _column(rule: str, expectation: str, name: str, asks: str, **arguments: object) -> Check:
    return Check(rule, expectation, (name,), asks, {"column": name, **arguments})
