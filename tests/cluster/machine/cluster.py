"""The whole platform on one machine, and what is seen of it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.cluster.machine import base, delivery, kubernetes, outside, platform, programs, registry
from tests.cluster.machine.box import Box
from tests.cluster.machine.fork import Fork
from tests.cluster.machine.kubernetes import Kubectl, wait
from tests.cluster.machine.place import SIGSTORE
from tests.cluster.machine.programs import ROOT

from slipway.adapters import layout

HOSTNAME, NAMESPACE = "flights.example.com", "flights-production"
Told = Callable[[str], None]


@dataclass(frozen=True)
class Cluster:
    """A platform that runs, and the fork that it follows."""

    box: Box
    programs: Mapping[str, str]
    kubectl: Kubectl
    fork: Fork

    @classmethod
    def make(cls, box: Box, told: Told) -> "Cluster":
        """Start everything, and package the first model meanwhile; nothing is released yet.

        Raises:
            Broken: something does not get ready; says which log to read.

        """
        found = programs.built()
        kept = programs.cache(found)
        kubectl = Kubectl(box.place, found["kubectl"])
        fork = Fork(box, found["kustomize"], kept)
        box.make()
        outside.start(box)
        sigstore = [sys.executable, "-m", "slipway.services.loopback_sigstore", f"--name={SIGSTORE}"]
        box.start("sigstore", [*sigstore, f"--folder={fork.sigstore}"], {"PYTHONPATH": str(ROOT / "src")})
        kubernetes.start(box, found)
        told("the node is ready")
        registry.start(box, kept / "registry")
        platform.install(box.place, found)
        outside.ready(box.place)
        fork.make(base.lock(box.place))
        told("the fork is pushed, and its images")
        cluster = cls(box, found, kubectl, fork)
        _pull(box, fork.platform)
        fork.train()  # pods wait for other pods, most of the time
        told("the first model is trained")
        platform.ready(kubectl)
        told("names, Traefik, Argo Rollouts and Argo CD are ready")
        delivery.prepare(box, fork, kubectl)
        fork.decide("--first")
        fork.push(fork.package())
        for name in ("judge", "relay"):  # images come first
            wait(lambda name=name: cluster.object("deployment", name, "slipway"), name, box.place, 180)
            kubectl.run("--namespace=slipway", "rollout", "status", f"deployment/{name}", "--timeout=180s")
        told("judge and relay are ready")
        return cluster

    def serve(self, told: Told) -> str:
        """Release the first model to staging, from where the relay carries it on; returns its version."""
        self.fork.run("slipway", "release", "--environment=staging")
        version = self.fork.packaged()
        told(f"{version} is released to staging")
        self.until_promoted(version)
        told(f"{version} serves in production, too, and Git says so")
        return version

    def until_promoted(self, version: str, seconds: float = 180) -> None:
        """Wait until main says that a release is the recorded stable."""

        def recorded() -> bool:
            return bool(self.main("releases/stable.json").get("environments", {}).get("production") == version)

        wait(recorded, "relay", self.box.place, seconds)
        self.fork.pull()

    def main(self, path: str) -> dict[str, Any]:
        """Read a record as main has it; empty where it has none."""
        command = ["git", "show", f"main:{path}"]
        bare = outside.repository(self.box.place)
        done = subprocess.run(command, cwd=bare, capture_output=True, text=True, check=False)
        return dict(json.loads(done.stdout)) if done.returncode == 0 else {}

    def pushed(self) -> float:
        """Say when main was pushed to last."""
        return (outside.repository(self.box.place) / "refs/heads/main").stat().st_mtime

    def object(self, kind: str, name: str, namespace: str = NAMESPACE) -> dict[str, Any]:
        """Read an object of the API."""
        return dict(json.loads(self.kubectl.run("--namespace", namespace, "get", kind, name, "--output=json")))

    @contextmanager
    def tampered(self, version: str) -> Iterator[None]:
        """Have another byte in a release's own layer, where the registry keeps it, until the block ends."""
        image, _ = layout.read(self.fork.root / "build/images" / version)
        digest = image.layers[-1].digest.removeprefix("sha256:")
        blob = self.fork.kept / "registry/docker/registry/v2/blobs/sha256" / digest[:2] / digest / "data"
        whole = blob.with_name(registry.WHOLE)
        blob.rename(whole)  # found there by the next cluster, should this one be killed
        content = bytearray(whole.read_bytes())
        content[len(content) // 2] ^= 1
        blob.write_bytes(content)
        try:
            yield
        finally:
            whole.replace(blob)


def _pull(box: Box, image: str) -> None:
    """Begin to bring an image to the node: it is large, and Argo CD is not ready yet."""
    containers = ("ctr", f"--address={box.place.containerd}", "--namespace=k8s.io", "images")
    box.start("pull", [*containers, "pull", f"--hosts-dir={box.place.config / 'registries'}", image])
