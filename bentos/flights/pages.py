"""What the service answers without thinking: the page, its choices, the OpenAPI document, the version."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

import openapi
from contract import EXPECTED, FIELDS
from slipway.records import Bundle, ModelInfo
from slipway.schema import Column, Kind

KINDS = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
}
POLICY = (
    b"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
)
HEADERS = (
    (b"content-security-policy", POLICY + b"form-action 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-cache"),
)


@dataclass(frozen=True)
class Answer:
    """A whole answer; `kind` is its content type."""

    status: int
    kind: bytes
    body: bytes


def still(folder: Path) -> dict[str, Answer]:
    """Answers by path, from the page's files under `folder`/page and from the contract."""
    answers = {f"/page/{path.name}": _file(path) for path in sorted((folder / "page").iterdir())}
    document = _json(openapi.document())
    return answers | {
        "/": answers["/page/index.html"],
        "/choices": _json([choice(column) for column in FIELDS]),
        "/openapi.json": document,
        "/docs.json": document,
    }


def choice(column: Column) -> dict[str, Any]:
    """Describe one field of a request for a form: what it is about, and what may be chosen."""
    plain = {"field": column.name, "kind": column.kind, "required": column.required, "about": column.about}
    if column.kind is Kind.NUMBER:
        return plain | {"low": column.low, "high": column.high}
    return plain | ({"choices": column.choices} if column.choices else {"expected": EXPECTED[column.kind](column)})


def version(bundle: Bundle, info: ModelInfo) -> Answer:
    """Answer /version: the chain from this process back to the commit and the data."""
    return _json(
        {
            "release": bundle.version,
            "bento": f"flights:{bundle.version}",
            "model_digest": bundle.model_digest,
            "recipe_digest": bundle.recipe_digest,
            "data_digest": bundle.data_digest,
            "source_commit": bundle.source_commit,
            "request_version": bundle.request_version,
            "estimator": info.estimator,
            "threshold": info.threshold,
            "trained": {"first": info.train.first, "last": info.train.last, "rows": info.train.rows},
        }
    )


def _json(content: Any) -> Answer:  # noqa: ANN401  # anything that JSON can say
    return Answer(200, b"application/json", msgspec.json.encode(content))


def _file(path: Path) -> Answer:
    return Answer(200, KINDS[path.suffix], path.read_bytes())
