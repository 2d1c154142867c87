"""The data folder: flights by month, joined with the weather of their hour and what is known of their aircraft."""

from pathlib import Path

import polars as pl

from slipway.schema import KEYS


def months(data: Path) -> list[str]:
    """The months at hand, `YYYY-MM`, in order."""
    return sorted(path.stem for path in (data / "flights").glob("*.parquet"))


def read_month(data: Path, month: str) -> pl.DataFrame:
    """All scheduled flights of a month, in the order of the file."""
    flights = pl.read_parquet(data / "flights" / f"{month}.parquet")
    weather = pl.read_parquet(data / "weather" / f"{month}.parquet")
    planes = pl.read_parquet(data / "planes.parquet")
    return (
        flights.with_columns((pl.col("sched_dep_time") // 100).cast(pl.Int8).alias("hour"))
        .join(weather.unique(KEYS["weather"], keep="first"), on=KEYS["weather"], how="left", maintain_order="left")
        .join(planes.unique(KEYS["planes"], keep="first"), on=KEYS["planes"], how="left", maintain_order="left")
    )
