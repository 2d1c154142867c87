"""Candidate against champion, on rows that neither has been trained on, each on its own features."""

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from slipway import features, metrics, window
from slipway.gate import Incomparable
from slipway.metrics import Bootstrap, Costs, Scored, Vector
from slipway.params import Evaluate
from slipway.records import Comparison, Difference, Estimate, ModelInfo, SliceDifference

Score = Callable[[np.ndarray[Any, np.dtype[np.float32]]], Vector]
MIN_DAYS = 7  # intervals draw whole days: fewer say nothing, and a week holds each weekday once


def compare(
    test: pl.DataFrame, candidate: Score, champion: tuple[ModelInfo, str, Score], params: Evaluate
) -> Comparison | Incomparable:
    """Score both on the part of the test window that lies after the champion's training, and take differences.

    `champion` is its record, its version in the registry and its scorer. The candidate's features are the tree's.
    """
    info, version, score = champion
    if reason := unknown_features(info):
        return Incomparable(info.model_digest, reason)
    unseen = test.filter(pl.col("date") > date.fromisoformat(info.train.last))
    if (days := unseen["date"].n_unique()) < MIN_DAYS:
        return Incomparable(
            info.model_digest,
            f"the champion was trained up to {info.train.last}, which leaves {days} days of the test window"
            f" that it has not seen, and {MIN_DAYS} are needed",
        )
    names = [feature.name for feature in info.features]
    ours = window.scored(unseen, candidate(features.matrix(unseen)))
    theirs = score(features.matrix(unseen, names))
    if np.unique(ours.truth).size < 2:
        return Incomparable(info.model_digest, "only one outcome occurs in the days that the champion has not seen")
    costs, bootstrap = window.settings(params)
    return Comparison(
        champion_digest=info.model_digest,
        champion_version=version,
        first=str(unseen["date"].min()),
        last=str(unseen["date"].max()),
        rows=unseen.height,
        overall=_overall(ours, theirs, costs, bootstrap),
        slices=_slices(unseen, ours, theirs, params),
    )


def unknown_features(info: ModelInfo) -> str | None:
    """Why the champion's inputs cannot be computed here, or None if they can: same name, column and vocabulary."""
    known = {feature.name: feature for feature in features.FEATURES}
    for feature in info.features:
        ours = known.get(feature.name)
        if ours is None:
            return f"the champion reads the feature {feature.name!r}, which is no more"
        if (ours.column, ours.choices) != (feature.column, feature.choices):
            return f"the champion's feature {feature.name!r} has another column or other choices"
    return None


def _overall(ours: Scored, theirs: Vector, costs: Costs, bootstrap: Bootstrap) -> dict[str, Difference]:
    candidate = metrics.values(ours, costs)
    champion = metrics.values(Scored(ours.truth, theirs, ours.day), costs)
    differences = metrics.paired(ours, theirs, costs, bootstrap, tuple(candidate))
    return {
        name: Difference(candidate=candidate[name], champion=champion[name], difference=differences[name])
        for name in candidate
    }


def _slices(test: pl.DataFrame, ours: Scored, theirs: Vector, params: Evaluate) -> tuple[SliceDifference, ...]:
    return tuple(
        _slice((by, group), (labels == group).to_numpy(), (ours, theirs), params)
        for by, labels in window.slices(test).items()
        for group in sorted(labels.unique())
    )


def _slice(name: tuple[str, str], mask: Vector, both: tuple[Scored, Vector], params: Evaluate) -> SliceDifference:
    ours, theirs = both[0].where(mask), both[1][mask]
    auc: Estimate | None = None
    if ours.truth.size >= params.slice_min_rows and np.unique(ours.truth).size == 2:
        auc = metrics.paired(ours, theirs, *window.settings(params), ("auc",))["auc"]
    return SliceDifference(by=name[0], group=name[1], rows=ours.truth.size, auc=auc)
