"""Join the tables, keep the rows with a known truth, and split them in time.

One month is in memory at a time. The splits hold columns, not encoded features: a later candidate is compared with the
champion on the champion's own features.
"""

import argparse
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from slipway import features, split
from slipway.adapters import files, flights
from slipway.errors import Broken
from slipway.records import Split, Window
from slipway.schema import SLICES, TARGET, TRUTH
from slipway.stages import run

COLUMNS = tuple(dict.fromkeys((*features.READ, "date", *(column for column, _ in SLICES.values()))))


def main(argv: list[str] | None = None) -> None:
    """Read --data, write train.parquet, test.parquet and split.json to --out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)

    test_months = files.read_params().prepare.test_months
    available = flights.months(args.data)
    train, test = split.months(available, test_months)

    with files.new_folder(args.out) as folder:
        made = Split(
            train=_write(args.data, train, folder / "train.parquet"),
            test=_write(args.data, test, folder / "test.parquet"),
        )
        files.write_record(folder / "split.json", made)


def with_truth(rows: pl.DataFrame) -> pl.DataFrame:
    """Keep the rows whose truth is known, as `late`. A cancelled or diverted flight has none."""
    known = rows.filter(pl.col(TRUTH).is_not_null())
    return known.select(*COLUMNS, (pl.col(TRUTH) >= TARGET).alias("late"))


def _write(data: Path, chosen: tuple[str, ...], path: Path) -> Window:
    scheduled, late, rows = 0, 0, 0
    days: set[object] = set()
    writer: pq.ParquetWriter | None = None
    for month in chosen:
        everything = flights.read_month(data, month)
        table = with_truth(everything)
        scheduled += everything.height
        rows += table.height
        late += int(table["late"].sum())
        days.update((everything["date"].min(), everything["date"].max()))
        arrow = table.to_arrow()
        writer = writer or pq.ParquetWriter(path, arrow.schema, compression="zstd")
        writer.write_table(arrow)
    if writer is None or not rows:
        raise Broken(f"{TRUTH} is missing in all rows of {', '.join(chosen)}", "Look at the data of these months.")
    writer.close()
    return Window(
        first=min(map(str, days)),
        last=max(map(str, days)),
        rows=rows,
        late_share=late / rows,
        coverage=rows / scheduled,
    )


if __name__ == "__main__":
    run(main)
