"""What a person sees of a rehearsal while it plays: a picture that stays in its place, or lines where none can."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from textwrap import wrap

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from slipway.canary.records import ARMS
from slipway.canary.units import duration
from slipway.commands import progress
from slipway.rollout import telling
from slipway.rollout.records import Tick
from slipway.rollout.telling import Weight

WIDTH = 80
BAR, STEPS = 15, 56  # columns
STYLES = {
    "PROMOTE": "bold white on blue",
    "PROMOTED": "bold white on blue",
    "ABORT": "bold white on red",
    "ABORTED": "bold white on red",
    "NOT YET": "bold black on yellow",
    "CANNOT TELL": "bold black on yellow",
    "STARTING": "bold black on white",
}
OnTick = Callable[[Tick], None]


@contextmanager
def watching(title: str, console: Console = progress) -> Iterator[OnTick]:
    """Show each tick that is handed over; what was seen last stays."""
    if console.is_interactive and console.file.isatty() and console.width >= WIDTH:
        screen = Screen(title)
        with Live(console=console, auto_refresh=False) as live:
            yield lambda tick: live.update(screen.frame(tick), refresh=True)
    else:
        yield Lines(console)


class Lines:
    """One line whenever step, weight, verdict or what it waits for change."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began: float | None = None
        self._said: tuple[object, ...] | None = None

    def __call__(self, tick: Tick) -> None:
        """Tell a tick, if there is something new in it."""
        self._began = tick.at if self._began is None else self._began
        if telling.key(tick) != self._said:
            self._said = telling.key(tick)
            self._console.file.write(telling.line(tick, self._began) + "\n")
            self._console.file.flush()


class Screen:
    """The picture. It never gets lower, so nothing below it jumps."""

    def __init__(self, title: str) -> None:
        self._title, self._lines = title, 0
        self._began: float | None = None
        self._furthest = 0

    def frame(self, tick: Tick) -> RenderableType:
        """Draw a tick; of an aborted rollout the step that it had come to."""
        self._began = tick.at if self._began is None else self._began
        self._furthest = max(self._furthest, tick.step)
        first, *others = [*telling.sentences(tick)] or [""]
        said = [*(Text(line) for line in wrap(first, WIDTH)), *(_short(each) for each in others)]
        self._lines = max(self._lines, len(said))
        return Group(
            _head(self._title, tick, tick.at - self._began),
            _course(tick, self._furthest),
            "",
            _arms(tick),
            "",
            *((_evidence(tick), "") if tick.verdict else ()),
            *said,
            *("" for _ in range(self._lines - len(said))),
        )


def _head(title: str, tick: Tick, seconds: float) -> RenderableType:
    word = telling.headline(tick)
    row = Table.grid(expand=False, padding=(0, 1))
    row.add_column(width=len(word) + 2, no_wrap=True)
    row.add_column(width=WIDTH - len(word) - 16, no_wrap=True, overflow="ellipsis")
    row.add_column(width=11, justify="right", no_wrap=True)
    row.add_row(Text(f" {word} ", STYLES[word]), Text(title, "bold"), Text(duration(seconds), "dim"))
    return row


def _course(tick: Tick, furthest: int) -> RenderableType:
    """Steps that were taken, the one that is being taken, and those to come; and the share of the traffic."""
    each = STEPS // tick.steps
    aborted = tick.phase == "aborted"
    line = Text()
    for step in range(tick.steps):
        taken, here = step < furthest, step == furthest and tick.phase != "healthy"
        style = "blue" if taken else ("red" if aborted else "yellow") if here else "dim"
        line.append(("█" if taken else "▓" if here else "░") * (each - 1) + " ", style)
    share = round(tick.weight * (each * tick.steps - 1))
    weight = Text().append("█" * share, "blue").append("░" * (each * tick.steps - 1 - share), "dim")
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=9)
    grid.add_row("steps", line, f"{min(furthest + 1, tick.steps)} of {tick.steps}")
    grid.add_row("canary", weight, f"{tick.weight:.0%}")
    return grid


def _arms(tick: Tick) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    table.add_column("", width=9)
    for name in ("requests", "errors", "p95"):
        table.add_column(name, justify="right", width=16, no_wrap=True)
    for arm in ARMS:
        table.add_row(arm, *telling.arm(tick.traffic[arm]))
    table.add_row("truths", f"{tick.truths:,}")
    return table


def _evidence(tick: Tick) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    table.add_column("evidence", width=9)
    for title in ("harmless: promotes", "worse: aborts"):
        table.add_column(title, width=BAR + 17, no_wrap=True)
    for lane in telling.lanes(tick.verdict) if tick.verdict else ():
        harmless = _bar(lane.harmless, "blue", asked=lane.asked) if lane.harmless else Text()
        name = Text(lane.name, "bold" if lane.name == "together" else "")
        table.add_row(name, harmless, _bar(lane.worse, "red"))
    return table


def _bar(found: Weight, colour: str, *, asked: bool = True) -> Text:
    """A bar that is full at the boundary, and the figures."""
    full = int(found.share * BAR)
    bar = Text().append("█" * full, colour if asked else "dim").append("░" * (BAR - full), "dim")
    if not asked:
        return bar.append(" not asked yet", "dim")
    figures = f" {found.evidence:6.2f} of {found.needed:.2f}"
    return bar.append(figures, f"bold {colour}" if found.reached else "").append(" ✓" if found.reached else "")


def _short(text: str) -> Text:
    return Text(text, "dim", no_wrap=True, overflow="ellipsis")
