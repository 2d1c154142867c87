"""What was live, and what never was, told from events: a table of what can happen to releases."""

import msgspec
import pytest
from tests import samples

from slipway import history
from slipway.history import Revision
from slipway.records import Evidence, Quarantine, Release, ReleaseEvent, Stable

EVIDENCE = Evidence(
    detail="Brier: the canary is worse.",
    blame="brier",
    requests={"stable": 900.0, "canary": 100.0},
    seconds=60.0,
    abort=4.0,
    abort_needed=3.0,
    attempt=1,
    step=1,
)


def event(words: str, at: str) -> ReleaseEvent:
    """An event from `kind environment`."""
    kind, environment = words.split()
    proved = EVIDENCE if kind == "reverted" else None
    cause = None if kind == "proposed" else "verdict" if kind in ("promoted", "reverted") else "person"
    return msgspec.convert(
        {"kind": kind, "environment": environment, "at": at, "cause": cause, "evidence": proved}, ReleaseEvent
    )


def revisions(*commits: dict[str, list[str]], clock: int = 1) -> list[Revision]:
    """Commits, each with the events that it adds by version; `clock` -1 lets time run backwards."""
    known: dict[str, Release] = {}
    made = []
    for number, commit in enumerate(commits):
        at = f"2013-05-{15 + clock * number:02d}T00:00:00+00:00"
        for version, added in commit.items():
            before = known.get(version, samples.release(version))
            events = (*before.events, *(event(words, at) for words in added))
            known = known | {version: msgspec.structs.replace(before, events=events)}
        made.append(
            Revision(
                commit=f"{number:040d}",
                who="Ana",
                releases=known,
                stable=Stable(environments={}),
                quarantine=Quarantine(),
            )
        )
    return made


def told(*commits: dict[str, list[str]], clock: int = 1) -> tuple[list[str], list[str]]:
    """Spans and attempts in one line each."""
    found = history.tell(history.noted(revisions(*commits, clock=clock)))
    spans = [
        f"{one.version} {one.environment[0]} {one.began.event.kind}"
        + (f", {one.left.version} {one.left.event.kind}" if one.left else "")
        for one in found.spans
    ]
    attempts = [
        " ".join([one.version, one.environment[0], *(end.event.kind for end in one.ends)]) for one in found.attempts
    ]
    return spans, attempts


P, S = "production", "staging"
A_LIVE = ({"1.0.0": [f"proposed {P}"]}, {"1.0.0": [f"promoted {P}"]})
B_LIVE = (*A_LIVE, {"1.1.0": [f"proposed {P}"]}, {"1.1.0": [f"promoted {P}"]})
TABLE = {
    "nothing": ((), [], []),
    "in flight": (A_LIVE[:1], [], ["1.0.0 p"]),
    "first": (A_LIVE, ["1.0.0 p promoted"], []),
    "promoted over another": (B_LIVE, ["1.0.0 p promoted, 1.1.0 promoted", "1.1.0 p promoted"], []),
    "aborted": (
        (*A_LIVE, {"1.1.0": [f"proposed {P}"]}, {"1.1.0": [f"reverted {P}"]}),
        ["1.0.0 p promoted"],
        ["1.1.0 p reverted"],
    ),
    "superseded by the next, in one commit": (
        (*A_LIVE, {"1.1.0": [f"proposed {P}"]}, {"1.2.0": [f"proposed {P}"], "1.1.0": [f"superseded {P}"]}),
        ["1.0.0 p promoted"],
        ["1.1.0 p superseded", "1.2.0 p"],
    ),
    "superseded, and found bad later": (
        (*A_LIVE, {"1.1.0": [f"proposed {P}"]}, {"1.1.0": [f"superseded {P}"]}, {"1.1.0": [f"reverted {P}"]}),
        ["1.0.0 p promoted"],
        ["1.1.0 p superseded reverted"],
    ),
    "rolled back, in one commit": (
        (*B_LIVE, {"1.0.0": [f"restored {P}"], "1.1.0": [f"rolled-back {P}"]}),
        ["1.0.0 p promoted, 1.1.0 promoted", "1.1.0 p promoted, 1.1.0 rolled-back", "1.0.0 p restored"],
        [],
    ),
    "back and forth": (
        (
            *B_LIVE,
            {"1.0.0": [f"restored {P}"], "1.1.0": [f"rolled-back {P}"]},
            {"1.0.0": [f"rolled-back {P}"], "1.1.0": [f"restored {P}"]},
        ),
        [
            "1.0.0 p promoted, 1.1.0 promoted",
            "1.1.0 p promoted, 1.1.0 rolled-back",
            "1.0.0 p restored, 1.0.0 rolled-back",
            "1.1.0 p restored",
        ],
        [],
    ),
    "rolled back with a release in flight": (
        (
            *B_LIVE,
            {"1.2.0": [f"proposed {P}"]},
            {"1.0.0": [f"restored {P}"], "1.1.0": [f"rolled-back {P}"], "1.2.0": [f"superseded {P}"]},
        ),
        ["1.0.0 p promoted, 1.1.0 promoted", "1.1.0 p promoted, 1.1.0 rolled-back", "1.0.0 p restored"],
        ["1.2.0 p superseded"],
    ),
    "staging, then production": (
        ({"1.0.0": [f"proposed {S}"]}, {"1.0.0": [f"promoted {S}"]}, {"1.0.0": [f"proposed {P}"]}),
        ["1.0.0 s promoted"],
        ["1.0.0 p"],
    ),
    "proposed and promoted in one commit": (({"1.0.0": [f"proposed {P}", f"promoted {P}"]},), ["1.0.0 p promoted"], []),
}


