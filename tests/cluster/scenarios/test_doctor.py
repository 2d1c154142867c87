"""`slipway doctor` on the live platform: all is well; then it is broken in one way after another, and each is named."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from tests.cluster.machine.kubernetes import wait
from tests.cluster.scenarios.playing import Stage
from typer.testing import CliRunner

from slipway.__main__ import app
from slipway.canary.facts import HASH, at
from slipway.commands import doctor
from slipway.errors import Broken

# Argo CD sees that the cluster is not what Git says, and that nobody lets it mend that; the relay sees another image.
NOTICED = {"application", "application-sync", "platform", "relay-sources"}


class Break(NamedTuple):
    """A field of an object, what it becomes (None: it is taken away), and what the doctor says of that."""

    where: str  # kind, namespace, name; of a ConfigMap that carries a hash, the name before it
    pointer: str
    change: Callable[[Any], Any]
    check: str
    found: str
    remedy: str


def without(text: str) -> Callable[[list[str]], list[str]]:
    """Take the flags away that hold a text."""
    return lambda flags: [flag for flag in flags if text not in flag]


def gone(_: object) -> None:
    """Take it away."""


FLAGS = "/spec/template/spec/containers/0/args"
TRAEFIK, SERVICE = "deployment traefik traefik", "deployment flights-production flights"
PRODUCTION, METRIC = "application argocd flights-production", "/spec/metrics/0"
ANALYSIS, ROLLOUT = "analysistemplate flights-production judge", "rollout flights-production flights"
SPLIT, CHILDREN = "traefikservice flights-production flights", "/spec/weighted/services"
WEB = {"web": {"url": "http://judge.slipway.svc:8080/verdict", "jsonPath": "{$.verdict}"}}
OTHER = base64.b64encode(b"another").decode()
BREAKS = {
    "Argo CD does not heal": Break(
        PRODUCTION,
        "/spec/syncPolicy/automated",
        gone,
        "application-sync",
        "selfHeal is not true",
        "argocd/production.yaml",
    ),
    "server-side apply": Break(
        PRODUCTION,
        "/spec/syncPolicy/syncOptions",
        lambda options: [*options, "ServerSideApply=true"],
        "application-sync",
        "strips the pod-template hash",
        "Take it out of syncOptions",
    ),
    "the platform of another branch": Break(
        "application argocd slipway-platform",
        "/spec/source/targetRevision",
        lambda _: "other",
        "platform",
        "targetRevision is other",
        "kubectl apply -f argocd/platform",
    ),
    "no empty services": Break(
        TRAEFIK,
        FLAGS,
        without("allowEmptyServices"),
        "traefik-empty-services",
        "allowEmptyServices is off",
        "--providers.kubernetescrd.allowEmptyServices=true",
    ),
    "Traefik's own buckets": Break(
        TRAEFIK, FLAGS, without("buckets"), "traefik-buckets", "Traefik's own", "rollouts/judge.yaml"
    ),
    "the relay is not told": Break(
        "configmap argo-rollouts argo-rollouts-notification-configmap",
        "/data/trigger.on-rollout-aborted",
        gone,
        "notifications",
        "trigger.on-rollout-aborted",
        "kubectl apply -f argocd/notifications.yaml",
    ),
    "another token": Break(
        "secret slipway relay", "/data/relay-token", lambda _: OTHER, "relay-token", "not the same", "docs/relay.md"
    ),
    "another policy": Break(
        "configmap slipway judge-",
        "/data/judge.yaml",
        lambda text: text.replace("alpha: 0.05", "alpha: 0.5"),
        "judge-policy",
        "held to another",
        "slipway manifests render",
    ),
    "no way to Prometheus": Break(
        "endpointslice monitoring prometheus",
        "/endpoints",
        lambda _: [],
        "prometheus",
        "no ready address",
        "get endpointslices",
    ),
    "a wave": Break(
        ROLLOUT,
        "/metadata/annotations/argocd.argoproj.io~1sync-wave",
        lambda _: "1",
        "waves",
        "a sync wave waits",
        "slipway manifests check",
    ),
    "an undo": Break(
        SERVICE,
        "/spec/template/spec/containers/0/image",
        lambda image: f"{image.rpartition(':')[0]}:{64 * 'b'}",
        "image",
        "kubectl argo rollouts undo",
        "slipway rollback --to VERSION --why TEXT --environment production",
    ),
    "a rollback window": Break(
        ROLLOUT, "/spec/rollbackWindow", lambda _: {"revisions": 3}, "rollout", "unjudged", "slipway release"
    ),
    "the hash is stripped": Break(
        "service flights-production flights-canary",
        f"/spec/selector/{HASH}",
        gone,
        "services",
        f"no {HASH}",
        "strips it",
    ),
    "the split in another order": Break(
        SPLIT,
        CHILDREN,
        lambda children: children[::-1],
        "split",
        "flights-canary, flights-stable,",
        "delete traefikservice flights",
    ),
    "weights that are not 100": Break(
        SPLIT,
        CHILDREN,
        lambda children: [{**children[0], "weight": 90}, *children[1:]],
        "split",
        "90, 0, which is not 100",
        "application-sync",
    ),
    "the web provider": Break(
        ANALYSIS, f"{METRIC}/provider", lambda _: WEB, "analysis", "the provider is web", "slipway manifests render"
    ),
    "a doubt pauses": Break(
        ANALYSIS, f"{METRIC}/inconclusiveLimit", gone, "analysis", "inconclusiveLimit is None", "slipway release"
    ),
    "no credentials": Break(
        "secret flights-production flights-ledger",
        "/data/credentials",
        gone,
        "ledger",
        "lacks credentials",
        "create secret generic flights-ledger",
    ),
    # The last: a new one takes seconds to start.
    "no judge": Break(
        "deployment slipway judge",
        "/spec/replicas",
        lambda _: 0,
        "judge",
        "no pod behind it is ready",
        "-n slipway logs",
    ),
}


def well(stage: Stage) -> None:
    """Wait until a person who asks is told that all is well."""
    stage.ask_staging()
    look = ("slipway", "doctor")
    wait(lambda: stage.cluster.fork.run(*look), "what slipway doctor asks for", stage.cluster.box.place, 90)


def wrong(stage: Stage, check: str) -> list[dict[str, Any]]:
    """What the doctor says of this check, which is wrong, and no other but those that notice it.

    Raises:
        Broken: it says something else; or it could not look.

    """
    fork = stage.cluster.fork
    done = CliRunner().invoke(app, ["doctor", "--root", str(fork.root), "--json"], env=fork.environment())
    if not isinstance(done.exception, SystemExit | None):
        raise done.exception
    found = [one for one in json.loads(done.stdout)["findings"] if one["state"] == "wrong"]
    if {one["check"] for one in found} - (NOTICED - {check}) != {check}:
        raise Broken(f"wrong is {[(one['check'], one['where'], one['found']) for one in found]}", "See test_doctor.py.")
    assert done.exit_code == 1
    return [one for one in found if one["check"] == check]


@contextmanager
def broken(stage: Stage, case: Break) -> Iterator[None]:
    """Break something until the block ends."""
    kubectl, (kind, namespace, name) = stage.cluster.kubectl, case.where.split()
    if name.endswith("-"):
        names = kubectl.run("--namespace", namespace, "get", kind, "--output=name").split()
        (name,) = (each.rpartition("/")[2] for each in names if f"/{name}" in each)
    keys = [key.replace("~1", "/") for key in case.pointer.split("/")[1:]]
    before = at(stage.cluster.object(kind, name, namespace), *(int(key) if key.isdecimal() else key for key in keys))

    def put(value: object) -> None:
        step = {"op": "remove" if value is None else "add", "path": case.pointer, "value": value}
        kubectl.run("--namespace", namespace, "patch", kind, name, "--type=json", f"--patch={json.dumps([step])}")

    if (after := case.change(before)) == before:  # Argo CD does not heal here anyhow
        yield
        return
    put(after)
    try:
        yield
    finally:
        put(before)


@pytest.fixture(scope="module")
def bound(stage: Stage) -> Iterator[None]:
    """Neither Argo CD nor Argo Rollouts mends what is broken, no canary starts of it, and Traefik is not restarted."""
    run, argocd = stage.cluster.kubectl.run, stage.cluster.fork.root / "argocd"
    controller = ("--namespace=argo-rollouts", "scale", "deployment/argo-rollouts")
    applications = ("staging.yaml", "production.yaml", "platform/application.yaml")
    try:
        for name in ("flights-staging", "flights-production", "slipway-platform"):
            unhealed = '--patch={"spec": {"syncPolicy": {"automated": null}}}'
            run("--namespace=argocd", "patch", "application", name, "--type=merge", unhealed)
        run(*controller, "--replicas=0")
        pods = ("pod", "--selector=app.kubernetes.io/name=argo-rollouts", "--for=delete", "--timeout=60s")
        run("--namespace=argo-rollouts", "wait", *pods)
        run("--namespace=traefik", "rollout", "pause", "deployment/traefik")
        yield
    finally:
        run("--namespace=traefik", "rollout", "resume", "deployment/traefik")
        run(*controller, "--replicas=1")
        run("--namespace=argo-rollouts", "rollout", "status", "deployment/argo-rollouts", "--timeout=60s")
        files = (f"--filename={argocd / name}" for name in applications)
        run("apply", "--server-side", "--force-conflicts", *files)  # the patch above owns a field
    well(stage)


def test_a_cluster_that_serves_is_well(stage: Stage) -> None:
    """Exit code 0: every check was made."""
    well(stage)


@pytest.mark.parametrize("name", BREAKS)
def test_it_names_what_is_broken(stage: Stage, bound: None, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly that check is wrong, with what mends it; the one before is well again."""
    monkeypatch.setattr(doctor, "AGAIN", 0.0)  # this waits by itself
    case = BREAKS[name]
    with broken(stage, case):
        found = wait(lambda: wrong(stage, case.check), name, stage.cluster.box.place)
        assert any(case.found in one["found"] and case.remedy in one["remedy"] for one in found), found
