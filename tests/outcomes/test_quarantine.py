"""What an abort bars, on a real bare repository: listed, heeded by release, rollback and the manifest check, lifted."""

import json
import shutil
from functools import partial

import pytest
from tests.conftest import ROOT
from tests.outcomes.test_verbs import EVIDENCE, said
from tests.outcomes.world import AT, World
from tests.samples import package

from slipway import outcomes, quarantine, records
from slipway.adapters.git import Repository
from slipway.commands import guarded, settling
from slipway.errors import Broken, Rejected

WHY = ("--why", "the sensor was broken")


@pytest.fixture
def aborted(world: World) -> World:
    """1.0.0 is production's stable, 1.1.0 was aborted on evidence."""
    world.release("1.0.0")
    world.promote("1.0.0")
    abort = partial(outcomes.revert, environment="production", at=AT, cause="verdict", evidence=EVIDENCE)
    digest = world.release("1.1.0")
    settling.settle(Repository(world.clone), lambda state, _: abort(state, digest))
    return world


def recipe(version: str) -> str:
    """The digest of a version's recipe."""
    return package(version).bundle.recipe_digest


def test_the_list_says_what_since_when_and_on_what_evidence(aborted: World) -> None:
    """Each of the four, for a person and a program; a clone that has fetched nothing since sees it too."""
    shown = aborted.ok("quarantine", "list")
    for what, digest in quarantine.digests(package("1.1.0")).items():
        (line,) = (line for line in shown.splitlines() if line.startswith(what))
        assert digest[:19] in line
        assert "1.1.0" in line
        assert line.endswith("verdict")
    assert f"1.1.0 in production: {EVIDENCE.detail}" in shown
    told = json.loads(aborted.ok("quarantine", "list", "--json"))
    assert told["commit"] == aborted.head()
    assert [one["event"]["what"] for one in told["barred"]] == ["image", "bento", "model", "recipe"]
    assert {one["detail"] for one in told["barred"]} == {EVIDENCE.detail}


def test_nothing_is_said_where_nothing_is(world: World) -> None:
    """Before the first abort."""
    assert world.ok("quarantine", "list") == "Nothing is quarantined.\n"


def test_a_barred_recipe_is_released_again_only_once_it_is_lifted(aborted: World) -> None:
    """Other bytes by the same recipe are refused with the reason; after the lift they go, and another abort bars it."""
    with pytest.raises(Rejected, match=rf"recipe {recipe('1.1.0')[:19]}… is quarantined since 1\.1\.0 was aborted in"):
        aborted.release("1.2.0", recipe="1.1.0")
    before = aborted.git("show", "main:releases/quarantine.json")

    printed = aborted.ok("quarantine", "lift", recipe("1.1.0")[7:19], *WHY)

    assert recipe("1.1.0") in printed
    assert aborted.git("log", "-1", "--format=%s", "main").startswith(f"Let recipe {recipe('1.1.0')[:19]} in again")
    assert f"Slipway-Lifted: {recipe('1.1.0')}" in aborted.git("log", "-1", "--format=%(trailers)", "main")
    assert aborted.git("show", "--name-only", "--format=", "main") == "releases/quarantine.json"
    state = aborted.state()
    assert state.quarantine.events[:4] == records.loads(records.Quarantine, before, "before").events
    assert recipe("1.1.0") not in quarantine.active(state.quarantine)
    aborted.release("1.2.0", recipe="1.1.0")
    aborted.revert("1.2.0")
    assert quarantine.active(aborted.state().quarantine)[recipe("1.1.0")].version == "1.2.0"


def test_what_cannot_be_lifted_changes_nothing(aborted: World) -> None:
    """Not barred, barred no more, no digest, no reason: each has its sentence, and main stays."""
    assert "is not quarantined" in said(aborted, 1, "quarantine", "lift", recipe("1.0.0"), *WHY)
    assert "is no digest" in said(aborted, 1, "quarantine", "lift", "1.1.0", *WHY)
    assert "--why" in said(aborted, 2, "quarantine", "lift", recipe("1.1.0"))
    aborted.ok("quarantine", "lift", recipe("1.1.0"), *WHY)
    again = said(aborted, 1, "quarantine", "lift", recipe("1.1.0"), *WHY)
    assert "it was lifted at" in again
    assert WHY[1] in again


