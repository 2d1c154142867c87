"""`slipway platform`: the image of slipway itself, for what runs as pods and for the jobs that train."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from slipway import oci, quiet, reference
from slipway.adapters import files
from slipway.commands import Json, Root, emit, push, wheel_image
from slipway.reference import Reference

RECIPE = wheel_image.Recipe(
    Path("Containerfile"),
    Path("requirements/pipeline.txt"),
    sources=("antlr4-python3-runtime",),  # of DVC; pure Python
)
NAMED = "slipway"  # by the manifests
FOLDER = "app"
SOURCE = ("slipway/**/*.py", "slipway/**/*.j2")
SCRIPT = b"""#!/app/.venv/bin/python
import sys

from slipway.__main__ import main

sys.exit(main())
"""


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """The platform image that is now in the registry."""

    image: str
    digest: str
    wheels: str  # the image below slipway's own layer
    new_wheels: bool  # or they were there
    megabytes: float  # compressed
    blobs: dict[str, str]


def build(
    base: Annotated[
        str, typer.Option("--base", help="Your base image with Python and git, by digest: HOST/NAME@sha256:...")
    ],
    to: Annotated[str, typer.Option("--to", help="The repository of the platform image: HOST/NAME")],
    root: Root = Path(),
    as_json: Json = False,
) -> None:
    """Build the image of slipway itself on your base, and push it.

    The wheels are built only when the repository does not hold them; slipway is one thin layer on top. Needs Linux and
    buildah. The base needs this Python version with its `venv` module, and git.

    Examples:
    ```sh
    slipway platform build --base registry.example.org/python-git@sha256:... --to registry.example.org/slipway
    ```
    """
    made = make(root, base, to)
    repository = made.image.partition("@")[0]
    emit(
        made,
        f"Pushed {made.image} ({made.megabytes} MB).\n"
        "Put it where .github/workflows say `image:`, and into k8s/platform/kustomization.yaml:\n\n"
        f"images:\n  - name: {NAMED}\n    newName: {repository}\n    digest: {made.digest}",
        as_json=as_json,
    )


def make(root: Path, base: str, to: str) -> Built:
    """Build and push the platform image of the repository `root`; the same sources and base give the same digest."""
    from slipway.adapters import registry

    ground, target = wheel_image.ground(base), reference.repository(to)
    below = Reference(target.host, target.name, tag=f"wheels-{RECIPE.tag(root, ground)}")
    found = registry.exists(below)
    lock = registry.make_lock(below if found else RECIPE.build(root, ground, below))
    image = oci.append(
        lock,
        layer(root),
        created_by="slipway platform build",
        env={**quiet.SILENT, "PYTHONPATH": f"/{FOLDER}/src"},
        labels={},
        workdir=f"/{FOLDER}",
    )
    tag = f"slipway-{image.digest.removeprefix('sha256:')[:12]}"
    pushed = push.send(image, Reference(target.host, target.name, tag=tag, digest=image.digest), target)
    return Built(
        image=f"{target.repository}@{image.digest}",
        digest=image.digest,
        wheels=f"{target.repository}@{lock.manifest_digest}",
        new_wheels=not found,
        megabytes=round(sum(one.size for one in image.layers) / 1e6, 1),
        blobs=pushed.blobs,
    )


def layer(root: Path) -> bytes:
    """Make the layer of slipway's own: its source, found by PYTHONPATH whatever the version of Python, and its command.

    Byte code is left out: it differs from one version to the next.
    """
    source = {f"src/{name}": (content, False) for name, content in files.read_matching(root / "src", SOURCE).items()}
    return oci.layer({**source, ".venv/bin/slipway": (SCRIPT, True)}, FOLDER)
