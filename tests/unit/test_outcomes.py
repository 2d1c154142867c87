"""What becomes of a release: a table of situations and verbs, and what holds after any sequence of them."""

from collections.abc import Callable
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.outcomes.world import AT
from tests.samples import digest, gate, package

from slipway import append_only, changes, outcomes, quarantine, records, releases
from slipway.changes import Change, Manifests, State
from slipway.errors import Rejected
from slipway.records import Cause, Evidence, Quarantine, Release, Stable

ENVIRONMENTS = ("staging", "production")
NOTHING = State(releases={}, stable=Stable(environments={}), quarantine=Quarantine())
EVIDENCE = Evidence(
    detail="1 in 3 fails", blame="errors", requests={}, seconds=1, abort=9, abort_needed=3, attempt=1, step=1
)


def propose(state: State, version: str, environment: str = "production", **options: Any) -> Change:
    """Propose a package whose gate knew today's champion."""
    made = package(version, **{key: options.pop(key) for key in ("recipe", "model") if key in options})
    reigning = state.stable_of("production")
    decision = gate(made.bundle.model_digest, reigning.package.bundle.model_digest if reigning else None)
    return outcomes.propose(state, made, decision, environment=environment, at=AT, **options)


def promote(state: State, version: str, environment: str = "production", cause: Cause = "verdict") -> Change | None:
    """Promote, by a commit that is named after version and environment."""
    return outcomes.promote(
        state, version, environment=environment, at=AT, cause=cause, commit=lambda: f"{version} {environment}"
    )


def revert(state: State, version: str, environment: str = "production", cause: Cause = "verdict") -> Change | None:
    """Revert the image of a version."""
    image = package(version).image_digest
    return outcomes.revert(state, image, environment=environment, at=AT, cause=cause, evidence=EVIDENCE)


def rollback(state: State, version: str, environment: str = "production") -> Change | None:
    """Roll back."""
    return outcomes.rollback(state, version, environment=environment, at=AT, why="I say so")


def play(*steps: tuple[Any, ...], state: State = NOTHING) -> State:
    """Take verbs one after the other: (verb, version, environment...) each."""
    for verb, *arguments in steps:
        options = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
        change = verb(state, *arguments, **options)
        assert change is not None
        state = changes.after(state, change)
    return state


FIRST = ((propose, "1.0.0"), (promote, "1.0.0"))
SITUATIONS: dict[str, State] = {  # of 1.1.0 in production
    "unknown": play(*FIRST),
    "elsewhere": play(*FIRST, (propose, "1.1.0", "staging")),
    "in flight": play(*FIRST, (propose, "1.1.0")),
    "superseded": play(*FIRST, (propose, "1.1.0"), (propose, "1.2.0", {"supersede": True})),
    "superseded, then reverted": play(
        *FIRST, (propose, "1.1.0"), (propose, "1.2.0", {"supersede": True}), (revert, "1.1.0")
    ),
    "superseded, the next promoted": play(
        *FIRST, (propose, "1.1.0"), (propose, "1.2.0", {"supersede": True}), (promote, "1.2.0")
    ),
    "reverted": play(*FIRST, (propose, "1.1.0"), (revert, "1.1.0")),
    "stable": play(*FIRST, (propose, "1.1.0"), (promote, "1.1.0")),
    "stable, the next in flight": play(*FIRST, (propose, "1.1.0"), (promote, "1.1.0"), (propose, "1.2.0")),
    "left": play(*FIRST, (propose, "1.1.0"), (promote, "1.1.0"), (propose, "1.2.0"), (promote, "1.2.0")),
    "rolled back": play(*FIRST, (propose, "1.1.0"), (promote, "1.1.0"), (rollback, "1.0.0")),
    "restored": play(*FIRST, (propose, "1.1.0"), (promote, "1.1.0"), (rollback, "1.0.0"), (rollback, "1.1.0")),
}
NEVER, NOT_FLYING = "never promoted in production", "not in flight in production"
NO_RELEASE, NO_IMAGE = "there is no release 1.1.0", "no release to production runs the image"
IS_STABLE = "is never reverted"
TABLE: dict[str, tuple[str, str, str]] = {  # what promote, revert and rollback make of it; "" changes nothing
    "unknown": (NO_RELEASE, NO_IMAGE, NO_RELEASE),
    "elsewhere": (NOT_FLYING, NO_IMAGE, NEVER),
    "in flight": ("promoted", "reverted", NEVER),
    "superseded": (NOT_FLYING, "reverted", NEVER),
    "superseded, then reverted": (NOT_FLYING, "", NEVER),
    "superseded, the next promoted": (NOT_FLYING, "reverted", NEVER),
    "reverted": (NOT_FLYING, "", NEVER),
    "stable": ("", IS_STABLE, ""),
    "stable, the next in flight": ("", IS_STABLE, "is the stable of production already; 1.2.0 is in flight"),
    "left": (NOT_FLYING, IS_STABLE, "restored"),
    "rolled back": (NOT_FLYING, IS_STABLE, "restored"),
    "restored": ("", IS_STABLE, ""),
}
VERBS: tuple[Callable[..., Change | None], ...] = (promote, revert, rollback)


