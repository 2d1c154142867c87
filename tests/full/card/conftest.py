"""A repository that was packaged for real, and the verbs run in this process."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.conftest import Project

from slipway.__main__ import main

Run = Callable[..., tuple[int, str, str]]


@dataclass(frozen=True)
class Packaged(Project):
    """A project that was packaged, and what `slipway package` said."""

    said: str


@pytest.fixture(scope="session")
def packaged(copy_repository: Callable[[], Project]) -> Packaged:
    """A repository with its model trained, committed and packaged; read only."""
    project = copy_repository()
    trained = project.command("dvc", "repro", "--quiet")
    assert trained.returncode == 0, trained.stdout + trained.stderr
    project.commit("Train")
    done = project.command("slipway", "package", "--version", "1.0.0")
    assert done.returncode == 0, done.stderr
    return Packaged(project.root, done.stdout)


@pytest.fixture
def slipway(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a verb in a folder: exit code, result, messages."""

    def run(root: Path, *words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["slipway", *words, "--root", str(root)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run
