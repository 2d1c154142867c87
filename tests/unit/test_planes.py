"""Do the planes agree: a table of what each may say, and of what is said about it."""

from typing import Any

import msgspec
import pytest
from tests import samples
from tests.unit.test_history import event

from slipway import history, planes
from slipway.history import Revision
from slipway.planes import Applied, Held, Place, Registry, Status
from slipway.records import Quarantine, QuarantineEvent, Release, ReleaseEvent, Stable
from slipway.rollout.records import Seen

P = "production"
OLD, NEW, BAD = (f"sha256:{64 * letter}" for letter in "abc")


def release(version: str, digest: str, champion: str | None, *events: ReleaseEvent) -> Release:
    """A release whose image and model have one digest."""
    made = samples.package(version)
    bundle = msgspec.structs.replace(made.bundle, model_digest=digest)
    package = msgspec.structs.replace(made, bundle=bundle, image_digest=digest)
    return Release(package=package, gate=samples.gate(digest, champion), events=events)


RELEASES = {
    "1.0.0": release("1.0.0", OLD, None, event(f"proposed {P}", "1"), event(f"promoted {P}", "2")),
    "1.1.0": release("1.1.0", NEW, OLD, event(f"proposed {P}", "3")),
}
AGREED: dict[str, Any] = {
    "stable": "1.0.0",
    "in_flight": "1.1.0",
    "image": f"flights:1.1.0@{NEW}",
    "rollback": None,
    "cluster": (NEW, "progressing"),
    "champion": OLD,
    "challenger": NEW,
    "barred": None,
    "altered": (),
    "unseen": (),
}
SETTLED = {"in_flight": None, "image": f"flights:1.0.0@{OLD}", "cluster": (OLD, "healthy")}


def status(**changes: Any) -> Status:
    """The status of a world in which all agree, but for these changes."""
    facts = AGREED | changes
    known = {version: one for version, one in RELEASES.items() if facts["in_flight"] or version == "1.0.0"}
    revision = Revision(
        commit=40 * "1",
        who="Ana",
        releases=known,
        stable=Stable(environments={P: facts["stable"]} if facts["stable"] else {}),
        quarantine=Quarantine(events=tuple(barred(*one) for one in facts["barred"] or ())),
    )
    applied = facts["image"] and Applied(
        namespace="n", rollout="flights", image=facts["image"], rollback=facts["rollback"]
    )
    seen = facts["cluster"] and Seen(
        namespace="n",
        rollout="flights",
        image=facts["cluster"][0],
        rollback=False,
        phase=facts["cluster"][1],
        cause="verdict",
        detail="as the controller says",
        at=0.0,
    )
    held = {
        name: facts[name] and Held(version="7", model_digest=facts[name], releases=())
        for name in ("champion", "challenger")
    }
    place = Place(stable=facts["stable"], in_flight=facts["in_flight"], applied=applied, cluster=seen)
    return planes.compare(
        40 * "2",
        revision,
        {P: place},
        Registry(**held) if facts["champion"] != "unseen" else None,
        told=history.tell(history.noted([revision])),
        altered=facts["altered"],
        unseen=facts["unseen"],
    )


def barred(what: str, digest: str, environment: str) -> QuarantineEvent:
    """A digest that an abort has barred."""
    return msgspec.convert(
        {
            "kind": "quarantined",
            "what": what,
            "digest": digest,
            "version": "1.1.0",
            "environment": environment,
            "at": "4",
            "cause": "verdict",
        },
        QuarantineEvent,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"cluster": None},
        {"champion": "unseen"},
        {"cluster": (NEW, "paused")},
        SETTLED,
        SETTLED | {"rollback": OLD},
        SETTLED | {"challenger": None},
        {"barred": [("recipe", BAD, P)]},
    ],
    ids=lambda changes: " ".join(changes) or "in flight",
)
def test_they_agree(changes: dict[str, Any]) -> None:
    """A canary under way, or everything served by the recorded stable; what was not looked at is no disagreement."""
    assert status(**changes).disagreements == ()