def test_two_lifts_at_once_are_both_there(aborted: World) -> None:
    """A clone that is behind decides on what main says; nothing of the other's is lost."""
    other = aborted.folder / "other"
    aborted.git("clone", "-q", str(aborted.origin), str(other), folder=aborted.folder)
    aborted.ok("quarantine", "lift", recipe("1.1.0"), *WHY)
    aborted.ok("quarantine", "lift", package("1.1.0").bento_digest, *WHY, folder=other)
    assert {one.what for one in quarantine.active(aborted.state().quarantine).values()} == {"image", "model"}


def test_no_person_brings_an_aborted_image_back_by_hand(aborted: World) -> None:
    """The manifests of the aborted release, committed on a branch, are refused by the base's quarantine.

    That the branch lifts its own bar does not help; a lift that main has does.
    """
    clone, digest = aborted.clone, package("1.1.0").image_digest
    aborted.git("pull", "-q", folder=clone)
    shutil.copytree(ROOT / "argocd", clone / "argocd")
    assert guarded.problems(clone) == []
    aborted.ok("manifests", "check")

    aborted.git("checkout", "-q", "-b", "mine", folder=clone)
    aborted.git("checkout", "-q", "HEAD~1", "--", "k8s/rendered", folder=clone)
    aborted.git("commit", "-qm", "Bring it back", folder=clone)
    words = said(aborted, 1, "manifests", "check")
    assert f"k8s/rendered/production: image {digest[:19]}… is quarantined since 1.1.0 was aborted" in words
    assert EVIDENCE.detail in words
    assert "git checkout origin/main -- releases k8s/rendered" in words
    lifted = quarantine.lift(aborted.state().quarantine, digest, at="2013-06-20T00:00:00+00:00", why="I say so")
    (clone / "releases/quarantine.json").write_text(records.dumps(lifted))
    assert len(guarded.problems(clone)) == 1

    aborted.git("checkout", "-q", "--", "releases", folder=clone)
    aborted.ok("quarantine", "lift", digest, *WHY)
    aborted.git("fetch", "-q", folder=clone)
    aborted.git("rebase", "-q", "origin/main", folder=clone)
    assert guarded.problems(clone) == []


def test_the_recorded_stable_is_a_persons_to_take_away(world: World) -> None:
    """Promoted in staging, aborted in production: staging runs it on, and no pull request is red for it."""
    world.release("1.0.0")
    world.promote("1.0.0")
    world.release("1.1.0", "staging")
    world.promote("1.1.0", "staging")
    world.release("1.1.0")
    world.revert("1.1.0")
    world.git("pull", "-q", folder=world.clone)

    assert package("1.1.0").image_digest in quarantine.active(world.state().quarantine)
    assert guarded.problems(world.clone) == []


def test_a_rewritten_record_is_refused_where_it_was_written(aborted: World) -> None:
    """Uncommitted, on a branch, and pushed to main by hand: a past that changes is seen each time."""
    clone = aborted.clone
    aborted.git("pull", "-q", folder=clone)
    path = clone / "releases/1.1.0.json"
    path.write_text(path.read_text().replace("1 in 3 fails", "1 in 900 fails"))
    fault = ["releases: 1.1.0.json: event 2 (reverted in production) was changed"]

    assert guarded.problems(clone) == fault
    aborted.git("commit", "-qam", "Make it look better", folder=clone)
    assert guarded.problems(clone) == fault
    aborted.git("push", "-q", "origin", "HEAD:main", folder=clone)
    assert guarded.problems(clone) == fault

    aborted.git("remote", "remove", "origin", folder=clone)
    path.unlink()
    assert guarded.problems(clone) == ["releases: 1.1.0.json: is gone"]


def test_without_a_history_there_is_no_answer(aborted: World) -> None:
    """A shallow clone is no evidence that nothing was taken back; a folder without Git has nothing to take back."""
    shallow, plain = aborted.folder / "shallow", aborted.folder / "plain"
    aborted.git("clone", "-q", "--depth=1", f"file://{aborted.origin}", str(shallow), folder=aborted.folder)
    with pytest.raises(Broken, match="part of the history") as error:
        guarded.problems(shallow)
    assert "fetch-depth: 0" in error.value.remedy

    shutil.copytree(aborted.clone, plain, ignore=shutil.ignore_patterns(".git"))
    assert guarded.problems(plain) == []
    assert Repository(plain).commit_of("HEAD") is None
