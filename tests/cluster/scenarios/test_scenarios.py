"""The scenarios, in order, on one cluster: each begins where the one before has ended."""

import time

import pytest
from tests.cluster.machine.fork import TRAFFIC
from tests.cluster.machine.kubernetes import wait
from tests.cluster.scenarios.playing import Ended, Stage, refused

from challengers.releases import CASES, Behind
from slipway import demo as story
from slipway.commands.demo_scenes import arrive, plant

GATED = [10, 30, 60, 100]
HARDLY = 0.005  # of the requests
CRASHED = HARDLY * TRAFFIC * 90  # of those in the seconds that a crashing canary may take, however soon it ends
# What is measured is printed, and stands in docs/cluster.md. The bounds are wide: a busy machine is no defect.
AT_ONCE, SOON = 10, 60  # seconds


def ended(stage: Stage, version: str, began: float, kind: str, *causes: str) -> Ended:
    """See how a release ends, and that all three planes agree on it."""
    found = stage.end(version, began)
    print(found.told(), flush=True)
    assert (found.kind, found.cause in causes) == (kind, True), found.told()
    stage.agree()
    return found


def barred(stage: Stage, version: str) -> set[str]:
    """What of a release is quarantined."""
    events = stage.cluster.main("releases/quarantine.json").get("events", ())
    return {event["what"] for event in events if event["version"] == version}


def test_a_the_first_release_serves(stage: Stage) -> None:
    """In staging, then in production: no analysis, for there is nothing to compare with; a person's word, says Git."""
    events = stage.cluster.main(f"releases/{stage.stable}.json")["events"]
    assert [(event["environment"], event["kind"], event["cause"]) for event in events] == [
        (environment, kind, cause)
        for environment in ("staging", "production")
        for kind, cause in (("proposed", None), ("promoted", "person"))
    ]
    assert not stage.watch.runs
    seen = stage.traffic.wait_for(1000, stage.traffic.mark())
    assert seen.failed == 0
    assert set(seen.by_version) == {stage.stable}
    stage.agree()


@pytest.mark.parametrize("name", ["slow", "contract", "crashing", "withdrawing"])
def test_d_a_bad_service_is_aborted(stage: Stage, name: str) -> None:
    """It ends as its rehearsal does; its image is barred and the champion's model is not; clients hardly notice."""
    case = CASES[name]
    assert isinstance(case.make, Behind)
    version, began = stage.release(case.make.fault)
    found = ended(stage, version, began, "reverted", *case.causes)
    assert found.cause != "verdict" or found.blame == case.blame
    assert case.weights in (None, tuple(found.weights))
    assert barred(stage, version) == {"image", "bento"}
    assert found.seconds["verdict -> weight 0"] <= AT_ONCE
    assert found.seconds["abort -> revert in Git"] <= SOON
    if name == "crashing" and found.clients.failed > CRASHED:  # where it falls between two looks is chance: once more
        found = ended(stage, *stage.release(case.make.fault), "reverted", *case.causes)
    most = {"slow": 0, "crashing": CRASHED}.get(name, HARDLY * found.clients.requests)
    assert found.clients.failed <= most


def test_d_g_an_unrelated_commit_does_not_try_the_aborted_image_again(stage: Stage) -> None:
    """While Git still asks for what was aborted, a commit about something else is synced, and nothing starts anew."""
    case = CASES["failing"]
    assert isinstance(case.make, Behind)
    version, began = stage.release(case.make.fault)
    with stage.without("relay"):
        canary = stage.until(aborted=True).canary
        runs = {run.name for run in stage.watch.runs}
        (stage.cluster.fork.root / "NOTES.md").write_text("An unrelated commit.\n")
        stage.cluster.fork.commit("Say something else")
        # With a delay the controller would forget the deadline of the next canary: docs/reliability.md.
        wait(lambda: not stage.pods(canary), "the end of its pods", stage.cluster.box.place, 60)
        assert stage.now.aborted
        assert {run.name for run in stage.watch.runs} == runs
        assert stage.event(version) is None
    found = ended(stage, version, began, "reverted", *case.causes)
    assert found.blame == case.blame
    assert found.seconds["verdict -> weight 0"] <= AT_ONCE


def given_up(stage: Stage, version: str) -> None:
    """See that a release whose pods never came ends so; nothing is barred, as nobody has judged it."""
    stage.cluster.fork.run("slipway", "release")
    found = ended(stage, version, time.time(), "reverted", "deadline")
    assert not barred(stage, version)
    assert found.clients.failed == 0


def test_d_an_image_that_is_in_no_registry_is_given_up(stage: Stage) -> None:
    """`release` does not ask the registry."""
    stage.cluster.fork.pull()
    given_up(stage, stage.cluster.fork.package())


def test_d_an_image_with_other_bytes_is_given_up(stage: Stage) -> None:
    """Somebody changes what the registry holds: nothing of it is ever run."""
    stage.cluster.fork.pull()
    version = stage.cluster.fork.package()
    stage.cluster.fork.push(version)
    with stage.cluster.tampered(version):
        given_up(stage, version)


