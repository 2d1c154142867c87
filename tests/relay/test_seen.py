"""How a rollout stands, from objects as the controller writes them (Argo Rollouts 1.10)."""

from typing import Any

import pytest

from canary import objects
from canary.objects import run
from slipway.errors import Broken
from slipway.rollout import seen

FAILED = (
    "RolloutAborted: Rollout aborted update to revision 2: Step-based analysis phase error/failed:"
    ' Metric "judge" assessed Failed due to failed (1) > failureLimit (0)'
)
BARE = "RolloutAborted: Rollout aborted update to revision 2"
LATE = f'{BARE}: ReplicaSet "flights-bbb" has timed out progressing.'
PASSED = [run(1, "12:00:00", "12:10:00", "Successful"), run(3, "12:11:00", "12:20:00", "Successful")]


def judged(value: str, phase: str = "Failed", step: int = 5, **changes: Any) -> dict[str, Any]:
    """A run whose metric ended with a value, at 12:30."""
    made = run(step, "12:21:00", "12:30:00", phase, **changes)
    measured = {"phase": phase, "value": value, "startedAt": f"{objects.DAY}12:29:59Z"}
    results = [{"name": "judge", "phase": phase, "measurements": [{"phase": "Inconclusive", "value": "[0]"}, measured]}]
    return made | {"status": made["status"] | {"metricResults": results}}


def terminated(step: int) -> dict[str, Any]:
    """A run that the controller has ended, because of a person: it is Successful, too."""
    made = run(step, "12:21:00", "12:30:00", "Successful")
    return made | {"spec": made["spec"] | {"terminate": True}}


def aborted(message: str, at: str = "12:30:01") -> dict[str, Any]:
    """The status after an abort."""
    when = f"{objects.DAY}{at}Z"
    return {"abort": True, "abortedAt": when, "phase": "Degraded", "message": message, "currentStepIndex": 0}


