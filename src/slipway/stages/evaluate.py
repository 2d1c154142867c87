"""Measure the ONNX model, the one that will be served, on the test window it has not seen."""

import argparse
from pathlib import Path

import numpy as np
import polars as pl

from slipway import digests, features, metrics, window
from slipway.adapters import files, onnx
from slipway.errors import Rejected
from slipway.metrics import Bootstrap, Scored
from slipway.params import Evaluate
from slipway.records import Metrics, ModelInfo, SliceMetrics, Split
from slipway.schema import TRUTH
from slipway.stages import run


def main(argv: list[str] | None = None) -> None:
    """Read --splits and --model, write metrics.json to --metrics and CSV plots to --plots."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--plots", type=Path, required=True)
    args = parser.parse_args(argv)

    params = files.read_params().evaluate
    info = files.read_record(ModelInfo, args.model / "model.json")
    scorer = onnx.Scorer(_verified(args.model / "model.onnx", info))
    test = pl.read_parquet(args.splits / "test.parquet")
    if test["late"].n_unique() < 2:
        raise Rejected(
            f"all {test.height} flights of the test window have the same outcome: nothing can be measured on it",
            f"Look at {TRUTH} in the newest months of the data.",
        )
    inputs = features.matrix(test)
    scored = window.scored(test, scorer.score(inputs))
    costs, bootstrap = window.settings(params)

    importance = _importance(scorer, inputs, scored, params)
    result = Metrics(
        model_digest=info.model_digest,
        test=files.read_record(Split, args.splits / "split.json").test,
        confidence=params.confidence,
        overall=metrics.overall(scored, costs, bootstrap),
        slices=slices(test, scored, bootstrap, params.slice_min_rows),
        importance=importance,
    )
    files.write_record(args.metrics, result)
    with files.new_folder(args.plots) as folder:
        _plots(scored, importance, folder)


def _verified(path: Path, info: ModelInfo) -> bytes:
    content = files.read_bytes(path)
    if digests.of_bytes(content) != info.model_digest:
        raise Rejected(f"{path} is not the model that model.json is about", "Run `dvc repro` to train it again.")
    return content


def slices(test: pl.DataFrame, scored: Scored, bootstrap: Bootstrap, min_rows: int) -> tuple[SliceMetrics, ...]:
    """Metrics of each group; a small one is named, without a metric."""
    found = []
    for by, labels in window.slices(test).items():
        for group in sorted(labels.unique()):
            rows = scored.where((labels == group).to_numpy())
            found.append(
                SliceMetrics(
                    by=by,
                    group=group,
                    rows=rows.truth.size,
                    late_share=float(rows.truth.mean()),
                    auc=metrics.auc_estimate(rows, bootstrap) if rows.truth.size >= min_rows else None,
                )
            )
    return tuple(found)


def _importance(scorer: onnx.Scorer, inputs: onnx.Floats, scored: Scored, params: Evaluate) -> dict[str, float]:
    """AUC lost when a feature is shuffled (Breiman 2001), mean of three shuffles on `importance_rows` rows."""
    random = np.random.default_rng(params.seed)
    rows = random.permutation(scored.truth.size)[: params.importance_rows]
    inputs, truth, ones = inputs[rows], scored.truth[rows], np.ones(rows.size)
    if truth.min() == truth.max():
        return dict.fromkeys(features.NAMES, 0.0)

    def auc(values: onnx.Floats) -> float:
        return metrics.auc(Scored(truth, scorer.score(values), truth), ones)

    base, lost = auc(inputs), {}
    for position, name in enumerate(features.NAMES):
        drops = []
        for _ in range(3):
            shuffled = inputs.copy()
            shuffled[:, position] = random.permutation(shuffled[:, position])
            drops.append(base - auc(shuffled))
        lost[name] = float(np.mean(drops))
    return lost


def _plots(scored: Scored, importance: dict[str, float], folder: Path) -> None:
    from sklearn.calibration import calibration_curve
    from sklearn.metrics import precision_recall_curve, roc_curve

    false_positive, true_positive, _ = roc_curve(scored.truth, scored.probability)
    precision, recall, _ = precision_recall_curve(scored.truth, scored.probability)
    observed, predicted = calibration_curve(scored.truth, scored.probability, n_bins=10, strategy="quantile")
    _curve(folder / "roc.csv", fpr=false_positive, tpr=true_positive)
    _curve(folder / "precision_recall.csv", recall=recall, precision=precision)
    _curve(folder / "calibration.csv", predicted=predicted, observed=observed)
    ranked = sorted(importance.items(), key=lambda item: -item[1])
    pl.DataFrame(ranked, schema=["feature", "auc_lost"], orient="row").write_csv(
        folder / "importance.csv", float_precision=6
    )


def _curve(path: Path, **columns: metrics.Vector) -> None:
    """Write a curve with at most 500 points, six decimals."""
    frame = pl.DataFrame(columns)
    frame.gather_every(max(1, frame.height // 500)).write_csv(path, float_precision=6)


if __name__ == "__main__":
    run(main)
