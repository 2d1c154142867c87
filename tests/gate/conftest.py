"""A repository whose pipeline has run, a registry of models, and the verbs run in this process."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slipway.__main__ import main
from slipway.adapters import files, mlflow
from slipway.records import ModelInfo


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A registry of models, empty at first."""
    return f"sqlite:///{tmp_path_factory.mktemp('registry') / 'mlflow.db'}"


@pytest.fixture(scope="session")
def first(copy_repository: Callable[[], Any]) -> Any:
    """A repository with its pipeline run and committed."""
    project = copy_repository()
    reproduce(project)
    project.commit("Train")
    return project


@pytest.fixture
def slipway(
    registry: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Return a function that runs a verb in a project, and gives its exit code and all that it printed."""

    def run(project: Any, *words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["slipway", *words, "--root", str(project.root), "--tracking-uri", registry])
        try:
            main()
        except SystemExit as ended:
            printed = capsys.readouterr()
            return int(ended.code or 0), " ".join(f"{printed.out} {printed.err}".split())  # a terminal wraps
        raise AssertionError("typer always exits")

    return run


@pytest.fixture
def champion(first: Any, registry: str, slipway: Any, tmp_path: Path) -> Any:
    """A copy of the repository, whose model is the champion."""
    info = files.read_record(ModelInfo, first.root / "artifacts/model/model.json")
    if mlflow.champion(registry) is None:
        assert slipway(first, "gate", "--first")[0] == 0
        assert slipway(first, "register")[0] == 0
        mlflow.crown(registry, info.model_digest)
    shutil.copytree(first.root, tmp_path / "repository", symlinks=True)
    return replace(first, root=tmp_path / "repository")


def reproduce(project: Any) -> None:
    """Run what has changed of the pipeline."""
    done = project.command("dvc", "repro", "--quiet")
    assert done.returncode == 0, done.stdout + done.stderr
