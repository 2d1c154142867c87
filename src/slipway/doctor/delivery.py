"""Argo CD: does it bring what main says, leave the canary's weights alone, and never wait for a canary to end."""

from collections.abc import Iterator

from slipway.canary.facts import at
from slipway.doctor.asking import (
    ARGO,
    BATCH,
    CORE,
    TRAEFIK,
    Checking,
    Doubt,
    Fault,
    Fine,
    Unreleased,
    label,
    listed,
    many,
    path,
)
from slipway.doctor.canary import deployment_of, rollout_of
from slipway.doctor.records import Object, Wanted, World
from slipway.doctor.services import relay_of

WEIGHTS = ".spec.weighted.services[].weight"
PLATFORM = "k8s/rendered/platform"
ARGO_CD = "argocd.argoproj.io/"
WAITING = {"Sync", "PostSync"}  # hooks of these phases come after the Rollout, and wait until its canary has ended


def platform(world: World) -> Checking:
    """It brings judge, relay, and the policy that canaries are held to."""
    found = _brings(world, relay_of(world).namespace, PLATFORM)
    done = yield from _brought(found, PLATFORM, "`kubectl apply -f argocd/platform`")
    health = at(found, "status", "health", "status")
    if found is not None and health != "Healthy":
        why = at(found, "status", "health", "message") or "a part of it is not well"
        remedy = f"`argocd app get {found['metadata']['name']}` says which; the checks judge and relay say more."
        yield Fault(label(found), f"it is {health or 'not looked at yet'}: {why}", remedy)
    return done


def application(world: World, wanted: Wanted) -> Checking:
    """It brings `k8s/rendered/<environment>` of main, and has done so."""
    return (yield from _brought(_find(world, wanted), f"k8s/rendered/{wanted.name}", _apply(wanted)))


def _brought(found: Object | None, folder: str, apply: str) -> Checking:
    if found is None:
        yield Fault("Argo CD", f"no Application brings {folder}", f"{apply}.")
        return Fine("")
    for field, right in (("path", folder), ("targetRevision", "main")):
        seen = at(found, "spec", "source", field)
        if seen != right:
            yield Fault(label(found), f"spec.source.{field} is {seen}, not {right}", f"{apply}.")
    status, revision = at(found, "status", "sync", "status"), str(at(found, "status", "sync", "revision"))
    if status != "Synced":
        why = at(found, "status", "conditions", 0, "message") or at(found, "status", "operationState", "message")
        remedy = f"`argocd app get {found['metadata']['name']}` says what differs; then `argocd app sync`."
        yield Fault(label(found), f"it is {status or 'not looked at yet'}" + (f": {why}" if why else ""), remedy)
    return Fine(f"Synced to {revision[:12]}")


def application_sync(world: World, wanted: Wanted) -> Checking:
    """The three settings that leave the weights alone, none that strips the selectors, and Git wins (all measured)."""
    found = _required(world, wanted)
    spec, mend = found.get("spec") or {}, f"{_apply(wanted)}, with argocd/{wanted.name}.yaml as main has it."
    ignored = any(
        (each.get("group"), each.get("kind")) == ("traefik.io", "TraefikService")
        and WEIGHTS in (each.get("jqPathExpressions") or ())
        for each in spec.get("ignoreDifferences") or ()
    )
    if not ignored:
        yield Fault(label(found), f"ignoreDifferences lacks {WEIGHTS}: each sync takes the canary's traffic away", mend)
    options = at(spec, "syncPolicy", "syncOptions") or ()
    for option in ("RespectIgnoreDifferences=true", "ApplyOutOfSyncOnly=true"):
        if option not in options:
            yield Fault(label(found), f"syncOptions lacks {option}: a sync resets the canary's weight", mend)
    if "ServerSideApply=true" in options:
        what = "ServerSideApply=true strips the pod-template hash from the Services' selectors: the split is by chance"
        yield Fault(label(found), what, f"Take it out of syncOptions: {mend}")
    for field, lost in (("selfHeal", "what is changed by hand stays"), ("prune", "what Git removes stays")):
        if at(spec, "syncPolicy", "automated", field) is not True:
            yield Fault(label(found), f"syncPolicy.automated.{field} is not true: {lost}", mend)
    return Fine("weights are left alone, Git wins")


