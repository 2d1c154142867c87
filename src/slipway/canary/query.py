"""The question that the analysis asks, as the Prometheus query API carries it: verdict{namespace="flights", ...}.

The answer is a vector of one: 1 promotes, 0 asks again, and below 0 it aborts, for the cause that `CAUSES` names.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec

from slipway.canary.records import Timing
from slipway.errors import Rejected
from slipway.records import Cause

MAX_LENGTH = 2000
LONGEST = 100 * 86400.0  # seconds; a look takes room and time for every cell of it, with requests or without
SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
NAMES = ("namespace", "rollout", "environment")
SPANS = Timing.__struct_fields__
CAUSES: dict[float, Cause] = {-1: "verdict", -2: "unavailable", -3: "deadline"}  # of an abort, as answered
REMEDY = (
    'Ask verdict{namespace="NAMESPACE", rollout="NAME", maturity="6h"}, and if need be with bake, cycle, deadline '
    "and environment."
)

_QUERY = re.compile(r"\s*verdict\s*\{(.*)\}\s*", re.DOTALL)
_MATCHER = re.compile(r"""\s*([a-z]+)\s*=\s*("[^"\\\n]*"|'[^'\\\n]*'|`[^`]*`)\s*(?:,|$)""")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # of a Kubernetes object; nothing that PromQL would read
_DURATION = re.compile(r"(?:[0-9]+(?:ms|[smhdwy]))+|0")
_PART = re.compile(r"([0-9]+)(ms|[smhdwy])")


Instant = Annotated[float, msgspec.Meta(ge=0, le=1e11)]  # seconds since 1970


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Which rollout is asked about, and what its environment asks for."""

    namespace: str
    rollout: str
    environment: str  # as the ledger names it
    timing: Timing


def parse(query: str) -> Question:
    """Read a PromQL selector of `verdict`.

    Raises:
        Rejected: it is no such selector, or a label is unknown, missing, given twice or holds nonsense.

    """
    found = _QUERY.fullmatch(query) if len(query) <= MAX_LENGTH else None
    if found is None:
        raise Rejected("the query is no selector of verdict", REMEDY)
    inside, position, labels = found[1], 0, dict[str, str]()
    while inside[position:].strip():
        matcher = _MATCHER.match(inside, position)
        if matcher is None or matcher[1] in labels:
            raise Rejected("a label of the query cannot be read, or stands there twice", REMEDY)
        labels[matcher[1]] = matcher[2][1:-1]
        position = matcher.end()
    if "maturity" not in labels:
        raise Rejected("the query does not say how long truth may take", 'Name it; maturity="0s" does without truth.')
    return question(labels)


def question(labels: Mapping[str, str]) -> Question:
    """Check the labels of a question; `parse` has its errors. An environment without a name has its namespace's."""
    labels = {"environment": labels.get("namespace", ""), **labels}
    unknown = sorted(set(labels) - {*NAMES, *SPANS})
    if unknown:
        raise Rejected(f"the judge knows no label {unknown[0][:40]!r}", REMEDY)
    for name in NAMES:
        if not _NAME.fullmatch(labels.get(name, "")):
            raise Rejected(f"the query names no {name}", REMEDY)
    return Question(**{name: labels[name] for name in NAMES}, timing=timing(labels))


def timing(labels: Mapping[str, str]) -> Timing:
    """Read what an environment asks for; `seconds` has the errors."""
    return Timing(**{name: seconds(labels[name]) for name in SPANS if name in labels})


def seconds(duration: str) -> float:
    """Read a Prometheus duration: 30m, 1h30m, 0.

    Raises:
        Rejected: it is none.

    """
    known = len(duration) <= 40 and _DURATION.fullmatch(duration)
    total = float(sum(int(number) * SECONDS[unit] for number, unit in _PART.findall(duration))) if known else -1.0
    if not 0 <= total <= LONGEST:
        raise Rejected(f"{duration[:40]!r} is no duration", "Write it as 30m, 6h or 1h30m, 100 days at most.")
    return total


def instant(text: str) -> float:
    """Read a time as the Prometheus query API has it: seconds since 1970, or 2026-11-21T12:00:00Z.

    Raises:
        Rejected: it is none.

    """
    try:
        return msgspec.convert(float(text), Instant)
    except ValueError:  # of which msgspec's error is one
        pass
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return found.timestamp()
    except (ValueError, OverflowError):
        pass
    raise Rejected(f"{text[:40]!r} is no time", "Give seconds since 1970, or 2026-11-21T12:00:00Z.")
