"""The ledger in a SQLite file, and what needs no database at all; PostgreSQL runs the same bodies in tests/full."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from tests.ledger import bodies
from tests.ledger.bodies import *  # noqa: F403  # the tests
from tests.ledger.world import origin, prediction, told

from slipway.adapters.ledger import Ledger, opening
from slipway.errors import Broken

FAULTS = {
    "arrival time instead of the request's": (
        partial(told, answered_at=lambda of, label: label.received_at if label else of.at),
        bodies.holds_the_cut_off,
    ),
    "age of a label instead of the cell's cut-off": (
        partial(told, counts=lambda label, _: label.received_at < label.origin.at + 25.0),
        bodies.holds_the_cut_off,
    ),
    "no cut-off": (partial(told, counts=lambda *_: True), bodies.holds_the_cut_off),
    "a duplicate label counted": (told, bodies.holds_that_a_label_counts_once),
    "rows instead of calls": (partial(told, call_of=lambda of: of.id), bodies.holds_that_a_call_counts_once),
}


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Name a new file each time."""
    folder, numbers = tmp_path_factory.mktemp("ledger"), count()
    return lambda: f"sqlite:///{folder / f'it is #{next(numbers)}.db'}"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_breaks_its_rule(fault: str) -> None:
    """What the rules are there for: a look with the fault is told from ours by the very check that ours passes."""
    read, holds = FAULTS[fault]
    with pytest.raises(AssertionError):
        holds(read)


def test_a_reader_leaves_the_file_as_it_is(fresh: Callable[[], str]) -> None:
    """Not one byte of the database changes under a look."""
    url = fresh()
    writer = Ledger(url)
    writer.add([prediction(origin("a", 1.0))])
    writer.close()
    path = Path(url.removeprefix("sqlite:///"))
    before = path.read_bytes()

    reader = Ledger(url, read_only=True)
    bodies.look(reader)
    reader.close()

    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "url",
    [
        "s3cret",
        "sqlite://",
        "sqlite:////nowhere/s.db",
        "mysql://user:s3cret@127.0.0.1/name",
        "postgresql+psycopg2://user:s3cret@127.0.0.1/name",
        "postgresql+psycopg://user:s3cret@127.0.0.1:port/name",
        "postgresql+psycopg://user:a@s3cret@127.0.0.1/name",
        "postgresql+psycopg://user:s3cret@127.0.0.1:1/name",
        "postgresql+psycopg://user@127.0.0.1:1/name?password=s3cret",
    ],
)
@pytest.mark.parametrize("read_only", [False, True])
def test_a_bad_address_is_refused_without_its_password(url: str, read_only: bool) -> None:
    """What cannot be opened is Broken, with a remedy, and no part of the message, nor its cause, has the password."""
    with pytest.raises(Broken) as caught:
        Ledger(url, read_only=read_only)
    assert "s3cret" not in f"{caught.value.what} {caught.value.remedy} {caught.value.__cause__!r}"
    assert caught.value.remedy


def test_nothing_is_stored_in_a_file_that_is_gone(fresh: Callable[[], str]) -> None:
    """The file of an open ledger is removed: an error, until it is opened anew. A reader finds the new one."""
    url = fresh()
    path = Path(url.removeprefix("sqlite:///"))
    ledger = Ledger(url)
    ledger.add([prediction(origin("a", 1.0))])
    reader = Ledger(url, read_only=True)
    assert reader.truths(["a"]) == {"a": None}
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    with pytest.raises(Broken, match="no such table"):
        ledger.add([prediction(origin("b", 2.0))])
    assert Ledger(url).add([prediction(origin("b", 2.0))]) == 1
    assert reader.truths(["a", "b"]) == {"b": None}
    assert ledger.add([prediction(origin("b", 2.0)), prediction(origin("c", 3.0))]) == 1


def test_a_lock_is_waited_for_once(fresh: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for as long as a lock is waited for, times the tries that a collision would take."""
    pauses: list[float] = []
    monkeypatch.setattr(opening, "WAIT_SECONDS", 0.2)
    monkeypatch.setattr(opening, "sleep", pauses.append)
    url = fresh()
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("CREATE TABLE any (one)")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Broken, match="locked"):
        Ledger(url)
    other.close()
    assert len(pauses) <= 1


def test_a_file_may_name_the_database_that_is_migrated(fresh: Callable[[], str], tmp_path: Path) -> None:
    """As a mounted Secret does; an empty one, a missing one and somebody else's database end with 2."""
    url, named = fresh(), tmp_path / "url"
    named.write_text(f"{url}\n")
    command = [sys.executable, "-m", "slipway", "ledger", "migrate", "--ledger"]
    done = subprocess.run([*command, str(named)], capture_output=True, text=True, check=True)
    assert "made the tables" in done.stdout
    other = fresh()
    with sqlite3.connect(other.removeprefix("sqlite:///")) as connection:
        connection.execute("CREATE TABLE experiments (id INTEGER)")
    named.write_text("")
    for wrong, says in ((other, "something else"), (str(named), "cannot be read"), (str(tmp_path / "none"), "none")):
        done = subprocess.run([*command, wrong], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert says in done.stderr