WRONG = {
    "stable.json names another": ({"stable": "1.1.0", "champion": NEW}, P, "the events say 1.0.0", "git log -p"),
    "history was changed": ({"altered": ("1.0.0.json: is gone",)}, "git", "is gone", "Restore"),
    "another image is applied": (
        {"image": f"flights:1.0.0@{OLD}", "cluster": None},
        P,
        "in flight is 1.1.0",
        "git log",
    ),
    "another tag is applied": ({"image": f"flights:1.0.0@{NEW}"}, P, "flights:1.0.0", "git log"),
    "nothing is applied": ({"image": None, "cluster": None}, P, "holds no manifest", "git log"),
    "something is applied of nothing": (
        SETTLED | {"stable": None, "champion": None, "challenger": None},
        P,
        "releases/ says none",
        "git log",
    ),
    "a rollback waves a canary through": ({"rollback": NEW}, P, "a release is in flight", "git log"),
    "a rollback to another image": (SETTLED | {"rollback": NEW}, P, "holds another image", "git log"),
    "what is in flight is quarantined": (
        {"barred": [("image", NEW, "staging")]},
        P,
        "1.1.0 is quarantined",
        "slipway revert",
    ),
    "what is live is quarantined": (SETTLED | {"barred": [("image", OLD, P)]}, P, "is quarantined", "slipway rollback"),
    "another champion": ({"champion": NEW}, "registry", f"the champion is {NEW}", "slipway promote 1.0.0"),
    "no champion": ({"champion": None}, "registry", "the champion is none", "slipway promote 1.0.0"),
    "a quarantined challenger": (
        {"challenger": BAD, "barred": [("model", BAD, P)]},
        "registry",
        "the challenger, version 7, is quarantined",
        f"slipway revert --digest {NEW}",
    ),
    "the cluster has another image": ({"cluster": (OLD, "healthy")}, P, "(1.0.0), Git for", "Argo CD"),
    "a promotion is not recorded": (
        {"cluster": (NEW, "healthy")},
        P,
        "1.1.0 serves everything",
        "slipway promote 1.1.0 -e production --cause verdict",
    ),
    "an abort is not recorded": (
        {"cluster": (NEW, "aborted")},
        P,
        "was aborted (as the controller says)",
        f"slipway revert --digest {NEW} -e production --cause verdict",
    ),
    "the stable is on its way": (SETTLED | {"cluster": (OLD, "progressing")}, P, "not serve everything yet", "look"),
    "the stable hangs": (SETTLED | {"cluster": (OLD, "aborted")}, P, "its rollout is aborted", "retry"),
}


@pytest.mark.parametrize(("changes", "where", "what", "remedy"), WRONG.values(), ids=WRONG)
def test_they_disagree(changes: dict[str, Any], where: str, what: str, remedy: str) -> None:
    """Each disagreement is one sentence, at its place, with what mends it."""
    found = [one for one in status(**changes).disagreements if what in one.what]
    assert [one.where for one in found] == [where]
    assert remedy in found[0].remedy


def test_a_barred_recipe_is_a_remark() -> None:
    """A release that superseded a bad one is judged on its own, though its recipe is barred meanwhile."""
    known = AGREED | {"barred": [("recipe", RELEASES["1.1.0"].package.bundle.recipe_digest, P)]}
    assert status(**known).disagreements == ()
    assert any("1.1.0 in production has a recipe" in remark for remark in status(**known).remarks)


def test_a_stable_that_another_environment_has_found_bad_is_a_remark() -> None:
    """Staging's stable that production aborted is no disagreement: a person decides, or the next release."""
    found = status(**SETTLED, barred=[("model", OLD, "staging")])
    assert found.disagreements == ()
    assert "aborted in staging" in found.remarks[0]
