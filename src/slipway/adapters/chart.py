"""matplotlib: a picture of how a verdict came about. The same picture gives the same bytes."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from slipway.canary.explaining import Lane, Picture, Points, Row, Tone, ticks
from slipway.canary.units import duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT = "#222222", "#8a8a8a"
COLOURS: dict[Tone, str] = {
    "harmless": "#0072b2",
    "worse": "#d55e00",
    "open": "#f0e442",
}  # Okabe and Ito: for every eye
HELD = "#e69f00"
DPI = 120
COLUMNS = 118  # characters on a line


def write(picture: Picture, path: Path) -> None:
    """Draw a picture as PNG: weights, evidence in both directions against its boundaries, and what held it up."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    reasons = list(dict.fromkeys(span.label for span in picture.held))
    heights = [0.35, 2.0, *(1.0 for _ in picture.lanes[1:]), *([0.3 + 0.22 * len(reasons)] if reasons else [])]
    sentences = [line for sentence in picture.sentences for line in wrap(sentence, COLUMNS)]
    head = 1.0 + 0.22 * len(sentences)
    with mpl.rc_context({"font.family": "DejaVu Sans", "font.size": 9, "text.color": INK, "svg.hashsalt": "slipway"}):
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
        panels = [figure.add_subplot(grid[number]) for number in range(len(heights))]
        _head(figure, picture, sentences, tall)
        _weights(panels[0], picture)
        for panel, lane, row in zip(panels[1:], picture.lanes, (None, *picture.rows), strict=False):
            _lane(panel, lane, picture)
            _beside(panel, row)
        if reasons:
            _held(panels[-1], picture, reasons)
        for panel in panels:
            _time(panel, picture.length, labelled=panel is panels[-1])
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="png", metadata={"Software": None})


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


def _weights(panel: "Axes", picture: Picture) -> None:
    for number, span in enumerate(picture.weights):
        panel.axvspan(span.start, span.end, color=str(0.93 - 0.07 * (number % 3)), lw=0)
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
    panel.set_ylabel("weight", rotation=0, ha="right", va="center")


def _lane(panel: "Axes", lane: Lane, picture: Picture) -> None:
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
    panel.text(-0.07, 0, lane.name, ha="right", va="center", fontweight=weight, transform=panel.get_yaxis_transform())


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


def _held(panel: "Axes", picture: Picture, reasons: list[str]) -> None:
    for span in picture.held:
        panel.barh(reasons.index(span.label), span.end - span.start, left=span.start, height=0.6, color=HELD, lw=0)
    panel.set_yticks(range(len(reasons)), reasons)
    panel.set_ylim(len(reasons) - 0.4, -0.6)
    panel.text(1.01, 0.5, "held up by", color=FAINT, va="center", transform=panel.transAxes)


def _time(panel: "Axes", length: float, *, labelled: bool) -> None:
    panel.set_xlim(0, length)
    panel.set_xticks(ticks(length), [duration(tick) for tick in ticks(length)] if labelled else [])
    panel.tick_params(length=2, color=FAINT)
    for side in ("top", "right", "bottom", "left"):
        panel.spines[side].set_visible(False)
