"""matplotlib: a picture of how a verdict came about. The same picture gives the same bytes."""

import re
from collections.abc import Sequence
from html import escape
from io import StringIO
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from slipway.canary.explaining import Lane, Picture, Points, Row, Tone, ticks
from slipway.canary.units import duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec

INK, FAINT = "#222222", "#8a8a8a"
COLOURS: dict[Tone, str] = {
    "harmless": "#0072b2",
    "worse": "#d55e00",
    "open": "#f0e442",
}  # Okabe and Ito: for every eye
HELD = "#e69f00"
STEPS = ("#ededed", "#dbdbdb", "#c9c9c9")
DPI = 120
COLUMNS = 118  # characters on a line
STYLE: dict[Any, Any] = {"font.family": "DejaVu Sans", "font.size": 9, "text.color": INK}
VARIABLES = {  # of a page's style sheet, which knows whether it is dark
    INK: "ink",
    FAINT: "faint",
    HELD: "held",
    COLOURS["harmless"]: "harmless",
    COLOURS["worse"]: "worse",
    "#ffffff": "ground",
    "#000000": "ink",
} | {colour: f"step-{number}" for number, colour in enumerate(STEPS)}


def write(picture: Picture, path: Path) -> None:
    """Draw a picture as PNG: weights, evidence in both directions against its boundaries, and what held it up."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    heights = _heights(picture)
    sentences = [line for sentence in picture.sentences for line in wrap(sentence, COLUMNS)]
    head = 1.0 + 0.22 * len(sentences)
    with mpl.rc_context(STYLE):
        tall = sum(heights) * 1.12 + head + 0.5
        figure = Figure(figsize=(10, tall), dpi=DPI, facecolor="white")
        grid = figure.add_gridspec(
            len(heights),
            1,
            height_ratios=heights,
            hspace=0.22,
            left=0.13,
            right=0.79,
            top=1 - head / tall,
            bottom=0.5 / tall,
        )
        _head(figure, picture, sentences, tall)
        panels = _panels(figure, grid, picture)
        for panel, row in zip(panels[1:], (None, *picture.rows), strict=False):
            _beside(panel, row)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="png", metadata={"Software": None})


def svg(picture: Picture, *, narrow: bool = False) -> str:
    """Draw it as an element for a page, whose style sheet gives the colours; `narrow` is for a telephone."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    heights = _heights(picture)
    width, tall = (3.9 if narrow else 8.4), sum(heights) * (1.25 if narrow else 1.12) + 0.3
    left, right = (0.13, 0.95) if narrow else (0.125, 0.88)
    with mpl.rc_context(STYLE | {"svg.hashsalt": f"slipway {narrow}", "svg.fonttype": "none"}):
        figure = Figure(figsize=(width, tall), facecolor="none")
        grid = figure.add_gridspec(
            len(heights),
            1,
            height_ratios=heights,
            hspace=0.4 if narrow else 0.22,
            left=left,
            right=right,
            top=1 - 0.03 / tall,
            bottom=0.28 / tall,
        )
        panels = _panels(figure, grid, picture, narrow=narrow)
        if not narrow:
            _beside(panels[1], None)
        drawn = StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _inline(drawn.getvalue(), picture)


def _inline(drawn: str, picture: Picture) -> str:
    """Make an SVG file an element of a page: no header, no size, no style for others, and the page's colours."""
    box = re.search(r'viewBox="[^"]+"', drawn)
    body = drawn.partition("<svg")[2].partition(">")[2]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    for colour, name in VARIABLES.items():
        body = body.replace(colour, f"var(--{name})")
    body = body.replace("'DejaVu Sans'", "system-ui, sans-serif")
    return f'<svg {box[0] if box else ""} role="img" aria-label="{escape(picture.headline, quote=True)}">{body}'.strip()


def _heights(picture: Picture) -> list[float]:
    """Inches of each panel: the weights, the verdict, each metric, and what held it up."""
    reasons = {span.label for span in picture.held}
    return [0.35, 2.0, *(1.0 for _ in picture.lanes[1:]), *([0.3 + 0.22 * len(reasons)] if reasons else [])]


def _panels(figure: "Figure", grid: "GridSpec", picture: Picture, *, narrow: bool = False) -> "list[Axes]":
    """Draw everything that has a time."""
    panels = [figure.add_subplot(grid[number]) for number in range(len(_heights(picture)))]
    reasons = list(dict.fromkeys(span.label for span in picture.held))
    _weights(panels[0], picture, narrow=narrow)
    for panel, lane in zip(panels[1:], picture.lanes, strict=False):
        _lane(panel, lane, picture, narrow=narrow)
    if reasons:
        _held(panels[-1], picture, reasons, narrow=narrow)
    for panel in panels:
        _time(panel, picture.length, labelled=panel is panels[-1], most=4 if narrow else 7)
    return panels


