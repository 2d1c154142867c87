"""A stranger behind a Service of ours, which answers what it is told to."""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.chaos import stand_in_server
from tests.cluster.chaos.killing import kill_beside
from tests.cluster.machine.cluster import Cluster
from tests.cluster.machine.kubernetes import wait
from tests.cluster.machine.place import NODE

NAME, PORT, NAMESPACE = "stand-in", 8099, "slipway"


@dataclass(frozen=True)
class StandIn:
    """Who stands there."""

    folder: Path

    def says(self, answer: str) -> None:
        """Answer so from now on."""
        new = self.folder / "answer.new"
        new.write_text(answer)
        new.rename(self.folder / "answer")

    def asked(self, answer: str) -> int:
        """How often it was asked, and had to answer so."""
        return (self.folder / "asked").read_text().splitlines().count(answer)


@contextmanager
def standing_in(cluster: Cluster, service: str, answer: str) -> Iterator[StandIn]:
    """Stand behind a Service that has no pods, until the block ends.

    The pods must be gone, not only out of the Service: Rollouts keeps its connections to them.
    """
    place, kubectl = cluster.box.place, cluster.kubectl
    folder, program = place.state / NAME, stand_in_server.__file__
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "asked").touch()
    stub = StandIn(folder)
    stub.says(answer)
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": PORT}],
        "endpoints": [{"addresses": [NODE], "conditions": {"ready": True}}],
    }
    path = place.config / f"{NAME}.json"
    path.write_text(json.dumps(slice_))
    cluster.box.start(NAME, [sys.executable, program, NODE, str(PORT), str(folder)])
    try:
        wait((folder / "ready").exists, NAME, place)
        kubectl.apply(path)
        yield stub
    finally:
        kubectl.run("--namespace", NAMESPACE, "delete", "endpointslice", NAME, "--ignore-not-found")
        kill_beside(cluster.box, program)
