"""Three bundles made from real flights by the real stages: the champion, a better challenger, and one that leaks."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

MONTHS = tuple(f"2013-{month:02d}" for month in range(1, 7))
CHAMPION, CHALLENGER = MONTHS[:4], MONTHS  # the last month is the test window: not trained on
BUILD = """
import sys
from pathlib import Path
from slipway.adapters import bento, files
from slipway.records import Bundle, ModelInfo
info = files.read_record(ModelInfo, Path("model/model.json"))
made = Bundle(version=sys.argv[3], source_commit=40 * "c", data_digest="md5:00", recipe_digest="sha256:" + 64 * "e",
              model_digest=info.model_digest, request_version=info.request_version)
bento.build(Path(sys.argv[1]), Path("model"), Path(sys.argv[2]), made, Path("bento"))
"""


@dataclass(frozen=True)
class Made:
    """A trained model and its bento, with the code that it was made by."""

    root: Path
    release: str

    @property
    def bento(self) -> Path:
        """The served folder."""
        return self.root / "bento"


def make(root: Path, release: str, months: tuple[str, ...], *, leak: bool = False) -> Made:
    """Train on all `months` but the last, and build the bento; `leak` makes the delay at departure a feature."""
    for kind in ("flights", "weather"):
        (root / "data" / kind).mkdir(parents=True)
        for month in months:
            name = f"{kind}/{month}.parquet"
            kept = ROOT / "data" / name if (ROOT / "data" / name).exists() else ROOT / "replay" / name
            shutil.copy(kept, root / "data" / name)
    shutil.copy(ROOT / "data/planes.parquet", root / "data")
    shutil.copy(ROOT / "params.yaml", root)
    shutil.copytree(ROOT / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    if leak:
        _leak(root / "src/slipway")
    _run(root, "-m", "slipway.stages.prepare", "--data", "data", "--out", "splits")
    _run(root, "-m", "slipway.stages.train", "--splits", "splits", "--out", "model")
    _run(root, "-c", BUILD, str(ROOT / "bentos/flights"), str(ROOT / "requirements/serving.txt"), release)
    return Made(root, release)


def _leak(package: Path) -> None:
    """Change what a hurried colleague would: one line of the features, and the catalogue's word on when it is known."""
    for name, before, after in (
        ("features.py", '    _number("year"),\n', '    _number("year"),\n    _number("dep_delay"),\n'),
        ("schema.py", '"minutes of delay at departure", known=Known.AFTER', '"minutes of delay at departure"'),
    ):
        text = (package / name).read_text()
        assert text.count(before) == 1, f"{name} has changed: the leak has to be planted elsewhere"
        (package / name).write_text(text.replace(before, after))


def _run(root: Path, *arguments: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
