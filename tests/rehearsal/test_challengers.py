"""Each challenger once: its canary ends as it must, for the reason that it must, before it has met too many people."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.rehearsal.conftest import Repository

from challengers import playing
from challengers.releases import CASES, one_byte_changed
from slipway.adapters.traffic import Flight


@pytest.fixture(scope="session")
def june() -> list[Flight]:
    """What is sent."""
    return playing.june()


@pytest.mark.parametrize("name", CASES)
def test_a_challenger_ends_as_it_must(name: str, champion: Path, june: list[Flight], tmp_path: Path) -> None:
    """How, and why, challengers/releases.py says."""
    played = playing.play(CASES[name], champion, tmp_path / name, june, seed=1)
    playing.check(CASES[name], played, tmp_path / name)


def test_an_image_with_one_byte_changed_is_neither_served_nor_rehearsed(
    repository: Repository, champion: Path, tmp_path: Path
) -> None:
    """It is not the one that the release's record names, so its process never starts."""
    repository.release("1.0.0", "proposed", "promoted")
    repository.release("1.1.0", "proposed")
    repository.render("1.1.0")
    Repository(repository.root, one_byte_changed(champion, tmp_path / "changed")).package("1.1.0")

    code, told = repository.rehearse()
    assert (code, told["outcome"]) == (1, "rejected")
    assert "the image at hand is sha256:" in str(told["what"])
    serve = [sys.executable, "-m", "slipway", "serve", "--release", "1.1.0", "--root", str(repository.root)]
    done = subprocess.run(serve, capture_output=True, text=True, check=False, env=os.environ, timeout=120)
    assert done.returncode == 1
    assert "the image at hand is sha256:" in " ".join(done.stderr.split())
