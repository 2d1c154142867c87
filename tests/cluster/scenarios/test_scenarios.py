"""The scenarios, in order, on one cluster: each begins where the one before has ended."""

from tests.cluster.scenarios.playing import Ended, Stage

STEPS = [0, 10, 30, 60, 100]


def ended(stage: Stage, version: str, began: float, kind: str, *causes: str) -> Ended:
    """See how a release ends, and that all three planes agree on it."""
    found = stage.end(version, began)
    print(found.told())
    assert (found.kind, found.cause in causes) == (kind, True), found.told()
    assert f"@{stage.cluster.main(f'releases/{stage.stable}.json')['package']['image_digest']}" in stage.image()
    stage.agree()
    return found


def test_a_the_first_release_serves(stage: Stage) -> None:
    """No analysis runs, as there is nothing to compare with; Git records it by a person's word."""
    event = stage.end_of(stage.stable)
    assert event is not None
    assert (event["kind"], event["cause"]) == ("promoted", "person")
    assert not stage.watch.runs
    seen = stage.traffic.wait_for(500, stage.traffic.mark())
    assert seen.failed == 0
    assert set(seen.by_version) == {stage.stable}
    stage.agree()


def test_e_the_twin_is_promoted(stage: Stage) -> None:
    """The same model again: 10, 30, 60, all; nobody gets an error."""
    version, began = stage.release()
    found = ended(stage, version, began, "promoted", "verdict")
    assert [weight for weight in found.weights if weight] == [10, 30, 60, 100]
    assert found.clients.failed == 0


def test_d_failing(stage: Stage) -> None:
    """Two of a hundred answers are errors."""
    version, began = stage.release("failing(0.02)")
    found = ended(stage, version, began, "reverted", "verdict")
    assert found.blame == "errors"
