"""A canary's past, read from what the controller keeps: the Rollout, its AnalysisRuns and the canary's pods.

Whether a person goes back to that release stands on the Deployment that the Rollout takes its pods from.

Nothing else knows it: the Rollout's status has the weight of now and no times, and no metric has the weights. A step
run exists exactly while a gated step is judged; the weight in force is that of the last setWeight before its step.
Objects are those of the Kubernetes API, parsed from JSON.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from slipway.canary.records import Interval, Rollout
from slipway.errors import Broken
from slipway.manifests.tree import ROLLBACK

Object = Mapping[str, Any]

REVISION = "rollout.argoproj.io/revision"
HASH = "rollouts-pod-template-hash"
DIGEST = re.compile("sha256:[0-9a-f]{64}")
WAIT = "The controller fills it in; ask again. If it stays so, look at its log."


def rollout(
    found: Object, runs: Sequence[Object], pods: Sequence[Object], now: float, *, deployment: Object | None = None
) -> Rollout:
    """Say what is known of the canary at `now`; what began later is left out.

    `runs` may hold others' objects; `pods` are those of the canary's hash, `deployment` is that of `workload(found)`.

    Raises:
        Broken: no canary is under way, or a field that is needed is not there.

    """
    metadata, status = _get(found, "metadata"), _get(found, "status")
    stable, canary = _get(status, "stableRS"), _get(status, "currentPodHash")
    name = f"{_get(metadata, 'namespace')}/{_get(metadata, 'name')}"
    if stable == canary:
        raise Broken(f"{name} has no canary under way", "The judge answers while a release gets its traffic.")
    steps = _get(found, "spec", "strategy", "canary", "steps")
    gated = [index for index, step in enumerate(steps) if "analysis" in step]
    if not gated:
        raise Broken(f"{name} has no analysis step", "Gate a step as rollouts/rollout.yaml does.")
    tries = attempts(own(found, runs, canary, now))
    if not tries:
        raise Broken(f"{name} has no analysis of revision {_revision(found)} yet", WAIT)
    resumed = len(tries) > 1 and _phase(tries[-2][-1]) == "Inconclusive"
    if step_of(tries[-1][0]) != gated[0] and not resumed:
        raise Broken(
            f"the first analyses of {name} are gone, so nobody knows when its attempt began",
            "Abort it and retry; keep enough runs: spec.analysis.successfulRunHistoryLimit.",
        )
    most = found["spec"]["strategy"]["canary"].get("trafficRouting", {}).get("maxTrafficWeight", 100)
    intervals = _intervals(tries[-1], steps, gated, most, now)
    ready = [_ready(pod) for pod in pods]
    available = sum(since is None for since in ready)
    lost = [since for since in ready if since is not None]
    gone = not available and lost and intervals[-1].end is None and max(lost) <= now
    return Rollout(
        namespace=metadata["namespace"],
        name=metadata["name"],
        stable=stable,
        canary=canary,
        attempt=len(tries),
        intervals=intervals,
        steps=len(gated),
        available=available,
        unavailable_since=max(lost) if gone else None,
        rollback=goes_back(found, deployment),
    )


def workload(found: Object) -> str | None:
    """Name the Deployment that a Rollout takes its pods from."""
    kind, name = at(found, "spec", "workloadRef", "kind"), at(found, "spec", "workloadRef", "name")
    return name if kind == "Deployment" and isinstance(name, str) and name else None


def goes_back(found: Object, deployment: Object | None) -> bool:
    """Whether a person goes back to the image of a Rollout's Deployment: it says so of that very image.

    Only where the controller has seen what the Deployment asks for: else the canary is still one of before.
    """
    digest = at(deployment, "metadata", "annotations", ROLLBACK)
    image = at(deployment, "spec", "template", "spec", "containers", 0, "image")
    asked, seen = at(deployment, "metadata", "generation"), at(found, "status", "workloadObservedGeneration")
    named = workload(found) is not None and at(deployment, "metadata", "name") == workload(found)
    known = isinstance(digest, str) and DIGEST.fullmatch(digest) and isinstance(image, str) and asked is not None
    return bool(named and known and image.partition("@")[2] == digest and str(asked) == str(seen))


def as_of(known: Rollout, now: float) -> Rollout:
    """Say what was known at `now`.

    Raises:
        Broken: the attempt had not begun.

    """
    intervals = tuple(
        msgspec.structs.replace(one, end=None) if one.end is not None and one.end > now else one
        for one in known.intervals
        if one.start <= now
    )
    if not intervals:
        raise Broken(f"the canary of {known.namespace}/{known.name} had not begun", "Ask for a later time.")
    since = known.unavailable_since
    past = since if since is not None and since <= now else None
    return msgspec.structs.replace(known, intervals=intervals, unavailable_since=past)


def asked(runs: Sequence[Object]) -> dict[str, str]:
    """Say what the last run asks for: the arguments of its analysis that have a value."""
    last = max(runs, key=_start, default=None)
    arguments = last["spec"].get("args", ()) if last is not None else ()
    return {one["name"]: one["value"] for one in arguments if "value" in one}


def own(found: Object, runs: Sequence[Object], canary: str, now: float) -> list[Object]:
    """The step runs of this rollout and revision, in order of time."""
    uid, revision = _get(found, "metadata", "uid"), _revision(found)
    mine = [
        run
        for run in runs
        if any(owner.get("uid") == uid for owner in run["metadata"].get("ownerReferences", ()))
        and run["metadata"].get("labels", {}).get("rollout-type") == "Step"
        and run["metadata"]["labels"].get(HASH) == canary
        and run["metadata"].get("annotations", {}).get(REVISION) == revision
        and _start(run) <= now
    ]
    return sorted(mine, key=lambda run: (_start(run), step_of(run), run["metadata"]["name"]))


def attempts(runs: Sequence[Object]) -> list[list[Object]]:
    """Split runs where a person asked again: after a failure, an abort, or an end without a verdict.

    A run continues the attempt if it is of a later step; or of the same, and the one before was still going: the
    controller had lost sight of it and made a second, as it does where the template has changed.
    """
    found: list[list[Object]] = []
    for run in runs:
        if found and _continues(found[-1][-1], run):
            found[-1].append(run)
        else:
            found.append([run])
    return found


def _continues(before: Object, run: Object) -> bool:
    if _phase(before) in ("Failed", "Error", "Inconclusive") or step_of(run) < step_of(before):
        return False
    end = _end(before)
    return step_of(run) > step_of(before) or end is None or end > _start(run)


def _intervals(
    runs: Sequence[Object], steps: Sequence[Object], gated: Sequence[int], most: float, now: float
) -> tuple[Interval, ...]:
    intervals = []
    for run, later in zip(runs, [*runs[1:], None], strict=True):
        index, start, end = step_of(run), _start(run), _end(run)
        if index not in gated:
            raise Broken(f"the steps changed under the analysis {run['metadata']['name']}", WAIT)
        if later is not None:
            end = _start(later) if end is None else min(end, _start(later))
        weights = [step["setWeight"] for step in steps[:index] if "setWeight" in step]
        if not weights or weights[-1] <= 0:
            raise Broken(f"step {index} is judged without traffic", "Put a setWeight above 0 before the analysis.")
        intervals.append(
            Interval(
                start=start,
                end=None if end is not None and end > now else end,
                weight=min(1.0, weights[-1] / most),
                step=gated.index(index) + 1,
            )
        )
    return tuple(one for one in intervals if one.end is None or one.end > one.start) or (intervals[-1],)


def _ready(pod: Object) -> float | None:
    """None while a pod can answer, else since when it cannot."""
    if "deletionTimestamp" in pod["metadata"]:  # when its time is over; it was told to go, and got no more, before
        return time(pod["metadata"]["deletionTimestamp"]) - float(pod["metadata"].get("deletionGracePeriodSeconds", 0))
    for condition in pod.get("status", {}).get("conditions", ()):
        if condition["type"] == "Ready":
            return None if condition["status"] == "True" else time(condition["lastTransitionTime"])
    return time(_get(pod, "metadata", "creationTimestamp"))


def time(text: str) -> float:
    """Read a time of the Kubernetes API, in seconds since 1970.

    Raises:
        Broken: it is none.

    """
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        raise Broken(f"{text!r} is no time", WAIT) from None


def _revision(found: Object) -> str:
    return str(_get(found, "metadata", "annotations", REVISION))


def _start(run: Object) -> float:
    return time(_get(run, "metadata", "creationTimestamp"))


def _end(run: Object) -> float | None:
    completed = run.get("status", {}).get("completedAt")
    return None if completed is None else time(completed)


def _phase(run: Object) -> str:
    return str(run.get("status", {}).get("phase", ""))


def step_of(run: Object) -> int:
    """The step of the Rollout that a run judges.

    Raises:
        Broken: it names none.

    """
    text = str(run["metadata"]["labels"].get("step-index", ""))
    if not text.isdecimal():
        raise Broken(f"the analysis {run['metadata']['name']} names no step", WAIT)
    return int(text)


def at(found: object, *path: str | int) -> Any:  # noqa: ANN401  # whatever stands there
    """What stands at a path of an object, None where it ends before."""
    here: Any = found
    for key in path:
        if isinstance(here, Mapping):
            here = here.get(key)
        else:
            here = here[key] if isinstance(here, list) and isinstance(key, int) and key < len(here) else None
    return here


def _get(found: Object, *path: str) -> Any:  # noqa: ANN401  # whatever stands there
    here = at(found, *path)
    if here in (None, "", {}):
        raise Broken(f"the Rollout has no {'.'.join(path)} yet", WAIT)
    return here