@pytest.mark.parametrize("clock", [1, -1], ids=["", "clock-runs-backwards"])
@pytest.mark.parametrize(("commits", "spans", "attempts"), TABLE.values(), ids=TABLE)
def test_history(commits: tuple[dict[str, list[str]], ...], spans: list[str], attempts: list[str], clock: int) -> None:
    """What was live and what never was follows from the order of the commits; a wrong clock changes nothing."""
    assert told(*commits, clock=clock) == (spans, attempts)


def test_each_event_is_that_of_the_commit_that_wrote_it() -> None:
    """Who did it is the author of the first commit that has the event."""
    found = history.noted(revisions(*B_LIVE))
    assert [(one.number, one.version, one.event.kind, int(one.commit)) for one in found] == [
        (0, "1.0.0", "proposed", 0),
        (1, "1.0.0", "promoted", 1),
        (2, "1.1.0", "proposed", 2),
        (3, "1.1.0", "promoted", 3),
    ]


@pytest.mark.parametrize(
    ("version", "day", "state"),
    [
        ("1.1.0", 14, "not there"),
        ("1.1.0", 17, "in flight"),
        ("1.1.0", 18, "live"),
        ("1.0.0", 17, "live"),
        ("1.0.0", 18, "not there"),
        ("1.2.0", 19, "in flight"),
        ("1.2.0", 20, "reverted"),
        ("1.3.0", 20, "not there"),
    ],
)
def test_what_a_release_was_at_a_time(version: str, day: int, state: str) -> None:
    """Between proposal and outcome a release is in flight, then live until another is."""
    commits = (*B_LIVE, {"1.2.0": [f"proposed {P}"]}, {"1.2.0": [f"reverted {P}"]})
    assert history.state(history.noted(revisions(*commits)), version, P, f"2013-05-{day}T00:00:01+00:00") == state


def test_sentences() -> None:
    """Why a release came and left, in words, with the commit and its author."""
    commits = (*B_LIVE, {"1.0.0": [f"restored {P}"], "1.1.0": [f"rolled-back {P}"]})
    first, second, third = history.tell(history.noted(revisions(*commits))).spans
    assert history.sentence(first.began) == "promoted on the judge's verdict (00000000 Ana)"
    assert history.departure(first) == "1.1.0 was promoted"
    assert history.departure(second) == "rolled back by a person (00000000 Ana)"
    assert history.departure(third) is None
    (attempt,) = history.tell(history.noted(revisions(A_LIVE[0], {"1.0.0": [f"reverted {P}"]}))).attempts
    assert history.sentence(attempt.ends[0]).endswith("Brier: the canary is worse.")
