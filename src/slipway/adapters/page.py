"""jinja2: a rehearsal as one HTML file that fetches nothing. The same facts give the same bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TEMPLATE = Path(__file__).with_name("page.html.j2")
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
    """Write the page."""
    from jinja2 import Environment, StrictUndefined

    maker = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return maker.from_string(TEMPLATE.read_text(encoding="utf-8")).render(page=facts) + "\n"
