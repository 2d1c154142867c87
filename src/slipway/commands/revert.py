"""`slipway revert`: take back a release that was not promoted, to the recorded stable."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from slipway import outcomes, quarantine, releases
from slipway.adapters.git import Faster, Repository
from slipway.changes import Change, State
from slipway.commands import Json, Root, TrackingUri, emit, mirrors, progress, settling, source_revert
from slipway.commands.options import Environment, EvidenceText, MaybeWhy, cause_among, decoded
from slipway.errors import SlipwayError
from slipway.records import Cause, Release


def revert(
    digest: Annotated[str, typer.Option("--digest", help="Of the image, sha256:..., as the cluster names it.")],
    environment: Environment = releases.PRODUCTION,
    cause: Annotated[Cause, cause_among("verdict", "unavailable", "error", "deadline", "person")] = "person",
    evidence: EvidenceText = None,
    why: MaybeWhy = None,
    *,
    tracking_uri: TrackingUri = None,
    root: Root = Path(),
    as_json: Json = False,
) -> None:
    """Take back the release in flight whose image has a digest: the recorded stable's manifests come back.

    After `verdict` and `unavailable` its image, bento, model and recipe are quarantined, but for what the recorded
    stable shares, and a branch is pushed that takes back its sources. A newer release that has taken its place is left
    alone. Does nothing where it is reverted already.

    Examples:
    ```sh
    slipway revert --digest sha256:0d5e... --cause person --why "the menu is wrong"
    slipway revert --digest sha256:0d5e... --environment staging --cause verdict
    ```
    """
    from slipway.adapters import mlflow

    repository, at, told = Repository(root.resolve()), settling.now(), decoded(evidence)

    def decide(state: State, _worktree: Repository) -> Change | None:
        return outcomes.revert(state, digest, environment=environment, at=at, cause=cause, evidence=told, why=why)

    settled = settling.settle(repository, decide)
    release = outcomes.with_image(settled.state, digest, environment)
    version, stable = release.package.bundle.version, settled.state.stable_of(environment)
    branch = _sources(repository, release, stable, environment)
    uri, tags = mlflow.address(repository.root, tracking_uri), outcomes.tags(release, environment)
    mirrors.complete(
        repository,
        settled,
        ("reverted", version, environment),
        mirror=lambda: mlflow.retire(uri, release.package.bundle.model_digest, tags),
        again=f"slipway revert --digest {digest} -e {environment} --cause {cause}",
    )
    emit(
        release,
        f"[yellow]reverted[/] {version} in {environment}; the recorded stable is "
        f"{stable.package.bundle.version if stable else 'none'}"
        + (f"\n  to take back what made it: a pull request of {branch}" if branch else ""),
        as_json=as_json,
    )


def _sources(repository: Repository, release: Release, stable: Release | None, environment: str) -> str | None:
    """Push a branch that takes back what made a barred release; that it cannot be is said, and stops nothing."""
    event = outcomes.reverted(release, environment)
    if stable is None or event.cause not in quarantine.BARRING:
        return None
    try:
        return source_revert.propose(repository, release, stable)
    except (SlipwayError, Faster) as error:
        progress.print(f"[yellow]no branch takes back its sources[/] {escape(str(error))}", soft_wrap=True)
        return None
