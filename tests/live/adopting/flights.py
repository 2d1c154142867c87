"""The data folder: samples by month."""

from pathlib import Path

import polars as pl

from slipway.schema import TABLE


def months(data: Path) -> list[str]:
    """The months at hand, `YYYY-MM`, in order."""
    return sorted(path.stem for path in (data / TABLE).glob("*.parquet"))


def read_month(data: Path, month: str) -> pl.DataFrame:
    """All samples of a month, in the order of the file."""
    return pl.read_parquet(data / TABLE / f"{month}.parquet")
