"""A world that every test of the relay begins with, made once and copied."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.conftest import authored
from tests.outcomes import world as worlds
from tests.outcomes.world import World


@pytest.fixture(scope="session", autouse=True)
def identity() -> Iterator[None]:
    """Who commits, in this process as in those that it starts."""
    with authored():
        yield


@pytest.fixture(scope="session")
def begun(identity: None, tmp_path_factory: pytest.TempPathFactory) -> World:
    """1.0.0 is staging's stable and 1.1.0 its canary. Read only."""
    made = worlds.make(tmp_path_factory.mktemp("world"))
    made.release("1.0.0", "staging")
    made.ok("promote", "1.0.0", "--environment", "staging")
    made.release("1.1.0", "staging")
    return made


@pytest.fixture
def world(begun: World, tmp_path: Path) -> World:
    """A world of a test's own."""
    for name in ("origin.git", "clone"):
        shutil.copytree(begun.folder / name, tmp_path / name, symlinks=True)
    made = World(tmp_path)
    made.git("remote", "set-url", "origin", str(made.origin), folder=made.clone)
    return made


@pytest.fixture
def hook(world: World) -> Callable[[str], Path]:
    """Return a function that gives the origin a hook, which runs before it takes a push."""

    def put(script: str) -> Path:
        path = world.origin / "hooks/pre-receive"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return put
