"""`slipway pr`: which pull request a run was about, asked of GitHub and not of what the run has handed over."""

from typing import Annotated

import msgspec
import typer

from slipway.adapters import github
from slipway.commands import Json, emit


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """An open pull request; None where there is none, and nobody waits for a comment."""

    schema_version: int = 1
    number: int | None


def pr(
    *,
    head: Annotated[str, typer.Option("--head", help="OWNER:BRANCH that it asks to merge.")],
    as_json: Json = False,
) -> None:
    """Name the open pull request of a branch, in a workflow on GitHub.

    The event of another workflow's run says whose branch it was; of a fork, it names no pull request.

    Examples:
    ```sh
    slipway pr --head "$OWNER:$BRANCH"
    ```
    """
    number = github.here().pull_request_of(head)
    told = f"#{number}" if number else f"{head} has no open pull request into main"
    emit(Named(number=number), told, as_json=as_json)
