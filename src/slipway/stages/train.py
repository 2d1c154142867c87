"""Train the estimators, keep the better by time-ordered validation, refit it on all of training, convert it to ONNX.

The conversion must agree with the fitted estimator over the whole test split, fed by the service's own encoding of
single flights: that one number shows that neither ONNX nor the service skews what was trained.
"""

import argparse
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from slipway import digests, features, model, schema, window
from slipway.adapters import files, onnx
from slipway.errors import Rejected
from slipway.params import Params
from slipway.records import ModelFeature, ModelInfo, Split
from slipway.stages import run

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


def main(argv: list[str] | None = None) -> None:
    """Read --splits, write model.onnx and model.json to --out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)

    params = files.read_params()
    train, test = (pl.read_parquet(args.splits / f"{name}.parquet") for name in ("train", "test"))
    split = files.read_record(Split, args.splits / "split.json")

    losses = validate(train, params)
    chosen = min(losses, key=lambda name: losses[name])
    fitted = model.candidates(params.train)[chosen].fit(features.matrix(train), train["late"].to_numpy())
    content = onnx.convert(fitted, len(features.FEATURES))
    difference = parity(fitted, content, test)
    if not difference <= params.train.parity:
        raise Rejected(
            f"ONNX and the fitted {chosen} differ by up to {difference:.1e} on the test split;"
            f" {params.train.parity:.0e} is allowed",
            "Remove what float32 cannot carry (a scaler before trees, huge values), or use another estimator.",
        )

    info = ModelInfo(
        model_digest=digests.of_bytes(content),
        estimator=chosen,
        request_version=schema.VERSION,
        features=tuple(ModelFeature(name=f.name, column=f.column, choices=f.choices) for f in features.FEATURES),
        threshold=window.settings(params.evaluate)[0].threshold,
        train=split.train,
        validation_log_loss=losses,
        parity=difference,
    )
    with files.new_folder(args.out) as folder:
        (folder / "model.onnx").write_bytes(content)
        files.write_record(folder / "model.json", info)


def validate(train: pl.DataFrame, params: Params) -> dict[str, float]:
    """Log loss of each estimator on the last days of training, fitted on the days before them."""
    from sklearn.metrics import log_loss

    border = train["date"].max() - timedelta(days=params.train.validation_days)  # type: ignore[operator]  # a date column
    before, after = train.filter(pl.col("date") <= border), train.filter(pl.col("date") > border)
    for rows, part in ((before, "to learn from"), (after, "to validate on")):
        if rows["late"].n_unique() < 2:
            raise Rejected(
                f"the training window leaves {rows.height} flights {part}, with {rows['late'].n_unique()} outcomes",
                f"Add months to data/, look at {schema.TRUTH}, or lower train.validation_days in params.yaml.",
            )
    inputs, truth, unseen = features.matrix(before), before["late"].to_numpy(), features.matrix(after)
    return {
        name: float(
            log_loss(after["late"], estimator.fit(inputs, truth).predict_proba(unseen)[:, 1], labels=[False, True])
        )
        for name, estimator in model.candidates(params.train).items()
    }


def parity(fitted: "Pipeline", content: bytes, test: pl.DataFrame) -> float:
    """Largest |P(ONNX, flights encoded one by one) - P(estimator, encoded as a frame)| over the test split."""
    encode = features.row_encoder()
    rows = np.array([encode(row) for row in test.select(features.READ).iter_rows()], dtype=np.float32)
    expected = fitted.predict_proba(features.matrix(test))[:, 1]
    return float(np.abs(onnx.Scorer(content).score(rows) - expected).max())


if __name__ == "__main__":
    run(main)