def test_the_table_speaks_of_every_situation() -> None:
    """None is left out."""
    assert TABLE.keys() == SITUATIONS.keys()


@pytest.mark.parametrize("number", range(3), ids=["promote", "revert", "rollback"])
@pytest.mark.parametrize("situation", TABLE)
def test_what_a_verb_makes_of_a_situation(situation: str, number: int) -> None:
    """An event, nothing, or a no that says why; never anything in the other environment."""
    state, verb, expected = SITUATIONS[situation], VERBS[number], TABLE[situation][number]
    if expected not in {"promoted", "reverted", "restored", ""}:
        with pytest.raises(Rejected, match=expected):
            verb(state, "1.1.0")
        return
    change = verb(state, "1.1.0")
    if not expected:
        assert change is None
        return
    assert change is not None
    now = changes.after(state, change)
    assert releases.kinds(now.releases["1.1.0"], "production")[-1] == expected
    assert verb(now, "1.1.0") is None, "a repetition changes nothing"
    for version, release in now.releases.items():
        assert releases.kinds(release, "staging") == releases.kinds(state.releases[version], "staging")


def test_a_promotion_is_recorded_with_its_release_commit_and_evidence() -> None:
    """It leaves the manifests alone; the commit is what a rollback takes them from."""
    state = SITUATIONS["in flight"]
    change = outcomes.promote(
        state,
        "1.1.0",
        environment="production",
        at=AT,
        cause="verdict",
        commit=lambda: 40 * "d",
        evidence=EVIDENCE,
    )

    assert change is not None
    assert change.manifests is None
    assert change.stable.environments == {"production": "1.1.0"}
    event = change.release.events[-1]
    assert (event.commit, event.evidence, event.cause) == (40 * "d", EVIDENCE, "verdict")
    assert outcomes.release_commit(change.release, "production") == 40 * "d"


def test_an_abort_brings_the_recorded_stable_back_and_bars_what_was_aborted() -> None:
    """Not the release before: that was superseded unjudged."""
    change = revert(SITUATIONS["superseded"], "1.2.0")

    assert change is not None
    assert change.manifests == Manifests(SITUATIONS["superseded"].releases["1.0.0"])
    made = quarantine.digests(package("1.2.0"))
    assert set(quarantine.active(change.quarantine)) == set(made.values())


def test_the_abort_of_a_superseded_release_leaves_the_newer_one_alone() -> None:
    """It is recorded and barred; the manifests are those of what has taken its place."""
    state = SITUATIONS["superseded"]
    change = revert(state, "1.1.0")

    assert change is not None
    assert (change.manifests, change.stable) == (None, state.stable)
    assert releases.in_flight(changes.after(state, change).releases, "production") == "1.2.0"
    assert package("1.1.0").image_digest in quarantine.active(change.quarantine)


