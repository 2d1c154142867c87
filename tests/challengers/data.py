"""Data that break one rule of `validate` each: the small profile with real rows changed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from slipway import schema

MARCH, APRIL = "2013-03", "2013-04"
FLIGHTS, WEATHER, PLANES = f"flights/{APRIL}.parquet", f"weather/{APRIL}.parquet", "planes.parquet"

Change = Callable[[Path], object]  # of a data folder


def change(path: str, how: Callable[[pl.DataFrame], pl.DataFrame]) -> Change:
    """Rewrite one file."""
    return lambda data: how(pl.read_parquet(data / path)).write_parquet(data / path)


def put(path: str, column: str, value: Any, rows: int) -> Change:
    """Set a column to a value in the first rows of a file; its type stays."""

    def how(frame: pl.DataFrame) -> pl.DataFrame:
        changed = pl.when(pl.int_range(pl.len()) < rows).then(pl.lit(value)).otherwise(column)
        return frame.with_columns(changed.cast(frame.schema[column]).alias(column))

    return change(path, how)


def repeat(path: str, rows: int) -> Change:
    """Write the first rows of a file twice."""
    return change(path, lambda frame: pl.concat([frame, frame.head(rows)]))


def march_becomes_january(data: Path) -> None:
    """Leave two months out: March's rows, dated in January, before April's."""
    for folder in (data / "flights", data / "weather"):
        march = pl.read_parquet(folder / f"{MARCH}.parquet")
        march.with_columns(pl.col("date").dt.offset_by("-2mo")).write_parquet(folder / "2013-01.parquet")
        (folder / f"{MARCH}.parquet").unlink()


@dataclass(frozen=True)
class Challenger:
    """Data that break one rule, and each reason that the refusal gives: with how many rows as examples."""

    rule: str
    changes: tuple[Change, ...]
    reasons: dict[str, int]
    off: Any = False


CHALLENGERS = {
    "columns": Challenger(
        rule="columns",
        changes=(
            change(FLIGHTS, lambda frame: frame.drop("distance")),
            change(PLANES, lambda frame: frame.with_columns(engines=2)),
        ),
        reasons={
            f"flights {APRIL} · distance · columns · 1 column(s)": 0,
            "planes · engines · columns · 1 column(s)": 0,
        },
    ),
    "types": Challenger(
        rule="types",
        changes=(
            change(FLIGHTS, lambda frame: frame.with_columns(pl.col("sched_dep_time").cast(pl.Float32))),
            change(PLANES, lambda frame: frame.with_columns(pl.col("tailnum").cast(pl.Categorical))),
        ),
        reasons={
            f"flights {APRIL} · sched_dep_time · types · 2,400 row(s)": 3,
            "planes · tailnum · types · 3,322 row(s)": 3,
        },
    ),
    "nulls": Challenger(
        rule="nulls",
        changes=(put(FLIGHTS, "tailnum", None, 300), put(FLIGHTS, "carrier", None, 1)),
        reasons={
            f"flights {APRIL} · carrier · nulls · 1 row(s)": 1,
            f"flights {APRIL} · tailnum · nulls · 314 row(s)": 3,
        },
        off=None,
    ),
    "choices": Challenger(
        rule="choices",
        changes=(
            put(FLIGHTS, "carrier", "ZZ", 4),
            put(FLIGHTS, "origin", "SFO", 1),
            put(FLIGHTS, "dest", "QQQ", 9),
            put(WEATHER, "origin", "SFO", 1),
        ),
        reasons={
            f"flights {APRIL} · carrier · choices · 4 row(s)": 3,
            f"flights {APRIL} · origin · choices · 1 row(s)": 1,
            f"flights {APRIL} · dest · choices · 9 row(s)": 3,
            f"weather {APRIL} · origin · choices · 1 row(s)": 1,
        },
    ),
    "ranges": Challenger(
        rule="ranges",
        changes=(
            put(FLIGHTS, "date", date(2013, 5, 1), 2),
            put(FLIGHTS, "sched_dep_time", 1275, 4),
            put(FLIGHTS, "distance", -5, 5),
            put(WEATHER, "humid", 130, 4),
            put(PLANES, "seats", 0, 1),
        ),
        reasons={
            f"flights {APRIL} · date · ranges · 2 row(s)": 2,
            f"flights {APRIL} · sched_dep_time · ranges · 4 row(s)": 3,
            f"flights {APRIL} · distance · ranges · 5 row(s)": 3,
            f"weather {APRIL} · humid · ranges · 4 row(s)": 3,
            "planes · seats · ranges · 1 row(s)": 1,
        },
    ),
    "duplicates": Challenger(
        rule="duplicates",
        changes=(repeat(FLIGHTS, 5), repeat(WEATHER, 2), repeat(PLANES, 1)),
        reasons={
            f"flights {APRIL} · {', '.join(schema.KEYS['flights'])} · duplicates · 10 row(s)": 3,
            f"weather {APRIL} · date, hour, origin · duplicates · 4 row(s)": 3,
            "planes · tailnum · duplicates · 2 row(s)": 2,
        },
    ),
    "contiguous": Challenger(
        rule="contiguous",
        changes=(march_becomes_january,),
        reasons={"months · flights · contiguous · 2 month(s)": 2, "months · weather · contiguous · 2 month(s)": 2},
    ),
    "contiguous-weather": Challenger(
        rule="contiguous",
        changes=(lambda data: (data / WEATHER).unlink(),),
        reasons={"months · weather · contiguous · 1 month(s)": 1},
    ),
    "row_count": Challenger(
        rule="row_count",
        changes=(change(FLIGHTS, lambda frame: frame.gather_every(6)),),
        reasons={f"flights {APRIL} · whole table · row_count · 400 row(s)": 0},
        off=None,
    ),
    "target_rate": Challenger(
        rule="target_rate",
        changes=(change(FLIGHTS, lambda frame: frame.with_columns(pl.col("arr_delay") + 30)),),
        reasons={f"flights {APRIL} · late · target_rate · 2,346 row(s)": 0},
        off=None,
    ),
}
