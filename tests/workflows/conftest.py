"""A fork at GitHub, before its first release and after it; each test has a copy of its own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.workflows import github as hub
from tests.workflows import relay, scenarios, server
from tests.workflows.github import GitHub
from tests.workflows.server import Server


@pytest.fixture(scope="session")
def serving() -> Iterator[Server]:
    """GitHub's side."""
    with server.started() as one:
        yield one


@pytest.fixture(scope="session")
def founded(small_repository: Path, serving: Server, tmp_path_factory: pytest.TempPathFactory) -> GitHub:
    """A fork of the small profile, pointed at this GitHub's registry; nothing released. Read only, copy before use."""
    folder = tmp_path_factory.mktemp("founded")
    source = folder / "source"
    shutil.copytree(small_repository, source, symlinks=True)
    layers = hub.point(source, serving.host)
    fork = hub.make(folder, serving, source)
    (folder / "runtime").write_text("\n".join(layers))
    person = hub.Clone(fork, source)
    person.run("git", "remote", "add", "origin", str(fork.shelf.origin))
    person.push("Say what is ours")
    fork.seen = len((fork.shelf.origin / "pushes").read_text().splitlines())
    return fork


@pytest.fixture(scope="session")
def released(founded: GitHub, tmp_path_factory: pytest.TempPathFactory) -> GitHub:
    """The same after its first release, which is the recorded stable of both environments. Read only."""
    fork = hub.copy(founded, tmp_path_factory.mktemp("released"))
    first_release(fork)
    return fork


@pytest.fixture(scope="session")
def staging(released: GitHub, tmp_path_factory: pytest.TempPathFactory) -> GitHub:
    """The same with 1.1.0 in staging, where nobody has decided about it yet. Read only."""
    fork = hub.copy(released, tmp_path_factory.mktemp("staging"))
    scenarios.staged(fork)
    return fork


def first_release(fork: GitHub) -> None:
    """Release 1.0.0 to staging, and from there to production, as docs/deployment.md says."""
    for _ in range(2):  # the first time, it records what the pipeline computed
        fork.enqueue(fork.dispatched("release.yml", {"first": True}))
        scenarios.ended(fork.drain())
    for environment in ("staging", "staging", "production"):
        relay.ask(fork, relay.due(fork, environment, "healthy"))
        scenarios.ended(fork.drain())


@pytest.fixture
def fork(released: GitHub, tmp_path: Path) -> GitHub:
    """A copy of the fork that has released once."""
    return hub.copy(released, tmp_path / "github")


@pytest.fixture
def staged(staging: GitHub, tmp_path: Path) -> GitHub:
    """A copy of the fork that has a canary in staging."""
    return hub.copy(staging, tmp_path / "github")


@pytest.fixture
def fresh(founded: GitHub, tmp_path: Path) -> GitHub:
    """A copy of the fork that has released nothing."""
    return hub.copy(founded, tmp_path / "github")