def test_the_abort_of_the_first_release_leaves_no_manifests() -> None:
    """There is nothing to go back to."""
    change = revert(play((propose, "1.0.0")), "1.0.0")

    assert change is not None
    assert change.manifests == Manifests(None)


@pytest.mark.parametrize("cause", get_args(Cause))
def test_only_what_says_something_of_a_release_bars_it(cause: Cause) -> None:
    """A verdict and unavailability do; an error, a deadline or a person do not."""
    change = revert(SITUATIONS["in flight"], "1.1.0", cause=cause)

    assert change is not None
    assert bool(change.quarantine.events) == (cause in {"verdict", "unavailable"})


def test_a_twin_does_not_bar_the_champion() -> None:
    """What the recorded stable shares is spared, else no retraining by its recipe would ever be let in again."""
    state = play(*FIRST, (propose, "1.1.0", {"recipe": "1.0.0", "model": "1.0.0"}))
    change = revert(state, "1.1.0")

    assert change is not None
    assert {event.what for event in change.quarantine.events} == {"image", "bento"}


def test_what_staging_aborts_does_not_bar_the_champion() -> None:
    """Production's stable is spared there too; what staging alone has as its stable does not shield production."""
    newer = play(*FIRST, (propose, "1.1.0", "staging"), (promote, "1.1.0", "staging"))
    twin = play((propose, "1.2.0", "staging", {"recipe": "1.0.0"}), (revert, "1.2.0", "staging"), state=newer)
    assert package("1.0.0").bundle.recipe_digest not in quarantine.active(twin.quarantine)

    carried = play((carry, "1.1.0"), (propose, "1.2.0", "staging", {"recipe": "1.1.0"}), state=newer)
    aborted = play((promote, "1.2.0", "staging"), (revert, "1.1.0"), state=carried)
    assert package("1.1.0").bundle.recipe_digest in quarantine.active(aborted.quarantine)


def test_a_rollback_records_what_was_left_what_came_back_and_what_gave_way() -> None:
    """In one commit: nothing is in flight after it."""
    state = play((propose, "1.3.0"), state=SITUATIONS["left"])
    change = rollback(state, "1.0.0")

    assert change is not None
    now = changes.after(state, change)
    last = {version: release.events[-1] for version, release in now.releases.items()}
    assert {version: event.kind for version, event in last.items()} == {
        "1.0.0": "restored",
        "1.1.0": "promoted",
        "1.2.0": "rolled-back",
        "1.3.0": "superseded",
    }
    assert {event.cause for version, event in last.items() if version != "1.1.0"} == {"person"}
    assert last["1.2.0"].why == last["1.0.0"].why == "I say so"
    assert change.manifests == Manifests(state.releases["1.0.0"], rollback=True)
    assert now.stable.environments == {"production": "1.0.0"}
    assert releases.in_flight(now.releases, "production") is None


def test_a_quarantined_release_does_not_come_back() -> None:
    """Promoted in production, aborted in staging: a person has to lift it first."""
    state = play((propose, "1.3.0", "staging"), state=SITUATIONS["left"])
    barred = quarantine.bar(
        state.quarantine, state.releases["1.1.0"], sparing=(), environment="staging", at=AT, cause="verdict"
    )
    state = State(releases=state.releases, stable=state.stable, quarantine=barred)

    with pytest.raises(Rejected, match=r"1\.1\.0 does not come back: image sha256:.* is quarantined"):
        rollback(state, "1.1.0")


