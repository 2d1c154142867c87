"""A bento of the model at hand, and real flights to ask it about; for the benchmark and the load test."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from slipway import features
from slipway.adapters import bento, files, flights
from slipway.records import Bundle, ModelInfo

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "artifacts" / "model"


@contextmanager
def fresh_bento() -> Iterator[Path]:
    """Yield a throw-away bento of artifacts/model, which the pipeline makes if it is not there."""
    if not (MODEL / "model.onnx").exists():
        command = [sys.executable, "-m", "dvc", "repro", "train"]
        made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stdout + made.stderr
    info = files.read_record(ModelInfo, MODEL / "model.json")
    bundle = Bundle(
        version="0.0.0",
        source_commit="none",
        data_digest="none",
        recipe_digest="none",
        model_digest=info.model_digest,
        request_version=info.request_version,
    )
    with tempfile.TemporaryDirectory(prefix="slipway-fresh-") as folder:
        made = Path(folder, "bento")
        bento.build(ROOT / "bentos" / "flights", MODEL, ROOT / "requirements" / "serving.txt", bundle, made)
        yield made


def real_flights(count: int) -> pl.DataFrame:
    """Flights of the newest month at hand, spread over it, with the columns that the features read."""
    month = flights.read_month(ROOT / "data", flights.months(ROOT / "data")[-1])
    return month.select(features.READ).gather_every(max(1, month.height // count)).head(count)


def requests_of(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """The same flights as a caller writes them: what is missing is left out."""
    return [
        {name: str(value) if name == "date" else value for name, value in row.items() if value is not None}
        for row in rows.to_dicts()
    ]


def publish(name: str, table: str) -> None:
    """Print a Markdown table, and write it between the markers of this name in docs/benchmarks.md."""
    page = ROOT / "docs" / "benchmarks.md"
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    page.write_text(f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}", encoding="utf-8")
    print(table)
