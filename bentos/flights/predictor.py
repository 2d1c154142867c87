"""The model that a bento holds, opened only if it is exactly the one that the bento was made for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

import whole
from contract import Flight
from slipway import digests, features, records, schema
from slipway.adapters.onnx import Scorer
from slipway.errors import Broken, Rejected
from slipway.records import Bundle, ModelFeature, ModelInfo

Record = TypeVar("Record", bound=msgspec.Struct)
REMEDY = "Serve the bento that `slipway package` made; its digest stands in the release record."


class Predictor:
    """A verified model. `bundle` and `info` say where it comes from."""

    def __init__(self, folder: Path) -> None:
        """Open `folder`/bundle.json and `folder`/model/, in the bento above.

        Raises:
            Rejected: the model is not the one that the bundle names, or was made for other features or requests; or a
                file of the bento is not as it was released.
            Broken: a file is missing or cannot be read.

        """
        content = _read(folder / "model" / "model.onnx")
        self.bundle = _record(Bundle, folder / "bundle.json")
        self.info = _record(ModelInfo, folder / "model" / "model.json")
        check(content, self.bundle, self.info)  # first, as it can say which file is wrong
        whole.check(folder.parent)
        self._scorer = Scorer(content)
        self._encode = features.row_encoder(Flight.__struct_fields__)

    def score(self, flights: Sequence[msgspec.Struct]) -> list[float]:
        """Probability of being late, for each flight."""
        encode, values = self._encode, msgspec.structs.astuple
        scores: list[float] = self._scorer.score(np.array([encode(values(f)) for f in flights], np.float32)).tolist()
        return scores


def check(content: bytes, bundle: Bundle, info: ModelInfo) -> None:
    """Compare a model's bytes with what the bundle and the model's own record say, and its inputs with this code.

    Raises:
        Rejected: they differ.

    """
    here = tuple(ModelFeature(name=f.name, column=f.column, choices=f.choices) for f in features.FEATURES)
    digest = digests.of_bytes(content)
    for what, found, expected in (
        ("the digest of model.onnx", digest, bundle.model_digest),
        ("the digest in model.json", info.model_digest, bundle.model_digest),
        ("the request version of the model", info.request_version, schema.VERSION),
        ("the request version of the bundle", bundle.request_version, schema.VERSION),
        ("the features of the model", info.features, here),
    ):
        if found != expected:
            raise Rejected(f"{what} is {_short(found)}, expected {_short(expected)}", REMEDY)


def _short(value: Any) -> str:  # noqa: ANN401  # a digest, a number, or a tuple of features
    return str([feature.name for feature in value]) if isinstance(value, tuple) else str(value)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Broken(f"{path.name} cannot be read: {error.strerror}", REMEDY) from error


def _record(kind: type[Record], path: Path) -> Record:
    return records.loads(kind, _read(path), path.name)
