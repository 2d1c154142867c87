"""Measure the ONNX model, the one that will be served, on the test window it has not seen."""

import argparse
from pathlib import Path

import numpy as np
import polars as pl

from slipway import features, metrics
from slipway.adapters import files, onnx
from slipway.metrics import Bootstrap, Costs, Scored
from slipway.params import Evaluate
from slipway.records import Metrics, ModelInfo, SliceMetrics, Split
from slipway.stages import run

HOUR_BANDS = {0: "00-06", 6: "06-10", 10: "10-14", 14: "14-18", 18: "18-24"}  # by their first hour


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
    scorer = onnx.Scorer(files.read_bytes(args.model / "model.onnx"))
    test = pl.read_parquet(args.splits / "test.parquet")
    inputs = features.matrix(test)
    scored = scored_rows(test, scorer.score(inputs))
    costs, bootstrap = settings(params)

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


def settings(params: Evaluate) -> tuple[Costs, Bootstrap]:
    """What the metrics module needs of the parameters."""
    costs = Costs(missed=params.missed_cost, false_alarm=params.false_alarm_cost)
    return costs, Bootstrap(rounds=params.bootstrap_rounds, confidence=params.confidence, seed=params.seed)


def scored_rows(test: pl.DataFrame, probability: metrics.Vector) -> Scored:
    """Truth, probability and day number of each test row."""
    days = (test["date"] - test["date"].min()).dt.total_days()  # type: ignore[operator]  # a date column
    return Scored(test["late"].to_numpy().astype(int), probability, days.to_numpy())


def slice_labels(test: pl.DataFrame) -> dict[str, pl.Series]:
    """The groups in which the model must hold: a label per row, by kind of group."""
    first = np.searchsorted(list(HOUR_BANDS), (test["sched_dep_time"] // 100).to_numpy(), side="right") - 1
    bands = pl.Series(np.array(list(HOUR_BANDS.values()))[first])
    return {"origin": test["origin"], "carrier": test["carrier"], "hour": bands}


def slices(test: pl.DataFrame, scored: Scored, bootstrap: Bootstrap, min_rows: int) -> tuple[SliceMetrics, ...]:
    """Metrics of each group; a small one is named, without a metric."""
    found = []
    for by, labels in slice_labels(test).items():
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
