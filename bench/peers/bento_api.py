"""BentoML as its documentation shows it: a class, a typed method, the same ONNX model."""

import os
from datetime import date
from pathlib import Path
from typing import Any

import bentoml
import numpy as np

from slipway import features
from slipway.adapters.onnx import Scorer


@bentoml.service(workers=1)
class Documented:
    """Predicts one flight."""

    def __init__(self) -> None:
        self.score = Scorer(Path(os.environ["BENCH_MODEL"], "model.onnx").read_bytes()).score
        self.row = features.row_encoder()

    @bentoml.api
    def predict(self, flight: dict[str, Any]) -> dict[str, float]:
        """Answer one flight."""
        values = [flight.get(name) for name in features.READ]
        values[features.READ.index("date")] = date.fromisoformat(flight["date"])
        return {"probability": self.score(np.array([self.row(values)], np.float32)).item()}
