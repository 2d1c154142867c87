"""A fresh world for each test, whose registry was made once."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests import signed
from tests.conftest import IDENTITY
from tests.outcomes.webhook import Webhook, listening
from tests.outcomes.world import World, copy, make
from tests.samples import package

VERSIONS = ("1.0.0", "1.1.0", "1.2.0", "1.3.0")  # whose models are registered, the last one as challenger


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a registry that holds the models of VERSIONS; read only, copy before use."""
    from slipway.adapters import mlflow
    from slipway.adapters.mlflow.client import connected

    path = tmp_path_factory.mktemp("registry") / "mlflow.db"
    with connected(f"sqlite:///{path}") as client:
        client.create_registered_model(mlflow.NAME)
        for version in VERSIONS:
            tags = {"model_digest": package(version).bundle.model_digest}
            made = client.create_model_version(mlflow.NAME, "file:///nowhere", tags=tags)
        client.set_registered_model_alias(mlflow.NAME, mlflow.CHALLENGER, made.version)
    return path


@pytest.fixture(scope="session")
def untouched(registry: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world in which nothing was released; read only, copy before use."""
    world = make(tmp_path_factory.mktemp("untouched"))
    shutil.copy(registry, world.folder / "mlflow.db")
    return world


@pytest.fixture
def make_world(
    untouched: World, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], World]:
    """Return a function that makes a world."""
    for key, value in (IDENTITY | signed.trusting()).items():
        monkeypatch.setenv(key, value)
    monkeypatch.delenv("SLIPWAY_NOTIFY", raising=False)
    return lambda: copy(untouched, tmp_path_factory.mktemp("world"))


@pytest.fixture
def world(make_world: Callable[[], World]) -> World:
    """A world in which nothing was released."""
    return make_world()


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A receiver of notifications."""
    with listening() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback is reached directly, whatever the machine is told of proxies."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
