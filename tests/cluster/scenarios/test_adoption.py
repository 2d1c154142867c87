"""Scenario i: a Deployment that serves is taken over by a Rollout, in the two commits of docs/adopting.md."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from tests.cluster.machine import delivery
from tests.cluster.machine.cluster import Cluster
from tests.cluster.machine.kubernetes import wait
from tests.cluster.machine.place import NODE
from tests.cluster.machine.programs import ROOT
from tests.cluster.scenarios.playing import Stage
from tests.cluster.traffic import Traffic

from slipway.manifests import tree

NAME, HOST, RATE = "adoption", "adoption.example.com", 20.0
HASH = "rollouts-pod-template-hash"
FENCE = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
Objects = list[dict[str, Any]]


def test_i_a_serving_deployment_is_adopted(stage: Stage, tmp_path: Path) -> None:
    """No request fails, and in the end the Rollout has all pods, with nobody to fight about them."""
    cluster = stage.cluster
    first, second = written()
    before = running(stage)
    with followed(cluster, before):
        url = f"http://{NODE}/version"
        wait(lambda: requests.get(url, headers={"Host": HOST}, timeout=2).ok, "adoption", cluster.box.place, 90)
        available(cluster, "deployment")
        with Traffic.start(
            tmp_path / "traffic",
            host=f"http://{NODE}",
            header=HOST,
            credential=delivery.credential(cluster.box.place),
            rate=RATE,
        ) as clients:
            began = clients.mark()
            clients.wait_for(100, began)

            commit(cluster, before + first, "Adopt the Deployment")
            available(cluster, "rollout")
            door = wait(lambda: selected(cluster, "flights-stable"), "flights-stable", cluster.box.place)

            commit(cluster, [merged(each, second) for each in before + first], "Leave the pods to the Rollout")
            wait(lambda: only(cluster, door), "the Deployment's end", cluster.box.place, 90)
            clients.wait_for(100, clients.mark())
            seen = clients.seen(began)
        print(f"adoption: {seen.requests} requests, failed {seen.failures or 'none'}", flush=True)
        assert seen.failed == 0
        time.sleep(5)  # nobody brings the Deployment's pods back
        assert only(cluster, door)
        assert cluster.object("rollout", "flights", NAME)["status"]["phase"] == "Healthy"
    stage.agree()


def written() -> tuple[Objects, Objects]:
    """What the page has a person write: what the first commit adds, and what the second changes."""
    first, second = FENCE.findall((ROOT / "docs/adopting.md").read_text())
    return tree.parse(first, "the first commit"), tree.parse(second.replace("flights.example.com", HOST), "the second")


def running(stage: Stage) -> Objects:
    """What the user had before, with the recorded stable's image."""
    text = Path(__file__).with_name("adoption.yaml").read_text()
    (container,) = stage.cluster.object("deployment", "flights")["spec"]["template"]["spec"]["containers"]
    bento = next(each["value"] for each in container["env"] if each["name"] == tree.BENTO)
    return tree.parse(text.replace("IMAGE", container["image"]).replace("BENTO}", f"{bento}}}"), "adoption.yaml")


def merged(one: Any, changes: Objects) -> Any:
    """The object, with the fields of the change of its kind; lists are replaced."""

    def over(here: Any, there: Any) -> Any:
        if not isinstance(here, dict) or not isinstance(there, dict):
            return there
        return here | {key: over(here.get(key), value) for key, value in there.items()}

    return next((over(one, each) for each in changes if each["kind"] == one["kind"]), one)


@pytest.mark.parametrize("kind", ["Deployment", "Rollout", "IngressRoute"])
def test_the_second_commit_changes_what_is_there(kind: str) -> None:
    """Needs no cluster: each change of the page finds its object, with that very field."""
    first, second = written()
    every = tree.parse(Path(__file__).with_name("adoption.yaml").read_text(), "adoption.yaml") + first
    (found,) = (each for each in every if each["kind"] == kind)
    assert merged(found, second) != found
    assert merged(found, second).keys() == found.keys()


@contextmanager
def followed(cluster: Cluster, objects: Objects) -> Iterator[None]:
    """Have Argo CD keep a namespace as a folder of the fork says, as it keeps production, until the block ends."""
    kubectl, fork = cluster.kubectl, cluster.fork
    application = yaml.safe_load((fork.root / "argocd/production.yaml").read_text())
    application["metadata"] |= {"name": NAME, "finalizers": ["resources-finalizer.argocd.argoproj.io"]}
    application["spec"] |= {"project": NAME}
    application["spec"]["source"] |= {"path": NAME}
    application["spec"]["destination"] |= {"namespace": NAME}
    application["spec"]["syncPolicy"].pop("managedNamespaceMetadata")
    server = application["spec"]["destination"]["server"]
    project = {
        "apiVersion": application["apiVersion"],
        "kind": "AppProject",
        "metadata": {"name": NAME, "namespace": "argocd"},
        "spec": {
            "sourceRepos": [application["spec"]["source"]["repoURL"]],
            "destinations": [{"server": server, "namespace": NAME}],
            "clusterResourceWhitelist": [{"group": "", "kind": "Namespace"}],
        },
    }
    path = cluster.box.place.config / "adoption.yaml"
    path.write_text(yaml.safe_dump_all([project, application]))
    fork.pull()
    commit(cluster, objects, "Serve by a Deployment")
    try:
        kubectl.apply(path)
        yield
    finally:
        gone = ("--ignore-not-found", "--timeout=120s")
        kubectl.run("--namespace=argocd", "delete", "application", NAME, *gone)
        kubectl.run("--namespace=argocd", "delete", "appproject", NAME, *gone)
        kubectl.run("delete", "namespace", NAME, *gone)
        fork.pull()
        shutil.rmtree(fork.root / NAME)
        fork.commit("Serve it no more")


def commit(cluster: Cluster, objects: Objects, message: str) -> None:
    """Commit the folder as these objects."""
    folder = cluster.fork.root / NAME
    folder.mkdir(exist_ok=True)
    (folder / "flights.yaml").write_text(yaml.safe_dump_all(objects, sort_keys=False))
    cluster.fork.commit(message)


def available(cluster: Cluster, kind: str) -> None:
    """Wait until both of its pods are."""

    def look() -> bool:
        status = cluster.object(kind, "flights", NAME).get("status", {})
        return bool(status.get("availableReplicas") == 2 and status.get("phase", "Healthy") == "Healthy")

    wait(look, f"{kind}/flights", cluster.box.place, 90)


def selected(cluster: Cluster, service: str) -> str | None:
    """The template to which a Service leads, if it is the Rollout's."""
    found = cluster.object("service", service, NAME)["spec"]["selector"].get(HASH)
    return str(found) if found else None


def only(cluster: Cluster, door: str) -> bool:
    """Whether the Deployment asks for no pod, all pods are the Rollout's, and the route leads to its doors."""
    listed = cluster.kubectl.run("--namespace", NAME, "get", "pods", "--output=json")
    pods = [each["metadata"]["labels"].get(HASH) for each in json.loads(listed)["items"]]
    route = cluster.object("ingressroutes.traefik.io", "flights", NAME)["spec"]["routes"][0]["services"][0]
    asked = cluster.object("deployment", "flights", NAME)["spec"]["replicas"]
    rollout = cluster.object("rollout", "flights", NAME)["spec"]["workloadRef"]["scaleDown"]
    return (pods, asked, rollout, route.get("kind")) == ([door, door], 0, "never", "TraefikService")
