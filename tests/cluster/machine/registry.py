"""The cluster's registry: Debian's, over TLS of the cluster's authority; it stands in for every other registry.

No container registry is reachable from a test machine. The runtime is told to ask this one for images of all names, so
manifests name their images as they do elsewhere.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from tests.cluster.machine.box import Box
from tests.cluster.machine.kubernetes import wait
from tests.cluster.machine.place import NODE, Place

from slipway.adapters import registry
from slipway.oci import Image
from slipway.reference import Reference

HOST = f"{NODE}:5000"
CONFIG = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {storage}}}}}
http: {{addr: "{host}", tls: {{certificate: {keys}/registry.crt, key: {keys}/registry.key}}}}
"""
MIRROR = """
[host."https://{host}"]
  capabilities = ["pull", "resolve"]
  ca = "{keys}/ca.crt"
"""


def start(box: Box, storage: Path) -> None:
    """Start it, on blobs that outlive the cluster: most images are the same the next time.

    Raises:
        Broken: it does not answer.

    """
    place = box.place
    path = place.config / "registry.yaml"
    path.write_text(CONFIG.format(storage=storage, host=HOST, keys=place.keys))
    everything = place.config / "registries" / "_default"
    everything.mkdir(parents=True, exist_ok=True)
    (everything / "hosts.toml").write_text(MIRROR.format(host=HOST, keys=place.keys))
    box.start("registry", ["docker-registry", "serve", str(path)], {"OTEL_TRACES_EXPORTER": "none"})
    wait(
        lambda: requests.get(f"https://{HOST}/v2/", timeout=2, verify=str(place.keys / "ca.crt")).ok, "registry", place
    )


def push(place: Place, image: Image, name: str, tag: str) -> str:
    """Bring an image to the registry, as it is named elsewhere but for the host; return its name by digest."""
    to = Reference(HOST, name, tag=tag)
    with _trusting(place):
        registry.push(image, to, to, lambda *_: None)
    return f"{HOST}/{name}@{image.digest}"


@contextmanager
def _trusting(place: Place) -> Iterator[None]:
    before = os.environ.get("REQUESTS_CA_BUNDLE")
    os.environ["REQUESTS_CA_BUNDLE"] = str(place.keys / "ca.crt")
    try:
        yield
    finally:
        del os.environ["REQUESTS_CA_BUNDLE"]
        if before is not None:
            os.environ["REQUESTS_CA_BUNDLE"] = before
