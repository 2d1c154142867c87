"""What a change of `releases/` may not do: each fault alone, from the texts of one honest history."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests import samples

from slipway import append_only, quarantine, records
from slipway.errors import Broken
from slipway.records import Quarantine, Release, ReleaseEvent, Stable

Texts = dict[str, str]
OTHER = f"sha256:{64 * 'e'}"


def release(version: str, *events: tuple[str, str]) -> Release:
    """A release to which these kinds of events happened, each in an environment, a day apart."""
    return samples.release(version, *(event(*each, day=number) for number, each in enumerate(events, start=1)))


def event(kind: str, environment: str = "production", day: int = 9) -> ReleaseEvent:
    """Something that happened on a day in June."""
    kinds: dict[str, Any] = {"kind": kind}
    return ReleaseEvent(**kinds, environment=environment, at=f"2013-06-{day:02}T00:00:00+00:00", cause=None)


A = release("1.0.0", *((kind, place) for place in ("staging", "production") for kind in ("proposed", "promoted")))
B = release("1.1.0", ("proposed", "production"), ("reverted", "production"))
BARRED = quarantine.bar(
    Quarantine(), B, sparing=[A], environment="production", at="2013-06-02T00:00:00+00:00", cause="verdict"
)
STABLE = Stable(environments={"production": "1.0.0", "staging": "1.0.0"})
BEFORE = {
    "1.0.0.json": records.dumps(A),
    "1.1.0.json": records.dumps(B),
    "stable.json": records.dumps(STABLE),
    "quarantine.json": records.dumps(BARRED),
}


def with_events(record: Any, *events: Any) -> str:
    """A record with these events instead."""
    return records.dumps(msgspec.structs.replace(record, events=events))


def after(**changes: str | None) -> Texts:
    """The texts after a change; `None` removes one. Names are given as v1_0_0, stable, quarantine."""
    texts: dict[str, str | None] = dict(BEFORE)
    texts |= {f"{name.removeprefix('v').replace('_', '.')}.json": text for name, text in changes.items()}
    return {name: text for name, text in texts.items() if text is not None}


def stable(**environments: str) -> str:
    """The recorded stable."""
    return records.dumps(Stable(environments=environments))


def restored_a() -> str:
    """A, restored by a rollback after everything else."""
    return with_events(A, *A.events, event("restored"))


C = release("1.2.0", ("proposed", "production"), ("promoted", "production"))
HONEST = {
    "nothing": after(),
    "a proposal": after(v1_2_0=with_events(C, C.events[0])),
    "a promotion": after(v1_2_0=records.dumps(C), stable=stable(production="1.2.0", staging="1.0.0")),
    "a restoration": after(v1_0_0=restored_a()),
    "a lift": after(
        quarantine=records.dumps(
            quarantine.lift(BARRED, BARRED.events[0].digest, at="2013-06-03T00:00:00+00:00", why="mended")
        )
    ),
    "a promotion by a clock that is a month behind": after(
        v1_2_0=with_events(C, msgspec.structs.replace(C.events[1], at="2013-05-01T00:00:00+00:00")),
        stable=stable(production="1.2.0", staging="1.0.0"),
    ),
    "the same bytes written another way": after(stable=records.dumps(STABLE).replace("\n", "")),
}


@pytest.mark.parametrize("change", HONEST.values(), ids=HONEST)
def test_what_only_adds_is_fine(change: Texts) -> None:
    """Each outcome that a verb may write passes, whatever clocks say; and so does the first state of all."""
    assert append_only.faults(BEFORE, change) == []
    assert append_only.faults({}, BEFORE) == []


FAULTS: dict[str, tuple[Texts, str]] = {
    "record lost": (after(v1_1_0=None), "1.1.0.json: is gone"),
    "quarantine lost": (after(quarantine=None), "quarantine.json: is gone"),
    "event changed": (
        after(v1_1_0=with_events(B, B.events[0], msgspec.structs.replace(B.events[1], why="an accident"))),
        "1.1.0.json: event 2 (reverted in production) was changed",
    ),
    "event removed": (
        after(v1_1_0=with_events(B, B.events[0])),
        "1.1.0.json: event 2 (reverted in production) was removed",
    ),
    "event put in between": (
        after(v1_1_0=with_events(B, B.events[0], event("superseded"), B.events[1])),
        "1.1.0.json: event 2 (reverted in production) was changed",
    ),
    "package changed": (
        after(
            v1_1_0=records.dumps(
                msgspec.structs.replace(B, package=msgspec.structs.replace(B.package, image_digest=OTHER))
            )
        ),
        "1.1.0.json: the package was changed",
    ),
    "gate changed": (
        after(v1_1_0=records.dumps(msgspec.structs.replace(B, gate=msgspec.structs.replace(B.gate, first=False)))),
        "1.1.0.json: the gate's decision was changed",
    ),
    "quarantine forgets": (
        after(quarantine=records.dumps(Quarantine(events=BARRED.events[:-1]))),
        "quarantine.json: event 4 (quarantined in production) was removed",
    ),
    "quarantine rewritten": (
        after(quarantine=records.dumps(Quarantine(events=BARRED.events[::-1]))),
        "quarantine.json: event 1 (quarantined in production) was changed",
    ),
    "stable by hand": (
        after(stable=stable(production="1.1.0", staging="1.0.0")),
        "stable.json: production has 1.1.0, though 1.0.0 was made it last",
    ),
    "stable taken away": (
        after(stable=stable(staging="1.0.0")),
        "stable.json: production has no stable, though 1.0.0 was made it last",
    ),
    "stable not moved": (
        after(v1_2_0=records.dumps(C)),
        "stable.json: production has 1.0.0, though 1.2.0 was made it last",
    ),
    "stable of nowhere": (
        after(stable=stable(production="1.0.0", staging="1.0.0", moon="1.0.0")),
        "stable.json: moon has 1.0.0, though none was made it last",
    ),
    "another's name": (after(v1_9_0=with_events(C, C.events[0])), "1.9.0.json: is about 1.2.0"),
    "unreadable": (after(v1_1_0="{}"), "1.1.0.json holds no valid Release"),
    "unknown key": (after(stable='{"environments": {}, "x": 1}'), "stable.json holds no valid Stable"),
}


@pytest.mark.parametrize(("change", "says"), FAULTS.values(), ids=FAULTS)
def test_each_fault_is_named_alone(change: Texts, says: str) -> None:
    """One sentence that says where and what, and no other."""
    found = append_only.faults(BEFORE, change)
    assert len(found) == 1, found
    assert found[0].startswith(says)


def test_lost_stable_is_two_faults() -> None:
    """The file that is gone, and each environment that it forgets."""
    found = append_only.faults(BEFORE, after(stable=None))
    assert found[0] == "stable.json: is gone"
    assert len(found) == 3


def test_a_stable_that_nobody_made_it_is_seen_in_the_first_state_too() -> None:
    """Without anything before, and when what was trusted was wrong."""
    wrong = after(stable=stable(production="1.1.0", staging="1.0.0"))
    assert append_only.faults({}, wrong) == ["stable.json: production has 1.1.0, though 1.0.0 was made it last"]
    never = "stable.json: production has 1.1.0, which was never promoted or restored there"
    assert append_only.faults(wrong, wrong) == [never]


def test_several_outcomes_at_once_leave_the_last() -> None:
    """A change that brings many commits is held to the newest of what it adds; a tie leaves either."""
    texts = after(v1_2_0=records.dumps(C), v1_0_0=restored_a())
    assert append_only.faults(BEFORE, texts) == []
    assert append_only.faults(BEFORE, texts | {"stable.json": stable(production="1.2.0", staging="1.0.0")})
    tied = texts | {"1.2.0.json": with_events(C, event("promoted"))}
    for version in ("1.0.0", "1.2.0"):
        assert append_only.faults(BEFORE, tied | {"stable.json": stable(production=version, staging="1.0.0")}) == []


def test_what_was_unreadable_before_is_no_verdict() -> None:
    """Nothing can be held against a state that nobody can read."""
    with pytest.raises(Broken, match=r"1\.1\.0\.json holds no valid Release"):
        append_only.faults(after(v1_1_0="{"), after())


@pytest.mark.parametrize("make", [dict, after], ids=["nothing", "something"])
def test_no_change_is_no_fault(make: Callable[[], Texts]) -> None:
    """The same state twice."""
    assert append_only.faults(make(), make()) == []
