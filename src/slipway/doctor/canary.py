"""The Rollout and what hangs on it: its Deployment, its two Services, the split between them, and its analysis."""

from collections.abc import Iterator, Mapping
from typing import Any

from slipway.canary import query
from slipway.canary.facts import HASH, at
from slipway.canary.facts import workload as workload_of
from slipway.doctor.asking import (
    AGAIN,
    ARGO,
    CORE,
    TRAEFIK,
    Checking,
    Doubt,
    Fault,
    Fine,
    Unreleased,
    label,
    listed,
    named,
    one,
    path,
)
from slipway.doctor.records import Object, Wanted, World
from slipway.errors import Rejected
from slipway.manifests.safety import ERROR_RETRY_SECONDS, PATIENCE_SECONDS, SPARE_MEASUREMENTS

SUCCESS, FAILURE = "len(result) == 1 && result[0] == 1", "len(result) == 1 && result[0] < 0"
LEAST_RUNS = 20  # unsuccessful ones that are kept: the judge counts attempts by them
ABOUT = 2.0  # times ten minutes, or the half of them, is still about ten minutes


def rollout_of(world: World, wanted: Wanted) -> Object:
    """The Rollout of an environment.

    Raises:
        Unreleased: there is none, and main has released none.
        Doubt: there is none, or it cannot be read.

    """
    found = one(world, path(ARGO, "rollouts", wanted.namespace, wanted.rollout))
    if found is None:
        what = f"there is no Rollout {wanted.rollout} in {wanted.namespace}"
        if wanted.image is None:
            raise Unreleased(f"nothing was released to {wanted.name} yet", "Release, then look again.")
        raise Doubt(what, _synced(wanted))
    if not isinstance(found.get("spec"), Mapping):
        raise Doubt("what the API answers is no Rollout", AGAIN)
    return {"kind": "Rollout", **found}


def deployment_of(world: World, found: Object, wanted: Wanted) -> Object:
    """The Deployment that a Rollout takes its pods from; `rollout_of` has the errors."""
    name = workload_of(found)
    live = one(world, path("/apis/apps/v1", "deployments", wanted.namespace, name)) if name else None
    if live is None:
        raise Doubt(f"{label(found)} takes its pods from no Deployment that is there", _synced(wanted))
    return {"kind": "Deployment", **live}


def in_flight(found: Object) -> bool:
    """Whether a canary is under way."""
    status = found.get("status") or {}
    stable, current = status.get("stableRS"), status.get("currentPodHash")
    return bool(stable and current) and stable != current and not status.get("abort")


def workload(world: World, wanted: Wanted) -> Checking:
    """Rollout and Deployment must not both own pods: with `replicas: 0` and `scaleDown: never` only Git scales it."""
    found = rollout_of(world, wanted)
    mend = _source(wanted)
    if workload_of(found) is None:
        yield Fault(label(found), "spec.workloadRef names no Deployment: a release changes nothing here", mend)
        return Fine("")
    if at(found, "spec", "workloadRef", "scaleDown") != "never":
        yield Fault(label(found), "spec.workloadRef.scaleDown is not `never`: it scales what Git scales", mend)
    live = deployment_of(world, found, wanted)
    if (replicas := at(live, "spec", "replicas")) != 0:
        what = f"spec.replicas is {replicas}, not 0: its pods run beside the Rollout's, without traffic"
        yield Fault(label(live), what, f"`kubectl -n {wanted.namespace} scale deployment {live['metadata']['name']}"
                    f" --replicas=0`, and `replicas: 0` in Git.")  # fmt: skip
    return Fine("a Deployment with 0 pods of its own")


def rollout(world: World, wanted: Wanted) -> Checking:
    """What lets an image through unjudged, or keeps an abort from happening."""
    found = rollout_of(world, wanted)
    spec, where, mend = found["spec"], label(found), _source(wanted)
    canary: Mapping[str, Any] = at(spec, "strategy", "canary") or {}
    steps = canary.get("steps") or ()
    facts = {
        "spec.rollbackWindow lets an aborted image through unjudged": "rollbackWindow" not in spec,
        "a pause step: nothing can abort in one": not any("pause" in step for step in steps),
        "no analysis step: everything is promoted": any("analysis" in step for step in steps),
        "minPodsPerReplicaSet is below 2: one crashing pod is the whole canary": (
            (canary.get("minPodsPerReplicaSet") or 0) >= 2
        ),
        "spec.replicas is below 2, which caps minPodsPerReplicaSet": (spec.get("replicas") or 0) >= 2,
        "progressDeadlineAbort is not true: pods that never start hang": spec.get("progressDeadlineAbort") is True,
        "abortScaleDownDelaySeconds is not 0: after an abort the next canary's deadline may be forgotten": (
            canary.get("abortScaleDownDelaySeconds") == 0
        ),
        f"analysis.unsuccessfulRunHistoryLimit is below {LEAST_RUNS}: the judge forgets attempts": (
            (at(spec, "analysis", "unsuccessfulRunHistoryLimit") or 0) >= LEAST_RUNS
        ),
    }
    yield from (Fault(where, what, mend) for what, holds in facts.items() if not holds)
    return Fine("a canary is under way" if in_flight(found) else "no canary under way")


