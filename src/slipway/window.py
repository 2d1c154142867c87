"""The test window as rows to score: their truth and day, and the groups in which a model must hold."""

import numpy as np
import polars as pl

from slipway.metrics import Bootstrap, Costs, Scored, Vector
from slipway.params import Evaluate

HOUR_BANDS = {0: "00-06", 6: "06-10", 10: "10-14", 14: "14-18", 18: "18-24"}  # by their first hour


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
    first = np.searchsorted(list(HOUR_BANDS), (test["sched_dep_time"] // 100).to_numpy(), side="right") - 1
    bands = pl.Series(np.array(list(HOUR_BANDS.values()))[first])
    return {"origin": test["origin"], "carrier": test["carrier"], "hour": bands}
