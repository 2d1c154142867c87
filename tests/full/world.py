"""A repository in which a real model was released, and another one is packaged and signed; and its registry."""

import io
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from tests import signed
from tests.conftest import IDENTITY, Project

from slipway.__main__ import main
from slipway.commands import verifying

RELEASED, AT_HAND = "1.0.0", "1.1.0"


@dataclass(frozen=True)
class Answer:
    """How a verb ended, and all that it said."""

    code: int
    said: str


@dataclass(frozen=True)
class World:
    """A folder with origin.git, a clone of it, and a registry."""

    folder: Path

    @property
    def clone(self) -> Path:
        """Where the verbs run."""
        return self.folder / "clone"

    @property
    def trust(self) -> Path:
        """What its Sigstore is known by, though it runs no more."""
        return self.folder / "trust.json"

    @property
    def registry(self) -> Path:
        """The file of the registry."""
        return self.folder / "mlflow.db"

    @contextmanager
    def environment(self) -> Iterator[None]:
        """Believe its Sigstore, and commit as somebody."""
        tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        with mock.patch.dict(os.environ, IDENTITY | {"PATH": tools, verifying.LOOPBACK: str(self.trust)}):
            yield

    def run(self, *words: str, **variables: str) -> Answer:
        """Run a verb in the clone, in this process."""
        told = io.StringIO()
        environment = {"MLFLOW_TRACKING_URI": f"sqlite:///{self.registry}", **variables}
        argv = ["slipway", *words, "--root", str(self.clone)]
        with mock.patch.dict(os.environ, environment), mock.patch.object(sys, "argv", argv):
            try:
                with redirect_stdout(told), redirect_stderr(told):
                    main()
            except SystemExit as ended:
                return Answer(int(ended.code or 0), " ".join(told.getvalue().split()))  # a terminal wraps
        raise AssertionError("typer always exits")

    def serve(self, version: str) -> Answer:
        """Run `slipway serve` on a port that is taken: what it would serve ends there, with 2."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            return self.run("serve", "--release", version, "--port", str(taken.getsockname()[1]))

    def git(self, *arguments: str) -> str:
        """Run git in the clone, and return what it printed."""
        done = Project(self.clone).command("git", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def publish(self, message: str) -> None:
        """Commit everything, as the machine and everybody else sees it."""
        Project(self.clone).commit(message)
        self.git("push", "--quiet", "origin", "HEAD:main")

    def edit(self, name: str, before: str, after: str) -> None:
        """Replace a text of a file, wherever it stands in it."""
        path = self.clone / name
        assert before in path.read_text()
        path.write_text(path.read_text().replace(before, after))

    def record(self, name: str) -> dict[str, Any]:
        """Read a JSON file."""
        found: dict[str, Any] = json.loads((self.clone / name).read_text())
        return found

    def query(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        """Ask the registry's database, or change it."""
        with closing(sqlite3.connect(self.registry)) as database, database:
            return database.execute(statement, values).fetchall()

    def model_file(self, name: str, version: str = "1") -> Path:
        """A file of a registered model, where the registry keeps it."""
        ((place,),) = self.query(
            "select artifact_uri from runs join model_versions on run_uuid = run_id where version = ?", version
        )
        return Path(str(place).removeprefix("file://")) / "model" / name

    def snapshot(self) -> dict[str, object]:
        """All that a refused verb must leave as it was; a rejected gate still writes its decision."""
        build = {path: path.read_bytes() for path in (self.clone / "build").glob("*.json") if path.name != "gate.json"}
        return {
            "origin": self.git("ls-remote", "origin"),
            "head": self.git("rev-parse", "HEAD"),
            "tree": self.git("status", "--porcelain"),
            "build": build,
            "aliases": self.query("select alias, version from registered_model_aliases order by alias"),
            "versions": self.query("select version from model_versions order by version"),
            "tags": self.query("select version, key, value from model_version_tags order by version, key"),
        }


def make(project: Project, folder: Path) -> World:
    """Release and promote a first model, then train, gate, package and sign another."""
    world = World(folder)
    shutil.copytree(project.root, world.clone, symlinks=True)
    shutil.copy(signed.trusting()[verifying.LOOPBACK], world.trust)
    subprocess.run(["git", "clone", "--quiet", "--bare", str(world.clone), str(folder / "origin.git")], check=True)
    world.git("remote", "add", "origin", str(folder / "origin.git"))
    with world.environment():
        _sign(world, "Train", "gate", "--first")
        for words in (("register",), ("release",), ("promote", RELEASED)):
            _ok(world, *words)
        Project(world.clone).params(train__logistic_regression__C=0.05)
        _sign(world, "Train another", "gate")
    return world


def copy(world: World, folder: Path) -> World:
    """Copy a world, its registry's files too."""
    shutil.copytree(world.folder, folder, symlinks=True, dirs_exist_ok=True)
    copied = World(folder)
    copied.git("remote", "set-url", "origin", str(folder / "origin.git"))
    for table, column in (("runs", "artifact_uri"), ("experiments", "artifact_location")):
        copied.query(f"update {table} set {column} = replace({column}, ?, ?)", str(world.folder), str(folder))  # noqa: S608
    return copied


def _sign(world: World, message: str, *gate: str) -> None:
    done = Project(world.clone).command("dvc", "repro", "--quiet")
    assert done.returncode == 0, done.stdout + done.stderr
    world.publish(message)
    _ok(world, *gate)
    _ok(world, "package")
    _ok(world, "sign", **signed.signing(world.git("rev-parse", "HEAD")))


def _ok(world: World, *words: str, **variables: str) -> None:
    answer = world.run(*words, **variables)
    assert answer.code == 0, answer.said
