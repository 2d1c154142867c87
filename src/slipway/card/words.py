"""What a person says about the model: what it is for, where it ends, whom it may harm. Every number is the records'."""

import re
from typing import Annotated, Any

import msgspec

from slipway.card.parts import Text, Texts
from slipway.errors import Rejected

FIGURE = re.compile(
    r"\d[\d.,]*\s*%|(?<![\w.])0?\.\d+"
)  # 5 %, 0.64, .5: measured, so it would be wrong after the next training
GUIDE = "docs/model-card.md says what belongs there."


class _Words(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Output(_Words, frozen=True, kw_only=True):
    """A field of the answer."""

    name: Text
    about: Text


class Data(_Words, frozen=True, kw_only=True):
    """Where the data come from; `licence` is an SPDX identifier, `sensitive` names what in them is about people."""

    name: Text
    about: Text
    licence: Text
    sensitive: tuple[Text, ...]


class Risk(_Words, frozen=True, kw_only=True):
    """What may go wrong for people, and what is done about it."""

    name: Text
    mitigation: Text


class Fairness(_Words, frozen=True, kw_only=True):
    """A way to slice the rows that may set one group back: who is in them, and what that does to whom."""

    group: Text
    benefits: Text
    harms: Text
    mitigation: Text


class Words(_Words, frozen=True, kw_only=True):
    """The whole file."""

    name: Text
    about: Text
    licence: Text  # of the model, an SPDX identifier
    task: Text
    outputs: Annotated[tuple[Output, ...], msgspec.Meta(min_length=1)]
    data: Data
    users: Texts
    uses: Texts
    limits: Texts
    tradeoffs: Texts
    risks: Annotated[tuple[Risk, ...], msgspec.Meta(min_length=1)]
    fairness: dict[str, Fairness]  # by the column that evaluate slices by


def parse(raw: Any, origin: str) -> Words:  # noqa: ANN401  # whatever the YAML holds
    """Check the parsed YAML of a card's words; line breaks within a text become blanks.

    Raises:
        Rejected: a key is unknown or missing, a text is empty or holds a measured number.

    """
    try:
        words = msgspec.convert(_one_line(raw), Words)
    except msgspec.ValidationError as error:
        raise Rejected(f"{origin}: {error}", GUIDE) from error
    for text in _texts(msgspec.to_builtins(words)):
        if found := FIGURE.search(text):
            raise Rejected(
                f"{origin} says {found[0]!r} in {text!r}",
                "Say it without the number: numbers of the card come from what was measured.",
            )
    return words


def _one_line(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, dict):
        return {key: _one_line(item) for key, item in value.items()}
    return [_one_line(item) for item in value] if isinstance(value, list) else value


def _texts(value: Any) -> list[str]:  # noqa: ANN401
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value
    return [text for item in items for text in _texts(item)]
