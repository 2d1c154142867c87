"""validate and prepare hold one month at a time: three years of flights need no more memory than one."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).parents[2]
SLACK = 1.15  # the allocator's, between runs of the same work
# A process begins with the peak of the one that forked it: here that is a small one, in place of pytest.
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def write_years(folder: Path, years: int) -> None:
    """Write the twelve months of 2013, `years` times, each a year later than the one before."""
    for kind in ("flights", "weather"):
        (folder / kind).mkdir(parents=True)
        for source in sorted((*(ROOT / "data" / kind).iterdir(), *(ROOT / "replay" / kind).iterdir())):
            month = pl.read_parquet(source)
            for year in range(years):
                later = month.with_columns(pl.col("date").dt.offset_by(f"{year}y"))
                later.write_parquet(folder / kind / f"{2013 + year}-{source.stem[-2:]}.parquet")
    (folder / "planes.parquet").write_bytes((ROOT / "data/planes.parquet").read_bytes())


def peak(project: Path, stage: str) -> int:
    """Run a stage as DVC does and return the most memory that its process held, in kB."""
    run = [sys.executable, "-m", f"slipway.stages.{stage}", "--data", "data", "--out", f"out/{stage}"]
    variables = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *run], cwd=project, env=variables, stdout=subprocess.PIPE, text=True, check=True
    )
    return int(done.stdout.split()[-1])


@pytest.mark.parametrize("stage", ["validate", "prepare"])
def test_memory_does_not_grow_with_months(stage: str, tmp_path: Path) -> None:
    """The peak over 36 months is that over 12."""
    peaks = []
    for years in (1, 3):
        project = tmp_path / str(years)
        write_years(project / "data", years)
        (project / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
        peaks.append(peak(project, stage))
    print(f"{stage}: {peaks[0]} kB over 12 months, {peaks[1]} kB over 36")

    assert peaks[1] < SLACK * peaks[0]
