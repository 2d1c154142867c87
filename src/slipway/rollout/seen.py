"""A rollout as it stands, read from the Kubernetes API: the Rollout, its Deployment, its AnalysisRuns.

The Deployment carries the image, so the Rollout's own generation does not change with it: what its status says is of
that image only when `workloadObservedGeneration` is the Deployment's generation.
"""

import json
import math
from collections.abc import Sequence

from slipway.canary import facts, query
from slipway.canary.facts import Object, at
from slipway.errors import Broken
from slipway.records import Cause
from slipway.rollout.records import Phase, Seen

ABORTED = "RolloutAborted"
BY_ANALYSIS = "analysis phase error/failed"  # in the controller's words, which stay while the abort does
TIMED_OUT = "timed out progressing"  # too; an abort that says neither is a person's


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
    stable = at(status, "stableRS")
    whole = bool(stable) and stable == at(status, "currentPodHash")
    if at(status, "abort") and not whole:  # of what is stable there is nothing to abort: the controller takes it off
        return "aborted"
    if at(status, "phase") == "Healthy" and whole:
        return "healthy"
    return "paused" if at(status, "phase") == "Paused" else "progressing"


def _promoted_by(found: Object, runs: Sequence[Object]) -> Cause:
    """Name the verdict where the last analysis of each gated step ended well by itself; else a person went past one."""
    steps = at(found, "spec", "strategy", "canary", "steps") or ()
    gated = {index for index, step in enumerate(steps) if "analysis" in step}
    last = {facts.step_of(run): run for run in _last_attempt(runs)}
    passed = {step for step, run in last.items() if at(run, "status", "phase") == "Successful" and not _ended(run)}
    return "verdict" if gated and gated <= passed else "person"


def _last_attempt(runs: Sequence[Object]) -> list[Object]:
    """Its runs; with those before a pause without a verdict, where the same step was judged again after it."""
    *before, last = facts.attempts(runs) or [[]]
    while before and at(before[-1][-1], "status", "phase") == "Inconclusive" and _same_step(before[-1][-1], last[0]):
        last = [*before.pop(), *last]
    return last


def _same_step(one: Object, other: Object) -> bool:
    return facts.step_of(one) == facts.step_of(other)


def _aborted_by(found: Object, runs: Sequence[Object]) -> Cause:
    said = [at(one, "message") for one in at(found, "status", "conditions") or () if at(one, "reason") == ABORTED]
    words = " ".join(map(str, [at(found, "status", "message"), *said]))  # the message may be of a spec that is invalid
    if BY_ANALYSIS in words:
        ended = [run for run in runs if at(run, "status", "phase") in ("Failed", "Error")]
        return query.CAUSES.get(_value(ended[-1]) if ended else math.nan, "error")
    return "deadline" if TIMED_OUT in words else "person"


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
