"""An image on disk: an OCI layout that holds what is ours and names, without holding, the runtime's layers."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from slipway import digests, oci
from slipway.errors import Broken, Rejected
from slipway.oci import Image
from slipway.records import Digest

TAG = "org.opencontainers.image.ref.name"
AGAIN = "Make the image again with `slipway package`."


class _Entry(msgspec.Struct, frozen=True):
    digest: Digest
    annotations: dict[str, str]


class _Index(msgspec.Struct, frozen=True):
    manifests: tuple[_Entry]


@dataclass(frozen=True)
class ImageFacts:
    """What an image says about itself."""

    digest: str
    env: Mapping[str, str]
    labels: Mapping[str, str]
    workdir: str


def write(folder: Path, image: Image, tag: str) -> None:
    """Write `image` as the layout `folder`, whole or not at all, in the place of an older layout.

    Raises:
        Broken: something else than a layout is there.

    """
    if folder.exists() and any(folder.iterdir()) and not (folder / "oci-layout").is_file():
        raise Broken(f"{folder} holds something else than an image", "Name another folder, or empty it.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        root = Path(temporary) / "layout"
        (root / "blobs" / "sha256").mkdir(parents=True)
        for blob in (image.manifest, image.config, *image.blobs.values()):
            _path(root, digests.of_bytes(blob)).write_bytes(blob)
        (root / "oci-layout").write_bytes(oci.canonical({"imageLayoutVersion": "1.0.0"}))
        (root / "index.json").write_bytes(oci.canonical(_index(image, tag)))
        shutil.rmtree(folder, ignore_errors=True)
        root.rename(folder)


def _index(image: Image, tag: str) -> dict[str, Any]:
    config = json.loads(image.config)
    entry = {
        "mediaType": oci.MANIFEST,
        "digest": image.digest,
        "size": len(image.manifest),
        "platform": {"architecture": config["architecture"], "os": config["os"]},
        "annotations": {TAG: tag},
    }
    return {"schemaVersion": 2, "mediaType": oci.INDEX, "manifests": [entry]}


def read(folder: Path) -> tuple[Image, str]:
    """Read a layout and its tag; every blob is compared with its digest.

    Raises:
        Broken: it is no layout of one image.
        Rejected: a blob is not the one that its digest names.

    """
    try:
        (entry,) = msgspec.json.decode((folder / "index.json").read_bytes(), type=_Index).manifests
        tag = entry.annotations[TAG]
    except (OSError, ValueError, KeyError) as error:
        raise Broken(f"{folder} is no layout of one tagged image: {error!r}", AGAIN) from error
    manifest = read_blob(folder, entry.digest)
    named = oci.parse_manifest(manifest, str(folder))
    held = [layer.digest for layer in named.layers if _path(folder, layer.digest).exists()]
    return Image(manifest, read_blob(folder, named.config.digest), {d: read_blob(folder, d) for d in held}), tag


def read_blob(folder: Path, digest: str) -> bytes:
    """Read one blob.

    Raises:
        Broken: it is not there.
        Rejected: it is not the one that its digest names.

    """
    try:
        blob = _path(folder, digest).read_bytes()
    except OSError as error:
        raise Broken(f"{folder} does not hold blob {digest}: {error.strerror}", AGAIN) from error
    if digests.of_bytes(blob) != digest:
        raise Rejected(f"{folder} is damaged: blob {digest} has other bytes, {digests.of_bytes(blob)}", AGAIN)
    return blob


def _path(folder: Path, digest: str) -> Path:
    return folder / "blobs" / digest.replace(":", "/")


def facts(image: Image) -> ImageFacts:
    """Read what an image says about itself."""
    run = json.loads(image.config).get("config") or {}
    env = dict(line.split("=", 1) for line in run.get("Env") or [])
    return ImageFacts(image.digest, env, run.get("Labels") or {}, run.get("WorkingDir") or "/")


def unpack(folder: Path, into: Path) -> ImageFacts:
    """Write the files of the uppermost layer of the layout `folder` under the new folder `into`, whole or not at all.

    Raises:
        Broken: the layout does not hold that layer, the layer holds more than files and folders, or `into` is in use.
        Rejected: a blob is not the one that its digest names.

    """
    image, _ = read(folder)
    files = oci.unpack(read_blob(folder, image.layers[-1].digest))
    if into.exists() and any(into.iterdir()):
        raise Broken(f"{into} is not empty", "Name a new folder.")
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=f".{into.name}.") as temporary:
        root = Path(temporary) / "files"
        root.mkdir()
        for name, (content, executable) in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o755 if executable else 0o644)
        root.rename(into)
    return facts(image)
