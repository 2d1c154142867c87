"""`slipway quarantine`: what must not be released again, and a person's way to let it in."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from slipway import quarantine
from slipway.adapters.git import Repository
from slipway.commands import Json, Root, agreed, emit, past, settling, shelf
from slipway.commands.options import Why
from slipway.quarantine import SHORT
from slipway.records import Quarantine, QuarantineEvent


class Barred(msgspec.Struct, frozen=True, kw_only=True):
    """A digest that is barred, and the evidence's sentence about the abort that barred it."""

    event: QuarantineEvent
    detail: str | None


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """All that is barred at a commit of main."""

    schema_version: int = 1
    commit: str
    barred: tuple[Barred, ...]


def list_(root: Root = Path(), *, as_json: Json = False) -> None:
    """List what is barred from release on origin/main: since which abort, where, and on what evidence.

    Examples:
    ```sh
    slipway quarantine list
    slipway quarantine list --json
    ```
    """
    repository = Repository(root.resolve())
    main = agreed.at(repository, past.tip(repository))
    state = main.state()
    barred = tuple(
        Barred(event=event, detail=quarantine.detail(event, state.releases))
        for event in quarantine.active(state.quarantine).values()
    )
    emit(Listed(commit=main.commit, barred=barred), _table(barred), as_json=as_json)


def lift(
    digest: Annotated[str, typer.Argument(help="As `slipway quarantine list` shows it: whole, or 12 digits or more.")],
    why: Why,
    root: Root = Path(),
    *,
    as_json: Json = False,
) -> None:
    """Let a digest in again: one commit on main, which keeps that and why it was barred.

    A recipe that is let in may be trained and gated again; a release that was aborted stays aborted: it needs a new
    version, and a canary of its own.

    Examples:
    ```sh
    slipway quarantine lift sha256:0d5e4f1a2b3c --why "the sensor was broken, not the recipe"
    slipway quarantine lift 0d5e4f1a2b3c --why "the labels of that week are withdrawn"
    ```
    """
    repository, at = Repository(root.resolve()), settling.now()
    made: list[Quarantine] = []

    def change(worktree: Repository) -> str:
        made.append(quarantine.lift(shelf.quarantine(worktree.root), digest, at=at, why=why))
        shelf.write_quarantine(worktree.root, made[-1])
        event = made[-1].events[-1]
        return (
            f"Let {event.what} {event.digest[:SHORT]} in again\n\n{why}\n\n"
            f"Slipway-Lifted: {event.digest}\nSlipway-Cause: person"
        )

    commit = repository.compare_and_swap(change)
    event = made[-1].events[-1]
    emit(
        event,
        f"[green]lifted[/] {event.what} {event.digest}: commit {commit[:12]} on {agreed.MAIN}",
        as_json=as_json,
    )


def _table(barred: tuple[Barred, ...]) -> RenderableType:
    if not barred:
        return "Nothing is quarantined."
    rows = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("what", "digest", "version", "environment", "since (UTC)", "cause"):
        rows.add_column(name, no_wrap=True)
    said: dict[tuple[str, str], str] = {}
    for one in barred:
        event = one.event
        since = event.at[:16].replace("T", " ")
        rows.add_row(event.what, event.digest[:SHORT], event.version, event.environment, since, event.cause)
        if one.detail:
            about = f"[dim]{event.version} in {event.environment}:[/]"
            said[event.version, event.environment] = f"{about} {escape(one.detail)}"
    return Group(rows, *said.values())
