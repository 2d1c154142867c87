"""Images as bytes: a layer from files, an image from a locked runtime and that layer.

A release image is the runtime image plus one layer, so it is put together without a container engine and without the
runtime's blobs. Every byte is a function of the arguments: layers are USTAR (no extended headers, which carry times)
in gzip with stored blocks (what deflate writes depends on the build of zlib), and JSON has one spelling.
"""

import gzip
import io
import json
import struct
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from slipway import digests
from slipway.errors import Broken
from slipway.records import Descriptor, RuntimeLock

Files = Mapping[str, tuple[bytes, bool]]  # relative POSIX path -> (content, executable)

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
EPOCH = "1970-01-01T00:00:00Z"
STORED = 65_535  # the most that a stored block of deflate holds


class Manifest(msgspec.Struct, frozen=True):
    """The part of an image manifest that names blobs."""

    config: Descriptor
    layers: tuple[Descriptor, ...]


@dataclass(frozen=True)
class Image:
    """An image whose lower layers may be elsewhere: `blobs` are the layers at hand, by digest."""

    manifest: bytes
    config: bytes
    blobs: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """Name the image for ever: the digest of its manifest."""
        return digests.of_bytes(self.manifest)

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        """Its layers, lowest first."""
        return parse_manifest(self.manifest, "the image").layers


def layer(files: Files, prefix: str) -> bytes:
    """Make the uncompressed tar of `files` under the folder `prefix`: sorted, owner 0, time 0, parents included.

    Raises:
        Broken: a name is not one that every container engine unpacks to the same place.

    """
    entries = {f"{prefix}/{name}": entry for name, entry in files.items()}
    folders = {parent for path in entries for parent in _parents(path)}
    if clash := sorted(folders & entries.keys()):
        raise Broken(f"{clash[0]!r} is a file and a folder at once", "Rename one of them.")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT, encoding="ascii") as tar:
        for path in sorted(entries.keys() | folders):
            check_name(path)
            _add(tar, path, entries.get(path))
    return buffer.getvalue()


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def check_name(path: str) -> None:
    """Refuse a path in a layer that is not plain ASCII, not relative, steps up, or tells an engine to delete.

    Raises:
        Broken: with the path and what is wrong with it.

    """
    parts = path.split("/")
    if not (path.isascii() and path.isprintable()):
        reason = "is not plain printable ASCII"
    elif {"", ".", ".."} & set(parts):
        reason = "is absolute, or has an empty, '.' or '..' part"
    elif any(part.startswith(".wh.") for part in parts):
        reason = "has a part that starts with '.wh.', which tells a container engine to delete"
    else:
        return
    raise Broken(f"{path!r} cannot stand in an image layer: it {reason}", "Rename the file.")


def _add(tar: tarfile.TarFile, path: str, entry: tuple[bytes, bool] | None) -> None:
    info = tarfile.TarInfo(path)
    content, executable = entry or (b"", True)
    info.type = tarfile.REGTYPE if entry else tarfile.DIRTYPE
    info.mode, info.size = 0o755 if executable else 0o644, len(content)
    try:
        tar.addfile(info, io.BytesIO(content))
    except ValueError as error:
        raise Broken(
            f"{path!r} cannot stand in an image layer: {error}",
            "USTAR holds 100 characters after, and 155 before, one of the slashes: shorten the path.",
        ) from error


def unpack(blob: bytes) -> dict[str, tuple[bytes, bool]]:
    """Read the files of a gzip-compressed layer.

    Raises:
        Broken: it is no such layer, or holds a link, a device or a name that `layer` would refuse.

    """
    files = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob)), mode="r:") as tar:
            for member in tar:
                check_name(member.name)
                if member.isreg():
                    files[member.name] = (tar.extractfile(member).read(), bool(member.mode & 0o100))  # type: ignore[union-attr]
                elif not member.isdir():
                    raise Broken(f"{member.name!r} in the layer is not a regular file", "Package the bento again.")
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise Broken(f"a layer is no gzip-compressed tar: {error}", "Package the bento again.") from error
    return files


def compress(content: bytes) -> bytes:
    """Wrap bytes in gzip with stored blocks: the same from zlib, zlib-ng and Apple's; registries want gzip."""
    blocks = [b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"]
    for start in range(0, max(len(content), 1), STORED):
        block = content[start : start + STORED]
        last = start + STORED >= len(content)
        blocks += [struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block]
    return b"".join([*blocks, struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)])


def append(
    lock: RuntimeLock, layer: bytes, *, created_by: str, env: Mapping[str, str], labels: Mapping[str, str], workdir: str
) -> Image:
    """Make the image of the locked runtime and one more `layer` (an uncompressed tar).

    Raises:
        Broken: the lock contradicts itself.

    """
    if len(lock.config["rootfs"]["diff_ids"]) != len(lock.layers):
        raise Broken("the runtime lock names another number of layers than its config", "Make the lock again.")
    blob = compress(layer)
    config = _stacked(lock.config, digests.of_bytes(layer), created_by)
    config["config"] = _running(config.get("config") or {}, env, labels, workdir)
    spelled = canonical(config)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": msgspec.to_builtins(_describe(CONFIG, spelled)),
        "layers": msgspec.to_builtins([*lock.layers, _describe(LAYER, blob)]),
    }
    return Image(canonical(manifest), spelled, {digests.of_bytes(blob): blob})


def _describe(media_type: str, blob: bytes) -> Descriptor:
    return Descriptor(media_type=media_type, digest=digests.of_bytes(blob), size=len(blob))


def _stacked(config: dict[str, Any], diff_id: str, created_by: str) -> dict[str, Any]:
    rootfs = config["rootfs"] | {"diff_ids": [*config["rootfs"]["diff_ids"], diff_id]}
    history = [*config.get("history", []), {"created": EPOCH, "created_by": created_by}]
    return config | {"created": EPOCH, "rootfs": rootfs, "history": history}


def _running(
    inherited: dict[str, Any], env: Mapping[str, str], labels: Mapping[str, str], workdir: str
) -> dict[str, Any]:
    settings = dict(line.split("=", 1) for line in inherited.get("Env") or []) | dict(sorted(env.items()))
    return inherited | {
        "Env": [f"{name}={value}" for name, value in settings.items()],
        "Labels": (inherited.get("Labels") or {}) | dict(labels),
        "WorkingDir": workdir,
    }


def parse_manifest(raw: bytes, origin: str) -> Manifest:
    """Read what an image manifest says about its blobs; `origin` names the place it came from.

    Raises:
        Broken: it is no image manifest, for example an index of several platforms.

    """
    try:
        return msgspec.json.decode(raw, type=Manifest)
    except msgspec.DecodeError as error:
        raise Broken(
            f"{origin} has no image manifest: {error}", "Name one image of one platform, by its digest."
        ) from error


def canonical(document: Mapping[str, Any]) -> bytes:
    """Spell JSON in one way: sorted keys, no spaces, UTF-8."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
