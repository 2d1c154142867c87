"""Models that break one rule of the gate each, made from changed data or parameters of the small profile."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import polars as pl

LATE = pl.col("arr_delay").fill_null(0) >= 15
Frame = Callable[[pl.DataFrame], pl.DataFrame]


def thinned(keep: int) -> Frame:
    """Keep every late flight, and every so-many-th of the others: flights look later than they are."""
    return lambda flights: flights.filter(LATE | (pl.int_range(pl.len()) % keep == 0))


def shuffled(flights: pl.DataFrame) -> pl.DataFrame:
    """Arrivals are recorded against any flight: nothing can be learned."""
    return flights.with_columns(flights["arr_delay"].shuffle(seed=1))


def misaligned(carrier: str) -> Frame:
    """Arrivals of one carrier are recorded against its wrong flights: late in the morning, early in the evening."""

    def change(flights: pl.DataFrame) -> pl.DataFrame:
        mine = (pl.col("carrier") == carrier) & pl.col("arr_delay").is_not_null()
        wrong = flights.filter(mine).sort("sched_dep_time")
        wrong = wrong.with_columns(wrong["arr_delay"].sort(descending=True))
        return pl.concat([wrong, flights.filter(~mine)])

    return change


TRAIN, TEST = "2013-03", "2013-04"
BASELINE_OUT = {"train__logistic_regression__C": 1e-6}
STUMP = {"train__hist_gradient_boosting__max_iter": 1, "train__hist_gradient_boosting__max_leaf_nodes": 2}
HUGE = {
    "train__hist_gradient_boosting__max_iter": 800,
    "train__hist_gradient_boosting__max_leaf_nodes": 31,
    "train__hist_gradient_boosting__min_samples_leaf": 5,
    "train__hist_gradient_boosting__learning_rate": 0.002,
}
DETAILED = {"train__hist_gradient_boosting__max_leaf_nodes": 12, "train__hist_gradient_boosting__min_samples_leaf": 10}


@dataclass(frozen=True)
class Case:
    """How a challenger is made. The champion's own data (`thinned(2)`) is the start, unless `train` says otherwise."""

    train: tuple[Frame, ...] = (thinned(2),)
    test: tuple[Frame, ...] = ()
    params: dict[str, Any] = field(default_factory=dict)
    first: bool = False
    also: tuple[str, ...] = ()  # other rules that such a challenger cannot but break: off in both decisions


CASES = {
    "auc_floor": Case(train=(shuffled,), first=True),
    "calibration_ceiling": Case(train=(thinned(10),), first=True),
    "cost_ceiling": Case(params={"evaluate__missed_cost": 1}),  # then a warning hardly ever pays
    "auc_margin": Case(params=STUMP | BASELINE_OUT),
    "cost_margin": Case(train=()),  # without the extra late flights it warns too seldom
    "slice_auc_floor": Case(test=(misaligned("DL"),)),
    # The carrier is a seventh of all flights, and pulls the AUC of all down with its own.
    "slice_auc_margin": Case(
        train=(thinned(2), misaligned("DL")), params=DETAILED | BASELINE_OUT, also=("auc_margin",)
    ),
    "budget.latency_ms": Case(params=HUGE | BASELINE_OUT, first=True, also=("budget.model_bytes",)),
    "budget.model_bytes": Case(params=HUGE | BASELINE_OUT, first=True),
}
