"""`slipway card`: what a model is for, where it ends, and what was measured, to read or to look at."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from slipway.adapters import cyclonedx, files
from slipway.card import check, picture
from slipway.card.reading import Card, digest
from slipway.commands import BUILD, Json, Root, console, progress, shelf, verifying
from slipway.records import Package, Window

if TYPE_CHECKING:
    from rich.table import Table

WIDTH = 27  # characters of a drawn interval
BETTER = {"higher": "↑ better", "lower": "↓ better"}


def card(
    version: Annotated[str | None, typer.Argument(help="Of a release; by default what was packaged last.")] = None,
    root: Root = Path(),
    *,
    html: Annotated[Path | None, typer.Option("--html", help="Write it as a page, one file, to look at.")] = None,
    as_json: Json = False,
) -> None:
    """Show the model card of a release: intended use, limits, metrics with intervals, slices, data, packages.

    It is one CycloneDX 1.6 document, which `slipway package` writes and the release's signature covers. Refused is a
    document with a field that the schema does not know, or that is about something else than the release.

    Examples:
    ```sh
    slipway card                     # build/card.cdx.json
    slipway card 1.2.0               # attestations/1.2.0.cdx.json
    slipway card 1.2.0 --html card.html
    ```
    """
    name = verifying.CARD if version is None else verifying.committed(version)[1]
    package = _package(root, version)
    text = files.read_bytes(root / name).decode(errors="replace")
    cyclonedx.validate(text, str(name))
    found = check(json.loads(text), package)
    if html is not None:
        from slipway.adapters import page

        files.write_text(html, page.render_card(found))
        progress.print(f"written: {escape(str(html))}")
    if as_json:
        sys.stdout.write(text)
    elif html is None:
        _show(found)


def _package(root: Path, version: str | None) -> Package:
    if version is None:
        return files.read_record(Package, root / BUILD / "package.json")
    return shelf.read(root, version).package


def _show(found: Card) -> None:
    said, drawn = found.says.considerations, picture.draw(found)
    console.print(f"[bold]{escape(found.model.name)}[/] {found.model.version}  {escape(found.model.description)}")
    for title, texts in (
        ("for whom", said.users),
        ("what for", said.use_cases),
        ("where it ends", said.technical_limitations),
    ):
        console.print(f"\n[bold]{title}[/]")
        console.print(_list(texts))
    console.print(f"\n[bold]measured[/] on {_window(found.test)}")
    console.print(_measures(drawn))
    console.print(f"\n[bold]AUC by group[/], {drawn.axis.start:g} to {drawn.axis.end:g}")
    console.print(_groups(drawn))
    data = found.components["data"]
    console.print(f"\n[bold]trained[/] on {_window(found.train)}, {escape(data.name)}, {digest(data)}", soft_wrap=True)
    console.print(f"[bold]model[/]   {digest(found.model)}", soft_wrap=True)
    console.print(
        f"[bold]runs on[/] {len(found.packages)} packages, {digest(found.components['runtime'])}", soft_wrap=True
    )


def _list(texts: Sequence[str]) -> "Table":
    from rich.table import Table

    table = Table.grid(padding=(0, 1))
    for text in texts:
        table.add_row(" ·", escape(text))
    return table


def _window(window: Window) -> str:
    return f"{window.first} to {window.last}: {window.rows:,} rows, {window.late_share:.1%} of them positive"


def _measures(drawn: picture.Picture) -> "Table":
    table = _table()
    for each in drawn.measures:
        table.add_row(
            each.name,
            _bar(each.whisker, each.guess),
            each.whisker.value,
            each.whisker.interval,
            BETTER.get(each.better, ""),
        )
    return table


def _groups(drawn: picture.Picture) -> "Table":
    table = _table()
    for slicing in drawn.slicings:
        for group in slicing.groups:
            whisker, name = group.whisker, f"{slicing.by} {group.name}"
            numbers = (_bar(whisker, drawn.guess), whisker.value, whisker.interval) if whisker else ("", "", "")
            table.add_row(escape(name), *numbers, f"{group.rows:,} rows")
    return table


def _table() -> "Table":
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for style in ("", "", "bold", "dim", "dim"):
        table.add_column(style=style, no_wrap=True)
    return table


def _bar(whisker: picture.Whisker, guess: float | None) -> str:
    """Draw an interval in characters; the dot is the value, the bar what knowing nothing gives."""
    places = {
        name: round(place * (WIDTH - 1) / 100) for name, place in vars(whisker).items() if isinstance(place, float)
    }
    line = [("─" if places["left"] <= place <= places["right"] else " ") for place in range(WIDTH)]
    if guess is not None:
        line[round(guess * (WIDTH - 1) / 100)] = "[yellow]┊[/]"
    line[places["at"]] = "●"
    return f"[blue]{''.join(line)}[/]"
