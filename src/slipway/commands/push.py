"""`slipway push`: a release image from its layout to a registry."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from slipway import reference, releases
from slipway.adapters import files, layout
from slipway.commands import BUILD, Json, Root, emit, progress
from slipway.commands.runtime import LOCK, RECIPE
from slipway.commands.wheel_image import MADE_FROM
from slipway.errors import Rejected
from slipway.manifests import tree
from slipway.oci import Image
from slipway.records import Descriptor, Package, RuntimeLock
from slipway.reference import Reference


class Pushed(msgspec.Struct, frozen=True, kw_only=True):
    """What is now in the registry, and how each blob got there: exists, mounted or uploaded."""

    image: str
    repository: str
    digest: str
    blobs: dict[str, str]


def push(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[LAYOUT]", help="An image; by default what was packaged last.")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", help="HOST/NAME; by default the one that k8s/next/production names.")
    ] = None,
    root: Root = Path(),
    as_json: Json = False,
) -> None:
    """Push a release image; the layers of its runtime are mounted, not sent.

    Examples:
    ```sh
    slipway push
    slipway push build/images/1.4.0 --to registry.example.org/flights/release
    ```
    """
    target = reference.repository(to or named(root))
    image, tag = layout.read(folder or _packaged(root))
    runtime = _runtime(files.read_record(RuntimeLock, root / LOCK), image, root)
    pushed = send(image, Reference(target.host, target.name, tag=tag, digest=image.digest), runtime)
    how = ", ".join(f"{list(pushed.blobs.values()).count(way)} {way}" for way in sorted(set(pushed.blobs.values())))
    emit(pushed, f"Pushed {pushed.image} ({how}).", as_json=as_json)


def named(root: Path) -> str:
    """The repository that the manifests pull releases from."""
    image = tree.image_of(files.read_texts(root / "k8s/next" / releases.PRODUCTION, "*.yaml"))
    return image.partition("@")[0].rpartition(":")[0]


def _packaged(root: Path) -> Path:
    return root / BUILD / "images" / files.read_record(Package, root / BUILD / "package.json").bundle.version


def _runtime(lock: RuntimeLock, image: Image, root: Path) -> Reference:
    """Find the repository that holds the runtime's layers."""
    build = "slipway runtime build --base IMAGE@DIGEST --to HOST/NAME, then package and push."
    if lock.repository is None:
        raise Rejected(
            "the runtime image of this repository is in no registry of yours yet", f"Build it on your base: {build}"
        )
    labels = (lock.config.get("config") or {}).get("Labels") or {}
    made_from = RECIPE.made_from(root)
    if labels.get(MADE_FROM, made_from) != made_from:  # an image of another maker does not say
        raise Rejected(
            f"{RECIPE.containerfile} or {RECIPE.wheels} has changed since the runtime image was built",
            f"Again: {build}",
        )
    if image.layers[:-1] != lock.layers:
        raise Rejected(
            f"the image stands on another runtime than {LOCK} names", "Make it again with `slipway package`."
        )
    return reference.repository(lock.repository)


def send(image: Image, to: Reference, runtime: Reference) -> Pushed:
    """Push an image and show how far it is; what is not at hand is mounted from the repository `runtime`."""
    from slipway.adapters import registry

    blobs: dict[str, str] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=progress, transient=True) as bar:
        task = bar.add_task(f"Pushing to {to.repository}", total=len(image.layers) + 1)

        def seen(blob: Descriptor, how: str) -> None:
            blobs[blob.digest] = how
            bar.advance(task)

        registry.push(image, to, runtime, seen)
    return Pushed(
        image=f"{to.repository}:{to.tag}@{to.digest}", repository=to.repository, digest=image.digest, blobs=blobs
    )
