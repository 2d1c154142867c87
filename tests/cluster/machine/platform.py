"""What stands on the node before Slipway comes: names, a router, Argo Rollouts, Argo CD, each by its own manifests.

Their images are named as their projects name them, and built here from the same sources: see registry.py.
"""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.machine import base, images, registry
from tests.cluster.machine.kubernetes import Kubectl
from tests.cluster.machine.place import Place
from tests.cluster.machine.programs import ROOT

from slipway.errors import Broken
from slipway.oci import Image

OURS = ROOT / "tests/cluster/platform"
IMAGES = {
    "coredns": ("coredns/coredns", "v1.12.4"),
    "traefik": ("library/traefik", "v3.7.9"),
    "rollouts-controller": ("argoproj/argo-rollouts", "v1.10.1"),
}
ARGOCD, REDIS = ("argoproj/argocd", "v3.2.11"), ("docker/library/redis", "8.2.2-alpine")
MODULES = {
    "argocd": "github.com/argoproj/argo-cd/v3",
    "rollouts": "github.com/argoproj/argo-rollouts",
    "traefik": "github.com/traefik/traefik/v3",
}
TRAEFIK_MANIFESTS = "docs/content/reference/dynamic-configuration"
WORKLOADS = (
    *("kube-system/deployment/coredns", "traefik/deployment/traefik", "argo-rollouts/deployment/argo-rollouts"),
    *("argocd/deployment/argocd-redis", "argocd/deployment/argocd-repo-server"),
    "argocd/statefulset/argocd-application-controller",
)


def install(place: Place, programs: Mapping[str, str]) -> None:
    """Push the images, and apply the manifests.

    Raises:
        Broken: something is refused.

    """
    for program, (name, tag) in IMAGES.items():
        registry.push(place, images.of_program(Path(programs[program])), name, tag)
    kubectl = Kubectl(place, programs["kubectl"])
    traefik = _module("traefik") / TRAEFIK_MANIFESTS
    kubectl.apply(OURS / "coredns.yaml", OURS / "outside.yaml")
    kubectl.apply(traefik / "kubernetes-crd-definition-v1.yml", traefik / "kubernetes-crd-rbac.yml")
    kubectl.apply(OURS / "traefik.yaml")
    kubectl.run("create", "namespace", "argo-rollouts")
    kubectl.apply(_rollouts(place), options=["--namespace=argo-rollouts"])
    ground = base.lock(place)

    def push(image: Image, name: str, tag: str) -> None:
        registry.push(place, image, name, tag, base=base.NAME)

    push(images.argocd(ground, Path(programs["argocd"]), _module("argocd")), *ARGOCD)
    push(images.redis(ground), *REDIS)
    kubectl.run("create", "namespace", "argocd")
    kubectl.apply(_module("argocd") / "manifests/core-install.yaml", options=["--namespace=argocd"])
    # Nothing of ours uses sets of applications.
    kubectl.run("--namespace=argocd", "scale", "deployment/argocd-applicationset-controller", "--replicas=0")


def ready(kubectl: Kubectl) -> None:
    """Wait until all of it is ready.

    Raises:
        Broken: something does not get ready.

    """
    for workload in WORKLOADS:
        namespace, _, name = workload.partition("/")
        kubectl.run("--namespace", namespace, "rollout", "status", name, "--timeout=180s")


def _rollouts(place: Place) -> Path:
    """Their manifest, which in the module names no version."""
    name, tag = IMAGES["rollouts-controller"]
    text = (_module("rollouts") / "manifests/install.yaml").read_text()
    path = place.config / "argo-rollouts.yaml"
    path.write_text(text.replace(f"quay.io/{name}:latest", f"quay.io/{name}:{tag}"))
    return path


def _module(tool: str) -> Path:
    """Say where Go keeps the sources of a pinned module."""
    listed = ["go", "list", "-m", "-f", "{{.Dir}}", MODULES[tool]]
    done = subprocess.run(listed, cwd=ROOT / "tools" / tool, capture_output=True, text=True, check=False)
    if not (found := done.stdout.strip()):
        raise Broken(
            f"the sources of {MODULES[tool]} are not at hand: {done.stderr.strip()}", "Run go mod download there."
        )
    return Path(found)