def _head(figure: "Figure", picture: Picture, sentences: Sequence[str], tall: float) -> None:
    ground = COLOURS[picture.tone]
    figure.text(
        0.03,
        1 - 0.3 / tall,
        picture.headline,
        fontsize=15,
        fontweight="bold",
        va="center",
        color=INK if picture.tone == "open" else "white",
        bbox={"facecolor": ground, "edgecolor": "none", "boxstyle": "round,pad=0.35"},
    )
    figure.text(0.03, 1 - 0.68 / tall, picture.title, color=FAINT, fontsize=8, va="center")
    for number, sentence in enumerate(sentences):
        figure.text(0.03, 1 - (0.92 + 0.22 * number) / tall, sentence, va="center")


def _weights(panel: "Axes", picture: Picture, *, narrow: bool) -> None:
    for number, span in enumerate(picture.weights):
        panel.axvspan(span.start, span.end, color=STEPS[number % 3], lw=0)
        panel.text(
            (span.start + span.end) / 2,
            0.5,
            span.label,
            ha="center",
            va="center",
            clip_on=True,
            transform=panel.get_xaxis_transform(),
        )
    panel.set_yticks([])
    if not narrow:
        panel.set_ylabel("weight", rotation=0, ha="right", va="center")


def _lane(panel: "Axes", lane: Lane, picture: Picture, *, narrow: bool) -> None:
    directions: tuple[tuple[Points, int, Tone], ...] = ((lane.harmless, 1, "harmless"), (lane.worse, -1, "worse"))
    for points, sign, tone in directions:
        colour = COLOURS[tone]
        times, shares = _held_on(points, picture.length)
        values = [sign * share for share in shares]
        panel.fill_between(times, values, step="post", color=colour, alpha=0.18, lw=0)
        panel.step(times, values, where="post", color=colour, lw=1.6)
        panel.axhline(sign, color=colour, lw=1, ls=(0, (5, 3)))
        if reached := next((time for time, share in points if share >= 1), None):
            panel.plot([reached], [sign], marker="o", ms=5, color=colour, clip_on=False, zorder=5)
    if lane.asked_from is None or lane.asked_from > 0:
        until = picture.length if lane.asked_from is None else lane.asked_from
        panel.axvspan(0, until, ymin=0.51, color="white", alpha=0.55, lw=0, zorder=3)
        panel.text(
            0.006, 0.72, "not asked for yet", color=FAINT, va="top", fontsize=7.5, transform=panel.transAxes, zorder=4
        )
    for span in picture.weights[1:]:
        panel.axvline(span.start, color=FAINT, lw=0.7, ls=":")
    if picture.decided is not None:
        panel.axvline(picture.decided, color=INK, lw=1.2, clip_on=False)
    panel.axhline(0, color=INK, lw=0.6)
    panel.set_ylim(-1.3, 1.3)
    panel.set_yticks([1, 0, -1], ["100 %", "0", "100 %"])
    weight = "bold" if lane is picture.lanes[0] else "normal"
    if narrow:
        panel.text(0, 1.03, lane.name, va="bottom", fontweight=weight, transform=panel.transAxes)
    else:
        at = panel.get_yaxis_transform()
        panel.text(-0.07, 0, lane.name, ha="right", va="center", fontweight=weight, transform=at)


def _beside(panel: "Axes", row: Row | None) -> None:
    """Say what the boundaries of the verdict are, or what the arms of a metric have counted."""
    if row is None:
        for height, text, colour in (
            (1, "harmless:\npromote", COLOURS["harmless"]),
            (-1, "worse:\nabort", COLOURS["worse"]),
        ):
            panel.text(1.01, height, text, color=colour, va="center", transform=panel.get_yaxis_transform())
        return
    said = f"canary {row.canary}\nstable {row.stable}\n{row.difference}, margin {row.margin}"
    panel.text(1.01, 0, said, fontsize=8, va="center", linespacing=1.4, transform=panel.get_yaxis_transform())


def _held_on(points: Points, length: float) -> tuple[list[float], list[float]]:
    """A share holds until the next is known, the last one until the end."""
    extended = [*points, (length, points[-1][1])] if points else []
    return [time for time, _ in extended], [share for _, share in extended]


def _held(panel: "Axes", picture: Picture, reasons: list[str], *, narrow: bool) -> None:
    alpha = 0.5 if narrow else None  # there the reason stands on it
    for span in picture.held:
        panel.barh(
            reasons.index(span.label), span.end - span.start, left=span.start, height=0.6, color=HELD, alpha=alpha, lw=0
        )
    panel.set_yticks(range(len(reasons)), [] if narrow else reasons)
    panel.set_ylim(len(reasons) - 0.4, -0.6)
    if narrow:
        for number, reason in enumerate(reasons):
            panel.text(0.01, number, reason, va="center", transform=panel.get_yaxis_transform())
    else:
        panel.text(1.01, 0.5, "held up by", color=FAINT, va="center", transform=panel.transAxes)


def _time(panel: "Axes", length: float, *, labelled: bool, most: int) -> None:
    panel.set_xlim(0, length)
    times = ticks(length)
    times = times[:: -(-len(times) // most)]
    panel.set_xticks(times, [duration(tick) for tick in times] if labelled else [])
    panel.tick_params(length=2, color=FAINT)
    panel.patch.set_visible(False)
    for side in ("top", "right", "bottom", "left"):
        panel.spines[side].set_visible(False)
