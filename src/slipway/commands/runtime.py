"""`slipway runtime`: the image that every release stands on, built rarely, and written down in a lock."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from slipway import reference
from slipway.adapters import files
from slipway.commands import Json, Root, emit, wheel_image
from slipway.records import RuntimeLock
from slipway.reference import Reference

RECIPE = wheel_image.Recipe(Path("bentos/flights/Containerfile"), Path("requirements/serving.txt"))
LOCK = Path("bentos/flights/runtime.lock.json")


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
    ground, target = wheel_image.ground(base), reference.repository(to)
    pushed = RECIPE.build(root, ground, Reference(target.host, target.name, tag=RECIPE.tag(root, ground)))
    _lock(pushed, root, as_json=as_json)


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
