"""jinja2: a rehearsal or a model card as one HTML file that fetches nothing. The same facts give the same bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slipway.card import picture, reading
from slipway.card.reading import Card

TEMPLATES = Path(__file__).parent
Table = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Facts:
    """What stands on the page. All of it is text that is escaped, but the drawings, which are ours."""

    title: str
    headline: str
    tone: str  # harmless, worse or open
    sentences: Sequence[str]
    sides: Table  # arm, version, digest
    arms: Table  # arm, requests, errors, p95
    drawings: tuple[str, str] | None  # SVG: wide, narrow
    metrics: Table  # as `explaining.Row`
    held: Table  # reason, from, to, why
    settings: Table  # name, value


def render(facts: Facts) -> str:
    """Write the page of a rehearsal."""
    return _written("page.html.j2", page=facts)


def render_card(card: Card) -> str:
    """Write the page of a model card."""
    return _written("card.html.j2", card=card, picture=picture.draw(card), digest=reading.digest)


def _written(name: str, **facts: object) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    maker = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return maker.get_template(name).render(facts) + "\n"
