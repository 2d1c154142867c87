"""What was live where, when, and why it left: read from the release records as Git has gathered them. Pure.

A revision is a commit that changed `releases/`; what it added to the records are its events. Their order is that of
the commits, so that no machine's clock decides what came first.
"""

from collections.abc import Iterable, Mapping
from heapq import merge
from typing import Literal

import msgspec

from slipway.records import Quarantine, Release, ReleaseEvent, Stable
from slipway.releases import STABLE_BY

ORDER = ("superseded", "reverted", "rolled-back", "restored", "promoted", "proposed")  # within one commit


class _Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Revision(_Frozen, frozen=True, kw_only=True):
    """A commit that changed releases/, and what stood there after it."""

    commit: str
    who: str  # its author
    releases: Mapping[str, Release]  # by version
    stable: Stable
    quarantine: Quarantine


class Noted(_Frozen, frozen=True, kw_only=True):
    """An event, and the commit that wrote it."""

    number: int  # among all events, in the order in which they were written
    version: str
    event: ReleaseEvent
    commit: str
    who: str


class Span(_Frozen, frozen=True, kw_only=True):
    """A release was the recorded stable of an environment for a while."""

    environment: str
    version: str
    began: Noted  # promoted or restored
    left: Noted | None  # the promotion or restoration of another, or the rollback from this one; None: live now


class Attempt(_Frozen, frozen=True, kw_only=True):
    """A release that was proposed to an environment and never became its stable, or has not yet."""

    environment: str
    version: str
    began: Noted  # proposed
    ends: tuple[Noted, ...]  # reverted or superseded, or one after the other; none while it is in flight


class History(_Frozen, frozen=True, kw_only=True):
    """All that was proposed to the environments, the oldest first."""

    schema_version: int = 1
    spans: tuple[Span, ...]
    attempts: tuple[Attempt, ...]


State = Literal["live", "in flight", "reverted", "superseded", "not there"]


def noted(revisions: Iterable[Revision]) -> list[Noted]:
    """List the events in the order in which commits wrote them, given the commits from the first to the last."""
    seen: dict[str, int] = {}
    found: list[Noted] = []
    for revision in revisions:
        new = [
            [(version, event) for event in release.events[seen.get(version, 0) :]]
            for version, release in revision.releases.items()
        ]
        for version, event in merge(*new, key=lambda one: (one[1].at, ORDER.index(one[1].kind))):
            one = Noted(number=len(found), version=version, event=event, commit=revision.commit, who=revision.who)
            found.append(one)
        seen |= {version: len(release.events) for version, release in revision.releases.items()}
    return found


def tell(events: Iterable[Noted]) -> History:
    """Tell what was live, and what never was, from events in the order in which they happened."""
    spans: list[Span] = []
    attempts: dict[tuple[str, str], Attempt] = {}
    for one in events:
        kind, place = one.event.kind, (one.event.environment, one.version)
        if kind == "proposed":
            attempts[place] = Attempt(environment=place[0], version=one.version, began=one, ends=())
        elif kind in STABLE_BY:
            attempts.pop(place, None)
            _leave(spans, place[0], one)
            spans.append(Span(environment=place[0], version=one.version, began=one, left=None))
        elif kind == "rolled-back":
            _leave(spans, place[0], one)
        elif place in attempts:
            attempts[place] = msgspec.structs.replace(attempts[place], ends=(*attempts[place].ends, one))
    return History(spans=tuple(spans), attempts=tuple(attempts.values()))


def _leave(spans: list[Span], environment: str, why: Noted) -> None:
    """End what is live in an environment."""
    for number, span in enumerate(spans):
        if span.environment == environment and span.left is None:
            spans[number] = msgspec.structs.replace(span, left=why)


def live(told: History, environment: str) -> str | None:
    """The version that the events say is stable in an environment, or None."""
    return next((span.version for span in told.spans if span.environment == environment and not span.left), None)


def state(events: Iterable[Noted], version: str, environment: str, at: str) -> State:
    """Say what a release was in an environment at a time, ISO 8601 UTC as the events have it."""
    then = tell(one for one in events if one.event.at <= at)
    if live(then, environment) == version:
        return "live"
    for attempt in then.attempts:
        if (attempt.environment, attempt.version) == (environment, version):
            last = attempt.ends[-1].event.kind if attempt.ends else "in flight"
            return last if last in ("in flight", "reverted", "superseded") else "not there"
    return "not there"


BECAUSE = {
    "verdict": "on the judge's verdict",
    "unavailable": "because it did not serve",
    "error": "because of an error",
    "deadline": "at the deadline",
    "person": "by a person",
    None: "",
}


def sentence(one: Noted) -> str:
    """Say what happened, why, and which commit of whom says so."""
    event = one.event
    done = " ".join(filter(None, (event.kind.replace("-", " "), BECAUSE[event.cause], f"({one.commit[:8]} {one.who})")))
    told = " ".join(filter(None, (event.why, event.evidence.detail if event.evidence else None)))
    return f"{done}: {told}" if told else done


def departure(span: Span) -> str | None:
    """Say why a release left; None where it is live."""
    if span.left is None:
        return None
    return (
        sentence(span.left) if span.left.version == span.version else f"{span.left.version} was {span.left.event.kind}"
    )
