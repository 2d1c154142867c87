"""What the cluster must bring: Kubernetes, Argo Rollouts, Argo CD and Traefik, new enough and set as the canary needs.

Nothing of it is known by name but the images: a workload is Traefik because it runs an image called so.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from slipway.canary.facts import at
from slipway.canary.latency import WITHIN
from slipway.doctor import asking
from slipway.doctor.asking import APPS, CORE, Checking, Doubt, Fault, Fine, label, listed, many, one, path
from slipway.doctor.records import Object, World

Version = tuple[int, int]
FINE_FROM = 0.005  # seconds: a service that answers faster than that has no latency to judge
DEFAULT_BUCKETS = "0.1,0.3,1.2,5"  # of Traefik
VERSION_LABEL = "app.kubernetes.io/version"
INSTALL = "docs/deployment.md says what the cluster needs."
EDIT = "kubectl -n {} edit {} {}"


def kubernetes(world: World) -> Checking:
    """1.30: the shipper is a native sidecar, and `preStop` sleeps; an older one refuses or forgets both."""
    found = one(world, "/version") or {}
    seen = _version(str(found.get("gitVersion")))
    if seen is None:
        raise Doubt(f"the API server says version {found.get('gitVersion')!r}", asking.AGAIN)
    if seen < (1, 30):
        yield Fault("the API server", f"Kubernetes {found['gitVersion']}", "Upgrade it to 1.30 or newer.")
    return Fine(str(found["gitVersion"]))


def rollouts_version(world: World) -> Checking:
    """1.10: older ones look for Traefik's old API group, and split nothing."""
    return (yield from _new_enough(world, "argo-rollouts", (1, 10), "Argo Rollouts"))


def argocd_version(world: World) -> Checking:
    """3.0: the settings that leave the weights alone were measured with 3.2."""
    return (yield from _new_enough(world, "argocd", (3, 0), "Argo CD"))


def traefik_version(world: World) -> Checking:
    """v3: the manifests are of its API group, the series of its names."""
    return (yield from _new_enough(world, "traefik", (3, 0), "Traefik"))


def empty_services(world: World) -> Checking:
    """Without it one crashed canary turns every request into a 404, those for stable included (measured)."""
    for router, settings in _routers(world):
        if _value(settings, "providers.kubernetescrd.allowemptyservices", "false") != "true":
            yield _unset(router, "allowEmptyServices is off", "--providers.kubernetescrd.allowEmptyServices=true")
    return Fine("allowEmptyServices is on")


def service_metrics(world: World) -> Checking:
    """The judge counts by Traefik's series of services; without them it sees nothing, and promotes nothing."""
    for router, settings in _routers(world):
        on = any(key.startswith("metrics.prometheus") for key in settings)
        if not on or _value(settings, "metrics.prometheus", "true") == "false":
            yield _unset(router, "the metrics for Prometheus are off", "--metrics.prometheus=true")
        elif _value(settings, "metrics.prometheus.addserviceslabels", "true") != "true":
            yield _unset(router, "addServicesLabels is off", "--metrics.prometheus.addServicesLabels=true")
    return Fine("on, with labels of services")


def buckets(world: World) -> Checking:
    """Traefik's own buckets tell nothing of an answer in milliseconds: no bound could be chosen, none judged."""
    flag = "the flag --metrics.prometheus.buckets with the list in rollouts/judge.yaml"
    for router, settings in _routers(world):
        text = _value(settings, "metrics.prometheus.buckets", DEFAULT_BUCKETS)
        try:
            edges = sorted(float(each) for each in text.split(","))
        except ValueError:
            raise Doubt(f"the buckets of {label(router)} cannot be read: {text[:80]}", f"Give it {flag}.") from None
        own = " (Traefik's own)" if text == DEFAULT_BUCKETS else ""
        yield from (_unset(router, f"buckets{own}: {why}", flag) for why in _coarse(world, edges))
    return Fine("fine enough")


def notifications(world: World) -> Checking:
    """By it the relay hears of an end at once; without it at its next look only."""
    where, live, other = _compared(world, world.notifications)
    mend = "`kubectl apply -f argocd/notifications.yaml`"
    if live is None:
        yield Fault(where, "it is not there", f"{mend}.")
    elif other:
        yield Fault(where, f"{listed(other)}: not as argocd/notifications.yaml of main has it", f"{mend}.")
    return Fine("as argocd/notifications.yaml has it")


def analysis_health(world: World) -> Checking:
    """By it Argo CD shows the judge's reason; nothing depends on it, so a cluster without it is well."""
    yield from ()
    where, live, other = _compared(world, world.health)
    if other and at(live, "metadata", "name") is None:
        raise Doubt(f"there is no {where}", f"Install Argo CD, if it is not there: {INSTALL}")
    if other:
        mend = "`kubectl -n argocd patch configmap argocd-cm --patch-file argocd/health.yaml`"
        return Fine(f"{where} is not as main has it: Argo CD does not say why an analysis ended", f"{mend}.")
    return Fine("Argo CD says why an analysis ended")