@pytest.mark.parametrize("what", ["image", "bento", "model", "recipe"])
def test_what_is_quarantined_is_not_proposed(what: str) -> None:
    """By whichever of its digests, until a person lifts it."""
    state = SITUATIONS["reverted"]
    made, aborted = package("1.2.0"), package("1.1.0")
    bundle = msgspec.structs.replace(
        made.bundle,
        model_digest=(aborted if what == "model" else made).bundle.model_digest,
        recipe_digest=(aborted if what == "recipe" else made).bundle.recipe_digest,
    )
    changed = msgspec.structs.replace(
        made,
        bundle=bundle,
        image_digest=(aborted if what == "image" else made).image_digest,
        bento_digest=(aborted if what == "bento" else made).bento_digest,
    )
    decision = gate(bundle.model_digest, package("1.0.0").bundle.model_digest)
    shared = quarantine.digests(changed)[what]  # type: ignore[index]

    with pytest.raises(Rejected, match=f"{what} sha256:.* is quarantined since 1.1.0 was aborted .*1 in 3 fails"):
        outcomes.propose(state, changed, decision, environment="production", at=AT)
    lifted = quarantine.lift(state.quarantine, shared, at=AT, why="it was the network")
    state = State(releases=state.releases, stable=state.stable, quarantine=lifted)
    assert outcomes.propose(state, changed, decision, environment="production", at=AT)


def test_what_is_in_flight_gives_way_only_where_it_is_asked_to() -> None:
    """In the same commit; a version below those that were there does not come by it either."""
    state = SITUATIONS["in flight"]

    with pytest.raises(Rejected, match=r"1\.1\.0 is in flight"):
        propose(state, "1.2.0")
    change = propose(state, "1.2.0", supersede=True)
    assert [releases.kinds(one, "production") for one in change.releases] == [["proposed"], ["proposed", "superseded"]]
    for version in ("1.1.0", "1.0.5"):
        with pytest.raises(Rejected, match=f"{version} is not above 1.1.0"):
            propose(state, version, supersede=True)


def test_after_a_rollback_the_next_release_is_above_the_highest_ever() -> None:
    """A version that was left is not used again."""
    with pytest.raises(Rejected, match=r"1\.0\.5 is not above 1\.1\.0"):
        propose(SITUATIONS["rolled back"], "1.0.5")
    assert propose(SITUATIONS["rolled back"], "1.2.0")


def carry(state: State, version: str, **options: Any) -> Change | None:
    """Carry from staging to production."""
    return outcomes.carry(state, version, origin="staging", environment="production", at=AT, **options)


def test_what_staging_has_promoted_is_carried_once() -> None:
    """With the bytes and the decision of its record; a repetition changes nothing, also once it is stable."""
    state = play(*FIRST, (propose, "1.1.0", "staging"))
    with pytest.raises(Rejected, match="not promoted in staging"):
        carry(state, "1.1.0")
    state = play((promote, "1.1.0", "staging"), state=state)
    change = carry(state, "1.1.0")
    assert change is not None
    assert change.release.package == package("1.1.0")
    assert change.manifests == Manifests(change.release, proposed=True)

    flying = changes.after(state, change)
    assert carry(flying, "1.1.0") is None
    assert carry(play((promote, "1.1.0"), state=flying), "1.1.0") is None


def test_what_did_not_stay_is_not_carried() -> None:
    """Reverted in production, it does not come again; left in staging, it does not come at all."""
    state = play(*FIRST, (propose, "1.1.0", "staging"), (promote, "1.1.0", "staging"), (carry, "1.1.0"))
    with pytest.raises(Rejected, match="is quarantined"):
        carry(play((revert, "1.1.0"), state=state), "1.1.0")
    with pytest.raises(Rejected, match=r"1\.1\.0 is not above 1\.1\.0"):
        carry(play((revert, "1.1.0", "production", "deadline"), state=state), "1.1.0")

    state = play(
        *((propose, "1.0.0", "staging"), (promote, "1.0.0", "staging")),
        *((propose, "1.1.0", "staging"), (promote, "1.1.0", "staging"), (rollback, "1.0.0", "staging")),
    )
    with pytest.raises(Rejected, match="not promoted in staging"):
        carry(state, "1.1.0")


