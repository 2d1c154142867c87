"""What a Rollout, its AnalysisRuns and its pods say of a canary, by tables of what happened."""

import copy
from collections.abc import Mapping
from typing import Any

import pytest

from canary.objects import DAY, DIGEST, GATE, IMAGE, NOW, STEPS, at, deployment, going, pod, rollout, run
from slipway.canary import facts
from slipway.canary.records import Interval
from slipway.errors import Broken

READY = [pod("True", "11:59:30"), pod("True", "11:59:31")]
FIRST = run(1, "12:00:00", "12:20:00", "Successful")
SECOND = run(3, "12:20:02", "12:40:00", "Successful")
THIRD = run(5, "12:40:03")
STEP = {1: (0.1, 1), 3: (0.3, 2), 5: (0.6, 3)}
Row = tuple[str, list[Mapping[str, Any]], int, list[tuple[int, str, str | None]]]
TABLE: list[Row] = [
    ("the first step", [run(1, "12:00:00")], 1, [(1, "12:00:00", None)]),
    (
        "the last step, runs in any order",
        [THIRD, FIRST, SECOND],
        1,
        [(1, "12:00:00", "12:20:00"), (3, "12:20:02", "12:40:00"), (5, "12:40:03", None)],
    ),
    (
        "a retry after the judge's abort",
        [run(1, "12:00:00", "12:10:00", "Failed"), run(1, "12:30:00", name="flights-bbb-2-1.1")],
        2,
        [(1, "12:30:00", None)],
    ),
    (
        "a retry after an abort in the second step",
        [FIRST, run(3, "12:20:02", "12:25:00", "Failed"), run(1, "12:30:00", name="flights-bbb-2-1.1")],
        2,
        [(1, "12:30:00", None)],
    ),
    (
        "a retry after a person's abort, which ends the run without a failure",
        [run(1, "12:00:00", "12:10:00", "Successful"), run(1, "12:30:00", name="flights-bbb-2-1.1")],
        2,
        [(1, "12:30:00", None)],
    ),
    (
        "a retry after errors, and another one",
        [
            run(1, "12:00:00", "12:10:00", "Error"),
            run(1, "12:30:00", "12:31:00", "Failed"),
            run(1, "12:40:00"),
        ],
        3,
        [(1, "12:40:00", None)],
    ),
    (
        "the steps were changed under way, so the controller began anew",
        [FIRST, run(3, "12:20:02", "12:25:00", "Successful"), run(1, "12:26:00")],
        2,
        [(1, "12:26:00", None)],
    ),
    (
        "an inconclusive end, and a person asks again: time and evidence anew, as after any retry",
        [run(1, "12:00:00", "12:10:00", "Inconclusive"), run(1, "12:30:00", name="flights-bbb-2-1.1")],
        2,
        [(1, "12:30:00", None)],
    ),
    (
        "an inconclusive end in the second step, and a person asks again there",
        [FIRST, run(3, "12:20:02", "12:25:00", "Inconclusive"), run(3, "12:30:00", name="flights-bbb-2-3.1")],
        2,
        [(3, "12:30:00", None)],
    ),
    (
        "an inconclusive end, and a person lets it pass to the next step",
        [run(1, "12:00:00", "12:10:00", "Inconclusive"), run(3, "12:30:00")],
        2,
        [(3, "12:30:00", None)],
    ),
    (
        "paused and inconclusive",
        [run(1, "12:00:00", "12:10:00", "Inconclusive")],
        1,
        [(1, "12:00:00", "12:10:00")],
    ),
    (
        "the controller was restarted and made a second run while the first was going",
        [FIRST, run(3, "12:20:02", "12:30:05", "Successful"), run(3, "12:30:00", name="flights-bbb-2-3.1")],
        1,
        [(1, "12:00:00", "12:20:00"), (3, "12:20:02", "12:30:00"), (3, "12:30:00", None)],
    ),
    (
        "the same, and the first is still going",
        [run(1, "12:00:00"), run(1, "12:30:00", name="flights-bbb-2-1.1")],
        1,
        [(1, "12:00:00", "12:30:00"), (1, "12:30:00", None)],
    ),
    ("aborted: it ended", [run(1, "12:00:00", "12:10:00", "Failed")], 1, [(1, "12:00:00", "12:10:00")]),
    (
        "runs of others: a rollout, a revision, a hash, a background analysis",
        [
            run(1, "11:00:00", "11:10:00", "Failed", uid="u-2"),
            run(1, "11:00:00", "11:10:00", "Failed", revision="1"),
            run(1, "11:00:00", "11:10:00", "Failed", hash="ccc"),
            run(1, "11:00:00", "11:10:00", "Failed", type="Background"),
            run(1, "12:00:00"),
        ],
        1,
        [(1, "12:00:00", None)],
    ),
    ("a run without a status", [run(1, "12:00:00") | {"status": {}}], 1, [(1, "12:00:00", None)]),
    (
        "what is later than the question is not known",
        [run(1, "12:00:00", "13:00:01", "Successful"), run(3, "13:00:02")],
        1,
        [(1, "12:00:00", None)],
    ),
]


