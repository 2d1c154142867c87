"""A rollout as it stands, read from the Kubernetes API: the Rollout, its Deployment, its AnalysisRuns.

The Deployment carries the image, so the Rollout's own generation does not change with it: what its status says is of
that image only when `workloadObservedGeneration` is the Deployment's generation.
"""

import json
import math
from collections.abc import Sequence

from slipway.canary import facts
from slipway.canary.facts import Object, at
from slipway.errors import Broken
from slipway.records import Cause
from slipway.rollout.records import Phase, Seen

CAUSES: dict[float, Cause] = {-1: "verdict", -2: "unavailable", -3: "deadline"}  # as the judge answers
BY_ANALYSIS = "analysis phase error/failed"  # in the controller's words
TIMED_OUT = "timed out progressing"  # too; but it says so once, and then no more than that it aborted
SOON = 30.0  # seconds from the end of an analysis to the abort that it causes


def seen(found: Object, deployment: Object, runs: Sequence[Object], now: float) -> Seen:
    """Say how a rollout stands; `runs` may hold others' objects.

    Raises:
        Broken: a field that is needed is not there.

    """
    namespace, name = at(found, "metadata", "namespace"), at(found, "metadata", "name")
    image = str(at(deployment, "spec", "template", "spec", "containers", 0, "image")).partition("@")[2]
    if not facts.DIGEST.fullmatch(image):
        raise Broken(f"the Deployment of {namespace}/{name} names no image by digest", "Let Argo CD apply it.")
    phase, cause = _phase(found, deployment), None
    if phase in ("healthy", "aborted"):
        mine = facts.own(found, runs, str(at(found, "status", "currentPodHash")), now)
        cause = _promoted_by(found, mine) if phase == "healthy" else _aborted_by(found, mine)
    return Seen(
        namespace=namespace,
        rollout=name,
        image=image,
        rollback=facts.goes_back(found, deployment),
        phase=phase,
        cause=cause,
        detail=str(at(found, "status", "message") or at(found, "status", "phase") or ""),
        at=now,
    )


def _phase(found: Object, deployment: Object) -> Phase:
    generation, status = at(deployment, "metadata", "generation"), at(found, "status")
    if generation is None or str(at(status, "workloadObservedGeneration")) != str(generation):
        return "progressing"  # its status is of the image before
    if at(status, "abort"):
        return "aborted"
    stable = at(status, "stableRS")
    if at(status, "phase") == "Healthy" and stable and stable == at(status, "currentPodHash"):
        return "healthy"
    return "paused" if at(status, "phase") == "Paused" else "progressing"


def _promoted_by(found: Object, runs: Sequence[Object]) -> Cause:
    """Name the verdict where the last analysis of each gated step ended well by itself; else a person went past one."""
    steps = at(found, "spec", "strategy", "canary", "steps") or ()
    gated = {index for index, step in enumerate(steps) if "analysis" in step}
    last = {facts.step_of(run): run for run in runs}
    passed = {step for step, run in last.items() if at(run, "status", "phase") == "Successful" and not _ended(run)}
    return "verdict" if gated and gated <= passed else "person"


def _aborted_by(found: Object, runs: Sequence[Object]) -> Cause:
    if not runs:
        return "deadline"  # no pod was ever available, so nothing was judged
    message, last = str(at(found, "status", "message")), runs[-1]
    phase, since = at(last, "status", "phase"), _since(found, last)
    if phase in ("Failed", "Error") and (BY_ANALYSIS in message or since <= SOON):  # else of the attempt before
        return CAUSES.get(_value(last), "error")
    waited = phase in ("Successful", "Failed", "Error") and since >= (
        at(found, "spec", "progressDeadlineSeconds") or 600
    )
    return "deadline" if TIMED_OUT in message or waited else "person"


def _since(found: Object, run: Object) -> float:
    """Seconds from the end of a run to the abort; not a number where one of them is not told."""
    ended, aborted = at(run, "status", "completedAt"), at(found, "status", "abortedAt")
    return facts.time(aborted) - facts.time(ended) if ended and aborted else math.nan


def _ended(run: Object) -> bool:
    """Whether the controller ended a run: because of a person, it is then Successful even without a measurement."""
    return bool(at(run, "spec", "terminate"))


def _value(run: Object) -> float:
    """What the failed metric measured last, as a number; Prometheus' vector of one reads [-1]."""
    for metric in at(run, "status", "metricResults") or ():
        if at(metric, "phase") == "Failed":
            try:
                found = json.loads((at(metric, "measurements") or [{}])[-1].get("value", ""))
            except ValueError:
                return math.nan
            found = found[0] if isinstance(found, list) and len(found) == 1 else found
            return float(found) if isinstance(found, int | float) else math.nan
    return math.nan
