"""prepare, train and evaluate on real flights of the small profile."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from slipway import digests, features
from slipway.adapters import files, onnx, tree
from slipway.errors import Broken, Rejected
from slipway.records import Metrics, ModelInfo, Split


def test_split_is_in_time(trained: Any) -> None:
    """Every training day lies before every test day, and only flights with a known arrival are kept."""
    split = files.read_record(Split, trained.root / "artifacts/splits/split.json")
    train, test = (pl.read_parquet(trained.root / f"artifacts/splits/{name}.parquet") for name in ("train", "test"))

    assert train["date"].max() < test["date"].min()
    assert (split.train.rows, split.test.rows) == (train.height, test.height)
    assert 0.9 < split.test.coverage < 1
    assert train["late"].null_count() == 0


def test_model_is_what_its_record_says(trained: Any) -> None:
    """model.json holds the digest of model.onnx, the features in order, and a parity within the limit."""
    folder = trained.root / "artifacts/model"
    info = files.read_record(ModelInfo, folder / "model.json")

    assert info.model_digest == digests.of_bytes((folder / "model.onnx").read_bytes())
    assert tuple(feature.name for feature in info.features) == features.NAMES
    assert info.parity <= 1e-5
    assert info.estimator == min(info.validation_log_loss, key=lambda name: info.validation_log_loss[name])


def test_frames_and_single_flights_are_encoded_alike(trained: Any) -> None:
    """The service's encoding of one flight equals training's encoding of a frame, missing values included."""
    test = pl.read_parquet(trained.root / "artifacts/splits/test.parquet").head(300)
    encode = features.row_encoder()
    single = np.array([encode(row) for row in test.select(features.READ).iter_rows()], dtype=np.float32)

    np.testing.assert_array_equal(single, features.matrix(test))
    assert np.isnan(single).any()


def test_number_is_encoded_as_its_feature_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number with an encoding of its own is encoded by it in a frame, too, and not only for one flight."""
    chill = features.Feature("chill", "temp", lambda fahrenheit: (fahrenheit - 32) / 2)
    monkeypatch.setattr(features, "FEATURES", (chill,))
    single = [features.row_encoder(["temp"])([value]) for value in (50.0, None)]

    np.testing.assert_array_equal(features.matrix(pl.DataFrame({"temp": [50.0, None]}), ["chill"]), single)


def test_same_inputs_give_the_same_bytes(trained: Any, make_project: Callable[[], Any]) -> None:
    """A second run in another folder writes the same splits, model and metrics, byte for byte."""
    again = make_project().run()

    for name in ("splits", "model", "plots"):
        first, second = (tree.read(project.root / "artifacts" / name) for project in (trained, again))
        assert first == second
    assert (trained.root / "artifacts/metrics.json").read_bytes() == (
        again.root / "artifacts/metrics.json"
    ).read_bytes()


@pytest.mark.parametrize("seed", ["1", "random"])
def test_the_hash_seed_does_not_reach_the_model(seed: str, trained: Any, tmp_path: Path) -> None:
    """DVC starts a stage with whatever seed its shell has; seed 1 turned the order of a set in the model's head."""
    command = (sys.executable, "-m", "slipway.stages.train", "--splits", "artifacts/splits", "--out", str(tmp_path))
    environment = os.environ | {"PYTHONHASHSEED": seed}
    subprocess.run(command, cwd=trained.root, env=environment, check=True, capture_output=True)
    assert (tmp_path / "model.onnx").read_bytes() == (trained.root / "artifacts/model/model.onnx").read_bytes()


def test_metrics_hold_intervals_and_slices(trained: Any) -> None:
    """Each metric lies in its interval; a slice with too few rows is named, without a metric."""
    metrics = files.read_record(Metrics, trained.root / "artifacts/metrics.json")

    expected = {"auc", "average_precision", "log_loss", "brier", "calibration_error", "f1", "cost"}
    assert set(metrics.overall) == expected
    assert all(e.low <= e.value <= e.high for name, e in metrics.overall.items() if name != "calibration_error")
    assert {group.by for group in metrics.slices} == {"origin", "carrier", "hour"}
    assert any(group.auc is None for group in metrics.slices)
    assert set(metrics.importance) == set(features.NAMES)


def test_parity_beyond_the_limit_is_rejected_and_writes_nothing(trained: Any, make_project: Callable[[], Any]) -> None:
    """A model whose ONNX form differs from the fitted one is refused before anything is written."""
    project = make_project().params(train__parity=1e-12).run("prepare")

    with pytest.raises(Rejected, match="differ by up to"):
        project.run("train")
    assert not (project.root / "artifacts/model").exists()


def test_one_month_cannot_be_split(make_project: Callable[[], Any]) -> None:
    """With as many test months as data, the stage says so and leaves no half-written split."""
    project = make_project().params(prepare__test_months=2)

    with pytest.raises(Broken, match="cannot give 2 for the test"):
        project.run("prepare")
    assert not list((project.root / "artifacts").glob("*")) if (project.root / "artifacts").exists() else True


def test_feature_known_only_after_departure_is_refused() -> None:
    """A feature that reads the truth, or what comes after departure, cannot even be declared."""
    with pytest.raises(Broken, match="known only after departure"):
        features._number("dep_delay")


def test_foreign_model_bytes_are_refused() -> None:
    """Bytes that are no ONNX model are a breakage with a remedy."""
    with pytest.raises(Broken, match="cannot be loaded"):
        onnx.Scorer(b"not a model")
