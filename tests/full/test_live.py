"""Whole canaries with the ledger on PostgreSQL, and the twin, which takes longest, on SQLite as well."""

from collections.abc import Callable
from pathlib import Path

import pytest

from live import stories
from live.conftest import june, made  # noqa: F401  # fixtures
from slipway.adapters.traffic import Flight


@pytest.mark.parametrize("story", [stories.better, stories.leak, stories.twin])
def test_a_canary_ends_as_it_should_on_postgresql(
    story: stories.Story,
    made: stories.Made,  # noqa: F811  # the fixture
    june: list[Flight],  # noqa: F811
    postgres: Callable[[], str],
    tmp_path: Path,
) -> None:
    """A better model is promoted, one that leaks is aborted on truth, and so is no twin."""
    story(tmp_path / "play", made, june, postgres())


def test_a_twin_is_promoted_on_sqlite(made: stories.Made, june: list[Flight], tmp_path: Path) -> None:  # noqa: F811
    """The same model again is not aborted."""
    stories.twin(tmp_path / "play", made, june, f"sqlite:///{tmp_path / 'ledger.db'}")
