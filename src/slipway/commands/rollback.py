"""`slipway rollback`: a person's way back to an earlier promoted release."""

from pathlib import Path
from typing import Annotated

import typer

from slipway import outcomes, releases
from slipway.adapters.git import Repository
from slipway.changes import Change, State
from slipway.commands import Json, Root, TrackingUri, emit, mirrors, settling, verifying
from slipway.commands.options import Environment, Why


def rollback(
    to: Annotated[str, typer.Option("--to", metavar="VERSION", help="A release that was promoted there before.")],
    why: Why,
    environment: Environment = releases.PRODUCTION,
    *,
    tracking_uri: TrackingUri = None,
    root: Root = Path(),
    as_json: Json = False,
) -> None:
    """Go back to an earlier promoted release, whatever the evidence says; what is in flight gives way.

    Its signature is verified; nothing else can be in the way.

    Its manifests come back as they were, and the judge lets it pass in seconds. In production its model is the champion
    again. Does nothing where it is the stable already.

    Examples:
    ```sh
    slipway rollback --to 1.0.0 --why "1.1.0 answers late flights only"
    slipway rollback --to 1.0.0 --environment staging --why "the load test needs the old one"
    ```
    """
    repository, at = Repository(root.resolve()), settling.now()

    def decide(state: State, worktree: Repository) -> Change | None:
        change = outcomes.rollback(state, to, environment=environment, at=at, why=why)
        if change is not None:
            verifying.released(worktree, change.release)
        return change

    settled = settling.settle(repository, decide)
    again = f'slipway rollback --to {to} -e {environment} --why "..."'
    crowned = mirrors.complete_stable(repository, settled, ("restored", to, environment), tracking_uri, again=again)
    emit(
        settled.state.releases[to],
        f"[yellow]rolled back[/] {environment} to {to}{': its model is the champion' if crowned else ''}",
        as_json=as_json,
    )
