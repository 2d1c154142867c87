"""How a model is often served: FastAPI checks the request, pandas holds the row, scikit-learn predicts."""

import os
from datetime import date
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import create_model

from slipway import features
from slipway.schema import COLUMNS, Kind

TYPES: dict[Kind, Any] = {Kind.CATEGORY: str, Kind.DATE: date, Kind.CLOCK: int, Kind.NUMBER: float}
FIELDS: dict[str, Any] = {name: (TYPES[COLUMNS[name].kind] | None, None) for name in features.READ}
Flight = create_model("Flight", **FIELDS)
row = features.row_encoder()
estimator = joblib.load(Path(os.environ["BENCH_MODEL"], "model.joblib"))  # written by the benchmark a moment ago
app = FastAPI()


@app.post("/predict")
def predict(flight: Flight) -> dict[str, float]:  # type: ignore[valid-type]  # made above
    """Answer one flight."""
    frame = pd.DataFrame([row([getattr(flight, name) for name in features.READ])], columns=list(features.NAMES))
    return {"probability": float(estimator.predict_proba(frame)[0, 1])}
