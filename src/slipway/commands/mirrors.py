"""What follows an outcome's commit: the registry mirrors it, and people are told. Each can be repeated.

People are told at least once. The reference refs/slipway/notified/<commit> on the remote says that they were: no other
machine tells them again, but one that is killed in between leaves it to the repetition. Services that heed the header
Idempotency-Key drop the second.
"""

import os
from collections.abc import Callable

from rich.markup import escape

from slipway import changes, releases
from slipway.adapters import notify
from slipway.adapters.git import Faster, Repository
from slipway.commands import progress, settling
from slipway.commands.settling import Settled
from slipway.errors import Broken, SlipwayError
from slipway.records import EventKind

NOTIFIED = "refs/slipway/notified"


def complete(
    repository: Repository,
    settled: Settled,
    outcome: tuple[EventKind, str, str],
    *,
    mirror: Callable[[], object] | None,
    again: str,
) -> None:
    """Bring the registry to what Git says, and tell people; `outcome` is kind, version and environment.

    Raises:
        Broken: the registry could not be; Git is as it is, people were told, and the verb can be repeated.

    """
    failed: SlipwayError | None = None
    try:
        if mirror is not None:
            mirror()
    except SlipwayError as error:  # whoever is on call hears of it all the same
        failed = error
    tell(repository, settled, outcome)
    if failed is not None:
        raise Broken(
            f"Git is done ({settled.commit[:12]}), the registry is not: {failed.what}",
            f"{failed.remedy} Then repeat `{again}`: that is safe.",
        ) from failed


def complete_stable(
    repository: Repository,
    settled: Settled,
    outcome: tuple[EventKind, str, str],
    tracking_uri: str | None,
    *,
    again: str,
) -> bool:
    """As `complete`, of an outcome that made a stable; returns whether its model is the champion now."""
    from slipway.adapters import mlflow

    crowned = outcome[2] == releases.PRODUCTION
    uri = mlflow.address(repository.root, tracking_uri)
    mirror = (lambda: crown(repository, settled, uri)) if crowned else None
    complete(repository, settled, outcome, mirror=mirror, again=again)
    return crowned


def crown(repository: Repository, settled: Settled, uri: str) -> None:
    """Give production's recorded stable the alias `champion`; asked again until nobody has changed it meanwhile."""
    from slipway.adapters import mlflow

    state = settled.state
    while (champion := releases.champion(state.releases, state.stable)) is not None:
        mlflow.crown(uri, champion)
        state = settling.read(repository).state
        if releases.champion(state.releases, state.stable) == champion:
            return


def tell(repository: Repository, settled: Settled, outcome: tuple[EventKind, str, str]) -> None:
    """Tell the services of $SLIPWAY_NOTIFY what the outcome's commit says, unless it is marked as told."""
    urls = notify.configured(os.environ.get(notify.VARIABLE))
    if not urls:
        return
    try:
        commit = repository.find(changes.trailers(*outcome), below=settled.commit)
        if commit is None or repository.marked(f"{NOTIFIED}/{commit}"):
            return
        title, _, body = repository.git("log", "--max-count=1", "--format=%B", commit).partition("\n")
        problems = notify.send(urls, title, f"{body.strip()}\n\nCommit {commit}", commit)
        if not problems:
            repository.mark(commit, f"{NOTIFIED}/{commit}")
    except (SlipwayError, Faster) as error:
        problems = (str(error),)
    for problem in problems:
        progress.print(f"[yellow]not told[/] {escape(problem)}", soft_wrap=True)
