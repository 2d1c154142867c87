"""The test window as rows to score: their truth and day, and the groups in which a model must hold."""

from collections.abc import Callable
from typing import Any

import polars as pl

from slipway import schema
from slipway.metrics import Bootstrap, Costs, Scored, Vector
from slipway.params import Evaluate


def settings(params: Evaluate) -> tuple[Costs, Bootstrap]:
    """What the metrics module needs of the parameters."""
    costs = Costs(missed=params.missed_cost, false_alarm=params.false_alarm_cost)
    return costs, Bootstrap(rounds=params.bootstrap_rounds, confidence=params.confidence, seed=params.seed)


def scored(test: pl.DataFrame, probability: Vector) -> Scored:
    """Truth, probability and day number of each test row."""
    days = (test["date"] - test["date"].min()).dt.total_days()
    return Scored(test["late"].to_numpy().astype(int), probability, days.to_numpy())


def slices(test: pl.DataFrame) -> dict[str, pl.Series]:
    """The groups in which a model must hold: a label per row, by kind of group."""
    return {by: _labels(test[column], group) for by, (column, group) in schema.SLICES.items()}


def _labels(values: pl.Series, group: Callable[[Any], str]) -> pl.Series:
    distinct = values.unique().drop_nulls()
    labels = pl.Series([group(value) for value in distinct], dtype=pl.String)
    return values.replace_strict(distinct, labels, return_dtype=pl.String).fill_null("missing")