def services(world: World, wanted: Wanted) -> Checking:
    """The selectors are the split: both have the controller's hash, and in a canary not the same one."""
    found = rollout_of(world, wanted)
    names = _services(found)
    hashes: dict[str, str | None] = {}
    for arm, name in names.items():
        live = one(world, path(CORE, "services", wanted.namespace, name)) if name else None
        if live is None:
            yield Fault(named("Service", wanted.namespace, name or arm), "it is not there", _synced(wanted))
        else:
            hashes[arm] = at(live, "spec", "selector", HASH)
            if hashes[arm] is None:
                yield Fault(
                    named("Service", wanted.namespace, name),
                    f"its selector has no {HASH}: it takes pods of both arms, so the split is by chance",
                    f"Server-side apply strips it: take ServerSideApply=true out of argocd/{wanted.name}.yaml and apply"
                    " that; the controller puts the hash back at its next look.",
                )
    stable, canary = hashes.get("stable"), hashes.get("canary")
    if names["stable"] and names["stable"] == names["canary"]:
        yield Fault(label(found), "stableService and canaryService are the same", _source(wanted))
    elif stable and canary and in_flight(found):
        yield from _apart(found, wanted, stable, canary)
    elif stable and stable != at(found, "status", "stableRS"):
        yield _elsewhere(wanted, names["stable"], stable, at(found, "status", "stableRS"))
    return Fine("each has its hash")


def split(world: World, wanted: Wanted) -> Checking:
    """The weights are between exactly those two Services, and as the controller has set them."""
    found = rollout_of(world, wanted)
    name = at(found, "spec", "strategy", "canary", "trafficRouting", "traefik", "weightedTraefikServiceName")
    if not name:
        yield Fault(label(found), "trafficRouting names no TraefikService: weights are by pods", _source(wanted))
        return Fine("")
    live = one(world, path(TRAEFIK, "traefikservices", wanted.namespace, name))
    where = named("TraefikService", wanted.namespace, name)
    if live is None:
        yield Fault(where, "it is not there", _synced(wanted))
        return Fine("")
    children = at(live, "spec", "weighted", "services") or ()
    names, weights = [each.get("name") for each in children], [each.get("weight", 1) for each in children]
    if names != list(_services(found).values()):
        what = (
            f"it splits between {listed(names) or 'nothing'}, the Rollout between {listed(_services(found).values())}"
        )
        # Argo CD applies no change inside the array that it is told to ignore.
        mend = (
            f"`kubectl -n {wanted.namespace} delete traefikservice {name}`, once Git is right: Argo CD makes it anew."
        )
        yield Fault(where, what, mend)
    elif sum(weights) != 100:
        yield Fault(where, f"its weights are {listed(weights)}, which is not 100", _rewritten(wanted))
    elif in_flight(found):
        told = at(found, "status", "canary", "weights", "canary", "weight")
        if told is not None and told != weights[1]:
            what = f"the canary has a weight of {weights[1]}, the controller has set {told}: somebody else writes it"
            yield Fault(where, what, _rewritten(wanted))
    return Fine(" : ".join(map(str, weights)))


def analysis(world: World, wanted: Wanted) -> Checking:
    """The question to the judge fails closed, is patient, and is asked until after the deadline."""
    found = rollout_of(world, wanted)
    asked = list(_asked(found))
    if not asked:
        raise Doubt(f"{label(found)} has no analysis step", _source(wanted))
    for name, given in asked:
        live = one(world, path(ARGO, "analysistemplates", wanted.namespace, name))
        where = named("AnalysisTemplate", wanted.namespace, name)
        if live is None:
            yield Fault(where, "it is not there: the analysis is an Error", _synced(wanted))
            continue
        spec = live.get("spec") or {}
        arguments = {each["name"]: each.get("value") for each in spec.get("args") or ()} | given
        if spec.get("dryRun"):
            yield Fault(where, "dryRun: what it measures decides nothing", _source(wanted))
        for metric in spec.get("metrics") or ():
            yield from (Fault(where, f"{metric.get('name')}: {why}", _source(wanted)) for why in
                        _metric(metric, arguments, wanted))  # fmt: skip
    return Fine(f"asks {wanted.judge}")


def template_of(world: World, wanted: Wanted) -> tuple[Object, Mapping[str, str]]:
    """The last template that the Rollout names, and what its step hands it; `rollout_of` has the errors."""
    asked = list(_asked(rollout_of(world, wanted)))
    live = one(world, path(ARGO, "analysistemplates", wanted.namespace, asked[-1][0])) if asked else None
    if live is None:
        raise Doubt(f"{wanted.rollout} in {wanted.namespace} names no template that is there", _synced(wanted))
    values = {"metadata.namespace": wanted.namespace, "metadata.name": wanted.rollout}
    known = {each["name"]: each.get("value") for each in at(live, "spec", "args") or ()}
    for step in at(rollout_of(world, wanted), "spec", "strategy", "canary", "steps") or ():
        for each in at(step, "analysis", "args") or ():
            field = at(each, "valueFrom", "fieldRef", "fieldPath")
            known[each["name"]] = values.get(field, each.get("value")) if field else each.get("value")
    return live, {name: str(text) for name, text in known.items() if text is not None}


