"""Scenario k: on an empty cluster the recorded stable comes first, and what is in flight in Git is judged after it."""

import json
import re
from pathlib import Path
from typing import Any

from tests.cluster.machine.cluster import NAMESPACE
from tests.cluster.machine.kubernetes import wait
from tests.cluster.machine.programs import ROOT
from tests.cluster.scenarios.playing import Stage

STEPS = re.compile(r"^```text\n(.*?)^```", re.DOTALL | re.MULTILINE)
WRITTEN = "1.0.0"  # what the page calls the recorded stable
SECONDS = "150"
KINDS = (  # what a person would lose; the Rollout's ReplicaSets and AnalysisRuns go with it
    *("rollouts.argoproj.io", "deployments.apps", "ingressroutes.traefik.io", "traefikservices.traefik.io"),
    *("analysistemplates.argoproj.io", "services", "poddisruptionbudgets.policy", "networkpolicies.networking.k8s.io"),
)


def test_k_an_empty_cluster_begins_with_the_recorded_stable(stage: Stage) -> None:
    """While Git holds an unjudged release: no pod of it starts until the stable serves, and then it is a canary."""
    stable = stage.stable
    version, _ = stage.release()
    stage.until(weight=10)
    before = {pod.name for pod in stage.watch.pods}
    emptied(stage)
    recorded, then = STEPS.findall((ROOT / "docs/playbooks/bootstrap.md").read_text())

    typed(stage, recorded.replace(WRITTEN, stable))
    assert images(stage) == {stage.digest(stable)}
    assert not listed(stage, "analysisruns.argoproj.io")
    clients = stage.traffic
    wait(lambda: clients.wait_for(100, clients.mark()).failed == 0, "the router", stage.cluster.box.place)
    seen = clients.wait_for(500, clients.mark())
    assert (seen.failed, set(seen.by_version)) == (0, {stable})
    assert {pod.hash for pod in stage.watch.pods if pod.name not in before} == {stage.now.stable}
    assert stage.event(version) is None  # in flight still

    began = clients.mark()
    typed(stage, then)
    stage.until(weight=10)
    wait(lambda: listed(stage, "analysisruns.argoproj.io"), "its analysis", stage.cluster.box.place)
    stage.cluster.fork.run("slipway", "revert", "--digest", stage.digest(version), "--why", "it was judged: enough")
    found = stage.end(version, began)
    assert (found.kind, found.cause) == ("reverted", "person"), found.told()
    assert found.weights == [10]
    assert found.clients.failed == 0
    stage.agree()


def emptied(stage: Stage) -> None:
    """Lose what Argo CD has made for production, and its application; Git and the Secrets are left."""
    kubectl = stage.cluster.kubectl
    kubectl.run("--namespace=argocd", "delete", "application", NAMESPACE)  # without a finalizer nothing goes with it
    for kind in KINDS:
        kubectl.run("--namespace", NAMESPACE, "delete", kind, "--all", "--timeout=60s")
    wait(lambda: not listed(stage, "pods"), "the end of all pods", stage.cluster.box.place, 90)


def typed(stage: Stage, lines: str) -> None:
    """Run lines of the page in the checkout, as a person would who has kubectl and its plugin."""
    cluster = stage.cluster
    tools = {str(Path(cluster.programs[name]).parent) for name in ("kubectl", "kubectl-argo-rollouts")}
    cluster.fork.pull()
    cluster.fork.run("timeout", SECONDS, "bash", "-euc", f"PATH={':'.join(sorted(tools))}:$PATH\n{lines}")


def listed(stage: Stage, kind: str) -> list[dict[str, Any]]:
    """All objects of a kind in production."""
    found = json.loads(stage.cluster.kubectl.run("--namespace", NAMESPACE, "get", kind, "--output=json"))
    return list(found["items"])


def images(stage: Stage) -> set[str]:
    """Digests of all that pods run, and that ReplicaSets would make them run."""
    specs = [each["spec"] for each in listed(stage, "pods")]
    specs += [each["spec"]["template"]["spec"] for each in listed(stage, "replicasets.apps")]
    containers = [each for spec in specs for each in (*spec.get("initContainers", ()), *spec["containers"])]
    return {each["image"].rpartition("@")[2] for each in containers}
