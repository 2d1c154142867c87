"""validate: each rule refuses data that break it and nothing else, names what it found, and can be switched off.

Every challenger is the small profile with real rows changed. One worker runs the file: the library is slow to import.
"""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from challengers.data import APRIL, CHALLENGERS, FLIGHTS, MARCH, WEATHER, Challenger, change, put, repeat
from slipway import rules
from slipway.adapters import files
from slipway.errors import Broken, Rejected
from slipway.records import Validation
from slipway.stages import run

OUT = "artifacts/validation.json"


def reasons(refusal: Rejected) -> dict[str, int]:
    """Read a refusal: the head of each reason, and how many rows stand below it."""
    found: dict[str, int] = {}
    for line in refusal.what.splitlines():
        if " · asked: " in line:
            found[line.split(" · asked: ")[0].strip()] = 0
        elif line.startswith("    row "):
            found[list(found)[-1]] += 1
    return found


@pytest.mark.parametrize("challenger", CHALLENGERS.values(), ids=CHALLENGERS)
def test_a_rule_refuses_what_breaks_it_and_only_that(make_project: Callable[[], Any], challenger: Challenger) -> None:
    """Refused for exactly these reasons, each with its remedy, nothing written; accepted with that one rule off."""
    project = make_project()
    for spoil in challenger.changes:
        spoil(project.root / "data")

    with pytest.raises(Rejected) as refusal:
        project.run("validate")
    assert reasons(refusal.value) == challenger.reasons
    assert refusal.value.what.count(f"-> {rules.REMEDIES[challenger.rule]}") == len(challenger.reasons)
    assert not list((project.root / "artifacts").glob("*"))

    project.params(**{f"validate__{challenger.rule}": challenger.off}).run("validate")
    assert files.read_record(Validation, project.root / OUT).rules[challenger.rule] == 0


def test_every_rule_has_a_challenger() -> None:
    """A rule that is added without data that break it fails here."""
    assert {challenger.rule for challenger in CHALLENGERS.values()} == set(rules.REMEDIES)


def test_intact_data_pass_with_the_same_bytes_and_no_noise(make_project: Callable[[], Any], capfd: Any) -> None:
    """Two runs in two folders write the same record of months and rules, and print nothing."""
    first, second = (make_project().run("validate").root / OUT for _ in range(2))

    record = files.read_record(Validation, first)
    assert first.read_bytes() == second.read_bytes()
    assert [month.month for month in record.months] == [MARCH, APRIL]
    assert [month.rows for month in record.months] == [2400, 2400]
    assert all(0.1 < (month.late_share or 0) < 0.4 for month in record.months)
    assert min(record.rules.values()) >= 1
    assert capfd.readouterr() == ("", "")


def test_a_refusal_shows_where_to_look_and_takes_the_old_answer_away(make_project: Callable[[], Any]) -> None:
    """Rows carry date, carrier, flight and the value; reasons of all tables come at once; the old record is gone."""
    project = make_project().run("validate")
    put(FLIGHTS, "distance", -5, 1)(project.root / "data")
    repeat(WEATHER, 1)(project.root / "data")

    with pytest.raises(Rejected, match="2 reason") as refusal:
        project.run("validate")
    assert "row 0: date=2013-04-01 carrier=" in refusal.value.what
    assert "distance=-5\n" in refusal.value.what
    assert "row 2159: date=2013-04-01 hour=" in refusal.value.what
    assert not (project.root / OUT).exists()


def test_text_instead_of_minutes_is_refused_not_a_crash(make_project: Callable[[], Any]) -> None:
    """A check that cannot even be made counts as one that does not hold."""
    project = make_project()
    change(FLIGHTS, lambda frame: frame.with_columns(pl.lit("late").alias("arr_delay")))(project.root / "data")

    with pytest.raises(Rejected) as refusal:
        project.run("validate")
    assert f"flights {APRIL} · arr_delay · types · 2,400 row(s)" in reasons(refusal.value)
    assert "cannot be checked: " in refusal.value.what


def test_no_flights_in_the_only_month_are_refused(make_project: Callable[[], Any]) -> None:
    """Empty tables break no expectation of their values; the first month still needs a row."""
    project = make_project()
    change(f"flights/{MARCH}.parquet", lambda frame: frame.head(0))(project.root / "data")

    with pytest.raises(Rejected) as refusal:
        project.run("validate")
    assert reasons(refusal.value) == {f"flights {MARCH} · whole table · row_count · 0 row(s)": 0}


def test_unreadable_parquet_is_broken(make_project: Callable[[], Any], capsys: Any) -> None:
    """A file cut short is no verdict on the data: exit code 2, its name, what to do, no output."""
    project = make_project()
    path = project.root / "data" / WEATHER
    path.write_bytes(path.read_bytes()[:1000])

    with pytest.raises(SystemExit) as exit_:
        run(lambda: project.run("validate") and None)
    assert exit_.value.code == 2
    assert f"data/{WEATHER} cannot be read as Parquet" in capsys.readouterr().err
    assert not list((project.root / "artifacts").glob("*"))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda flights: [path.unlink() for path in flights.iterdir()], "data/flights holds no Parquet file"),
        (lambda flights: (flights / f"{MARCH}.parquet").rename(flights / "march.parquet"), "data/flights holds march"),
    ],
    ids=["empty", "strange-name"],
)
def test_a_folder_that_holds_no_months_is_broken(make_project: Callable[[], Any], spoil: Any, says: str) -> None:
    """Neither an empty folder nor a file that is no month passes as data without faults; in a process of its own."""
    project = make_project()
    spoil(project.root / "data" / "flights")

    command = [sys.executable, "-m", "slipway.stages.validate", "--data", "data", "--out", OUT]
    ended = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("name", ["tailnumber", "carrier"])
def test_a_share_of_missing_values_must_name_an_optional_column(make_project: Callable[[], Any], name: str) -> None:
    """A misspelt or required column in validate.nulls would be a rule that checks nothing: refused."""
    with pytest.raises(Broken, match=name):
        make_project().params(validate__nulls={name: 0.5}).run("validate")


@pytest.mark.parametrize("name", ["2013-04.Parquet", "april.parquet", "2013-13.parquet"])
def test_a_file_that_is_no_month_is_not_passed_over(make_project: Callable[[], Any], name: str) -> None:
    """A newest month under a name of its own would vanish from the data without a word."""
    project = make_project()
    (project.root / "data" / FLIGHTS).rename(project.root / "data/flights" / name)

    with pytest.raises(Broken, match=name):
        project.run("validate")
