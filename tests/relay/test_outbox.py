"""What the relay keeps on the disk."""

import sqlite3
from pathlib import Path

import pytest

from slipway.adapters.outbox import Outbox
from slipway.errors import Broken


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file in a folder that is not there yet."""
    return tmp_path / "state" / "relay.db"


def test_a_hint_lasts_until_it_was_looked_for_often_enough(path: Path) -> None:
    """The same webhook again begins anew; a look that began before it does not count against it."""
    box = Outbox(path)
    box.hint("a", "b")
    box.hint("a", "b")
    for tries in (0, 1):
        assert box.hints() == {("a", "b"): tries}
        box.looked("a", "b", tries, most=3)
    box.hint("a", "b")
    box.looked("a", "b", 2, most=3)
    assert box.hints() == {("a", "b"): 0}
    box.looked("a", "b", 0, most=0)
    assert box.hints() == {}


def test_an_action_is_kept_once_and_in_order(path: Path) -> None:
    """Another process finds it with what became of the last try."""
    box = Outbox(path)
    assert box.add("second", "staging", "{}")
    assert box.add("first", "staging", "{}")
    assert not box.add("second", "staging", "other")
    number = box.actions()[0].number
    box.tries(number, "broken", "head")
    assert [(one.key, one.tries, one.result) for one in Outbox(path).actions()] == [
        ("second", 1, "broken"),
        ("first", 0, ""),
    ]
    box.tried(number, "ran", "said", 7.0)
    kept = Outbox(path).actions()[0]
    assert (kept.result, kept.said, kept.next, kept.at, kept.action) == ("ran", "said", 7.0, "head", "{}")
    box.done(number)
    assert [one.key for one in Outbox(path).actions()] == ["first"]


def test_a_report_is_worth_telling_once_it_has_lasted(path: Path) -> None:
    """Once; and again when it has come back, or another one has come."""
    box = Outbox(path)
    assert not box.report("staging", "undone", 100.0, 600.0)
    assert not box.report("staging", "undone", 600.0, 600.0)
    assert not box.told("staging")
    assert box.report("staging", "undone", 700.0, 600.0)
    assert box.told("staging")
    assert not box.report("staging", "undone", 900.0, 600.0)
    assert box.report("production", "undone", 900.0, 0.0)
    assert box.report("staging", "paused", 901.0, 0.0)
    assert not box.report("staging", None, 902.0, 0.0)
    assert not box.told("staging")
    assert box.told("production")
    assert not box.report("staging", "undone", 903.0, 600.0)
    assert box.report("staging", "undone", 1503.0, 600.0)


def test_a_word_is_of_an_image(path: Path) -> None:
    """The last one; it says nothing of the next canary."""
    box = Outbox(path)
    box.remember("a", "b", "one", "first")
    box.remember("a", "b", "one", "last")
    assert box.word("a", "b", "one") == "last"
    assert box.word("a", "b", "two") is None


@pytest.mark.parametrize("content", [b"no database at all" * 100, None])
def test_what_is_no_memory_is_left_alone(path: Path, content: bytes | None) -> None:
    """A file of something else, or of another version."""
    path.parent.mkdir()
    if content is None:
        sqlite3.connect(path).execute("PRAGMA user_version = 7")
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(Broken, match=r"relay\.db"):
        Outbox(path)
    assert path.read_bytes() == before


def test_a_disk_that_does_not_take_it_is_told(path: Path) -> None:
    """So that the webhook is not answered as if it were stored."""
    box = Outbox(path)
    box.close()
    with pytest.raises(Broken, match="cannot be written"):
        box.hint("a", "b")
