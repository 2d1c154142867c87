"""What travels between steps: frozen records, to and from JSON text.

Every record that reaches a disk carries `schema_version`. Reading is strict: an unknown key, a missing one, a wrong
type or a NaN (which JSON writes as null) is an error, never a default.
"""

import math
from typing import Any, TypeVar

import msgspec

from slipway.errors import Broken

Record = TypeVar("Record", bound=msgspec.Struct)
DIGITS = 9  # floats are rounded on the way out, so that the last bits of a processor do not reach Git


def dumps(record: msgspec.Struct) -> str:
    """Render a record as JSON with sorted keys, rounded floats and a final newline: the same record, the same bytes."""
    plain = _rounded(msgspec.to_builtins(record))
    return msgspec.json.format(msgspec.json.encode(plain, order="sorted"), indent=2).decode() + "\n"


def loads(kind: type[Record], text: str | bytes, origin: str) -> Record:
    """Read a record of `kind` from JSON text; `origin` names the place it came from in an error.

    Raises:
        Broken: the text is no JSON, or not exactly such a record.

    """
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError as error:
        raise Broken(
            f"{origin} holds no valid {kind.__name__}: {error}", "Make it again with the command that wrote it."
        ) from error


def _rounded(value: Any) -> Any:  # noqa: ANN401  # JSON values, of any shape
    if isinstance(value, float):
        return round(value, DIGITS) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