def test_d_what_is_not_signed_is_not_released(stage: Stage) -> None:
    """The cluster never hears of it."""
    fork = stage.cluster.fork
    fork.pull()
    fork.package()
    (fork.root / "build/attestation.sigstore.json").unlink()
    assert "is not signed" in fork.run("slipway", "release", ends=1)


def test_h_j_a_release_takes_the_place_of_the_one_in_flight_and_a_person_aborts_it(stage: Stage) -> None:
    """A second release is refused, or takes the first one's place; an abort by hand is Git's, too, and bars nothing."""
    first, _ = stage.release()
    replaced = stage.until(weight=10).canary
    assert "in flight" in refused(stage.release)
    stage.cluster.fork.run("slipway", "release", "--supersede")
    version, began = stage.cluster.fork.packaged(), time.time()
    event = stage.cluster.main(f"releases/{first}.json")["events"][-1]
    assert event["kind"] == "superseded"
    wait(lambda: stage.now.weight == 10 and stage.now.canary != replaced, "the second canary", stage.cluster.box.place)
    stage.person("abort", "flights")
    found = ended(stage, version, began, "reverted", "person")
    assert not barred(stage, version)
    assert found.clients.failed == 0


def test_j_a_person_tries_again_and_promotes_in_full(stage: Stage) -> None:
    """What was not reverted yet stays in flight; then it is stable by a person's word."""
    version, began = stage.release()
    stage.until(weight=10)
    with stage.without("relay"):
        stage.person("abort", "flights")
        stage.until(aborted=True)
        stage.person("retry", "rollout", "flights")
        stage.until(weight=10, aborted=False)
        stage.person("promote", "flights", "--full")
        stage.until(phase="Healthy")
        assert stage.event(version) is None
    ended(stage, version, began, "promoted", "person")


def test_j_a_person_promotes_past_each_analysis(stage: Stage) -> None:
    """The same word for Git, whether it was one step or all."""
    version, began = stage.release()
    for weight in GATED[:-1]:
        stage.until(weight=weight)
        stage.person("promote", "flights")
    found = ended(stage, version, began, "promoted", "person")
    assert found.weights[-1] == 100


def test_j_an_undo_is_put_back(stage: Stage) -> None:
    """`undo` changes the Deployment in the cluster; Argo CD puts Git's image back, and no outcome is written."""
    before, head = stage.image(), stage.cluster.fork.run("git", "ls-remote", "origin", "main")
    stage.person("undo", "flights")
    wait(lambda: stage.image() == before, "Argo CD", stage.cluster.box.place)
    stage.settle(0)
    assert stage.cluster.fork.run("git", "ls-remote", "origin", "main") == head
    stage.agree()


def test_f_a_person_takes_back_what_was_not_promoted(stage: Stage) -> None:
    """The recorded stable is back without a canary: nothing is judged on the way."""
    version, began = stage.release()
    stage.until(weight=10)
    stage.cluster.fork.run("slipway", "revert", "--digest", stage.digest(version), "--why", "the menu is wrong")
    found = ended(stage, version, began, "reverted", "person")
    assert not [run for run in stage.watch.runs if run.at > began and run.hash == stage.now.stable]
    assert found.clients.failed == 0


def test_b_more_data_make_a_better_model_and_it_is_promoted(stage: Stage) -> None:
    """May and half of June arrive: another model, 10, 30, 60, all, and the registry's champion."""
    fork = stage.cluster.fork
    fork.pull()
    arrive(fork.root, story.MONTHS[:2], until=story.HALF)
    fork.play(*story.DATA)
    fork.train()
    fork.decide()
    version, began = stage.release()
    found = ended(stage, version, began, "promoted", "verdict")
    assert found.weights == GATED
    assert found.clients.failed == 0


def test_f_a_rollback_passes_the_judge(stage: Stage) -> None:
    """A person goes back in seconds, to what is worse by the evidence; the next release, below, is judged again."""
    fork = stage.cluster.fork
    fork.pull()
    fork.run("slipway", "rollback", "--to", "1.0.0", "--why", "the desk asks for the model of April")
    found = ended(stage, "1.0.0", stage.cluster.pushed(), "restored", "person")
    assert found.weights == GATED
    assert found.seconds["in all"] <= SOON
    assert found.clients.failed == 0


def test_c_a_leak_passes_the_gate_and_is_aborted_on_truth(stage: Stage) -> None:
    """Git is put right, the recipe barred, a branch takes the change back; the stable has answered all the time."""
    fork = stage.cluster.fork
    fork.pull()
    plant(fork.root)
    fork.play(*story.LEAK)
    fork.decide()
    version, began = stage.release()
    found = ended(stage, version, began, "reverted", "verdict")
    assert found.blame == "truth"
    assert barred(stage, version) == {"image", "bento", "model", "recipe"}
    assert found.clients.failed == 0
    fork.play(*story.merge(version)[1:])
    fork.train()
    fork.decide()  # what follows is the champion's model again
