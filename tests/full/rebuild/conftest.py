"""A small release, made and signed by the verbs themselves; its origin and its DVC remote lie beside the checkout."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.conftest import Project
from tests.signed import signing, trusting

from slipway.adapters import files
from slipway.records import Release

VERSION = "1.0.0"


@dataclass(frozen=True)
class Shop:
    """A checkout of a repository in which VERSION was released, and its origin beside it."""

    root: Path

    @property
    def project(self) -> Project:
        """The checkout, to run things in."""
        return Project(self.root)

    @property
    def remote(self) -> Path:
        """The DVC remote, which .dvc/config.local names, and no commit."""
        return self.root.parent / "remote"

    @property
    def record(self) -> Path:
        """What was recorded of the release."""
        return self.root / f"releases/{VERSION}.json"

    def run(self, *command: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run a command, which trusts what the tests have signed."""
        return self.project.command(*command, **trusting(), **variables)

    def ok(self, *command: str, **variables: str) -> str:
        """Run a command that must not fail, and return what it has printed."""
        done = self.run(*command, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def publish(self, message: str) -> str:
        """Commit everything, and push it to main."""
        commit = self.project.commit(message)
        self.ok("git", "push", "--quiet", "origin", "HEAD:main")
        return commit

    def move(self, commit: str) -> None:
        """Have the record name another source commit, on main."""
        record = files.read_record(Release, self.record)
        bundle = msgspec.structs.replace(record.package.bundle, source_commit=commit)
        package = msgspec.structs.replace(record.package, bundle=bundle)
        files.write_record(self.record, msgspec.structs.replace(record, package=package))
        self.publish("Say that it was made from something else")


@pytest.fixture(scope="session")
def released(copy_repository: Callable[[], Any], tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A release of the small profile; read only."""
    shop = Shop(tmp_path_factory.mktemp("released") / "checkout")
    shutil.copytree(copy_repository().root, shop.root, symlinks=True)
    shutil.copytree(shop.root / "sample-remote", shop.remote)
    files.write_text(shop.root / ".dvc/config.local", "['remote \"sample\"']\n    url = ../../remote\n")
    shop.ok("git", "clone", "--quiet", "--bare", ".", "../origin.git")
    shop.ok("git", "remote", "add", "origin", "../origin.git")
    shop.ok("dvc", "repro", "--quiet")
    commit = shop.publish("Train")
    shop.ok("slipway", "gate", "--first")
    shop.ok("slipway", "package", "--version", VERSION)
    signer = shop.project.command("slipway", "sign", **signing(commit))
    assert signer.returncode == 0, signer.stdout + signer.stderr
    shop.ok("slipway", "release")
    return shop


@pytest.fixture
def shop(released: Shop, tmp_path: Path) -> Shop:
    """A copy of the checkout and of its origin, to change."""
    shutil.copytree(released.root.parent, tmp_path / "released", symlinks=True)
    return Shop(tmp_path / "released/checkout")