@pytest.mark.parametrize(("runs", "attempt", "intervals"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_runs_become_intervals(
    runs: list[dict[str, Any]], attempt: int, intervals: list[tuple[int, str, str | None]]
) -> None:
    """Each history of runs gives its attempt, and the intervals of that attempt with weight and step."""
    known = facts.rollout(rollout(), runs, READY, NOW)
    assert known.attempt == attempt
    assert known.intervals == tuple(
        Interval(start=at(start), end=at(end) if end else None, weight=STEP[step][0], step=STEP[step][1])
        for step, start, end in intervals
    )
    assert (known.namespace, known.name, known.stable, known.canary) == ("shop", "flights", "aaa", "bbb")
    assert (known.steps, known.available, known.unavailable_since) == (3, 2, None)


def test_a_weight_is_a_share_of_the_most() -> None:
    """Routers may count weights to another sum than 100."""
    found = rollout()
    found["spec"]["strategy"]["canary"]["trafficRouting"]["maxTrafficWeight"] = 1000
    assert facts.rollout(found, [THIRD, FIRST, SECOND], READY, NOW).intervals[-1].weight == 0.06


@pytest.mark.parametrize(
    ("pods", "available", "since"),
    [
        ([pod("True", "12:00:00"), pod("False", "12:30:00")], 1, None),
        ([pod("False", "12:10:00"), pod("False", "12:30:00")], 0, "12:30:00"),
        ([pod("False", "12:10:00"), {"metadata": {"creationTimestamp": f"{DAY}12:31:00Z"}}], 0, "12:31:00"),
        ([pod("False", "12:10:00"), going("12:33:00", 60)], 0, "12:32:00"),
        ([going("13:00:30", 60)], 0, "12:59:30"),
        ([going("13:02:30", 60)], 0, None),
        ([], 0, None),
    ],
)
def test_nobody_is_there_since_the_last_one_left(pods: list[dict[str, Any]], available: int, since: str | None) -> None:
    """Unavailable since the last pod stopped being ready; one that is going, or has no condition, cannot answer.

    One that is going stopped when it was told to: the API's deletionTimestamp is that, and its grace period on top.
    Where no pod is there at all, nobody knows since when: then the traffic tells.
    """
    known = facts.rollout(rollout(), [run(1, "12:00:00")], pods, NOW)
    assert (known.available, known.unavailable_since) == (available, at(since) if since else None)


def test_pods_that_left_after_the_end_are_no_fault() -> None:
    """After an abort the controller takes the canary's pods away; that says nothing of the canary."""
    ended = [run(1, "12:00:00", "12:10:00", "Failed")]
    assert facts.rollout(rollout(abort=True), ended, [pod("False", "12:11:00")], NOW).unavailable_since is None


def _without(found: dict[str, Any], *path: str) -> dict[str, Any]:
    here = found
    for key in path[:-1]:
        here = here[key]
    del here[path[-1]]
    return found


@pytest.mark.parametrize(
    ("found", "runs", "says"),
    [
        (rollout(currentPodHash="aaa"), [THIRD], "no canary"),
        (rollout(), [], "no analysis of revision 2"),
        (rollout(), [run(1, "12:00:00", revision="1")], "no analysis of revision 2"),
        (rollout(), [SECOND, THIRD], "first analyses"),
        (rollout(stableRS=""), [FIRST], "stableRS"),
        (_without(rollout(), "status"), [FIRST], "status"),
        (_without(rollout(), "metadata", "annotations"), [FIRST], "annotations"),
        (_without(rollout(), "spec", "strategy"), [FIRST], "strategy"),
        (rollout(), [FIRST, run(2, "12:30:00")], "steps changed"),
        (rollout(), [run(1, "12:00:00") | {"status": {"completedAt": "soon"}}], "no time"),
    ],
)
def test_what_is_not_known_is_no_fact(found: dict[str, Any], runs: list[dict[str, Any]], says: str) -> None:
    """No canary, no run, a run that is gone, a field that is missing: an error, from which nobody makes a verdict."""
    with pytest.raises(Broken, match=says):
        facts.rollout(found, runs, READY, NOW)


def test_a_step_without_traffic_is_no_fact() -> None:
    """An analysis before any setWeight judges nothing."""
    found = rollout()
    found["spec"]["strategy"]["canary"]["steps"] = [GATE, *STEPS]
    with pytest.raises(Broken, match="without traffic"):
        facts.rollout(found, [run(0, "12:00:00")], READY, NOW)


BACK = deployment(rollback=DIGEST)
OTHER = "sha256:" + 64 * "b"


def _with(found: dict[str, Any], value: Any, *path: Any) -> dict[str, Any]:
    found = copy.deepcopy(found)
    here = found
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = value
    return found


CONTAINERS = ("spec", "template", "spec", "containers")
GENERATION = ("metadata", "generation")
GOES_BACK: list[tuple[str, dict[str, Any], dict[str, Any] | None, bool]] = [
    ("the annotation names the image", rollout(), BACK, True),
    ("generations as numbers", rollout(workloadObservedGeneration=7), BACK, True),
    ("generations as text", rollout(), _with(BACK, "7", *GENERATION), True),
    ("a second container", rollout(), _with(BACK, [{"image": IMAGE}, {"image": "b"}], *CONTAINERS), True),
    ("no annotation: the next release", rollout(), deployment(), False),
    ("no annotations at all", rollout(), _without(deployment(), "metadata", "annotations"), False),
    ("another image: stale", rollout(), deployment(rollback=OTHER), False),
    ("another image at the Deployment", rollout(), _with(BACK, IMAGE[:-1] + "b", *CONTAINERS, 0, "image"), False),
    (
        "the digest of the second container",
        rollout(),
        _with(BACK, [{"image": "b"}, {"image": IMAGE}], *CONTAINERS),
        False,
    ),
    ("the whole reference", rollout(), deployment(rollback=IMAGE), False),
    ("a part of the digest", rollout(), deployment(rollback=DIGEST[:-1]), False),
    ("true", rollout(), deployment(rollback="true"), False),
    ("nothing, and an image by tag", rollout(), _with(deployment(rollback=""), "a:1", *CONTAINERS, 0, "image"), False),
    ("not observed yet", rollout(workloadObservedGeneration="6"), BACK, False),
    ("never observed", rollout(workloadObservedGeneration=None), BACK, False),
    (
        "never observed, no generation",
        rollout(workloadObservedGeneration=None),
        _without(copy.deepcopy(BACK), *GENERATION),
        False,
    ),
    ("observed `None`", rollout(workloadObservedGeneration="None"), _with(BACK, None, *GENERATION), False),
    ("no status of it", _without(rollout(), "status", "workloadObservedGeneration"), BACK, False),
    ("no generation", rollout(), _without(copy.deepcopy(BACK), *GENERATION), False),
    ("no containers", rollout(), _with(BACK, [], *CONTAINERS), False),
    ("no pods", rollout(), _with(BACK, None, "spec"), False),
    ("another Deployment", rollout(), _with(BACK, "weather", "metadata", "name"), False),
    ("no workloadRef", _without(rollout(), "spec", "workloadRef"), BACK, False),
    ("a reference to something else", _with(rollout(), "ReplicaSet", "spec", "workloadRef", "kind"), BACK, False),
    ("nobody looked", rollout(), None, False),
]


@pytest.mark.parametrize(("found", "there", "goes"), [row[1:] for row in GOES_BACK], ids=[row[0] for row in GOES_BACK])
def test_a_person_goes_back(found: dict[str, Any], there: dict[str, Any] | None, *, goes: bool) -> None:
    """Only where the Deployment says so of its own image, and the controller has seen that; `as_of` keeps it."""
    known = facts.rollout(found, [run(1, "12:00:00")], READY, NOW, deployment=there)
    assert known.rollback is goes
    assert facts.as_of(known, NOW).rollback is goes


def test_where_a_rollout_takes_its_pods_from() -> None:
    """A Deployment by name, or nothing that can be asked."""
    assert facts.workload(rollout()) == "flights"
    assert facts.workload(_without(rollout(), "spec", "workloadRef")) is None
    assert facts.workload(_without(rollout(), "spec", "workloadRef", "name")) is None


def test_the_last_run_says_what_is_asked() -> None:
    """Arguments with a value are those of the analysis; without a run nothing is known."""
    assert facts.asked([FIRST, THIRD]) == {"bake": "30m"}
    assert facts.asked([]) == {}
