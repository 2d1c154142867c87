"""Options that several verbs share, and how their values are read."""

from pathlib import Path
from typing import Annotated, Any

import typer

from slipway import records
from slipway.adapters import files
from slipway.manifests import tree
from slipway.records import Evidence

MOST = 2000  # characters of a person's words


def among(value: str, allowed: tuple[str, ...]) -> str:
    """See that a value is one of those allowed."""
    if value not in allowed:
        raise typer.BadParameter(f"{value!r} is none of {', '.join(allowed)}")
    return value


def cause_among(*allowed: str) -> Any:  # noqa: ANN401  # as typer.Option
    """The option --cause, one of those allowed."""
    return typer.Option(callback=lambda value: among(value, allowed), help=f"Why: one of {', '.join(allowed)}.")


def decoded(text: str | None) -> Evidence | None:
    """Read --evidence; strict."""
    return None if text is None else records.loads(Evidence, text, "--evidence")


def in_words(text: str | None) -> str | None:
    """One line of a person's words: what is no text there becomes a blank, and a terminal obeys none of it."""
    if text is None:
        return None
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    if not 0 < len(line) <= MOST:
        raise typer.BadParameter(f"{len(line)} characters are not in between 1 and {MOST}")
    return line


def database(named: str) -> str:
    """Return the address of a ledger, or what a file holds that names it: an address may have a password in it."""
    if "://" in named:
        return named
    return files.read_bytes(Path(named)).decode(errors="replace").strip()


Environment = Annotated[
    str,
    typer.Option(
        "--environment",
        "-e",
        callback=lambda value: among(value, tree.ENVIRONMENTS),
        help=f"One of {', '.join(tree.ENVIRONMENTS)}.",
    ),
]
EvidenceText = Annotated[
    str | None, typer.Option("--evidence", metavar="JSON", help="What the judge saw last, as a record `Evidence`.")
]
_WHY = typer.Option("--why", callback=in_words, help="In your words, for the record.")
Why = Annotated[str, _WHY]
MaybeWhy = Annotated[str | None, _WHY]
