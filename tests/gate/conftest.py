"""A repository whose pipeline has run, a registry of models, and the verbs run in this process."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from tests import signed

from slipway import outcomes
from slipway.__main__ import main
from slipway.adapters import files, mlflow
from slipway.adapters.git import Repository
from slipway.commands import settling, shelf, verifying
from slipway.records import GateDecision, ModelInfo, Package
from slipway.releases import PRODUCTION

AT = "2013-05-01T00:00:00+00:00"


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


@pytest.fixture(scope="session")
def released(first: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A copy of it whose model is packaged, signed and, in Git, production's recorded stable."""
    project = replace(first, root=tmp_path_factory.mktemp("released") / "repository")
    shutil.copytree(first.root, project.root, symlinks=True)
    uri = f"sqlite:///{project.root.parent / 'mlflow.db'}"
    for words in (("gate", "--first", "--tracking-uri", uri), ("package",)):
        done = project.command("slipway", *words)
        assert done.returncode == 0, done.stdout + done.stderr
    sign(project)
    package = files.read_record(Package, project.root / "build/package.json")
    gate = files.read_record(GateDecision, project.root / "build/gate.json")
    verifying.commit(project.root, package.bundle.version)
    proposed = outcomes.propose(shelf.state(project.root), package, gate, environment=PRODUCTION, at=AT)
    commit = project.commit(settling.write(Repository(project.root), proposed))
    promoted = outcomes.promote(
        shelf.state(project.root),
        package.bundle.version,
        environment=PRODUCTION,
        at=AT,
        cause="person",
        commit=lambda: commit,
    )
    assert promoted is not None
    project.commit(settling.write(Repository(project.root), promoted))
    return project


@pytest.fixture
def slipway(
    registry: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Return a function that runs a verb in a project, and gives its exit code and all that it printed."""
    for name, value in signed.trusting().items():
        monkeypatch.setenv(name, value)

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
def champion(released: Any, registry: str, slipway: Any, tmp_path: Path) -> Any:
    """A copy of that repository, whose model is the champion."""
    info = files.read_record(ModelInfo, released.root / "artifacts/model/model.json")
    if mlflow.champion(registry) is None:
        assert slipway(released, "register") == (0, ANY)
        mlflow.crown(registry, info.model_digest)
    shutil.copytree(released.root, tmp_path / "repository", symlinks=True)
    return replace(released, root=tmp_path / "repository")


def sign(project: Any) -> None:
    """Sign what is packaged, in a run for the commit that is checked out."""
    head = project.command("git", "rev-parse", "HEAD").stdout.strip()
    done = project.command("slipway", "sign", **signed.signing(head))
    assert done.returncode == 0, done.stdout + done.stderr


def reproduce(project: Any) -> None:
    """Run what has changed of the pipeline."""
    done = project.command("dvc", "repro", "--quiet")
    assert done.returncode == 0, done.stdout + done.stderr
