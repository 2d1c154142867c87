"""The same commit and data give the same bytes: two clones that agree in nothing but their content."""

import os
import subprocess
import sys
from pathlib import Path

from slipway.adapters import files
from slipway.records import Package

ROOT = Path(__file__).parents[2]
PLAIN = {"LC_ALL": "C", "TZ": "UTC"}
OTHER = {
    "LC_ALL": "C.UTF-8",
    "TZ": "Asia/Tokyo",
    "OPENBLAS_CORETYPE": "Sandybridge",
    "PYTHONHASHSEED": "77",
    "OMP_NUM_THREADS": "2",
}


def make(folder: Path, umask: int, variables: dict[str, str], *, force: bool) -> Package:
    """Clone, pull, run the pipeline and package it, as a person or CI does."""
    folder.mkdir(parents=True)
    inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
    environment = (
        inherited
        | variables
        | {
            "HOME": str(folder),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(folder / "clone" / "src"),
        }
    )
    clone = ["git", "clone", "--quiet", str(ROOT), "clone"]
    subprocess.run(clone, cwd=folder, env=environment, umask=umask, check=True)
    repro = ["dvc", "repro", "--quiet", *(["--force"] if force else [])]
    for command in (["dvc", "pull", "--quiet", "data.dvc"], repro, ["slipway", "package", "--version", "7.0.0"]):
        done = subprocess.run(
            command, cwd=folder / "clone", env=environment, umask=umask, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return files.read_record(Package, folder / "clone" / "build" / "package.json")


def test_two_clones_give_the_same_digests(tmp_path: Path) -> None:
    """Another path, umask, locale, time zone, core type, hash seed and thread count change no digest, no byte."""
    first = make(tmp_path / "a", 0o022, PLAIN, force=False)
    second = make(tmp_path / "somewhere else" / "b", 0o077, OTHER, force=True)

    assert first == second  # source commit, data, recipe, model, bento and image
    for name in ("dvc.lock", "artifacts/metrics.json", "artifacts/validation.json", "build/card.cdx.json"):
        one, other = (tmp_path / folder / "clone" / name for folder in ("a", "somewhere else/b"))
        assert one.read_bytes() == other.read_bytes()
