"""`slipway history`: what was live where, when, and why it left; asked of Git alone."""

from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import Annotated

import typer
from rich.markup import escape

from slipway import history as past_tense
from slipway.adapters.git import Repository
from slipway.commands import Json, Root, console, emit, past
from slipway.history import Attempt, History, Span
from slipway.manifests import tree

WIDEST, INDENT = 100, 11 * " "


def _known(environment: str | None) -> str | None:
    if environment not in (None, *tree.ENVIRONMENTS):
        raise typer.BadParameter(f"{environment!r} is none of {', '.join(tree.ENVIRONMENTS)}")
    return environment


Only = Annotated[str | None, typer.Option("--environment", "-e", callback=_known, help="Of this environment only.")]


def history(environment: Only = None, root: Root = Path(), *, as_json: Json = False) -> None:
    """Tell what was live in each environment, since when, who or what brought it, and why it left; the newest first.

    What was proposed and never went live stands among it, with the cause and the evidence. All of it is read from the
    commits of `origin/main` that changed releases/, and is the same on every machine.

    Examples:
    ```sh
    slipway history
    slipway history --environment production --json
    ```
    """
    repository = Repository(root.resolve())
    found = past.read(repository, past.tip(repository))
    told = past_tense.tell(one for one in found.events if environment in (None, one.event.environment))
    emit(told, "\n".join(_lines(told, min(console.width, WIDEST))), as_json=as_json)


def _lines(told: History, width: int) -> Iterator[str]:
    entries: list[Span | Attempt] = [*told.spans, *told.attempts]
    if not entries:
        yield "Nothing was ever released: releases/ holds no record."
    for environment in sorted({one.environment for one in entries}):
        yield f"[bold]{environment}[/]  [dim]times are UTC[/]"
        here = (one for one in entries if one.environment == environment)
        for one in sorted(here, key=lambda one: one.began.number, reverse=True):
            told_of = _span(one) if isinstance(one, Span) else _attempt(one)
            yield f"  {next(told_of)}"
            for sentence in told_of:
                lines = wrap(sentence, width, initial_indent=INDENT, subsequent_indent=f"{INDENT}  ")
                yield from (f"[dim]{escape(line)}[/]" for line in lines)


def _span(one: Span) -> Iterator[str]:
    since = clock(one.began.event.at)
    yield (
        f"{one.version:<9}live {since} to {clock(one.left.event.at)}"
        if one.left
        else f"[green]{one.version:<9}live since {since}[/]"
    )
    yield past_tense.sentence(one.began)
    if left := past_tense.departure(one):
        yield f"left: {left}"


def _attempt(one: Attempt) -> Iterator[str]:
    since = clock(one.began.event.at)
    yield (
        f"[red]{one.version:<9}never live, proposed {since}[/]"
        if one.ends
        else f"[yellow]{one.version:<9}in flight since {since}[/]"
    )
    for end in one.ends or (one.began,):
        yield past_tense.sentence(end)


def clock(at: str) -> str:
    """A time of a record, to the minute."""
    return at[:16].replace("T", " ")
