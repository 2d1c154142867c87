"""A small release, agreed on: its commit and its record are on main of a bare origin beside the checkout."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import IDENTITY, Project

from slipway import outcomes
from slipway.adapters import files
from slipway.adapters.git import Repository
from slipway.changes import Change, State
from slipway.commands import settling
from slipway.records import GateDecision, Package

AT = "2013-05-01T12:00:00+00:00"
VERSION = "1.0.0"


@dataclass(frozen=True)
class Shop:
    """A checkout of a repository in which VERSION was released, and its origin beside it."""

    root: Path

    @property
    def project(self) -> Project:
        """The checkout, to run things in."""
        return Project(self.root)

    def rebuild(self, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Rebuild as a process of its own."""
        return self.project.command("slipway", "rebuild", *words, **variables)

    def git(self, *arguments: str) -> str:
        """Run git in the checkout."""
        done = self.project.command("git", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def publish(self, message: str) -> str:
        """Commit everything, and push it to main."""
        commit = self.project.commit(message)
        self.git("push", "--quiet", "origin", "HEAD:main")
        return commit


@pytest.fixture(scope="session")
def released(copy_repository: Callable[[], Any], tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A release of the small profile; read only."""
    root = tmp_path_factory.mktemp("released") / "checkout"
    shutil.copytree(copy_repository().root, root, symlinks=True)
    shop = Shop(root)
    shop.git("clone", "--quiet", "--bare", str(root), str(root.parent / "origin.git"))
    shop.git("remote", "add", "origin", "../origin.git")
    succeed(shop, "dvc", "repro", "--quiet")
    shop.publish("Train")
    succeed(shop, "slipway", "gate", "--first")
    succeed(shop, "slipway", "package", "--version", VERSION)
    propose(shop)
    return shop


def succeed(shop: Shop, *command: str) -> None:
    """Run a command that must not fail."""
    done = shop.project.command(*command)
    assert done.returncode == 0, done.stdout + done.stderr


def propose(shop: Shop) -> None:
    """Record what was packaged and gated as a release, as `slipway release` does, but for what it has verified."""
    package = files.read_record(Package, shop.root / "build/package.json")
    gate = files.read_record(GateDecision, shop.root / "build/gate.json")

    def decide(state: State, _tree: Repository) -> Change:
        return outcomes.propose(state, package, gate, environment="production", at=AT, supersede=False)

    before = dict(os.environ)
    os.environ.update(IDENTITY)
    try:
        settling.settle(Repository(shop.root), decide)
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def shop(released: Shop, tmp_path: Path) -> Shop:
    """A copy of the checkout and of its origin, to change."""
    shutil.copytree(released.root.parent, tmp_path / "released", symlinks=True)
    return Shop(tmp_path / "released/checkout")
