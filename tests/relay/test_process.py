"""`slipway relay serve` as it runs: a process, a real origin, the real verbs."""

from pathlib import Path

import pytest
from tests.conftest import IDENTITY
from tests.outcomes import world as worlds
from tests.outcomes.world import World
from tests.relay.running import relay, see, until


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world in which 1.0.0 is staging's stable and 1.1.0 its canary."""
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)
    made = worlds.make(tmp_path)
    made.release("1.0.0", "staging")
    made.ok("promote", "1.0.0", "--environment", "staging")
    made.release("1.1.0", "staging")
    return made


def test_a_canary_that_ends_well_is_promoted_in_git(world: World) -> None:
    with relay(world):
        see(world, worlds.package("1.1.0").image_digest, "healthy", "verdict")
        until(lambda: world.kinds("1.1.0", "staging") == ["proposed", "promoted"])


def test_an_aborted_canary_is_reverted_in_git(world: World) -> None:
    with relay(world):
        see(world, worlds.package("1.1.0").image_digest, "aborted", "verdict")
        until(lambda: world.kinds("1.1.0", "staging") == ["proposed", "reverted"])
