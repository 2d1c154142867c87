"""Hold the data to its rules before anything is learnt from it; one file is in memory at a time.

Everything is checked before the answer is given, so that one run names all there is to correct.
"""

import argparse
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from slipway import rules, schema
from slipway.adapters import files
from slipway.errors import Broken, Rejected
from slipway.params import Validate
from slipway.records import CheckedMonth, Validation
from slipway.rules import Check, Failure
from slipway.stages import run

if TYPE_CHECKING:
    import pandas as pd

MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])\.parquet")
FINDS = {**schema.KEYS, "months": ("month",)}  # by which a person finds a row again


def main(argv: list[str] | None = None) -> None:
    """Check --data, write what it was held to as JSON to --out; refused data leave no file there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)

    args.out.unlink(missing_ok=True)
    params = files.read_params().validate
    files.write_record(args.out, validate(args.data, params))


def validate(data: Path, params: Validate) -> Validation:
    """Check every file under `data`.

    Raises:
        Rejected: a rule is broken; the text lists each failure with its column, count, example rows and remedy.
        Broken: a file is missing or cannot be read, or a rule names no column.

    """
    rules.refuse_unknown_nulls(params)
    months = {table: _months(data / table) for table in schema.MONTHLY}
    inspection = Inspection()
    checked: list[CheckedMonth] = []
    inspection.hold(_calendar(months), "months", None, rules.of_months(params))
    for table, month in _progress(months):
        frame = _read(data / table / f"{month}.parquet")
        inspection.hold(frame, table, month, rules.of_table(table, month, params))
        if table == schema.TABLE:
            checked.append(inspection.batch(frame, month, checked[-1] if checked else None, params))
    for table in (one for one in schema.KEYS if one not in schema.MONTHLY):
        inspection.hold(_read(data / f"{table}.parquet"), table, None, rules.of_table(table, None, params))
    inspection.decide()
    return Validation(months=tuple(checked), rules={rule: inspection.counts[rule] for rule in rules.REMEDIES})


class Inspection:
    """What was checked so far, by rule, and what did not hold."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.failures: list[Failure] = []

    def hold(self, frame: "pd.DataFrame", table: str, month: str | None, checks: tuple[Check, ...]) -> None:
        """Check a table; columns that are not there are the business of the rule `columns` alone."""
        from slipway.adapters import great_expectations

        present = [check for check in checks if set(check.columns) <= set(frame.columns)]
        self.counts.update(check.rule for check in present)
        where = f"{table} {month}" if month else table
        self.failures += great_expectations.failures(frame, where, present, FINDS[table])

    def batch(self, frame: "pd.DataFrame", month: str, previous: CheckedMonth | None, params: Validate) -> CheckedMonth:
        """Compare a month with the one before it, and return what the next is compared with."""
        self.hold(frame, schema.TABLE, month, rules.of_row_count(params, previous))
        late = _late(frame)
        self.hold(late, schema.TABLE, month, rules.of_target_rate(params, previous))
        return CheckedMonth(month=month, rows=len(frame), late_share=float(late["late"].mean()) if len(late) else None)

    def decide(self) -> None:
        """Stop when anything failed.

        Raises:
            Rejected: with every failure.

        """
        if self.failures:
            text = "\n".join(line for failure in self.failures for line in _lines(failure))
            raise Rejected(
                f"The data are refused, for {len(self.failures)} reason(s):\n{text}",
                "Follow the remedy at each reason, then run the stage again; it wrote nothing.",
            )


def _lines(failure: Failure) -> Iterator[str]:
    check, unit = failure.check, {"columns": "column(s)", "contiguous": "month(s)"}.get(failure.check.rule, "row(s)")
    column = ", ".join(failure.columns) or "whole table"
    yield f"  {failure.where} · {column} · {check.rule} · {failure.count:,} {unit} · asked: {check.asks}"
    yield f"    {check.expectation}" + (f": {failure.observed}" if failure.observed else "")
    yield from (f"    {row}" for row in failure.rows)
    yield f"    -> {rules.REMEDIES[check.rule]}"


def _months(folder: Path) -> list[str]:
    """Names of the monthly files, in order."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    if not found:
        raise Broken(f"{folder} holds no Parquet file", "Pull the data with `dvc pull data.dvc`, or add a month.")
    if strange := [path.name for path in found if not (path.is_file() and MONTH.fullmatch(path.name))]:
        raise Broken(f"{folder} holds {', '.join(strange)}", "Name each file after its month: YYYY-MM.parquet.")
    return [path.stem for path in found]


def _calendar(months: dict[str, list[str]]) -> "pd.DataFrame":
    """Every month from the first to the last, with the file of each table, if there is one."""
    import pandas as pd

    present = months[schema.TABLE]
    span = pd.period_range(present[0], present[-1], freq="M").strftime("%Y-%m")
    held = {table: [f"{month}.parquet" if month in have else None for month in span] for table, have in months.items()}
    return pd.DataFrame({"month": span, **held})


def _late(rows: "pd.DataFrame") -> "pd.DataFrame":
    """Column `late` of the rows with a known truth: 1 or 0. What is no number is the business of `types`."""
    import pandas as pd

    known = pd.to_numeric(rows.get(schema.TRUTH, pd.Series(dtype="float")), errors="coerce").dropna()
    return pd.DataFrame({"late": (known >= schema.TARGET).astype(int)})


def _read(path: Path) -> "pd.DataFrame":
    """Read a file whole, into types that keep integers where values are missing."""
    import pandas as pd

    plain = {"date_as_object": False}
    try:
        return pd.read_parquet(
            path, "pyarrow", dtype_backend="numpy_nullable", partitioning=None, to_pandas_kwargs=plain
        )
    except (OSError, ValueError) as error:
        remedy = "Pull it again with `dvc pull data.dvc`, or write it anew."
        raise Broken(f"{path} cannot be read as Parquet: {error}", remedy) from error


def _progress(months: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Yield each table and month, with a bar when a person looks on."""
    from rich.console import Console
    from rich.progress import track

    work = [(table, month) for table, held in months.items() for month in held]
    console = Console(stderr=True)
    yield from track(work, "Validating", console=console, transient=True, disable=not console.is_terminal)


if __name__ == "__main__":
    run(main)
