"""Which rows candidate and champion are compared on, with which features, and when they cannot be."""

from datetime import date, timedelta
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from slipway import features
from slipway.compare import compare
from slipway.gate import Incomparable
from slipway.params import Evaluate
from slipway.records import Comparison, ModelFeature, ModelInfo, Window
from slipway.schema import COLUMNS, Kind

PARAMS = Evaluate(
    missed_cost=5,
    false_alarm_cost=1,
    bootstrap_rounds=50,
    confidence=0.95,
    slice_min_rows=50,
    importance_rows=100,
    seed=1,
)
DAYS, A_DAY = 30, 40
FIRST = date(2013, 4, 1)


def window() -> pl.DataFrame:
    """A month of flights; late is every one whose wind is above 10."""
    random = np.random.default_rng(0)
    rows = DAYS * A_DAY
    columns: dict[str, Any] = {}
    for name in features.READ:
        column = COLUMNS[name]
        if column.kind is Kind.NUMBER:
            columns[name] = random.uniform(0, 20, rows)
        elif column.choices:
            columns[name] = random.choice(column.choices[:3], rows)
    columns["date"] = [FIRST + timedelta(days=row // A_DAY) for row in range(rows)]
    columns["sched_dep_time"] = random.choice([700, 1130, 1915], rows)
    return pl.DataFrame(columns).with_columns((pl.col("wind_speed") > 10).alias("late"))


def champion(trained_to: str = "2013-03-31", names: tuple[str, ...] = features.NAMES) -> ModelInfo:
    """A champion trained up to a day, on some of the features."""
    known = {feature.name: feature for feature in features.FEATURES}
    return ModelInfo(
        model_digest="sha256:" + "c" * 64,
        estimator="any",
        request_version=1,
        features=tuple(ModelFeature(name=n, column=known[n].column, choices=known[n].choices) for n in names),
        threshold=1 / 6,
        train=Window(first="2013-01-01", last=trained_to, rows=1, late_share=0.2, coverage=1.0),
        validation_log_loss={},
        parity=0.0,
    )


def by(feature: str, names: tuple[str, ...] = features.NAMES) -> Any:
    """A scorer that goes by one feature alone, wherever it stands in the model's inputs."""
    return lambda inputs: inputs[:, names.index(feature)].astype(float) / 25


def test_the_better_is_seen_to_be_better() -> None:
    """Right against blind: AUC 1 against about a half, in the whole window and in each slice with enough rows."""
    found = compare(window(), by("wind_speed"), (champion(), "3", by("temp")), PARAMS)

    assert isinstance(found, Comparison)
    assert (found.rows, found.first, found.last) == (DAYS * A_DAY, "2013-04-01", "2013-04-30")
    assert found.overall["auc"].candidate == 1
    assert found.overall["auc"].difference.low > 0.4
    assert found.overall["cost"].difference.high < 0
    assert all(group.auc is not None and group.auc.low > 0.3 for group in found.slices)


def test_only_unseen_days_are_compared() -> None:
    """What lies up to the champion's last day of training is left out, for both."""
    found = compare(window(), by("wind_speed"), (champion("2013-04-10"), "3", by("wind_speed")), PARAMS)

    assert isinstance(found, Comparison)
    assert (found.rows, found.first) == (20 * A_DAY, "2013-04-11")
    assert found.overall["auc"].difference.value == 0


@pytest.mark.parametrize(("last", "comparable"), [("2013-04-23", True), ("2013-04-24", False), ("2013-05-30", False)])
def test_a_week_must_be_unseen(last: str, comparable: bool) -> None:
    """Seven unseen days can be compared, six cannot."""
    found = compare(window(), by("wind_speed"), (champion(last), "3", by("temp")), PARAMS)

    assert isinstance(found, Comparison) is comparable


def test_champion_is_scored_on_its_own_features() -> None:
    """A champion of fewer features, in another order, gets exactly those."""
    names = ("temp", "wind_speed", "carrier")
    found = compare(window(), by("wind_speed"), (champion(names=names), "3", by("wind_speed", names)), PARAMS)

    assert isinstance(found, Comparison)
    assert found.overall["auc"].champion == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "dep_delay"}, "'dep_delay', which is no more"),
        ({"choices": ("AA",)}, "other choices"),
        ({"column": "dest"}, "another column"),
    ],
)
def test_champion_of_other_features_is_incomparable(change: dict[str, Any], says: str) -> None:
    """A feature that is gone, reads another column, or has another vocabulary cannot be computed here."""
    info = champion(names=("carrier",))
    other = msgspec.structs.replace(info, features=(msgspec.structs.replace(info.features[0], **change),))

    found = compare(window(), by("temp"), (other, "3", by("temp")), PARAMS)

    assert isinstance(found, Incomparable)
    assert says in found.reason


def test_one_outcome_is_incomparable() -> None:
    """Where no flight, or every one, was late, there is no AUC to compare."""
    calm = window().with_columns(pl.lit(value=False).alias("late"))

    found = compare(calm, by("temp"), (champion(), "3", by("temp")), PARAMS)

    assert isinstance(found, Incomparable)