def _compared(world: World, told: Object) -> tuple[str, Object | None, list[str]]:
    """A ConfigMap that main tells, as it is, and its keys that are otherwise."""
    namespace, name = str(at(told, "metadata", "namespace")), str(at(told, "metadata", "name"))
    live = one(world, path(CORE, "configmaps", namespace, name))
    wanted: Mapping[str, str] = told.get("data") or {}
    other = [key for key, text in wanted.items() if at(live, "data", key) != text]
    return asking.named("ConfigMap", namespace, name), live, other


def workloads(world: World) -> Iterator[Object]:
    """Everything that runs pods, in all namespaces."""
    for plural, kind in (("deployments", "Deployment"), ("daemonsets", "DaemonSet"), ("statefulsets", "StatefulSet")):
        yield from ({"kind": kind, **each} for each in many(world, path(APPS, plural)))


def containers(workload: Object) -> Sequence[Object]:
    """The containers of a workload's pods."""
    return at(workload, "spec", "template", "spec", "containers") or ()


def arguments(container: Object) -> list[str]:
    """What a container is started with."""
    return [str(each) for each in (*(container.get("command") or ()), *(container.get("args") or ()))]


def _running(world: World, product: str) -> list[tuple[Object, Object]]:
    """Workloads that run an image of this name, with the container that does."""
    found = [
        (workload, container)
        for workload in workloads(world)
        for container in containers(workload)
        if _name_and_tag(str(container.get("image")))[0] == product
    ]
    if not found:
        raise Doubt(f"no workload runs an image that is called {product}", f"Install it, if it is not there: {INSTALL}")
    return found


def _name_and_tag(image: str) -> tuple[str, str]:
    name, _, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
    return name, tag


def _new_enough(world: World, product: str, least: Version, called: str) -> Checking:
    told: list[str] = []
    for workload, container in _running(world, product):
        tag = _name_and_tag(str(container["image"]))[1]
        said = _said_version(workload)
        seen = _version(tag) or _version(said)
        if seen is None:
            raise Doubt(
                f"{label(workload)} runs {container['image']}, which tells no version",
                f"Run an image with a version as its tag, or label the workload {VERSION_LABEL}.",
            )
        told.append(tag if _version(tag) else said)
        if seen < least:
            wanted = f"{least[0]}.{least[1]}"
            yield Fault(label(workload), f"{called} {told[-1]}", f"Upgrade {called} to {wanted} or newer. {INSTALL}")
    return Fine(listed(sorted(set(told))))


def _said_version(workload: Object) -> str:
    for place in (("metadata",), ("spec", "template", "metadata")):
        for kind in ("labels", "annotations"):
            if text := at(workload, *place, kind, VERSION_LABEL):
                return str(text)
    return ""


def _version(text: str) -> Version | None:
    found = re.match(r"v?(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def _routers(world: World) -> list[tuple[Object, Mapping[str, str]]]:
    """Each Traefik with its static configuration; only those that the pods let in, where there are such."""
    found = _running(world, "traefik")
    ours = [each for each in found if at(each[0], "metadata", "namespace") in world.let_in]
    return [(workload, _settings(workload, container)) for workload, container in ours or found]


def _settings(workload: Object, container: Object) -> dict[str, str]:
    """Traefik's configuration by flags, else by variables: it takes one of them, and its keys in any case."""
    flags = [each[2:] for each in arguments(container) if each.startswith("--")]
    found = {key.lower(): value if given else "true" for key, given, value in (each.partition("=") for each in flags)}
    if not found:
        variables: Sequence[Any] = container.get("env") or ()
        named = ((str(each.get("name")), str(each.get("value"))) for each in variables)
        prefix = "TRAEFIK_"
        found = {
            name.removeprefix(prefix).lower().replace("_", "."): value
            for name, value in named
            if name.startswith(prefix)
        }
    if "configfile" in found or not found:
        raise Doubt(
            f"{label(workload)} takes its configuration from a file",
            "Look there for allowEmptyServices and metrics, or give Traefik flags.",
        )
    return found


def _value(settings: Mapping[str, str], key: str, default: str) -> str:
    return settings.get(key, default).strip().lower()


def _unset(router: Object, found: str, flag: str) -> Fault:
    metadata = router["metadata"]
    edit = EDIT.format(metadata["namespace"], router["kind"].lower(), metadata["name"])
    return Fault(label(router), found, f"`{edit}`: add {flag}.")


def _coarse(world: World, edges: Sequence[float]) -> Iterator[str]:
    """Say what the edges cannot tell of what the policy asks."""
    metrics = world.settings.policy.metrics
    bound = metrics["objective"].bound if "objective" in metrics else None
    if bound is not None and not any(math.isclose(edge, bound) for edge in edges):
        yield f"no edge is at {bound:g} s, the objective"
    if "latency" in metrics:
        top = bound or 1.0
        inside = [edge for edge in edges if FINE_FROM <= edge <= top]
        apart = [(a, b) for a, b in pairwise((FINE_FROM, *inside, top)) if b > WITHIN * a * (1 + 1e-9)]
        if apart:
            a, b = apart[0]
            yield f"nothing between {a:g} and {b:g} s, where each edge may be {WITHIN:g} times the one before"
