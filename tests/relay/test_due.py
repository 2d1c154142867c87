"""What is due, as tables: what is seen of a rollout, and what main says, in; one action, or none, out."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from tests import samples
from tests.outcomes import world as worlds

from slipway import changes, outcomes
from slipway.changes import Change, State
from slipway.records import Quarantine, Release, ReleaseEvent, Stable
from slipway.rollout import relay
from slipway.rollout.records import Seen
from slipway.rollout.relay import Action, Environment, Git

AT = worlds.AT
A, B, C = "1.0.0", "1.1.0", "1.2.0"
STABLE = "production:proposed production:promoted"


def release(version: str, *events: str) -> Release:
    """A release with events, each `environment:kind`."""
    told = tuple(
        ReleaseEvent(kind=kind, environment=environment, at=AT, cause=None)  # type: ignore[arg-type]
        for environment, kind in (event.split(":") for event in events)
    )
    return samples.release(version, *told)


def image(version: str) -> str:
    """The digest of its image."""
    return samples.package(version).image_digest


def git(image_of: str, stable: dict[str, str], following: str | None = None, **events: str) -> Git:
    """What main says: `a="..."` are the events of A; production asks for `image_of`, staging for B."""
    known = {
        version: release(version, *events.get(name, "").split()) for name, version in (("a", A), ("b", B), ("c", C))
    }
    return Git(
        commit="head",
        state=State(releases=known, stable=Stable(environments=stable), quarantine=Quarantine()),
        environments={
            "production": Environment(namespace="flights", rollout="flights", image=image(image_of), following=None),
            "staging": Environment(
                namespace="flights-staging", rollout="flights", image=image(B), following=following or "production"
            ),
        },
    )


def seen(version: str, phase: str, cause: str | None = None, *, rollback: bool = False) -> Seen:
    """A rollout whose Deployment asks for the image of a version."""
    plain = {
        "namespace": "flights",
        "rollout": "flights",
        "image": image(version),
        "rollback": rollback,
        "phase": phase,
        "cause": cause,
        "detail": "in the controller's words",
        "at": 1.0,
    }
    return msgspec.convert(plain, Seen)


def due(found: Seen, main: Git, environment: str = "production") -> Action | None:
    """What is due there."""
    return relay.due(found, environment, main)


FLYING = git(B, {"production": A}, a=STABLE, b="production:proposed")
SUPERSEDED = git(C, {"production": A}, a=STABLE, b="production:proposed production:superseded", c="production:proposed")
REVERTED = git(A, {"production": A}, a=STABLE, b="production:proposed production:reverted")
PROMOTED = git(B, {"production": B}, a=STABLE, b=STABLE)
BACK = git(A, {"production": A}, a=f"{STABLE} production:restored", b=f"{STABLE} production:rolled-back")
FIRST = git(B, {}, b="production:proposed")
STUCK = 'ProgressDeadlineExceeded: ReplicaSet "flights-bbb" has timed out progressing.'
WRONG = "InvalidSpec: The Rollout is invalid: spec.strategy.canary.stableService: no such Service"

TABLE: dict[str, tuple[Git, Seen, tuple[Any, ...] | None]] = {
    "under way": (FLYING, seen(B, "progressing"), None),
    "does not come up": (FIRST, msgspec.structs.replace(seen(B, "progressing"), detail=STUCK), ("report", B, None)),
    "of an invalid spec": (FLYING, msgspec.structs.replace(seen(B, "progressing"), detail=WRONG), ("report", B, None)),
    "promoted by the judge": (FLYING, seen(B, "healthy", "verdict"), ("promote", B, "verdict")),
    "healthy, nobody knows why": (FLYING, seen(B, "healthy"), ("promote", B, "person")),
    "aborted on evidence": (FLYING, seen(B, "aborted", "verdict"), ("revert", B, "verdict")),
    "aborted, unavailable": (FLYING, seen(B, "aborted", "unavailable"), ("revert", B, "unavailable")),
    "aborted, the judge silent": (FLYING, seen(B, "aborted", "error"), ("revert", B, "error")),
    "aborted, late": (FLYING, seen(B, "aborted", "deadline"), ("revert", B, "deadline")),
    "aborted, nobody knows why": (FLYING, seen(B, "aborted"), ("revert", B, "error")),
    "paused without a verdict": (FLYING, seen(B, "paused"), ("report", B, None)),
    "not applied yet": (FLYING, seen(A, "healthy", "verdict"), ("report", A, None)),
    "a way back that Git does not know": (FLYING, seen(B, "healthy", "person", rollback=True), ("report", B, None)),
    "the same, aborted": (FLYING, seen(B, "aborted", "verdict", rollback=True), ("revert", B, "verdict")),
    "aborted and superseded": (SUPERSEDED, seen(B, "aborted", "verdict"), ("revert", B, "verdict")),
    "healthy and superseded": (SUPERSEDED, seen(B, "healthy", "verdict"), ("report", B, None)),
    "aborted and reverted": (REVERTED, seen(B, "aborted", "verdict"), None),
    "reverted, not yet applied": (REVERTED, seen(B, "healthy", "verdict"), ("report", B, None)),
    "reverted and applied": (REVERTED, seen(A, "healthy", "person"), None),
    "promoted": (PROMOTED, seen(B, "healthy", "verdict"), None),
    "promoted, then aborted": (PROMOTED, seen(B, "aborted", "verdict"), ("report", B, None)),
    "promoted, then paused": (PROMOTED, seen(B, "paused"), None),
    "rollback under way": (BACK, seen(A, "progressing", rollback=True), None),
    "rollback done": (BACK, seen(A, "healthy", "person", rollback=True), None),
    "rollback aborted": (BACK, seen(A, "aborted", "person", rollback=True), ("report", A, None)),
    "rollback, the left one aborted": (BACK, seen(B, "aborted", "verdict"), ("report", B, None)),
    "first release": (FIRST, seen(B, "healthy", "verdict"), ("promote", B, "person")),
    "first release, late": (FIRST, seen(B, "aborted", "deadline"), ("revert", B, "deadline")),
    "an image that nobody released": (
        FLYING,
        msgspec.structs.replace(seen(B, "healthy"), image=samples.digest("x")),
        ("report", None, None),
    ),
    "an image of another environment": (
        git(B, {"production": A}, a=STABLE, b="staging:proposed"),
        seen(B, "healthy", "verdict"),
        ("report", None, None),
    ),
    # what a person can do to a canary with kubectl argo rollouts, and how it is seen afterwards
    "kubectl argo rollouts promote": (FLYING, seen(B, "healthy", "person"), ("promote", B, "person")),
    "kubectl argo rollouts promote --full": (FLYING, seen(B, "healthy", "person"), ("promote", B, "person")),
    "kubectl argo rollouts abort": (FLYING, seen(B, "aborted", "person"), ("revert", B, "person")),
    "kubectl argo rollouts retry": (FLYING, seen(B, "progressing"), None),
    "kubectl argo rollouts retry, promoted": (FLYING, seen(B, "healthy", "verdict"), ("promote", B, "verdict")),
    "kubectl argo rollouts undo": (FLYING, seen(A, "progressing"), ("report", A, None)),
    "kubectl argo rollouts pause": (FLYING, seen(B, "paused"), ("report", B, None)),
}


@pytest.mark.parametrize("case", TABLE)
def test_what_is_due(case: str) -> None:
    """Each row: the verb, of which version, with which cause."""
    main, found, expected = TABLE[case]
    action = due(found, main)
    assert (action and (action.verb, action.version, action.cause)) == expected


@pytest.mark.parametrize("case", TABLE)
def test_the_verb_accepts_what_is_due(case: str) -> None:
    """The verbs decide by themselves on what main says; relay and verb must never disagree."""
    main, found, _ = TABLE[case]
    action = due(found, main)
    if action is None or action.verb == "report":
        return
    assert relay.stands(action, main)
    after = changes.after(main.state, _changed(action, main))
    assert not relay.stands(action, msgspec.structs.replace(main, state=after))
    again = due(found, msgspec.structs.replace(main, state=after))
    assert again is None or again.verb == "report"


def _changed(action: Action, main: Git) -> Change:
    assert action.version is not None
    cause: Any = action.cause
    if action.verb == "promote":
        change = outcomes.promote(
            main.state,
            action.version,
            environment=action.environment,
            at=AT,
            cause=cause,
            commit=lambda: "commit",
            evidence=None,
        )
    else:
        change = outcomes.revert(main.state, action.image, environment=action.environment, at=AT, cause=cause)
    assert change is not None
    return change


def test_why_a_first_release_is_promoted() -> None:
    """No canary ran, so no verdict is claimed."""
    action = due(seen(B, "healthy", "verdict"), FIRST)
    assert action is not None
    assert action.why == "first release: nothing to compare with"


def test_a_report_of_what_argo_cd_puts_right_waits() -> None:
    """Another image than Git's is usual for a moment; a pause never ends by itself."""
    undone, paused = due(seen(A, "progressing"), FLYING), due(seen(B, "paused"), FLYING)
    assert undone is not None
    assert paused is not None
    assert (undone.after, paused.after) == (relay.PATIENCE, 0.0)


