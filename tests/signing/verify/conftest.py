"""A signed package, made once, and copies of it to change; two instances to sign with."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import Project
from tests.signing import hand as hands
from tests.signing.hand import Hand
from tests.signing.instance import Instance, started


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """A loopback Sigstore as it comes: Rekor v2 with time stamps."""
    with started(tmp_path_factory.mktemp("sigstore")) as running:
        yield running


@pytest.fixture(scope="session")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Another one: Rekor v1, whose log says the time."""
    with started(tmp_path_factory.mktemp("sigstore1"), "--rekor", "1") as running:
        yield running


@pytest.fixture(scope="session")
def made(trained: Project, instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> Hand:
    """A package that is signed as the policy asks; read only."""
    hand = hands.make(trained, tmp_path_factory.mktemp("hand") / "repository")
    hand.put(hand.sign(instance))
    return hand


@pytest.fixture
def hand(made: Hand, instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hand:
    """A copy of it, in a process that trusts the instance."""
    hands.trust(instance, monkeypatch)
    shutil.copytree(made.root, tmp_path / "repository", symlinks=True)
    return replace(made, root=tmp_path / "repository")
