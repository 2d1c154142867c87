"""The cluster's registry: Debian's, over TLS of the cluster's authority; it stands in for every other registry.

No container registry is reachable from a test machine. The runtime is told to ask this one for images of all names, so
manifests name their images as they do elsewhere.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import requests
from tests.cluster.machine.box import Box
from tests.cluster.machine.kubernetes import wait
from tests.cluster.machine.place import NODE, Place

from slipway.adapters import registry
from slipway.oci import Image
from slipway.reference import Reference

HOST = f"{NODE}:5000"
WHOLE = "data.whole"  # what a blob was, while a test has another in its place
SYSTEM = "/etc/ssl/certs/ca-certificates.crt"
HEAVY = ("base", "flights/runtime", "example/slipway")  # built for minutes, and named by what they are made from
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
    """Start it, on blobs that outlive the cluster; of the names only those of `HEAVY` images do.

    Raises:
        Broken: it does not answer.

    """
    place = box.place
    path = place.config / "registry.yaml"
    path.write_text(CONFIG.format(storage=storage, host=HOST, keys=place.keys))
    everything = place.config / "registries" / "_default"
    everything.mkdir(parents=True, exist_ok=True)
    (everything / "hosts.toml").write_text(MIRROR.format(host=HOST, keys=place.keys))
    for whole in storage.glob(f"docker/registry/v2/blobs/sha256/*/*/{WHOLE}"):
        whole.replace(whole.with_name("data"))
    _forget(storage / "docker/registry/v2/repositories")
    box.start("registry", ["docker-registry", "serve", str(path)], {"OTEL_TRACES_EXPORTER": "none"})
    wait(
        lambda: requests.get(f"https://{HOST}/v2/", timeout=2, verify=str(place.keys / "ca.crt")).ok, "registry", place
    )


def push(place: Place, image: Image, name: str, tag: str, *, base: str | None = None) -> str:
    """Bring an image to the registry, as it is named elsewhere but for the host; return its name by digest.

    `base` names the repository that holds the layers which are not at hand.
    """
    to = Reference(HOST, name, tag=tag)
    with trusting(place):
        registry.push(image, to, Reference(HOST, base or name), lambda *_: None)
    return f"{HOST}/{name}@{image.digest}"


@contextmanager
def trusting(place: Place) -> Iterator[None]:
    """Have what runs here believe the cluster's authority, too: our client, and programs in Go."""
    with mock.patch.dict(os.environ, trust(place)):
        yield


def trust(place: Place) -> dict[str, str]:
    """What a process needs that speaks to this registry, and to the package indexes."""
    both = place.config / "authorities.crt"
    public = Path(os.environ.get("SSL_CERT_FILE", SYSTEM)).read_bytes()
    if not both.exists():
        both.write_bytes(public + (place.keys / "ca.crt").read_bytes())
    return {name: str(both) for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")}


def _forget(repositories: Path) -> None:
    """Forget earlier clusters' images: a tag that stands for another image is refused."""
    kept = {repositories / name for name in HEAVY}
    for folder in sorted(repositories.glob("*/*")):
        if folder not in kept and folder.parent not in kept:
            shutil.rmtree(folder)
