"""What an abort bars from release, what a person lets in again, and how it is said: decisions over records."""

from typing import Any, get_args

import msgspec
import pytest
from tests import samples

from slipway import quarantine
from slipway.errors import Rejected
from slipway.records import Bundle, Cause, Evidence, Package, Part, Quarantine, Release, ReleaseEvent

AT, LATER = "2013-06-20T00:00:00+00:00", "2013-06-21T00:00:00+00:00"
EMPTY = Quarantine()
PARTS = ("image", "bento", "model", "recipe")


def digest(letters: str) -> str:
    """A digest that begins with some hexadecimal digits."""
    return f"sha256:{letters.ljust(64, '0')}"


def release(version: str = "1.2.0", events: tuple[ReleaseEvent, ...] = (), **parts: str) -> Release:
    """A release whose parts have digests of its version's digits, or of other ones."""
    own = {part: digest(f"{parts.get(part, version.replace('.', ''))}{number}") for number, part in enumerate(PARTS)}
    bundle = Bundle(
        version=version,
        source_commit=40 * "c",
        data_digest="md5:0",
        recipe_digest=own["recipe"],
        model_digest=own["model"],
        request_version=1,
    )
    package = Package(bundle=bundle, bento_digest=own["bento"], image_digest=own["image"])
    return Release(package=package, gate=samples.gate(own["model"]), events=events)


STABLE = release("1.1.0")


def bar(
    before: Quarantine, aborted: Release, sparing: tuple[Release, ...] = (STABLE,), cause: Cause = "verdict"
) -> Quarantine:
    """Bar an aborted release of production."""
    return quarantine.bar(before, aborted, sparing=sparing, environment="production", at=AT, cause=cause)


def barred(found: Quarantine) -> dict[str, str]:
    """What is barred now, by what it is."""
    return {event.what: event.digest for event in quarantine.active(found).values()}


def reverted(detail: str = "2.9 points more loss") -> ReleaseEvent:
    """The event that an abort leaves in production, with its evidence."""
    evidence = Evidence(
        detail=detail,
        blame="brier",
        requests={"stable": 900, "canary": 100},
        seconds=60,
        abort=7.0,
        abort_needed=5.0,
        attempt=1,
        step=1,
    )
    return ReleaseEvent(kind="reverted", environment="production", at=AT, cause="verdict", evidence=evidence)


@pytest.mark.parametrize("cause", get_args(Cause))
def test_what_an_abort_bars_by_its_cause(cause: Cause) -> None:
    """What the evidence, or its unavailability, says of a model bars all four parts; any other cause bars none."""
    found = bar(EMPTY, release(), cause=cause)

    assert (set(barred(found)) == set(get_args(Part))) is (cause in ("verdict", "unavailable"))
    assert (found is EMPTY) is (cause not in ("verdict", "unavailable"))
    assert {(one.version, one.environment, one.at, one.cause) for one in found.events} <= {
        ("1.2.0", "production", AT, cause)
    }


@pytest.mark.parametrize(
    ("shared", "left"),
    [
        ({}, {"image", "bento", "model", "recipe"}),
        ({"recipe": "110"}, {"image", "bento", "model"}),  # new data, the champion's recipe
        ({"model": "110", "recipe": "110"}, {"image", "bento"}),  # a twin: only the version differs
        (dict.fromkeys(PARTS, "110"), set()),
    ],
    ids=["another recipe", "other data", "twin", "the same"],
)
def test_the_recorded_stable_is_spared(shared: dict[str, str], left: set[str]) -> None:
    """What the stable is made of stays free, so that it can run, be retrained and be gone back to."""
    assert set(barred(bar(EMPTY, release(**shared)))) == left


def test_every_stable_that_is_given_is_spared() -> None:
    """What staging aborts bars neither staging's stable nor the champion."""
    others = (STABLE, release("1.0.0"))
    assert set(barred(bar(EMPTY, release(model="100", recipe="110"), sparing=others))) == {"image", "bento"}


def test_without_a_stable_nothing_is_spared() -> None:
    """The first release of all can be barred whole."""
    assert set(barred(bar(EMPTY, release(), sparing=()))) == set(PARTS)


