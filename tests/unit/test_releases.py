"""What may be released, and what is recorded of it: decisions over records, without a file or a repository."""

from typing import Any

import msgspec
import pytest
from tests.samples import gate, package, release

from slipway import releases
from slipway.errors import Rejected
from slipway.records import GateDecision, Package, Release, ReleaseEvent, Stable

A, B = (package(version).bundle.model_digest for version in ("1.0.0", "1.1.0"))
AT = "2013-05-01T00:00:00+00:00"
NOTHING = Stable(environments={})


def promoted(version: str, *environments: str) -> Release:
    """A release that was promoted in some environments, one after the other."""
    made, record = package(version), None
    for environment in environments:
        known = {} if record is None else {version: record}
        record = releases.propose(made, gate(made.bundle.model_digest), known, NOTHING, environment=environment, at=AT)
        stood = ReleaseEvent(kind="promoted", environment=environment, at=AT, cause="person")
        record = msgspec.structs.replace(record, events=(*record.events, stood))
    assert record is not None
    return record


def propose(made: Package, decision: GateDecision, known: dict[str, Release], **stable: str) -> Release:
    """Propose to production."""
    return releases.propose(made, decision, known, Stable(environments=stable), environment="production", at=AT)


def test_first_release_needs_no_champion_and_makes_a_record() -> None:
    """The record holds the package, the decision, and that it was proposed."""
    record = propose(package("1.0.0"), gate(A), {})

    assert [(event.kind, event.environment) for event in record.events] == [("proposed", "production")]
    assert releases.in_flight({"1.0.0": record}, "production") == "1.0.0"


def test_what_staging_has_proved_goes_to_production_with_the_same_bytes() -> None:
    """The record keeps its events and gains one; other bytes under that version are refused."""
    known = {"1.0.0": promoted("1.0.0", "staging")}
    record = propose(package("1.0.0"), gate(A), known)

    assert [event.environment for event in record.events] == ["staging", "staging", "production"]
    with pytest.raises(Rejected, match="exists, with other bytes"):
        propose(package("1.0.0", image="another"), gate(A), known)


@pytest.mark.parametrize(
    ("decision", "says"),
    [
        (gate(B, A, accepted=False), "did not pass the gate"),
        (gate(A, A), "the gate decided about"),
        (gate(B, None), f"against no champion; Git says that the champion is {A[:14]}"),
        (gate(B, B), f"against {B[:14]}"),
    ],
    ids=["rejected", "about another model", "as the first of all", "against another champion"],
)
def test_only_a_decision_against_todays_champion_counts(decision: GateDecision, says: str) -> None:
    """A gate that said no, or yes to another model or against another champion, lets nothing in."""
    known = {"1.0.0": promoted("1.0.0", "production")}

    with pytest.raises(Rejected, match=says):
        propose(package("1.1.0"), decision, known, production="1.0.0")
    assert propose(package("1.1.0"), gate(B, A), known, production="1.0.0")


def test_what_may_run_is_the_stable_and_what_is_in_flight() -> None:
    """Of this environment, as it is now: what stood before, was taken back, or stands elsewhere may not."""
    known = {version: promoted(version, "production") for version in ("1.0.0", "1.1.0")}
    known["1.2.0"] = promoted("1.2.0", "staging")

    def running(environment: str = "production", **stable: str) -> dict[str, str]:
        return releases.running(known, Stable(environments=stable), environment)

    def bytes_of(*versions: str) -> dict[str, str]:
        return {made.image_digest: made.bento_digest for made in map(package, versions)}

    assert running() == {}
    assert running(production="1.1.0", staging="1.2.0") == bytes_of("1.1.0")
    assert running(production="1.0.0") == bytes_of("1.0.0"), "a person went back"
    assert running("staging", production="1.1.0") == {}
    assert running(production="0.9.0") == {}, "a stable that releases/ does not hold"
    known["1.3.0"] = propose(package("1.3.0", model="1.1.0"), gate(B, B), known, production="1.1.0")
    assert running(production="1.1.0") == bytes_of("1.1.0", "1.3.0")
    reverted = ReleaseEvent(kind="reverted", environment="production", at=AT, cause="verdict")
    known["1.3.0"] = msgspec.structs.replace(known["1.3.0"], events=(*known["1.3.0"].events, reverted))
    assert running(production="1.1.0") == bytes_of("1.1.0")


@pytest.mark.parametrize("version", ["1.0.0", "0.9.0"])
def test_versions_go_up(version: str) -> None:
    """What was released, and all below it, is not released again."""
    known = {"1.0.0": promoted("1.0.0", "production")}

    with pytest.raises(Rejected, match=f"{version} is not above 1.0.0"):
        propose(package(version, model="1.1.0"), gate(B, A), known, production="1.0.0")


def test_burnt_versions_are_not_used_again() -> None:
    """The next version is above the highest, by number and not by letter."""
    assert releases.following([]) == "1.0.0"
    assert releases.following(["1.9.0", "1.10.0", "1.2.0"]) == "1.11.0"


def test_a_release_in_flight_holds_the_next() -> None:
    """One at a time in an environment."""
    known = {"1.0.0": propose(package("1.0.0"), gate(A), {})}

    with pytest.raises(Rejected, match=r"1\.0\.0 is in flight in production"):
        propose(package("1.1.0"), gate(B), known)


@pytest.mark.parametrize(
    "version", ["1.0", "01.0.0", "1.0.0-rc1", "../../x", "-1.0.0", "\u0661.0.0", "", "1.0.0\n", "1.0." + 300 * "9"]
)
def test_what_is_no_version_is_refused(version: str) -> None:
    """Only MAJOR.MINOR.PATCH in plain digits: the version names files and tags."""
    with pytest.raises(Rejected, match="is no version"):
        releases.parse(version)


@pytest.mark.parametrize(
    ("events", "stable", "coming", "beside"),
    [
        ({"1.0.0": ["proposed"]}, None, "1.0.0", None),
        ({"1.0.0": ["promoted"], "1.1.0": ["proposed"]}, "1.0.0", "1.1.0", "1.0.0"),
        ({"1.0.0": ["promoted"]}, "1.0.0", "1.0.0", "1.0.0"),
        ({"1.0.0": ["promoted"]}, "1.0.0", "1.1.0", "1.0.0"),
        ({"1.0.0": ["promoted", "restored"], "1.1.0": ["promoted", "rolled-back"]}, "1.0.0", "1.0.0", "1.1.0"),
        (
            {"1.0.0": ["restored"], "1.1.0": ["promoted", "restored", "rolled-back"], "1.2.0": ["rolled-back"]},
            *("1.0.0", "1.0.0", "1.1.0"),
        ),
        ({"1.0.0": ["restored"]}, "1.0.0", "1.0.0", "1.0.0"),
    ],
)
def test_what_serves_while_a_version_comes(
    events: dict[str, list[Any]], stable: str | None, coming: str, beside: str | None
) -> None:
    """The recorded stable; after a rollback, what was left last, whatever happened in another environment since."""
    known = {
        version: release(
            version,
            *(
                ReleaseEvent(kind=kind, environment="production", at=f"2013-05-0{day}", cause=None)
                for day, kind in enumerate(kinds, start=1)
            ),
            ReleaseEvent(kind="rolled-back", environment="staging", at="2013-06-01", cause="person"),
        )
        for version, kinds in events.items()
    }
    recorded = Stable(environments={} if stable is None else {"production": stable})
    assert releases.beside(known, recorded, "production", coming) == beside
