"""Real flights in the order of their departures, scored by real models: what a replay of June shows a judge.

The champion learned from January to March, the challenger from January to May. The leak is the challenger with the
delay at departure as one more feature, which nobody knows when a prediction is asked for: it is missing then.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from judging.endings import Endings
from judging.ours import TIMES, WEIGHTS, Counted, judge, strata
from judging.worlds import Array
from slipway.canary.records import Metric, Policy

if TYPE_CHECKING:
    import polars as pl

    from slipway.params import Params

ROOT = Path(__file__).parents[2]
BEFORE = tuple(f"2013-{month:02d}" for month in range(1, 6))
REPLAYED = "2013-06"
PAIRS = {
    "June's flights: better": ("challenger", "champion"),
    "June's flights: twin": ("champion", "champion"),
    "June's flights: leak, against the champion": ("leak", "champion"),
    "June's flights: leak, against the challenger": ("leak", "challenger"),
}
PER_STRATUM = 400  # requests: a second of a replay
REFERENCE = 0.2267  # share of late flights in May, as stable saw it
POLICY = Policy(metrics={"truth": Metric(margin=0.02, base=0.19)})


def read(month: str) -> "pl.DataFrame":
    """Flights of a month that arrived, in order of time, with the delay at departure beside what a model may see."""
    import polars as pl

    from slipway.adapters import flights
    from slipway.stages import prepare

    folder = ROOT / ("data" if (ROOT / "data" / "flights" / f"{month}.parquet").exists() else "replay")
    rows = flights.read_month(folder, month).filter(pl.col("arr_delay").is_not_null())
    rows = rows.with_columns(prepare.with_truth(rows)["late"])
    return rows.sort("date", "sched_dep_time", maintain_order=True)


@dataclass(frozen=True)
class June:
    """Squared error of each model on each flight of June, and which of them were late."""

    losses: dict[str, Array]
    late: Array


def scored() -> June:
    """Train the three models, and score June with them; about half a minute."""
    import polars as pl

    from slipway import features
    from slipway.adapters import files

    params = files.read_params(ROOT / "params.yaml")
    months = {month: read(month) for month in (*BEFORE, REPLAYED)}
    first = pl.concat([months[month] for month in BEFORE[:3]])
    all_before = pl.concat([months[month] for month in BEFORE])
    june = months[REPLAYED]
    unknown = np.full((june.height, 1), np.nan, dtype=np.float32)
    scores = {
        "champion": _score(first, params, features.matrix(june)),
        "challenger": _score(all_before, params, features.matrix(june)),
        "leak": _score(all_before, params, np.hstack([features.matrix(june), unknown]), leak=True),
    }
    late = june["late"].to_numpy()
    return June({name: (score - late) ** 2 for name, score in scores.items()}, late)


def _score(rows: "pl.DataFrame", params: "Params", asked: Array, *, leak: bool = False) -> Array:
    """Train as the stage does, on the estimator that wins the validation, and score."""
    from slipway import features, model
    from slipway.stages import train

    found = train.validate(rows, params)
    chosen = model.candidates(params.train)[min(found, key=found.__getitem__)]
    inputs = features.matrix(rows)
    if leak:
        inputs = np.hstack([inputs, rows["dep_delay"].to_numpy().astype(np.float32)[:, None]])
    scored: Array = chosen.fit(inputs, rows["late"].to_numpy()).predict_proba(asked)[:, 1]
    return scored


def replay(pair: str, june: June, rng: np.random.Generator, runs: int) -> Endings:
    """Judge a pair from random starting points, once around the month, gated at 10, 30 and 60 %.

    Strata of 400 requests: a second of a fast replay, or ten seconds at 40 requests a second. A promotion is held while
    the share of late flights is outside the policy's band around May's, which stable saw before.
    """
    loss, late = june.losses, june.late
    canary, stable = (loss[name] for name in PAIRS[pair])
    strata_in_june = late.size // PER_STRATUM
    start = rng.integers(late.size, size=runs)
    rows = (start[:, None] + np.arange(strata_in_june * PER_STRATUM)) % late.size

    def summed(values: Array) -> Array:
        total: Array = values.reshape(runs, strata_in_june, PER_STRATUM).sum(axis=-1)
        return total

    def draw(weight: float) -> Counted:
        chosen = rng.random(rows.shape) < weight
        asked = summed(chosen)
        losses = (summed(np.where(chosen, 0, stable[rows])), summed(np.where(chosen, canary[rows], 0)))
        return Counted({"truth": strata(losses[0], PER_STRATUM - asked, losses[1], asked)}, asked)

    share = np.cumsum(summed(late[rows]), axis=-1) / (PER_STRATUM * (1 + np.arange(strata_in_june)))
    low, high = (times * REFERENCE for times in POLICY.truth_mix)
    return judge(draw, POLICY, weights=WEIGHTS, times=TIMES, held=(share < low) | (share > high))
