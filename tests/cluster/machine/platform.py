"""What stands on the node before Slipway comes: names, a router, and Argo Rollouts, each by its own manifests.

Their images are named as their projects name them, and built here from the same sources: see registry.py.
"""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.machine import images, registry
from tests.cluster.machine.kubernetes import Kubectl
from tests.cluster.machine.place import Place
from tests.cluster.machine.programs import ROOT

from slipway.errors import Broken

OURS = ROOT / "tests/cluster/platform"
IMAGES = {
    "coredns": ("coredns/coredns", "v1.12.4"),
    "traefik": ("library/traefik", "v3.7.9"),
    "rollouts-controller": ("argoproj/argo-rollouts", "latest"),
}
ROLLOUTS, TRAEFIK = ("rollouts", "github.com/argoproj/argo-rollouts"), ("traefik", "github.com/traefik/traefik/v3")
TRAEFIK_MANIFESTS = "docs/content/reference/dynamic-configuration"


def install(place: Place, programs: Mapping[str, str]) -> None:
    """Push the images, apply the manifests, and wait until all of it is ready.

    Raises:
        Broken: something is refused, or does not get ready.

    """
    for program, (name, tag) in IMAGES.items():
        registry.push(place, images.of_program(Path(programs[program])), name, tag)
    kubectl = Kubectl(place, programs["kubectl"])
    traefik = _module(*TRAEFIK) / TRAEFIK_MANIFESTS
    kubectl.apply(OURS / "coredns.yaml")
    kubectl.apply(traefik / "kubernetes-crd-definition-v1.yml", traefik / "kubernetes-crd-rbac.yml")
    kubectl.apply(OURS / "traefik.yaml")
    kubectl.run("create", "namespace", "argo-rollouts")
    kubectl.apply(_module(*ROLLOUTS) / "manifests/install.yaml", options=["--namespace=argo-rollouts"])
    for namespace in ("kube-system", "traefik", "argo-rollouts"):
        kubectl.run("--namespace", namespace, "rollout", "status", "deployment", "--timeout=120s")


def _module(tool: str, module: str) -> Path:
    """Say where Go keeps the sources of a pinned module."""
    listed = ["go", "list", "-m", "-f", "{{.Dir}}", module]
    done = subprocess.run(listed, cwd=ROOT / "tools" / tool, capture_output=True, text=True, check=False)
    if not (found := done.stdout.strip()):
        raise Broken(f"the sources of {module} are not at hand: {done.stderr.strip()}", "Run go mod download there.")
    return Path(found)