def _services(found: Object) -> dict[str, str]:
    canary = at(found, "spec", "strategy", "canary")
    return {"stable": str(at(canary, "stableService") or ""), "canary": str(at(canary, "canaryService") or "")}


def _apart(found: Object, wanted: Wanted, stable: str, canary: str) -> Iterator[Fault]:
    """Two arms in a canary; where no pod of it was available yet the controller has not turned its Service."""
    names, status = _services(found), found["status"]
    if stable == canary:
        if not at(status, "canary", "weights", "canary", "weight"):
            return
        what = f"it selects stable ({stable}) while the canary has a weight: nobody meets the canary"
        mend = f"`kubectl argo rollouts abort {wanted.rollout} -n {wanted.namespace}`, and mend who writes the Service."
        yield Fault(named("Service", wanted.namespace, names["canary"]), what, mend)
        return
    for arm, seen, right in (("stable", stable, status["stableRS"]), ("canary", canary, status["currentPodHash"])):
        if seen != right:
            yield _elsewhere(wanted, names[arm], seen, right)


def _elsewhere(wanted: Wanted, name: str, seen: str, right: object) -> Fault:
    return Fault(
        named("Service", wanted.namespace, name),
        f"it selects {seen}, the controller says {right}",
        "The controller writes it at its next look; if it stays so, its log says why:"
        " `kubectl -n argo-rollouts logs deployment/argo-rollouts`.",
    )


def _asked(found: Object) -> Iterator[tuple[str, dict[str, str]]]:
    """Templates that the steps ask, each once, with the plain values that are handed to them."""
    seen = set[tuple[object, ...]]()
    for step in at(found, "spec", "strategy", "canary", "steps") or ():
        given = {each["name"]: each["value"] for each in at(step, "analysis", "args") or () if "value" in each}
        for template in at(step, "analysis", "templates") or ():
            name = str(template.get("templateName"))
            if (key := (name, *given.items())) not in seen:
                seen.add(key)
                yield name, given


def _metric(metric: Mapping[str, Any], arguments: Mapping[str, Any], wanted: Wanted) -> Iterator[str]:
    """Say what is wrong with a question."""
    kind = listed(metric.get("provider") or {})
    if kind != "prometheus":
        yield f"the provider is {kind}, not prometheus: `web` calls an HTML page a success"
    elif (address := at(metric, "provider", "prometheus", "address")) != wanted.judge:
        yield f"it asks {address}, main says {wanted.judge}"
    for field, right in (("successCondition", SUCCESS), ("failureCondition", FAILURE)):
        if metric.get(field) != right:
            yield f"{field} is {metric.get(field)!r}, not {right!r}"
    if metric.get("failureLimit") not in (None, 0):
        yield "failureLimit is not 0: an abort is waited for"
    if metric.get("consecutiveSuccessLimit") != 1:
        yield "consecutiveSuccessLimit is not 1: `not yet` until the end counts as a success"
    count, patience = metric.get("count"), metric.get("consecutiveErrorLimit")
    if metric.get("inconclusiveLimit") != count or count is None:
        yield f"inconclusiveLimit is {metric.get('inconclusiveLimit')}, not count ({count}): a doubt pauses for good"
    if patience is None or not 1 / ABOUT <= patience * ERROR_RETRY_SECONDS / PATIENCE_SECONDS <= ABOUT:
        yield f"consecutiveErrorLimit is {patience}, not about {PATIENCE_SECONDS // ERROR_RETRY_SECONDS}, ten minutes"
    try:
        least = query.seconds(str(arguments["deadline"])) / query.seconds(str(metric["interval"])) + SPARE_MEASUREMENTS
    except (KeyError, ZeroDivisionError, Rejected):
        yield "`deadline` or `interval` is no length of time"
    else:
        if count is not None and count < int(least):
            yield f"count is {count}, below deadline / interval + {SPARE_MEASUREMENTS} ({int(least)}): it ends too soon"


def _source(wanted: Wanted) -> str:
    return (
        f"Mend rollouts/ or k8s/ and `slipway manifests render`; {wanted.name} has it with its next sync or release."
        if wanted.name == "staging"
        else "Mend rollouts/ or k8s/ and `slipway manifests render`; the next `slipway release` brings it here."
    )


def _rewritten(wanted: Wanted) -> str:
    return (
        f"Argo CD must leave weights alone: the check application-sync; then `kubectl -n {wanted.namespace} annotate"
        f" rollout {wanted.rollout} slipway.dev/looked=$(date +%s) --overwrite` has the controller write them again."
    )


def _synced(wanted: Wanted) -> str:
    return f"Let Argo CD apply k8s/rendered/{wanted.name}: the check application says what keeps it."
