"""`slipway package`: the trained model becomes a bento, and the bento one layer on the locked runtime image."""

from pathlib import Path
from typing import Annotated

import typer

from slipway import oci, recipe, releases
from slipway.adapters import dvc, files, layout, tree
from slipway.adapters.git import Repository
from slipway.commands import BUILD, MODEL, Json, Root, emit, progress, shelf
from slipway.records import Bundle, ModelInfo, Package, RuntimeLock

SERVICE = Path("bentos/flights")
PREFIX = "home/bento"
BENTO = f"{PREFIX}/bento"
BUNDLE = f"{BENTO}/src/bundle.json"


def package(
    version: Annotated[str | None, typer.Option("--version", help="Of the release; by default the next.")] = None,
    root: Root = Path(),
    *,
    as_json: Json = False,
) -> None:
    """Build the bento and the image of the trained model; the same commit and data give the same digests.

    The image is the runtime image of `bentos/flights/runtime.lock.json` plus one layer, written as an OCI layout to
    `build/images/VERSION`. No container engine is needed.

    Examples:
    ```sh
    slipway package
    slipway package --version 1.4.0
    ```
    """
    repository = Repository(root.resolve())
    repository.require_clean()
    bundle = _bundle(repository, releases.following(shelf.existing(repository.root)) if version is None else version)
    with progress.status(f"packaging {bundle.version}"):
        made = build(repository.root, bundle)
    emit(
        made,
        f"[green]packaged[/] {bundle.version}\n  bento {made.bento_digest}\n  image {made.image_digest}",
        as_json=as_json,
    )


def build(root: Path, bundle: Bundle) -> Package:
    """Write the bento, the image and `build/package.json`."""
    from slipway import digests
    from slipway.adapters import bento

    with files.new_folder(root / BUILD / "bentos" / bundle.version) as folder:
        bento.build(root / SERVICE, root / MODEL, root / "requirements/serving.txt", bundle, folder / "bento")
        content = tree.read(folder / "bento")
    lock = files.read_record(RuntimeLock, root / SERVICE / "runtime.lock.json")
    image = oci.append(
        lock,
        oci.layer(content, BENTO),
        created_by=f"slipway package {bundle.version}",
        env={},
        labels={
            "org.opencontainers.image.version": bundle.version,
            "org.opencontainers.image.revision": bundle.source_commit,
        },
        workdir=f"/{PREFIX}",
    )
    layout.write(root / BUILD / "images" / bundle.version, image, bundle.version)
    made = Package(bundle=bundle, bento_digest=digests.of_tree(content), image_digest=image.digest)
    files.write_record(root / BUILD / "package.json", made)
    return made


def _bundle(repository: Repository, version: str) -> Bundle:
    releases.parse(version)
    dvc.require(repository.root, "train")
    model = files.read_record(ModelInfo, repository.root / MODEL / "model.json")
    return Bundle(
        version=version,
        source_commit=repository.head(),
        data_digest=dvc.data_digest(repository.root),
        recipe_digest=recipe.digest(files.read_matching(repository.root, recipe.PATTERNS)),
        model_digest=model.model_digest,
        request_version=model.request_version,
    )
