"""The least that can serve the model in Python: uvicorn, a typed decoder, the features, ONNX. Nothing is checked."""

import os
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from slipway import features
from slipway.adapters.onnx import Scorer
from slipway.schema import COLUMNS, Kind

TYPES: dict[Kind, Any] = {Kind.CATEGORY: str, Kind.DATE: date, Kind.CLOCK: int, Kind.NUMBER: float}
Flight = msgspec.defstruct(
    "Flight", [(name, TYPES[COLUMNS[name].kind] | None, None) for name in features.READ], gc=False
)
decode = msgspec.json.Decoder(Flight).decode
encode = msgspec.json.Encoder().encode
row = features.row_encoder()
score = Scorer(Path(os.environ["BENCH_MODEL"], "model.onnx").read_bytes()).score


async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  # ASGI
    """Answer any request as if it were a flight."""
    if scope["type"] != "http":
        return
    flight = decode((await receive())["body"])
    probability = score(np.array([row(msgspec.structs.astuple(flight))], np.float32)).item()
    body = encode({"probability": probability})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
