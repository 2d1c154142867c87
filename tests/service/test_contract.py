"""The request contract, in this process: what is refused is refused in words, and nothing else happens on any input."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import contract
from contract import FIELDS, Refused, decode
from slipway import features, schema
from slipway.schema import CARRIERS, Kind

from .conftest import FLIGHT

GENEROUS = settings(max_examples=300, derandomize=True)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4))
NAMES = st.sampled_from([column.name for column in FIELDS]) | st.text(max_size=3)
RIGHT = {
    Kind.CATEGORY: lambda column: st.sampled_from(column.choices),
    Kind.CLOCK: lambda _: st.sampled_from(contract.CLOCKS),
    Kind.DATE: lambda _: st.dates().map(str),
    Kind.NUMBER: lambda column: st.floats(column.low, column.high) | st.integers(int(column.low), int(column.high)),
}
FLIGHTS = st.fixed_dictionaries(
    {column.name: RIGHT[column.kind](column) for column in FIELDS if column.required},
    optional={column.name: RIGHT[column.kind](column) | st.none() for column in FIELDS if not column.required},
)


def refusal(body: Any) -> contract.Problem:
    """Decode something that must be refused."""
    with pytest.raises(Refused) as caught:
        decode(body if isinstance(body, bytes) else json.dumps(body).encode())
    return caught.value.problem


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"carrier": "ZZ"}, "carrier", "carrier is ZZ; it must be one of 9E, AA, AS"),
        ({"carrier": None}, "carrier", "carrier is null"),
        ({"dest": "jfk"}, "dest", "dest is jfk; it must be one of ABQ"),
        ({"sched_dep_time": 1275}, "sched_dep_time", "sched_dep_time is 1275; it must be a local time as HHMM"),
        ({"sched_dep_time": 2400}, "sched_dep_time", "sched_dep_time is 2400"),
        ({"sched_dep_time": -1}, "sched_dep_time", "sched_dep_time is -1"),
        ({"sched_dep_time": "17:45"}, "sched_dep_time", "sched_dep_time is 17:45"),
        ({"sched_dep_time": True}, "sched_dep_time", "sched_dep_time is true"),
        ({"date": "2013-02-30"}, "date", "date is 2013-02-30; it must be a calendar day as YYYY-MM-DD"),
        ({"date": 20130217}, "date", "date is 20130217"),
        ({"temp": 131}, "temp", "temp is 131; it must be a number from -40 to 130"),
        ({"temp": "warm"}, "temp", "temp is warm; it must be a number"),
        ({"temp": [1]}, "temp", "temp is [1]"),
        ({"arr_delay": 3}, "arr_delay", "arr_delay is not a field of a flight"),
        ({"x" * 99: 3}, "x" * 40 + "...", "is not a field of a flight"),
    ],
)
def test_a_wrong_value_is_named(change: dict[str, Any], field: str, says: str) -> None:
    """The answer names the field, its value and what is allowed; in an array it also names the row."""
    problem = refusal(FLIGHT | change)
    assert (problem.status, problem.field, problem.row) == (422, field, None)
    assert says in problem.error
    assert problem.allowed

    problem = refusal([FLIGHT, FLIGHT | change])
    assert (problem.status, problem.field, problem.row) == (422, field, 1)
    assert problem.error.startswith("Row 1: ")
    assert says in problem.error


@pytest.mark.parametrize("name", [column.name for column in FIELDS if column.required])
def test_a_missing_field_is_named(name: str) -> None:
    """Each required field that is missing is named, with what it should be."""
    problem = refusal({key: value for key, value in FLIGHT.items() if key != name})
    assert (problem.status, problem.field, problem.reason) == (422, name, "missing")


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 400, "not valid JSON"),
        (b"{", 400, "not valid JSON"),
        (b'{"carrier": "\xff"}', 400, "not valid JSON"),
        (b'{"temp": NaN}', 400, "not valid JSON"),
        (b"[" * 100_000, 400, "not valid JSON"),
        (b"[]", 422, "holds 0 flights"),
        (json.dumps([FLIGHT] * 1001).encode(), 422, "holds 1001 flights; send 1 to 1000"),
        (b"3", 422, "not 3"),
        (b'[{"a": 1}, 3]', 422, "Row 0"),
        (b"[[]]", 422, "Row 0: A flight is an object with named fields, not []"),
    ],
)
def test_a_wrong_shape_is_said(body: bytes, status: int, says: str) -> None:
    """Broken JSON is 400, a wrong shape 422, each in a sentence."""
    problem = refusal(body)
    assert problem.status == status
    assert says in problem.error


def test_allowed_values_are_listed() -> None:
    """For a category the answer holds the choices as a list, for a program to use."""
    assert refusal(FLIGHT | {"carrier": "ZZ"}).allowed == CARRIERS


def test_explaining_builds_no_types(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long body that is wrong in its last row is explained with types that exist: building one costs 0.1 ms."""

    def built(_: Any) -> Any:
        raise AssertionError("a type is built while a caller waits")

    monkeypatch.setattr(contract, "TYPES", dict.fromkeys(contract.TYPES, built))
    assert refusal([FLIGHT] * 999 + [FLIGHT | {"carrier": "ZZ"}]).row == 999


def test_every_clock_time_and_no_other_is_taken() -> None:
    """HHMM: all 1,440 minutes of a day, and nothing between."""
    assert len(contract.CLOCKS) == 1440
    for clock in range(-5, 2500):
        body = json.dumps(FLIGHT | {"sched_dep_time": clock}).encode()
        if schema.valid_clock(clock):
            assert decode(body)[0][0].sched_dep_time == clock
        else:
            assert refusal(body).field == "sched_dep_time"


def test_fields_are_what_the_features_read() -> None:
    """A feature's column becomes a field without anything else being changed, in the order that the encoder expects."""
    assert contract.Flight.__struct_fields__ == features.READ


@GENEROUS
@given(st.binary())
def test_any_bytes_are_refused_or_taken(body: bytes) -> None:
    """Random bytes never raise anything but a refusal with a status of 4xx and a sentence."""
    problem = refusal(body)
    assert 400 <= problem.status < 500
    assert problem.error.endswith(".")


@GENEROUS
@given(JSON | st.lists(st.dictionaries(NAMES, SCALARS), max_size=3))
def test_any_json_is_refused_or_taken(value: Any) -> None:
    """Random JSON, near flights too, never raises anything but a refusal of 4xx."""
    assert 400 <= refusal(value).status < 500


@GENEROUS
@given(FLIGHTS, NAMES, SCALARS)
def test_the_words_agree_with_the_decoder(flight: dict[str, Any], name: str, value: Any) -> None:
    """A flight with one value replaced at random is refused by the decoder exactly if the explanation finds a flaw."""
    changed = flight | {name: value}
    flaw = contract.flaw(json.loads(json.dumps(changed)))
    try:
        decode(json.dumps(changed).encode())
    except Refused as refused:
        found = refused.problem
    else:
        found = None
    assert found == flaw or (found is not None and found.status == 400)


@GENEROUS
@given(FLIGHTS)
def test_right_flights_are_taken_and_encoded(flight: dict[str, Any]) -> None:
    """Whatever the contract takes, the features can encode."""
    flights, many = decode(json.dumps(flight).encode())
    assert not many
    values = [getattr(flights[0], name) for name in features.READ]
    assert len(features.row_encoder()(values)) == len(features.NAMES)
