"""The catalogue of columns: what they are called, what values they may hold, and when each is known.

`validate` holds the data against it, `features` may use only what is known before departure, and the service derives
its request contract from it. A column that is declared "before departure" and is not lets the future leak into
training: no offline test can see that, only live truth can.

What a column is stands first; what is asked, and of which data, from VERSION on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Known(StrEnum):
    """When a value is known. Only what is known before departure may become a feature."""

    BEFORE = "before departure"
    AFTER = "after departure"


class Kind(StrEnum):
    """How values of a column look."""

    CATEGORY = "category"  # one of `choices`
    DATE = "date"  # ISO 8601 calendar day
    CLOCK = "clock"  # local time as HHMM, an integer from 0 to 2359
    NUMBER = "number"  # from `low` to `high`
    TEXT = "text"


@dataclass(frozen=True)
class Column:
    """One column of one table; `required` ones are never missing."""

    name: str
    table: str
    kind: Kind
    known: Known
    about: str
    required: bool = False
    choices: tuple[str, ...] = ()
    low: float = float("-inf")
    high: float = float("inf")


def _number(name: str, table: str, low: float, high: float, about: str, *, known: Known = Known.BEFORE) -> Column:
    return Column(name, table, Kind.NUMBER, known, about, low=low, high=high)


def minute_of_day(clock: int) -> int:
    """Turn local HHMM into minutes since midnight, 0 to 1439."""
    return clock // 100 * 60 + clock % 100


def valid_clock(clock: int) -> bool:
    """Whether an integer reads as HHMM: 1275 does not."""
    return 0 <= clock <= 2359 and clock % 100 < 60


VERSION = 1  # of the request contract; raised when a request that was valid no longer is
QUESTION = "Will the flight be late?"
TRUTH, TARGET = "arr_delay", 15  # late: this column, a number, holds so much or more; where it is missing nobody knows
LATE = f"a flight arrives {TARGET} minutes late or more"  # the same in words

ORIGINS = ("EWR", "JFK", "LGA")
CARRIERS = ("9E", "AA", "AS", "B6", "DL", "EV", "F9", "FL", "HA", "MQ", "OO", "UA", "US", "VX", "WN", "YV")
DESTINATIONS = (
    *("ABQ", "ACK", "ALB", "ANC", "ATL", "AUS", "AVL", "BDL", "BGR", "BHM", "BNA", "BOS", "BQN", "BTV", "BUF", "BUR"),
    *("BWI", "BZN", "CAE", "CAK", "CHO", "CHS", "CLE", "CLT", "CMH", "CRW", "CVG", "DAY", "DCA", "DEN", "DFW", "DSM"),
    *("DTW", "EGE", "EYW", "FLL", "GRR", "GSO", "GSP", "HDN", "HNL", "HOU", "IAD", "IAH", "ILM", "IND", "JAC", "JAX"),
    *("LAS", "LAX", "LEX", "LGA", "LGB", "MCI", "MCO", "MDW", "MEM", "MHT", "MIA", "MKE", "MSN", "MSP", "MSY", "MTJ"),
    *("MVY", "MYR", "OAK", "OKC", "OMA", "ORD", "ORF", "PBI", "PDX", "PHL", "PHX", "PIT", "PSE", "PSP", "PVD", "PWM"),
    *("RDU", "RIC", "ROC", "RSW", "SAN", "SAT", "SAV", "SBN", "SDF", "SEA", "SFO", "SJC", "SJU", "SLC", "SMF", "SNA"),
    *("SRQ", "STL", "STT", "SYR", "TPA", "TUL", "TVC", "TYS", "XNA"),
)

CATALOGUE = (
    Column("date", "flights", Kind.DATE, Known.BEFORE, "day of scheduled departure, local", required=True),
    Column("sched_dep_time", "flights", Kind.CLOCK, Known.BEFORE, "scheduled departure, local HHMM", required=True),
    Column("carrier", "flights", Kind.CATEGORY, Known.BEFORE, "IATA code of the airline", True, CARRIERS),
    Column("origin", "flights", Kind.CATEGORY, Known.BEFORE, "airport of departure", True, ORIGINS),
    Column("dest", "flights", Kind.CATEGORY, Known.BEFORE, "airport of arrival", True, DESTINATIONS),
    Column("flight", "flights", Kind.NUMBER, Known.BEFORE, "flight number", True, low=1, high=9999),
    Column("tailnum", "flights", Kind.TEXT, Known.BEFORE, "registration of the aircraft"),
    Column("distance", "flights", Kind.NUMBER, Known.BEFORE, "miles between airports", True, low=10, high=6000),
    _number("dep_delay", "flights", -120, 2880, "minutes of delay at departure", known=Known.AFTER),
    _number("arr_delay", "flights", -180, 2880, "minutes of delay at arrival: the truth", known=Known.AFTER),
    Column("hour", "weather", Kind.NUMBER, Known.BEFORE, "local hour of the reading", True, low=0, high=23),
    _number("temp", "weather", -40, 130, "°F at the origin, in the scheduled hour (live: forecast)"),
    _number("dewp", "weather", -60, 100, "dew point, °F"),
    _number("humid", "weather", 0, 100, "relative humidity, %"),
    _number("wind_dir", "weather", 0, 360, "degrees"),
    _number("wind_speed", "weather", 0, 120, "miles per hour"),
    _number("wind_gust", "weather", 0, 160, "miles per hour"),
    _number("precip", "weather", 0, 10, "inches in the hour"),
    _number("pressure", "weather", 900, 1100, "millibars at sea level"),
    _number("visib", "weather", 0, 20, "miles"),
    _number("seats", "planes", 1, 900, "seats of the aircraft"),
    _number("year", "planes", 1930, 2030, "year the aircraft was built"),
)
COLUMNS = {column.name: column for column in CATALOGUE}
TABLE = "flights"  # of which a request asks about a row
KEYS = {
    TABLE: ("date", "carrier", "flight", "origin", "dest", "sched_dep_time"),
    "weather": ("date", "hour", "origin"),
    "planes": ("tailnum",),
}
"""By table, the columns in which no two of its rows agree; those of another table are what joins it."""
MONTHLY = (TABLE, "weather")  # have a file a month; the others are one file
CLIENT = ("carrier", "flight")  # who asks, where a rehearsal keeps a client with one arm

HOUR_BANDS = {0: "00-06", 6: "06-10", 10: "10-14", 14: "14-18", 18: "18-24"}  # by their first hour


def hour_band(clock: int) -> str:
    """Name the part of the day in which a local HHMM lies."""
    return next(band for first, band in reversed(HOUR_BANDS.items()) if clock // 100 >= first)


SLICES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "origin": ("origin", str),
    "carrier": ("carrier", str),
    "hour": ("sched_dep_time", hour_band),
}
"""The groups in which a model must hold: by their kind, a column, and the group that a value of it belongs to."""
