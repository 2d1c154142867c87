"""How a model is often served: FastAPI checks the request, pandas makes the features, scikit-learn predicts."""

import os
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import Field, create_model

from slipway import features
from slipway.schema import COLUMNS, Column, Kind


def _type(column: Column) -> Any:  # noqa: ANN401  # a type, as pydantic reads them
    if column.kind is Kind.CATEGORY:
        return Literal[column.choices]
    if column.kind is Kind.NUMBER:
        return Annotated[float, Field(ge=column.low, le=column.high)]
    return date if column.kind is Kind.DATE else Annotated[int, Field(ge=0, le=2359)]


CATEGORIES = [feature for feature in features.FEATURES if feature.choices]
FIELDS: dict[str, Any] = {name: (_type(COLUMNS[name]) | None, None) for name in features.READ}
Flight = create_model("Flight", **FIELDS)
estimator = joblib.load(Path(os.environ["BENCH_MODEL"], "model.joblib"))  # written by the benchmark a moment ago
app = FastAPI()


@app.post("/predict")
def predict(flight: Flight) -> dict[str, float]:  # type: ignore[valid-type]  # made above
    """Answer one flight."""
    frame = pd.DataFrame([flight.model_dump()])  # type: ignore[attr-defined]  # it is a model
    frame["minute"] = frame["sched_dep_time"] // 100 * 60 + frame["sched_dep_time"] % 100
    frame["weekday"] = pd.to_datetime(frame["date"]).dt.weekday + 1
    for feature in CATEGORIES:
        frame[feature.name] = pd.Categorical(frame[feature.column], categories=feature.choices).codes
    inputs = frame[list(features.NAMES)].astype(float)
    return {"probability": float(estimator.predict_proba(inputs)[0, 1])}
