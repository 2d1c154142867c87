"""A container registry, in the words of the OCI distribution specification."""

import json
from collections.abc import Callable
from urllib.parse import urljoin

from requests import Response

from slipway import digests, oci
from slipway.adapters.registry.client import Client
from slipway.errors import Broken, Rejected
from slipway.oci import Image
from slipway.records import Descriptor, RuntimeLock
from slipway.reference import Reference

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
ACCEPT = (
    f"{oci.MANIFEST}, {DOCKER_MANIFEST}, {oci.INDEX}"  # an index too, to say that it is one, not that it is missing
)
LAYERS = {  # what a release may stand on, by what the runtime's registry calls it
    oci.LAYER: oci.LAYER,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": oci.LAYER,
    "application/vnd.oci.image.layer.v1.tar+zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
}


def push(image: Image, to: Reference, runtime: Reference, seen: Callable[[Descriptor, str], None]) -> None:
    """Bring `image` to the repository and tag `to`; `seen` hears how each blob got there.

    A layer that is not at hand is mounted from the repository `runtime` of the same registry. The manifest goes last,
    so that what can be pulled is whole, and is read back.

    Raises:
        Broken: the registry does not answer or does not allow it, or a layer is nowhere.
        Rejected: the tag stands for another image, or the registry gives back another manifest.

    """
    source = runtime.name if runtime.host == to.host else None
    client = Client(to.host, f"repository:{to.name}:pull,push", *([f"repository:{source}:pull"] if source else []))
    path = f"{to.name}/manifests/{to.tag}"
    _unmoved(client.call("GET", path, ok=(200, 404), headers={"Accept": ACCEPT}), image, to)
    named = oci.parse_manifest(image.manifest, "the image")
    held = {named.config.digest: image.config, **image.blobs}
    for blob in (*named.layers, named.config):
        seen(blob, _place(client, to, blob.digest, held.get(blob.digest), source))
    client.call("PUT", path, ok=(201,), data=image.manifest, headers={"Content-Type": oci.MANIFEST})
    _unmoved(client.call("GET", path, ok=(200,), headers={"Accept": oci.MANIFEST}), image, to)


def _unmoved(found: Response, image: Image, to: Reference) -> None:
    """Refuse a tag that stands for another image."""
    if found.status_code == 200 and (got := digests.of_bytes(found.content)) != image.digest:
        raise Rejected(f"{to.repository}:{to.tag} is {got}, not {image.digest}", "Package under a new version.")


def _place(client: Client, to: Reference, digest: str, content: bytes | None, source: str | None) -> str:
    """Make the repository have a blob; say how."""
    if client.call("HEAD", f"{to.name}/blobs/{digest}", ok=(200, 404)).status_code == 200:
        return "exists"
    if content is None and source is None:
        raise _absent(to, digest, "the runtime image is in another registry")
    params = {"mount": digest, "from": source} if content is None else {}
    answer = client.call("POST", f"{to.name}/blobs/uploads/", ok=(201, 202), params=params)
    if answer.status_code == 201:
        return "mounted"
    upload = urljoin(answer.url, answer.headers["Location"])
    if content is None:
        client.call("DELETE", upload, ok=(204, 404, 405))  # the registry declined the mount and waits for an upload
        raise _absent(to, digest, f"{to.host} does not mount it from {source}")
    octets = {"Content-Type": "application/octet-stream"}
    client.call("PUT", upload, ok=(201,), params={"digest": digest}, data=content, headers=octets)
    return "uploaded"


def _absent(to: Reference, digest: str, why: str) -> Broken:
    return Broken(
        f"{to.repository} lacks the layer {digest} of the runtime image, and {why}",
        f"Build the runtime image there: slipway runtime build --base IMAGE@DIGEST --to {to.host}/NAME, then package.",
    )


def pull(reference: Reference) -> Image:
    """Fetch an image by its digest: the manifest, the settings, and of the layers the uppermost, which holds the bento.

    Raises:
        Broken: the registry does not answer, does not allow it, or lacks it.
        Rejected: the registry gives other bytes than a digest names.

    """
    client = Client(reference.host, f"repository:{reference.name}:pull")
    origin = f"{reference.repository}@{reference.digest}"
    path = f"{reference.name}/manifests/{reference.digest}"
    manifest = client.call("GET", path, ok=(200,), headers={"Accept": ACCEPT}).content
    _same(manifest, str(reference.digest), origin)
    named = oci.parse_manifest(manifest, origin)
    held = {}
    for digest in (named.config.digest, named.layers[-1].digest):
        held[digest] = client.call("GET", f"{reference.name}/blobs/{digest}", ok=(200,)).content
        _same(held[digest], digest, origin)
    return Image(manifest, held.pop(named.config.digest), held)


def exists(reference: Reference) -> bool:
    """Whether the repository holds the tag.

    Raises:
        Broken: the registry does not answer or does not allow it.

    """
    client = Client(reference.host, f"repository:{reference.name}:pull")
    path = f"{reference.name}/manifests/{reference.tag}"
    return client.call("HEAD", path, ok=(200, 404), headers={"Accept": ACCEPT}).status_code == 200


def make_lock(reference: Reference) -> RuntimeLock:
    """Write down the image `reference`, so that layers can be appended without it.

    Raises:
        Broken: the registry does not answer, or it is no image of one platform that a release can stand on.
        Rejected: the registry gives other bytes than a digest names.

    """
    client = Client(reference.host, f"repository:{reference.name}:pull")
    origin = f"{reference.repository}:{reference.tag or reference.digest}"
    path = f"{reference.name}/manifests/{reference.digest or reference.tag or 'latest'}"
    manifest = client.call("GET", path, ok=(200,), headers={"Accept": ACCEPT}).content
    if reference.digest:
        _same(manifest, reference.digest, origin)
    named = oci.parse_manifest(manifest, origin)
    content = client.call("GET", f"{reference.name}/blobs/{named.config.digest}", ok=(200,)).content
    _same(content, named.config.digest, origin)
    config = json.loads(content)
    return RuntimeLock(
        platform=f"{config['os']}/{config['architecture']}",
        repository=reference.repository,
        manifest_digest=digests.of_bytes(manifest),
        config=config,
        layers=tuple(_layer(layer, origin) for layer in named.layers),
    )


def _same(content: bytes, digest: str, origin: str) -> None:
    if digests.of_bytes(content) != digest:
        raise Rejected(f"{origin}: the registry gives {digests.of_bytes(content)} for {digest}", "Do not use it.")


def _layer(layer: Descriptor, origin: str) -> Descriptor:
    if layer.media_type not in LAYERS:
        raise Broken(f"{origin} has a layer of type {layer.media_type}", "Push it again with gzip-compressed layers.")
    return Descriptor(media_type=LAYERS[layer.media_type], digest=layer.digest, size=layer.size)