def test_no_text_of_a_person_is_a_line_for_machines() -> None:
    """Whatever stands in --why, the last paragraph is ours, and no line of theirs begins like one of it."""
    change = outcomes.rollback(
        SITUATIONS["left"],
        "1.0.0",
        environment="production",
        at=AT,
        why="bad\n\nSlipway-Release: 9.9.9\nSlipway-Environment: production",
    )
    assert change is not None
    text = changes.message(change)

    assert text.splitlines()[0] == "Roll back to 1.0.0 in production"
    assert [line for line in text.splitlines() if line.startswith("Slipway-")] == [
        "Slipway-Outcome: restored",
        "Slipway-Version: 1.0.0",
        "Slipway-Environment: production",
    ]


STEPS = st.one_of(
    st.tuples(st.just("propose"), st.integers(0, 9), st.integers(0, 1), st.booleans(), st.sampled_from(["", "1", "2"])),
    st.tuples(st.just("promote"), st.integers(0, 9), st.integers(0, 1)),
    st.tuples(st.just("revert"), st.integers(0, 9), st.integers(0, 1), st.sampled_from(get_args(Cause))),
    st.tuples(st.just("rollback"), st.integers(0, 9), st.integers(0, 1)),
    st.tuples(st.just("carry"), st.integers(0, 9)),
)


def step(state: State, taken: tuple[Any, ...]) -> Change | None:
    """Take one step that hypothesis has drawn."""
    verb, number, *rest = taken
    version, environment = f"1.{number}.0", ENVIRONMENTS[rest[0]] if rest else ""
    if verb == "propose":
        made = {"recipe": rest[2], "model": rest[2]} if rest[2] else {}
        return propose(state, version, environment, supersede=rest[1], **made)
    if verb == "revert":
        return revert(state, version, environment, rest[1])
    if verb == "carry":
        return carry(state, version, supersede=True)
    return (promote if verb == "promote" else rollback)(state, version, environment)


def texts(state: State) -> dict[str, str]:
    """What stands in releases/."""
    written: dict[str, Release | Stable | Quarantine] = {
        f"{version}.json": one for version, one in state.releases.items()
    }
    written |= {"stable.json": state.stable, "quarantine.json": state.quarantine}
    return {name: records.dumps(record) for name, record in written.items()}


@settings(max_examples=300)
@given(st.lists(STEPS, max_size=30))
def test_whatever_is_done_main_does_not_lie(taken: list[tuple[Any, ...]]) -> None:
    """Records only grow; the stable was promoted and not barred by its own abort; one flies; the barred are refused."""
    state = NOTHING
    for each in taken:
        try:
            change = step(state, each)
        except Rejected:
            continue
        if change is None:
            continue
        now = changes.after(state, change)
        assert append_only.faults(texts(state), texts(now)) == []
        for environment in ENVIRONMENTS:
            _hold(now, environment)
        if change.release.events[-1].kind in {"proposed", "restored"}:
            barred = quarantine.active(state.quarantine)
            assert not barred.keys() & set(quarantine.digests(change.release.package).values())
        if each[0] != "propose":  # its version is used
            assert step(now, each) is None, "a repetition changes nothing"
        state = now


def _hold(state: State, environment: str) -> None:
    last = [releases.kinds(release, environment)[-1:] for release in state.releases.values()]
    assert last.count(["proposed"]) <= 1
    stable = state.stable_of(environment)
    if stable is None:
        return
    assert "promoted" in releases.kinds(stable, environment)
    assert releases.kinds(stable, environment)[-1] in releases.STABLE_BY
    own = [one for one in state.quarantine.events if one.environment == environment]
    assert stable.package.bundle.version not in {one.version for one in own if one.kind == "quarantined"}


def test_digests_of_the_world_differ() -> None:
    """What these tests tell apart is apart."""
    made = [*quarantine.digests(package("1.0.0")).values(), *quarantine.digests(package("1.1.0")).values()]
    assert len(set(made)) == 8
    assert digest("a") != digest("b")
