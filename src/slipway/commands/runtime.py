"""`slipway runtime`: the image that every release stands on, built rarely, and written down in a lock."""

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from slipway import digests, reference
from slipway.adapters import files
from slipway.commands import Json, Root, emit, progress
from slipway.errors import Broken
from slipway.records import RuntimeLock
from slipway.reference import Reference

CONTAINERFILE = Path("bentos/flights/Containerfile")
LOCK = Path("bentos/flights/runtime.lock.json")
WHEELS = Path("requirements/serving.txt")
MADE_FROM = "dev.slipway.made-from"


class Locked(msgspec.Struct, frozen=True, kw_only=True):
    """The runtime image that now stands in the lock."""

    image: str
    platform: str
    layers: int
    megabytes: float


def build(
    base: Annotated[str, typer.Option("--base", help="Your base image with Python, by digest: HOST/NAME@sha256:...")],
    to: Annotated[str, typer.Option("--to", help="The repository of the runtime image: HOST/NAME")],
    root: Root = Path(),
    as_json: Json = False,
) -> None:
    """Build the runtime image on your base, push it, and lock it.

    Needs Linux and buildah. The base needs this Python version with its `venv` module.

    Examples:
    ```sh
    slipway runtime build --base registry.example.org/python@sha256:... --to registry.example.org/flights/runtime
    ```
    """
    from slipway.adapters import buildah, wheels

    ground, target = reference.parse(base), reference.repository(to)
    if not ground.digest:
        raise Broken(f"{base} does not say which image: a tag moves", "Name the base by digest: HOST/NAME@sha256:...")
    with tempfile.TemporaryDirectory(prefix="slipway-runtime-") as temporary, progress.status("Building") as status:
        context = Path(temporary)
        status.update("Fetching the wheels")
        wheels.download(root / WHEELS, context / "wheels")
        shutil.copyfile(root / WHEELS, context / "requirements.txt")
        status.update("Building the image")
        image = buildah.build(root / CONTAINERFILE, context, ground, {MADE_FROM: made_from(root)})
        status.update(f"Pushing to {to}")
        pushed = buildah.push(image, Reference(target.host, target.name, tag=_tag(root, ground)))
    _lock(pushed, root, as_json=as_json)


def made_from(root: Path) -> str:
    """Digest of what a runtime image is made from besides its base; it stands in the image, so in the lock."""
    return digests.of_bytes(files.read_bytes(root / CONTAINERFILE) + files.read_bytes(root / WHEELS))


def _tag(root: Path, base: Reference) -> str:
    """Name the image after what it is made from, so that no tag ever moves."""
    return digests.of_bytes(f"{made_from(root)} {base.digest}".encode()).removeprefix("sha256:")[:12]


def lock(
    image: Annotated[str, typer.Argument(help="The runtime image: HOST/NAME@sha256:... or HOST/NAME:TAG")],
    root: Root = Path(),
    as_json: Json = False,
) -> None:
    """Lock a runtime image that is already in a registry.

    Examples:
    ```sh
    slipway runtime lock registry.example.org/flights/runtime@sha256:...
    ```
    """
    _lock(reference.parse(image), root, as_json=as_json)


def _lock(image: Reference, root: Path, *, as_json: bool) -> None:
    from slipway.adapters import registry

    made = registry.make_lock(image)
    files.write_record(root / LOCK, made)
    emit(_locked(made), f"Locked {made.repository}@{made.manifest_digest} in {LOCK}. Commit it.", as_json=as_json)


def _locked(made: RuntimeLock) -> Locked:
    size = sum(layer.size for layer in made.layers) / 1e6
    image = f"{made.repository}@{made.manifest_digest}"
    return Locked(image=image, platform=made.platform, layers=len(made.layers), megabytes=round(size, 1))
