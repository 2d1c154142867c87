"""`slipway release`: one commit that proposes one image to one environment."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from slipway import manifests, oci, records, releases
from slipway.adapters import files, layout
from slipway.adapters.git import BRANCH, REMOTE, Repository
from slipway.commands import BUILD, DECISION, Json, Root, deciding, emit, progress, shelf
from slipway.commands.package import BUNDLE
from slipway.errors import Rejected
from slipway.manifests import tree
from slipway.manifests.environment import Environment as Deployed
from slipway.records import Bundle, GateDecision, Package


def _known(environment: str) -> str:
    if environment not in tree.ENVIRONMENTS:
        raise typer.BadParameter(f"{environment!r} is none of {', '.join(tree.ENVIRONMENTS)}")
    return environment


Environment = Annotated[
    str, typer.Option("--environment", "-e", callback=_known, help=f"One of {', '.join(tree.ENVIRONMENTS)}.")
]


def release(environment: Environment = releases.PRODUCTION, root: Root = Path(), *, as_json: Json = False) -> None:
    """Propose the packaged image to an environment: manifests and record in one commit, pushed to main.

    The manifests that reviewers saw (`k8s/next/ENVIRONMENT`) are copied over those that Argo CD applies
    (`k8s/rendered/ENVIRONMENT`), and the image's tag and digest are filled in. Refused is, too, what the traffic of
    rollouts/judge.yaml cannot decide: a canary that would not be promoted before the deadline though it is like stable.

    Examples:
    ```sh
    slipway release
    slipway release --environment staging
    ```
    """
    repository = Repository(root.resolve())
    package, gate = gather(repository)
    version, at = package.bundle.version, datetime.now(UTC).isoformat(timespec="seconds")
    known, stable = shelf.existing(repository.root), shelf.stable(repository.root)
    proposed = releases.propose(package, gate, known, stable, environment=environment, at=at)

    rendered, reference, deployed = _manifests(repository.root, environment, package)
    if environment in stable.environments:  # the first release runs no canary
        progress.print(f"[dim]{deciding.require_decidable(repository.root, environment, deployed)}[/]")
    files.write_texts(repository.root / "k8s/rendered" / environment, rendered)
    shelf.write(repository.root, proposed)
    commit = repository.publish(
        [f"k8s/rendered/{environment}", str(shelf.FOLDER)],
        f"Release {version} to {environment}\n\n{releases.trailers(package.bundle, reference, environment)}",
    )
    emit(
        proposed,
        f"[green]released[/] {version} to {environment}: commit {commit[:12]} on {REMOTE}/{BRANCH}\n  {reference}",
        as_json=as_json,
    )


def gather(repository: Repository) -> tuple[Package, GateDecision]:
    """Read what is to be released, and hold it against the bytes and the commits that it speaks of.

    Raises:
        Rejected: the checkout is not main, or the image at hand is not the one packaged, from a commit of main.
        Broken: nothing was packaged or gated.

    """
    repository.require_main()
    package = files.read_record(Package, repository.root / BUILD / "package.json")
    gate = files.read_record(GateDecision, repository.root / DECISION)
    folder, again = repository.root / BUILD / "images" / package.bundle.version, "Run `slipway package` again."
    image, _ = layout.read(folder)
    if image.digest != package.image_digest:
        raise Rejected(f"the image at hand is {image.digest}, the package says {package.image_digest}", again)
    baked = oci.unpack(layout.read_blob(folder, image.layers[-1].digest))[BUNDLE][0]
    if records.loads(Bundle, baked, f"{BUNDLE} in the image") != package.bundle:
        raise Rejected("the image at hand is not made from what the package says", again)
    if not repository.is_ancestor(package.bundle.source_commit):
        raise Rejected(f"the package's commit {package.bundle.source_commit} is not on {REMOTE}/{BRANCH}", again)
    return package, gate


def _manifests(root: Path, environment: str, package: Package) -> tuple[dict[str, str], str, Deployed]:
    following = files.read_texts(root / "k8s/next" / environment, "*.yaml")
    name = tree.image_of(following).partition("@")[0].rpartition(":")[0]
    reference = f"{name}:{package.bundle.version}@{package.image_digest}"
    rendered = tree.with_image(following, reference)
    deployed, problems = manifests.examine(tree.objects(rendered))
    if deployed is None or problems:
        raise Rejected(f"the manifests of {environment} are refused: {problems[0]}", "Run `slipway manifests check`.")
    return rendered, reference, deployed