HEALTHY = {"phase": "Healthy", "stableRS": "bbb", "currentStepIndex": 7}
ALL = [*PASSED, judged("[1]", "Successful")]
STATES: dict[str, tuple[dict[str, Any], list[dict[str, Any]], str, str | None]] = {
    "under way": ({"phase": "Progressing"}, [run(1, "12:00:00")], "progressing", None),
    "no status yet": ({}, [], "progressing", None),
    "promoted by the judge": (HEALTHY, ALL, "healthy", "verdict"),
    "promoted after a retry": (
        HEALTHY,
        [run(1, "11:00:00", "11:30:00", "Failed", name="old"), *ALL],
        "healthy",
        "verdict",
    ),
    "promote, past the last analysis": (HEALTHY, [*PASSED, terminated(5)], "healthy", "person"),
    "promote --full, past two analyses": (HEALTHY, [terminated(1)], "healthy", "person"),
    "promote, past an analysis that an attempt before had passed": (
        HEALTHY,
        [
            *(one | {"metadata": one["metadata"] | {"name": "old"}} for one in [*PASSED, judged("[-1]")]),
            run(1, "12:40:00", "12:45:00", "Successful"),
            run(5, "12:46:00", "12:50:00", "Successful"),
        ],
        "healthy",
        "person",
    ),
    "judged again after a pause": (
        HEALTHY,
        [*PASSED, judged("[0]", "Inconclusive"), run(5, "12:40:00", "12:50:00", "Successful", name="again")],
        "healthy",
        "verdict",
    ),
    "promote, past an analysis without a verdict": (
        HEALTHY,
        [
            run(1, "12:00:00", "12:10:00", "Successful"),
            run(3, "12:11:00", "12:20:00", "Inconclusive"),
            run(5, "12:40:00", "12:50:00", "Successful"),
        ],
        "healthy",
        "person",
    ),
    "first deployment": (HEALTHY, [], "healthy", "person"),
    "healthy, but of the pods before": (HEALTHY | {"stableRS": "aaa"}, ALL, "progressing", None),
    "runs of the revision before": (HEALTHY, [judged("[1]", "Successful", revision="1"), *PASSED], "healthy", "person"),
    "aborted on evidence": (aborted(FAILED), [*PASSED, judged("[-1]")], "aborted", "verdict"),
    "aborted, no canary available": (aborted(FAILED), [*PASSED, judged("[-2]")], "aborted", "unavailable"),
    "aborted at the judge's deadline": (aborted(FAILED), [judged("[-3]", step=1)], "aborted", "deadline"),
    "a scalar": (aborted(FAILED), [judged("-1")], "aborted", "verdict"),
    "a value of no judge": (aborted(FAILED), [judged("[-1,-1]")], "aborted", "error"),
    "no number": (aborted(FAILED), [judged("[NaN]")], "aborted", "error"),
    "the judge did not answer": (aborted(FAILED), [judged("", "Error")], "aborted", "error"),
    "the controller was down in between": (aborted(FAILED, "12:45:00"), [judged("[-1]")], "aborted", "verdict"),
    "a retry came in between": (
        aborted(FAILED),
        [judged("[-1]", step=1), run(1, "12:40:00", name="again")],  # listed after the Rollout was read
        "aborted",
        "verdict",
    ),
    "the run is gone": (aborted(FAILED), [], "aborted", "error"),
    "no pod soon enough, it says": (aborted(LATE, "12:20:05"), PASSED, "aborted", "deadline"),
    "no pod ever available": (aborted(LATE), [], "aborted", "deadline"),
    "no pod for the second step": (aborted(LATE, "12:40:00"), PASSED, "aborted", "deadline"),
    "no pod after a retry": (aborted(LATE, "12:40:00"), [judged("[-1]")], "aborted", "deadline"),
    "said of an invalid spec": (
        aborted("InvalidSpec: no such Service") | {"conditions": [{"reason": "RolloutAborted", "message": FAILED}]},
        [judged("[-1]")],
        "aborted",
        "verdict",
    ),
    "abort by a person": (aborted(BARE), [*PASSED, terminated(5)], "aborted", "person"),
    "abort by a person, between two analyses": (aborted(BARE, "12:20:05"), PASSED, "aborted", "person"),
    "abort by a person, long after one": (aborted(BARE, "12:40:00"), PASSED, "aborted", "person"),
    "abort by a person, before the first": (aborted(BARE), [], "aborted", "person"),
    "abort by a person, after a retry": (aborted(BARE, "12:34:00"), [judged("[-1]")], "aborted", "person"),
    "abort by a person, at once after a retry": (aborted(BARE, "12:30:09"), [judged("[-1]")], "aborted", "person"),
    "abort by a person, not yet acted upon": (
        {"abort": True, "phase": "Progressing", "message": "more replicas need to be updated"},
        [],
        "aborted",
        "person",
    ),
    "abort of what is promoted": (HEALTHY | {"abort": True}, ALL, "healthy", "verdict"),
    "paused without a verdict": (
        {"phase": "Paused", "message": "InconclusiveAnalysisRun"},
        [run(1, "12:00:00", "12:30:00", "Inconclusive")],
        "paused",
        None,
    ),
    "paused by a person": ({"phase": "Paused", "message": "manually paused"}, PASSED, "paused", None),
}


def found(status: dict[str, Any]) -> dict[str, Any]:
    """The Rollout."""
    made = objects.rollout(**status)
    return made | {"spec": made["spec"] | {"progressDeadlineSeconds": 300}}


@pytest.mark.parametrize("state", STATES)
def test_a_state_of_the_controller_is_a_phase_and_a_cause(state: str) -> None:
    """Each state of the table is told as what it is."""
    status, runs, phase, cause = STATES[state]
    told = seen.seen(found(status), objects.deployment(), runs, objects.NOW)
    assert (told.phase, told.cause, told.image) == (phase, cause, objects.DIGEST)


@pytest.mark.parametrize("status", [HEALTHY, aborted(FAILED), {"phase": "Paused"}])
def test_a_status_of_the_image_before_says_nothing(status: dict[str, Any]) -> None:
    """The Deployment has changed and the controller has not seen it: whatever it says is of the image before."""
    stale = found(status | {"workloadObservedGeneration": "6"})
    assert seen.seen(stale, objects.deployment(), ALL, objects.NOW).phase == "progressing"


def test_a_way_back_is_seen() -> None:
    """The Deployment says so of its own image."""
    asked = objects.deployment(rollback=objects.DIGEST)
    assert seen.seen(found(HEALTHY), asked, ALL, objects.NOW).rollback
    assert not seen.seen(found(HEALTHY), objects.deployment(), ALL, objects.NOW).rollback


def test_an_image_without_a_digest_is_none() -> None:
    """Nothing is guessed."""
    asked = objects.deployment()
    asked["spec"]["template"]["spec"]["containers"][0]["image"] = "flights:latest"
    with pytest.raises(Broken, match="names no image by digest"):
        seen.seen(found(HEALTHY), asked, ALL, objects.NOW)
