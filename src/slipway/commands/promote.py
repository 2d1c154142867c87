"""`slipway promote`: record that a release became the stable of an environment."""

from pathlib import Path
from typing import Annotated

import typer

from slipway import outcomes, releases
from slipway.adapters.git import Repository
from slipway.changes import Change, State
from slipway.commands import Json, Root, TrackingUri, emit, mirrors, settling
from slipway.commands.options import Environment, EvidenceText, cause_among, decoded
from slipway.records import Cause


def promote(
    version: Annotated[str, typer.Argument(help="Of the release, as in releases/.")],
    environment: Environment = releases.PRODUCTION,
    cause: Annotated[Cause, cause_among("verdict", "person")] = "person",
    evidence: EvidenceText = None,
    *,
    tracking_uri: TrackingUri = None,
    root: Root = Path(),
    as_json: Json = False,
) -> None:
    """Record the release in flight, VERSION, as the stable of an environment.

    In production its model gets the alias `champion`. Does nothing where it is stable already.

    Examples:
    ```sh
    slipway promote 1.0.0
    slipway promote 1.4.0 --environment staging --cause verdict
    ```
    """
    repository, at, told = Repository(root.resolve()), settling.now(), decoded(evidence)

    def decide(state: State, worktree: Repository) -> Change | None:
        return outcomes.promote(
            state,
            version,
            environment=environment,
            at=at,
            cause=cause,
            evidence=told,
            commit=lambda: settling.release_commit(worktree, version, environment),
        )

    settled = settling.settle(repository, decide)
    again = f"slipway promote {version} -e {environment}"
    crowned = mirrors.complete_stable(
        repository, settled, ("promoted", version, environment), tracking_uri, again=again
    )
    emit(
        settled.state.releases[version],
        f"[green]promoted[/] {version}: the stable of {environment}{', and the champion' if crowned else ''}",
        as_json=as_json,
    )
