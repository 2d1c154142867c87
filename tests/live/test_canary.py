"""Whole canaries on this machine, the ledger on SQLite. The twin, and PostgreSQL, are in tests/full."""

from pathlib import Path

import pytest

from live import stories
from slipway.adapters.traffic import Flight


@pytest.mark.parametrize("story", [stories.better, stories.leak])
def test_a_canary_ends_as_it_should(
    story: stories.Story, made: stories.Made, june: list[Flight], tmp_path: Path
) -> None:
    """A better model is promoted; one that leaks is aborted on truth."""
    story(tmp_path / "play", made, june, f"sqlite:///{tmp_path / 'ledger.db'}")
