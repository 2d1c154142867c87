"""`slipway record`: what the pipeline has computed becomes a commit, made by the machine that computed it."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from slipway.adapters import dvc, files
from slipway.adapters.git import BRANCH, REMOTE, Repository
from slipway.commands import Json, Root, emit
from slipway.errors import Broken, Rejected

SUBJECT = "Record what the pipeline computed"
INPUTS = ("data.dvc", "dvc.yaml", "params.yaml", "requirements", "src")  # what a training follows from
LOCK, ARTIFACTS = "dvc.lock", "artifacts/"


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a commit was made of what was computed, or the one at hand held it already."""

    schema_version: int = 1
    recorded: bool
    branch: str
    commit: str


def record(
    *,
    branch: Annotated[str, typer.Option("--branch", help="What is checked out, and is pushed to.")] = BRANCH,
    trained: Annotated[
        str, typer.Option("--trained", metavar="COMMIT", help="That the pipeline ran on; by default HEAD.")
    ] = "HEAD",
    root: Root = Path(),
    as_json: Json = False,
) -> None:
    """Commit what the pipeline has computed, dvc.lock and artifacts/, and push it to a branch.

    Nothing is done where the commit holds it already. Refused is what was trained on other inputs than those of the
    checkout, and what differs from your own record of the same inputs: a training that never gives the same bytes would
    be recorded for ever.

    Examples:
    ```sh
    slipway record
    slipway record --branch more-trees --trained 4c1f2d9a
    ```
    """
    repository = Repository(root.resolve())
    commit = repository.commit_of(trained)
    if commit is None:
        raise Broken(f"there is no commit {trained}", "Fetch it; in a workflow, fetch-depth: 0.")
    _require_same_inputs(repository, commit, branch)
    computed = repository.dirty()
    if beside := [name for name in computed if not made_by_the_pipeline(name)]:
        raise Rejected(f"the tree has changes that no pipeline made: {', '.join(beside[:5])}", "Commit or undo them.")
    if computed and _recorded_before(repository, commit):
        raise Rejected(
            f"{commit[:12]} records other bytes of the same inputs: {', '.join(computed)}",
            "Find what is not pinned: docs/training.md names what is. Other locks since: push an empty commit.",
        )
    made = repository.publish(computed, SUBJECT, branch) if computed else repository.head()
    how = f"[green]recorded[/] commit {made[:12]} on {REMOTE}/{branch}" if computed else f"{made[:12]} holds it already"
    emit(Recorded(recorded=bool(computed), branch=branch, commit=made), how, as_json=as_json)


def _require_same_inputs(repository: Repository, commit: str, branch: str) -> None:
    if moved := repository.git("diff", "--name-only", commit, "HEAD", "--", *INPUTS).splitlines():
        raise Rejected(
            f"{branch} has moved on since {commit[:12]}: {', '.join(moved[:5])}", "Its newest commit is trained anew."
        )


def made_by_the_pipeline(name: str) -> bool:
    """Whether a file, by path from the repository's root, is one that `dvc repro` writes."""
    return name == LOCK or name.startswith(ARTIFACTS)


def _recorded_before(repository: Repository, commit: str) -> bool:
    """Whether the commit is a record by whoever runs this, of the inputs that were computed from now."""
    author, subject = repository.git("log", "--max-count=1", "--format=%ae%n%s", commit).split("\n")
    mine = repository.git("var", "GIT_AUTHOR_IDENT")
    if subject != SUBJECT or f"<{author}>" not in mine:
        return False
    then, now = repository.show(commit, LOCK), files.read_bytes(repository.root / LOCK)
    return then is not None and dvc.inputs(then, f"{LOCK} of {commit[:12]}") == dvc.inputs(now, LOCK)