@dataclass(frozen=True)
class Carry:
    """Staging as it is seen, and the events of a, b and c."""

    a: str = ""
    b: str = "staging:proposed staging:promoted"
    c: str = ""
    phase: str = "healthy"
    stable: str = B
    following: str | None = "production"
    carried: bool = False


CARRIES = {
    "promoted in staging": Carry(carried=True),
    "promoted, production has an older one": Carry(a=STABLE, carried=True),
    "no environment follows": Carry(following=None),
    "not healthy at the moment": Carry(phase="progressing"),
    "not promoted yet": Carry(b="staging:proposed", stable=A),
    "proposed there already": Carry(b="staging:proposed staging:promoted production:proposed"),
    "refused there before": Carry(b="staging:proposed staging:promoted production:proposed production:reverted"),
    "another is in flight there": Carry(a="production:proposed"),
    "a newer one was there": Carry(c="production:proposed production:reverted"),
    "another is stable in staging by now": Carry(stable=A),
    "came back to staging by a rollback": Carry(b="staging:proposed staging:promoted staging:restored"),
}


@pytest.mark.parametrize("case", CARRIES)
def test_what_staging_promoted_goes_on(case: str) -> None:
    """Once, and only if it may be released there; where another is in flight it waits."""
    row = CARRIES[case]
    main = git(A, {"staging": row.stable}, a=row.a, b=row.b, c=row.c)
    staging = msgspec.structs.replace(main.environments["staging"], following=row.following)
    main = msgspec.structs.replace(main, environments={**main.environments, "staging": staging})
    action = relay.due(seen(B, row.phase, "verdict"), "staging", main)
    carried = action is not None and (action.verb, action.environment, action.version) == ("carry", "production", B)
    assert carried == row.carried
    if carried:
        assert action is not None
        assert relay.stands(action, main)
        done = git(A, {"staging": B}, b=f"{row.b} production:proposed")
        assert not relay.stands(action, done)


def test_a_retry_by_a_person_withdraws_what_was_not_done_yet() -> None:
    """Only that of the same image; an image that Git has replaced is no retry."""
    action = due(seen(B, "aborted", "verdict"), FLYING)
    assert action is not None
    assert not relay.withdrawn(action, seen(B, "aborted", "verdict"))
    assert not relay.withdrawn(action, seen(C, "progressing"))
    assert relay.withdrawn(action, seen(B, "progressing"))
    assert relay.withdrawn(action, seen(B, "healthy", "verdict"))


def test_what_is_decided_keeps_its_name() -> None:
    """The same thing, seen twice, is one; another cause does not make it another."""
    first, second = due(seen(B, "aborted", "verdict"), FLYING), due(seen(B, "aborted", "person"), FLYING)
    assert first is not None
    assert second is not None
    assert first.key == second.key
