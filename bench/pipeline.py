"""What DVC costs: `dvc repro` against the same four commands in a plain script, in the same run, rounds interleaved.

Rows ×1 is a tenth of January to April, ×3 three tenths, ×10 all of it. Each run starts from nothing: no outputs, no
cache, no remembered hash. Prints a Markdown table, and writes it between the markers of docs/benchmarks.md.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl
import yaml
from fresh import publish

ROOT = Path(__file__).parents[1]
SCALES = {"×1": 10, "×3": 3, "×10": 1}  # keep one flight in so many
ROUNDS = 3
ENVIRONMENT = os.environ | {
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "PYTHONPATH": str(ROOT / "src"),
    "DVC_NO_ANALYTICS": "1",
}
SITE = ".dvc/site"  # where DVC remembers the hashes of files; otherwise outside the project
MOST_RATIO, MOST_NOOP_SECONDS = 1.5, 3.0  # of the plain script; of a no-op, beyond what `dvc` needs to start


def main() -> None:
    """Measure, print, and write the table."""
    lines = [
        "| flights | plain script | `dvc repro` | ratio | no-op `dvc repro` | `dvc` start |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    verdicts = []
    with tempfile.TemporaryDirectory() as temporary:
        for scale, keep in SCALES.items():
            folder = Path(temporary, scale)
            rows = _project(folder, keep)
            script = [stage["cmd"] for stage in yaml.safe_load((folder / "dvc.yaml").read_text())["stages"].values()]
            plain, repro, noop, start = [], [], [], []
            for _ in range(ROUNDS):
                _clean(folder)
                plain.append(_seconds(["sh", "-ec", "\n".join(script)], folder))
                _clean(folder)
                repro.append(_seconds(["dvc", "repro", "--quiet"], folder))
                noop.append(_seconds(["dvc", "repro", "--quiet"], folder))
                start.append(_seconds(["dvc", "--version"], folder))
            ratio = statistics.median(b / a for a, b in zip(plain, repro, strict=True))
            middle = [statistics.median(times) for times in (plain, repro, noop, start)]
            lines.append(
                f"| {scale} = {rows:,} | {middle[0]:.1f} s | {middle[1]:.1f} s | **{ratio:.2f}** "
                f"| {middle[2]:.1f} s | {middle[3]:.1f} s |"
            )
            print(lines[-1], flush=True)
            verdicts.append(_verdict(scale, ratio, middle[2] - middle[3]))
    publish("pipeline", "\n".join([*lines, "", *verdicts]))


def _verdict(scale: str, ratio: float, beyond: float) -> str:
    met = "met" if ratio <= MOST_RATIO and beyond <= MOST_NOOP_SECONDS else "missed"
    return (
        f"- {scale}: **{ratio:.2f}** of the plain script, target {MOST_RATIO:g}; a no-op {beyond:.1f} s beyond "
        f"the start, target {MOST_NOOP_SECONDS:g} s: {met}"
    )


def _project(folder: Path, keep: int) -> int:
    """A repository with a thinned copy of the data; returns how many flights it holds."""
    shutil.copytree(ROOT / "data", folder / "data")
    rows = 0
    for path in (folder / "data" / "flights").glob("*.parquet"):
        thinned = pl.read_parquet(path).gather_every(keep)
        rows += thinned.height
        thinned.write_parquet(path)
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for command in (["git", "init", "--quiet"], ["dvc", "init", "--quiet"]):
        subprocess.run(command, cwd=folder, env=_environment(folder), check=True)
    return rows


def _environment(folder: Path) -> dict[str, str]:
    return ENVIRONMENT | {"DVC_SITE_CACHE_DIR": str(folder / SITE)}


def _clean(folder: Path) -> None:
    for name in ("artifacts", ".dvc/cache", ".dvc/tmp", SITE):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "dvc.lock").unlink(missing_ok=True)


def _seconds(command: list[str], folder: Path) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=_environment(folder), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
