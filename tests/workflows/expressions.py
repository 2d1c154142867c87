"""GitHub's expressions, as far as the workflows of this repository use them; whatever else stands there is an error."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<name>[A-Za-z_][\w.-]*)|(?P<sign>&&|\|\||==|!=|!|\(|\)))")
WHOLE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
WORDS = {"true": True, "false": False, "null": None}
STATUS = ("success", "failure", "always", "cancelled")
CONTEXTS = ("env", "github", "inputs", "needs", "runner", "secrets", "steps", "vars")
# What depends on the event or on the repository's settings is empty where it is not set; all else is a mistake.
OPTIONAL = ("inputs.", "secrets.", "vars.", "github.event.", "github.head_ref", "steps.")
Contexts = Mapping[str, Any]
Status = Callable[[str], bool]


class Unknown(Exception):
    """An expression asks for what GitHub does not have, or for what these tests do not play."""


def fill(text: Any, contexts: Contexts, status: Status | None = None) -> Any:
    """Evaluate what stands in `${{ }}`: all of a value as it is, a part of one as text."""
    if not isinstance(text, str):
        return text
    if (alone := WHOLE.fullmatch(text.strip())) and text.count("${{") == 1:
        return evaluate(alone[1], contexts, status)
    return WHOLE.sub(lambda found: as_text(evaluate(found[1], contexts, status)), text)


def condition(text: str | None, contexts: Contexts, status: Status) -> bool:
    """Say whether an `if` lets something run; without a status function it is `success() && ...`."""
    if text is None:
        return status("success")
    bare = found[1] if (found := WHOLE.fullmatch(str(text).strip())) else str(text)
    asked = bool(evaluate(bare, contexts, status))
    return asked and (status("success") or any(f"{name}(" in bare for name in STATUS))


def as_text(value: Any) -> str:
    """Write a value as GitHub does in the middle of a text."""
    if isinstance(value, Mapping):
        raise Unknown(f"a whole context is no text: {list(value)}")
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def evaluate(expression: str, contexts: Contexts, status: Status | None = None) -> Any:
    """Evaluate one expression."""
    tokens, at = [], 0
    while expression[at:].strip():
        found = TOKEN.match(expression, at)
        if found is None:
            raise Unknown(f"{expression!r} at {expression[at:]!r}")
        tokens.append((str(found.lastgroup), str(found[found.lastgroup])))  # type: ignore[index]
        at = found.end()
    value, rest = _or(tokens, contexts, status)
    if rest:
        raise Unknown(f"{expression!r} goes on with {rest}")
    return value


Tokens = Sequence[tuple[str, str]]


def _or(tokens: Tokens, contexts: Contexts, status: Status | None) -> tuple[Any, Tokens]:
    value, tokens = _and(tokens, contexts, status)
    while tokens and tokens[0][1] == "||":
        other, tokens = _and(tokens[1:], contexts, status)
        value = value or other
    return value, tokens


def _and(tokens: Tokens, contexts: Contexts, status: Status | None) -> tuple[Any, Tokens]:
    value, tokens = _equal(tokens, contexts, status)
    while tokens and tokens[0][1] == "&&":
        other, tokens = _equal(tokens[1:], contexts, status)
        value = value and other
    return value, tokens


def _equal(tokens: Tokens, contexts: Contexts, status: Status | None) -> tuple[Any, Tokens]:
    value, tokens = _one(tokens, contexts, status)
    while tokens and tokens[0][1] in ("==", "!="):
        sign = tokens[0][1]
        other, tokens = _one(tokens[1:], contexts, status)
        value = _same(value, other) == (sign == "==")
    return value, tokens


def _one(tokens: Tokens, contexts: Contexts, status: Status | None) -> tuple[Any, Tokens]:
    if not tokens:
        raise Unknown("an expression ends too early")
    (kind, word), rest = tokens[0], tokens[1:]
    if word == "!":
        value, rest = _one(rest, contexts, status)
        return not value, rest
    if word == "(":
        value, rest = _or(rest, contexts, status)
        if not rest or rest[0][1] != ")":
            raise Unknown("a parenthesis is never closed")
        return value, rest[1:]
    if kind == "text":
        return word[1:-1].replace("''", "'"), rest
    if [each for _, each in rest[:2]] == ["(", ")"]:
        if word not in STATUS or status is None:
            raise Unknown(f"{word}() is not played here")
        return status(word), rest[2:]
    if kind == "name":
        return WORDS[word] if word in WORDS else _look_up(word, contexts), rest
    raise Unknown(f"{word!r} is not played here")


def _look_up(path: str, contexts: Contexts) -> Any:
    first, *others = path.split(".")
    if first not in CONTEXTS or first not in contexts:
        raise Unknown(f"there is no {first} here: {path}")
    value: Any = contexts[first]
    for name in others:
        if not isinstance(value, Mapping) or name not in value:
            if path.startswith(OPTIONAL):
                return None
            raise Unknown(f"{path} is nowhere defined")
        value = value[name]
    return value


def _same(one: Any, other: Any) -> bool:
    """Compare as GitHub does: texts in any case, all else as numbers where the kinds differ."""
    if isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()
    if type(one) is type(other):
        return bool(one == other)
    return _number(one) == _number(other)


def _number(value: Any) -> float:
    try:
        return float(value or 0)
    except ValueError:
        return float("nan")