def test_what_is_barred_already_is_not_barred_again() -> None:
    """The same abort twice leaves the same object; a second one with the same recipe adds the rest."""
    once = bar(EMPTY, release())

    assert bar(once, release()) is once
    twice = bar(once, release("1.3.0", recipe="120"))
    assert [one.what for one in twice.events[4:]] == ["image", "bento", "model"]
    assert twice.events[:4] == once.events


def test_a_person_lets_one_in_and_an_abort_bars_it_again() -> None:
    """The last event of a digest decides, and none of them is lost."""
    once = bar(EMPTY, release())
    recipe = barred(once)["recipe"]
    lifted = quarantine.lift(once, recipe, at=LATER, why="the sensor was mended")

    assert set(barred(lifted)) == {"image", "bento", "model"}
    last = lifted.events[-1]
    assert (last.kind, last.what, last.digest, last.version) == ("lifted", "recipe", recipe, "1.2.0")
    assert (last.cause, last.at, last.why) == ("person", LATER, "the sensor was mended")
    again = bar(lifted, release("1.3.0", recipe="120"))
    assert barred(again)["recipe"] == recipe
    assert again.events[: len(lifted.events)] == lifted.events


@pytest.mark.parametrize(
    "asked", [digest("1203"), digest("1203").removeprefix("sha256:"), "120300000000", "sha256:120300000000"]
)
def test_a_digest_may_be_given_by_its_beginning(asked: str) -> None:
    """Whole or from 12 digits on, with or without the name of its algorithm."""
    assert "recipe" not in barred(quarantine.lift(bar(EMPTY, release()), asked, at=LATER, why="mended"))


def test_what_is_not_barred_cannot_be_lifted() -> None:
    """The refusal says what it may have been: lifted already, another that begins like it, or nothing."""
    once = bar(EMPTY, release())
    lifted = quarantine.lift(once, digest("1203"), at=LATER, why="mended")
    cases: dict[str, tuple[Quarantine, str]] = {
        digest("1203"): (lifted, rf"is not quarantined: it was lifted at {LATER.replace('+', '.')} \(mended\)"),
        digest("12003"): (once, f"is not quarantined; near it: image {digest('1200')}"),
        digest("f"): (once, "is not quarantined$"),
        "120300": (once, "is no digest"),
        "recipe": (once, "is no digest"),
        digest("1203") + "0": (once, "is no digest"),
        "sha256:" + 12 * "1" + "\n": (once, "is no digest"),
        "": (once, "is no digest"),
    }
    for asked, (found, says) in cases.items():
        with pytest.raises(Rejected, match=says):
            quarantine.lift(found, asked, at=LATER, why="mended")


def test_an_ambiguous_beginning_is_refused_with_all_that_it_may_be() -> None:
    """Two that share 12 digits are both named; one digit more tells them apart."""
    twelve = "abcdefabcdef"
    once = bar(EMPTY, release(image=twelve, model=twelve))

    with pytest.raises(Rejected, match=f"is the beginning of image {digest(twelve)}, model {digest(twelve + '2')}"):
        quarantine.lift(once, twelve, at=LATER, why="mended")
    assert "model" not in barred(quarantine.lift(once, twelve + "2", at=LATER, why="mended"))


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ((reverted(),), "(verdict: 2.9 points more loss)"),
        ((), "(verdict)"),
        ((msgspec.structs.replace(reverted(), environment="staging"),), "(verdict)"),
        ((msgspec.structs.replace(reverted(), evidence=None),), "(verdict)"),
    ],
    ids=["with evidence", "no event", "elsewhere", "without evidence"],
)
def test_reasons_say_what_since_when_and_by_which_evidence(events: Any, says: str) -> None:
    """One sentence a digest; a record without evidence, or no record, leaves the cause alone."""
    aborted = release(events=events)
    once = bar(EMPTY, aborted)
    again = release("1.3.0", recipe="120")
    expected = f"recipe sha256:120300000000… is quarantined since 1.2.0 was aborted in production {says}"

    assert quarantine.reasons(once, quarantine.sources(again.package.bundle), {"1.2.0": aborted}) == (expected,)
    assert len(quarantine.reasons(once, quarantine.digests(aborted.package), {})) == 4
    assert quarantine.reasons(once, quarantine.digests(STABLE.package), {}) == ()
