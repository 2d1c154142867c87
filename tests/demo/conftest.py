"""One short demo, interrupted, then finished and serving, and copies of its clone to try refusals on.

It plays on all of the data: a model of the small profile errs so much that a leak does no harm worth an abort.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests import checkout
from tests.conftest import IDENTITY
from tests.signing.instance import Instance, started

from demo.playing import FINISHED_SECONDS, interrupt, trains
from slipway.commands.verifying import LOOPBACK


@dataclass(frozen=True)
class Demo:
    """A repository in which the demo was played, the process that still serves its release, and its Sigstore."""

    root: Path
    process: "subprocess.Popen[str]"
    story: Path  # what it has told
    sigstore: Instance | None = None  # ended with the story, and started again for the tests

    @property
    def environment(self) -> dict[str, str]:
        """What commands outside the demo see: the same code, the same registry of models, the same Sigstore."""
        tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        code = {"PATH": tools, "PYTHONPATH": str(self.root / "src"), "HOME": str(self.root.parent)}
        known = {"MLFLOW_TRACKING_URI": f"sqlite:///{self.folder / 'mlflow.db'}"}
        if self.sigstore:
            known[LOOPBACK] = str(self.sigstore.trust)
        return os.environ | IDENTITY | code | known

    @property
    def folder(self) -> Path:
        """build/demo of the repository."""
        return self.root / "build/demo"

    def run(self, *command: str, folder: Path | None = None) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end, in the repository or another folder; what signs there, is a run for its commit."""
        where, run = folder or self.root, {}
        if command[:2] == ("slipway", "sign") and self.sigstore:
            head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=where, capture_output=True, text=True, check=True)
            run = self.sigstore.environment(sha=head.stdout.strip())
        return subprocess.run(
            command, cwd=where, env=self.environment | run, capture_output=True, text=True, check=False
        )


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working tree as a repository of its own."""
    root = tmp_path_factory.mktemp("demo") / "repository"
    checkout.copy(root)
    for command in ("git init -q -b main", "git add -A", "git commit -qm Begin"):
        subprocess.run(command.split(), cwd=root, env=os.environ | IDENTITY, check=True, capture_output=True)
    return root


@pytest.fixture(scope="session")
def interrupted(repository: Path) -> list[list[str]]:
    """What was left of two demos that were ended while a stage of `dvc repro` ran."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    return [line for number in numbers for line in interrupt(repository, number, trains)]


@pytest.fixture(scope="session")
def finished(
    interrupted: list[list[str]], repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Demo]:
    """A short demo that reached its end and serves on, whatever the user's git is configured to do."""
    hooks = tmp_path_factory.mktemp("git")
    (hooks / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (hooks / "pre-commit").chmod(0o755)
    (hooks / "config").write_text(f"[core]\nhooksPath = {hooks}\n[commit]\ngpgsign = true\n[gpg]\nprogram = false\n")
    hostile = {"GIT_CONFIG_GLOBAL": str(hooks / "config"), "GIT_DIR": str(hooks / "elsewhere")}
    process = subprocess.Popen(
        [sys.executable, "-m", "slipway", "demo", "--short", "--serve", "--json"],
        cwd=repository,
        env=os.environ | hostile | {"PYTHONPATH": str(repository / "src")},
        stdout=subprocess.PIPE,
        stderr=(hooks / "story").open("w"),
        text=True,
    )
    demo = Demo(repository, process, hooks / "story")
    deadline = time.monotonic() + FINISHED_SECONDS
    while not (demo.folder / "service").exists() or "until Ctrl-C" not in demo.story.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"the demo did not finish: {demo.story.read_text()}")
        time.sleep(0.2)
    keys = shutil.copytree(demo.folder / "sigstore", tmp_path_factory.mktemp("sigstore"), dirs_exist_ok=True)
    with started(keys) as sigstore:
        yield replace(demo, sigstore=sigstore)
    process.terminate()
    process.wait()


@pytest.fixture
def copy(finished: Demo, tmp_path: Path) -> Callable[[], Path]:
    """Return a function that copies the demo's origin and clone, for a test that changes them."""

    def make() -> Path:
        shutil.copytree(finished.folder / "origin.git", tmp_path / "origin.git")
        shutil.copytree(finished.folder / "clone", tmp_path / "clone", symlinks=True)
        moved = ["git", "remote", "set-url", "origin", str(tmp_path / "origin.git")]
        subprocess.run(moved, cwd=tmp_path / "clone", check=True)
        return tmp_path / "clone"

    return make
