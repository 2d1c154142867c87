"""`slipway release`: one commit that proposes one image to one environment."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from slipway import manifests, releases
from slipway.adapters import files, layout
from slipway.adapters.git import BRANCH, REMOTE, Repository
from slipway.commands import Json, Root, emit
from slipway.errors import Broken, Rejected
from slipway.manifests import tree
from slipway.records import GateDecision, Package, Release, Stable

BUILD = Path("build")
RECORDS = Path("releases")
Environment = Annotated[str, typer.Option("--environment", "-e", help="staging or production.")]


def release(environment: Environment = "production", root: Root = Path(), *, as_json: Json = False) -> None:
    """Propose the packaged image to an environment: manifests and record in one commit, pushed to main.

    The manifests that reviewers saw (`k8s/next/ENVIRONMENT`) are copied over those that Argo CD applies
    (`k8s/rendered/ENVIRONMENT`), and the image's tag and digest are filled in.

    Examples:
    ```sh
    slipway release
    slipway release --environment staging
    ```
    """
    repository = Repository(root.resolve())
    package, gate = gather(repository)
    version, at = package.bundle.version, datetime.now(UTC).isoformat(timespec="seconds")
    releases.admit(package, gate, existing(repository.root), environment)
    proposed = releases.propose(package, gate, environment, at)

    rendered, reference = _manifests(repository.root, environment, package)
    files.write_texts(repository.root / "k8s/rendered" / environment, rendered)
    write(repository.root, proposed)
    commit = repository.publish(
        [f"k8s/rendered/{environment}", str(RECORDS)],
        f"Release {version} to {environment}\n\n{releases.trailers(package.bundle, reference, environment)}",
    )
    emit(
        proposed,
        f"[green]released[/] {version} to {environment}: commit {commit[:12]} on {REMOTE}/{BRANCH}\n  {reference}",
        as_json=as_json,
    )


def gather(repository: Repository) -> tuple[Package, GateDecision]:
    """Read what is to be released, and see that nothing stands beside the commits that describe it.

    Raises:
        Rejected: the tree is dirty, behind its remote, or the image at hand is not the one packaged.
        Broken: nothing was packaged or gated.

    """
    if dirty := repository.dirty():
        raise Rejected(f"the tree has changes that no commit holds: {', '.join(dirty[:5])}", "Commit or undo them.")
    repository.fetch()
    if repository.head() != repository.commit_of(f"{REMOTE}/{BRANCH}"):
        raise Rejected(f"the checkout is not at {REMOTE}/{BRANCH}", f"git pull --rebase {REMOTE} {BRANCH}, and push.")
    package = files.read_record(Package, repository.root / BUILD / "package.json")
    gate = files.read_record(GateDecision, repository.root / BUILD / "gate.json")
    image, _ = layout.read(repository.root / BUILD / "images" / package.bundle.version)
    if image.digest != package.image_digest:
        raise Rejected(
            f"the image at hand is {image.digest}, the package says {package.image_digest}",
            "Run `slipway package` again.",
        )
    return package, gate


def existing(root: Path) -> dict[str, Release]:
    """Every release record, by version."""
    paths = (path for path in (root / RECORDS).glob("*.json") if path.stem[0].isdigit())
    return {path.stem: files.read_record(Release, path) for path in paths}


def stable(root: Path) -> Stable:
    """The recorded stable; no environment has one before the first promotion."""
    path = root / RECORDS / "stable.json"
    return files.read_record(Stable, path) if path.exists() else Stable(environments={})


def write(root: Path, record: Release) -> None:
    """Write a release record."""
    files.write_record(root / RECORDS / f"{record.package.bundle.version}.json", record)


def _manifests(root: Path, environment: str, package: Package) -> tuple[dict[str, str], str]:
    folder = root / "k8s/next" / environment
    if not folder.is_dir():
        known = ", ".join(sorted(path.name for path in (root / "k8s/next").iterdir()))
        raise Broken(f"there is no environment {environment!r}: {folder} does not exist", f"One of: {known}.")
    following = files.read_texts(folder, "*.yaml")
    name = tree.image_of(following).partition("@")[0].rpartition(":")[0]
    reference = f"{name}:{package.bundle.version}@{package.image_digest}"
    rendered = tree.with_image(following, reference)
    if problems := manifests.check(tree.objects(rendered)):
        raise Rejected(f"the manifests of {environment} are refused: {problems[0]}", "Run `slipway manifests check`.")
    return rendered, reference
