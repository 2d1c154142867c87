"""`slipway judge explain`: how a verdict came about, in the terminal and as a picture."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from slipway import records
from slipway.adapters import files
from slipway.canary import explaining
from slipway.canary.explaining import Lane, Picture, Points
from slipway.canary.records import Trace
from slipway.canary.units import duration
from slipway.commands import Json, console, emit, progress
from slipway.errors import Broken

STYLES = {"harmless": "bold white on blue", "worse": "bold white on red", "open": "bold black on yellow"}
BARS = " ▁▂▃▄▅▆▇█"
NAME, DIRECTION = 10, 9  # columns of the words beside a line
LEAST, MOST = 30, 96  # columns of a line


def explain(
    trace: Annotated[Path | None, typer.Argument(help="A saved trace; without it a running judge is asked.")] = None,
    judge: Annotated[str, typer.Option("--judge", help="Where the judge listens.")] = "http://127.0.0.1:8080",
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Of the rollout.")] = "flights-production",
    rollout: Annotated[str, typer.Option("--rollout", help="Its name.")] = "flights",
    png: Annotated[Path | None, typer.Option("--png", help="Draw it there, too.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Show how a verdict came about: evidence over time, against both boundaries, and what held a promotion up.

    Blue is evidence that the canary is harmless, red that it is worse; a full bar is all that is needed. In a cluster,
    `kubectl port-forward --namespace slipway service/judge 8080` brings the judge here. `--json` prints the trace
    itself, which can be kept and drawn again.

    Examples:
    ```sh
    slipway judge explain --namespace flights-production
    slipway judge explain --namespace flights-staging --png verdict.png
    slipway judge explain trace.json     # what --json has printed before
    ```
    """
    found = _ask(judge, namespace, rollout) if trace is None else files.read_record(Trace, trace)
    try:
        picture = explaining.picture(found)
    except (ArithmeticError, LookupError, StopIteration, ValueError) as error:  # somebody has changed it
        raise Broken("the parts of the trace do not fit together", "Keep what --json prints as it is.") from error
    if png is not None:
        from slipway.adapters import chart

        try:
            with progress.status("drawing"):
                chart.write(picture, png)
        except OSError as error:
            raise Broken(f"{png} cannot be written: {error.strerror}", "Name another file with --png.") from error
    emit(found, terminal(picture, console.width), as_json=as_json)


def _ask(judge: str, namespace: str, rollout: str) -> Trace:
    """Get a trace from a running judge.

    Raises:
        Broken: it cannot be reached, knows no such rollout, or answers something else.

    """
    import requests

    remedy = "Name a running judge with --judge, and one of its rollouts with --namespace and --rollout."
    url = f"{judge.rstrip('/')}/trace"
    try:
        answer = requests.get(url, params={"namespace": namespace, "rollout": rollout}, timeout=30)
    except (requests.RequestException, ValueError) as error:  # ValueError: redirected to what is no address
        raise Broken(f"no judge answers at {url}: {type(error).__name__}", remedy) from error
    if not answer.ok:
        raise Broken(f"{url} answers {answer.status_code}: {answer.text[:300]}", remedy)
    return records.loads(Trace, answer.content, url)


def terminal(picture: Picture, width: int) -> RenderableType:
    """Draw a picture with characters; `width` columns in all."""
    columns = min(max(width - NAME - DIRECTION - 18, LEAST), MOST)
    rows = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1))
    for cells in (*_weights(picture, columns), *_held(picture, columns)):
        rows.add_row(*cells)
    for lane in picture.lanes:
        rows.add_row()
        for cells in _lane(lane, picture, columns):
            rows.add_row(*cells)
    rows.add_row("", "", _axis(picture.length, columns))
    return Group(
        Text.assemble((f" {picture.headline} ", STYLES[picture.tone]), "  ", (picture.title, "dim")),
        *(Text(f" {sentence}") for sentence in picture.sentences),
        "",
        rows,
        "",
        _counts(picture),
    )


def _lane(lane: Lane, picture: Picture, columns: int) -> Iterator[tuple[RenderableType, ...]]:
    high = 3 if lane is picture.lanes[0] else 1
    for number, (word, colour, points) in enumerate(
        (("harmless", "blue", lane.harmless), ("worse", "red", lane.worse))
    ):
        shares = _columns(points, picture.length, columns)
        last = points[-1][1] if points else 0.0
        since = picture.weights[-1].start if word == "harmless" else 0.0  # what an earlier step asked is no answer now
        reached = any(share >= 1 for time, share in points if time > since)
        for row in range(high - 1, -1, -1):
            line = Text("".join(_bar(share, row, high) for share in shares), style=colour)
            name = f"[bold]{lane.name}[/]" if number == 0 and row == 0 else ""
            told = Text(
                f"{min(last, 1):.0%}" + (" reached" if reached else ""), style=f"bold {colour}" if reached else ""
            )
            yield (name, Text(word, style=colour) if row == 0 else "", line, told if row == 0 else "")


def _bar(share: float | None, row: int, high: int) -> str:
    if share is None:
        return " "
    level = round(min(share, 1.0) * high * 8) - 8 * row
    return "█" if level >= 8 else BARS[max(level, 1 if row == 0 else 0)]


def _columns(points: Points, length: float, columns: int) -> list[float | None]:
    """The last share known at the end of each column; None before the first."""
    found: list[float | None] = []
    last, rest = None, list(points)
    for column in range(columns):
        while rest and rest[0][0] <= (column + 1) * length / columns:
            last = rest.pop(0)[1]
        found.append(last)
    return found


def _weights(picture: Picture, columns: int) -> Iterator[tuple[RenderableType, ...]]:
    line = ""
    for span in picture.weights:
        room = round(span.end / picture.length * columns) - len(line)
        line += f"│{span.label}".ljust(room, "─")[:room]
    yield ("weight", "", Text(line, style="dim"))


def _held(picture: Picture, columns: int) -> Iterator[tuple[RenderableType, ...]]:
    scale = columns / picture.length
    for number, reason in enumerate(dict.fromkeys(span.label for span in picture.held)):
        line = [" "] * columns
        for span in picture.held:
            if span.label == reason:
                start = min(int(span.start * scale), columns - 1)
                line[start : max(int(span.end * scale), start + 1)] = "▬" * (
                    max(int(span.end * scale), start + 1) - start
                )
        yield ("held" if number == 0 else "", "", Text("".join(line)[:columns], style="yellow"), reason)


def _axis(length: float, columns: int) -> Text:
    line = ""
    for tick in explaining.ticks(length):
        column = int(tick / length * columns)
        word = f"╵{duration(tick)}"
        if column >= len(line) and column + len(word) <= columns:
            line = line.ljust(column) + word
    return Text(line, style="dim")


def _counts(picture: Picture) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("metric", "stable", "canary", "difference", "margin", "harmless", "worse"):
        table.add_column(name, justify="left" if name == "metric" else "right", no_wrap=True)
    for row in picture.rows:
        table.add_row(row.name, row.stable, row.canary, row.difference, row.margin, row.harmless, row.worse)
    return table