def waves(world: World, wanted: Wanted) -> Checking:
    """With a wave or a late hook Argo CD waits for a canary to end, and applies not even a revert (measured)."""
    rollout_of(world, wanted)  # where there is none there is nothing to wait for
    remedy = f"Take it out of the manifest; `slipway manifests check` refuses it in k8s/rendered/{wanted.name}."
    for each in _live(world, wanted):
        said = at(each, "metadata", "annotations") or {}
        late = WAITING & {hook.strip() for hook in said.get(f"{ARGO_CD}hook", "").split(",")}
        if late:
            yield Fault(label(each), f"a hook of {listed(sorted(late))} waits for the canary's end", remedy)
        if f"{ARGO_CD}sync-wave" in said:
            yield Fault(label(each), "a sync wave waits for the canary's end", remedy)
        if "ServerSideApply=true" in said.get(f"{ARGO_CD}sync-options", ""):
            yield Fault(label(each), "server-side apply strips what the controller has written", remedy)
    done = at(_find(world, wanted), "status", "operationState", "syncResult", "resources") or ()
    for each in done:
        if each.get("hookType") in WAITING:
            where = f"{each.get('namespace')} {each.get('kind')}/{each.get('name')}"
            yield Fault(where, f"a hook of {each['hookType']} waits for the canary's end", remedy)
    return Fine("no wave, no hook after the Rollout")


def image(world: World, wanted: Wanted) -> Checking:
    """The cluster runs what Git says: an image that somebody has put there by hand is in no record."""
    try:
        found = deployment_of(world, rollout_of(world, wanted), wanted)
    except Unreleased as nothing:
        return Fine(nothing.found)
    live = at(found, "spec", "template", "spec", "containers", 0, "image")
    if wanted.image is None:
        raise Doubt(f"main has released nothing to {wanted.name}, and {live} runs", "Release it: `slipway release`.")
    if live != wanted.image:
        yield Fault(
            label(found),
            f"it asks for {live}, main for {wanted.image}: somebody used `kubectl argo rollouts undo` or `set image`,"
            " or Argo CD has not applied main yet",
            "Argo CD's self-heal puts Git's image back; the way back to an earlier release is"
            f" `slipway rollback --to VERSION --why TEXT --environment {wanted.name}`.",
        )
    return Fine(str(live).partition("@")[0].rpartition("/")[2])


def _find(world: World, wanted: Wanted) -> Object | None:
    return _brings(world, wanted.namespace, f"k8s/rendered/{wanted.name}")


def _brings(world: World, namespace: str, folder: str) -> Object | None:
    """The Application that brings something to a namespace: the one of the folder, else any."""
    there = [
        {"kind": "Application", **each}
        for each in many(world, path(ARGO, "applications"))
        if at(each, "spec", "destination", "namespace") == namespace
    ]
    exact = [each for each in there if at(each, "spec", "source", "path") == folder]
    return next(iter((*exact, *there)), None)


def _required(world: World, wanted: Wanted) -> Object:
    found = _find(world, wanted)
    if found is None:
        raise Doubt(f"no Application of Argo CD brings anything to {wanted.namespace}", f"{_apply(wanted)}.")
    return found


def _apply(wanted: Wanted) -> str:
    return f"`kubectl apply -f argocd/{wanted.name}.yaml`"


def _live(world: World, wanted: Wanted) -> Iterator[Object]:
    """What stands in an environment and could carry an annotation."""
    for group, plural, kind in (
        (ARGO, "rollouts", "Rollout"),
        (ARGO, "analysistemplates", "AnalysisTemplate"),
        (TRAEFIK, "traefikservices", "TraefikService"),
        (TRAEFIK, "ingressroutes", "IngressRoute"),
        ("/apis/apps/v1", "deployments", "Deployment"),
        (CORE, "services", "Service"),
        (BATCH, "jobs", "Job"),
    ):
        yield from ({"kind": kind, **each} for each in many(world, path(group, plural, wanted.namespace)))
