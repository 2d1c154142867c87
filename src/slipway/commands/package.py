"""`slipway package`: the trained model becomes a bento, the bento one layer on the runtime image; and a card."""

from pathlib import Path
from typing import Annotated

import typer

from slipway import digests, oci, recipe, releases
from slipway.adapters import dvc, files, layout, tree
from slipway.adapters.git import Repository
from slipway.card import words, writing
from slipway.commands import BUILD, METRICS, MODEL, Json, Root, agreed, emit, progress, shelf, verifying
from slipway.errors import Rejected
from slipway.records import Bundle, Metrics, ModelInfo, Package, RuntimeLock

SERVICE = Path("bentos/flights")
LOCK, RUNTIME, WORDS = Path("requirements/serving.txt"), SERVICE / "runtime.lock.json", SERVICE / "card.yaml"
PREFIX = "home/bento"
BENTO = f"{PREFIX}/bento"
BUNDLE = f"{BENTO}/src/bundle.json"


def package(
    version: Annotated[str | None, typer.Option("--version", help="Of the release; by default the next.")] = None,
    root: Root = Path(),
    *,
    as_json: Json = False,
) -> None:
    """Build the bento, the image and the card of the trained model; the same commit and data give the same digests.

    The image is the runtime image of `bentos/flights/runtime.lock.json` plus one layer, written as an OCI layout to
    `build/images/VERSION`. No container engine is needed. The card, `build/card.cdx.json`, is what a person says in
    `bentos/flights/card.yaml`, what was measured, and what the service runs on.

    Examples:
    ```sh
    slipway package
    slipway package --version 1.4.0
    ```
    """
    repository = Repository(root.resolve())
    repository.require_clean()
    bundle = _bundle(repository, version or _next(repository))
    said = _words(repository.root)
    (repository.root / verifying.CARD).unlink(missing_ok=True)  # it is about another package
    with progress.status(f"packaging {bundle.version}"):
        made = build(repository.root, bundle)
        card = _card(repository.root, made, said)
    emit(
        made,
        f"[green]packaged[/] {bundle.version}\n"
        f"  bento {made.bento_digest}\n  image {made.image_digest}\n  card  {card}",
        as_json=as_json,
    )


def build(root: Path, bundle: Bundle) -> Package:
    """Write the bento, the image and `build/package.json`."""
    from slipway.adapters import bento

    with files.new_folder(root / BUILD / "bentos" / bundle.version) as folder:
        bento.build(root / SERVICE, root / MODEL, root / LOCK, bundle, folder / "bento")
        content = tree.read(folder / "bento")
    lock = files.read_record(RuntimeLock, root / RUNTIME)
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


def _next(repository: Repository) -> str:
    """The version after all that this tree and main know: a run of an older commit does not take a newer one's."""
    return releases.following({*shelf.existing(repository.root), *agreed.newest(repository).state().releases})


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


def _words(root: Path) -> words.Words:
    """Read what a person says about the model, before anything is built."""
    path = root / WORDS
    if not path.exists():
        raise Rejected(
            f"{WORDS} is missing: nobody says what the model is for, and where its limits are",
            "Write it: docs/model-card.md says what belongs there.",
        )
    return words.parse(files.parse_yaml(files.read_bytes(path), str(WORDS)), str(WORDS))


def _card(root: Path, made: Package, said: words.Words) -> str:
    """Write the card of what was packaged; returns its digest."""
    from slipway.adapters import cyclonedx

    text = writing.write(
        writing.Facts(
            words=said,
            package=made,
            model=files.read_record(ModelInfo, root / MODEL / "model.json"),
            metrics=files.read_record(Metrics, root / METRICS),
            runtime=files.read_record(RuntimeLock, root / RUNTIME),
            lock_name=LOCK.as_posix(),
            lock=files.read_bytes(root / LOCK).decode(),
        )
    )
    cyclonedx.validate(text, "the model card")
    files.write_text(root / verifying.CARD, text)
    return digests.of_bytes(text.encode())
