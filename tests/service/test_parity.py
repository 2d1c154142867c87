"""What is served is what was trained: the same features, the same probabilities, one by one or together."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import requests
from tests.conftest import Project

from slipway import features
from slipway.adapters.onnx import Scorer

Predict = Callable[..., requests.Response]


@pytest.fixture(scope="module")
def rows(trained: Project) -> pl.DataFrame:
    """A thousand real flights of the test window, as the stages prepared them."""
    return pl.read_parquet(trained.root / "artifacts/splits/test.parquet").head(1000)


@pytest.fixture(scope="module")
def flights(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """The same flights as a caller writes them: missing values left out of every second one, null in the others."""
    plain = [row | {"date": str(row["date"])} for row in rows.select(features.READ).to_dicts()]
    return [
        {name: value for name, value in flight.items() if value is not None} if number % 2 else flight
        for number, flight in enumerate(plain)
    ]


def test_the_service_encodes_as_training_does(rows: pl.DataFrame, flights: list[dict[str, Any]]) -> None:
    """A flight that came as JSON has exactly the features that the same row has in training's matrix."""
    import json

    from msgspec.structs import astuple

    from contract import Flight, decode

    encode = features.row_encoder(Flight.__struct_fields__)
    served = np.array([encode(astuple(flight)) for flight in decode(json.dumps(flights).encode())[0]], np.float32)
    np.testing.assert_array_equal(served, features.matrix(rows))


def test_a_thousand_rows_get_the_models_probabilities(
    predict: Predict, model: Path, rows: pl.DataFrame, flights: list[dict[str, Any]]
) -> None:
    """The largest request is answered in order, with what the model says of training's own matrix."""
    answers = predict(flights).json()
    expected = Scorer((model / "model.onnx").read_bytes()).score(features.matrix(rows))
    assert len(answers) == 1000
    np.testing.assert_allclose([answer["probability"] for answer in answers], expected, rtol=0, atol=1e-7)
    assert len({answer["probability"] for answer in answers}) > 100


def test_a_batch_equals_its_singles(predict: Predict, flights: list[dict[str, Any]]) -> None:
    """A flight's answer does not depend on its company."""
    together = predict(flights[:50]).json()
    alone = [predict(flight).json() for flight in flights[:50]]
    assert predict(flights[:1]).json() == alone[:1]
    for one, other in zip(together, alone, strict=True):
        assert one["probability"] == pytest.approx(other["probability"], abs=1e-7)
        assert {**one, "probability": 0} == {**other, "probability": 0}
