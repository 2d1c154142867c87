"""Challengers with many seeds (SLIPWAY_SOAK_N of them): no twin is ever aborted, and no bad one gets through."""

import os
from pathlib import Path

import pytest
from tests.rehearsal.conftest import champion  # noqa: F401  # a fixture
from tests.rehearsal.test_challengers import june  # noqa: F401

from challengers import playing
from challengers.releases import CASES
from slipway.adapters.traffic import Flight

SEEDS = range(int(os.environ.get("SLIPWAY_SOAK_N", "2")))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", CASES)
def test_a_challenger_ends_as_it_must_with_any_seed(
    name: str,
    seed: int,
    champion: Path,  # noqa: F811  # the fixture
    june: list[Flight],  # noqa: F811
    tmp_path: Path,
) -> None:
    """The seed decides which flights are asked about, in which order, and which arm answers."""
    case = CASES[name]
    playing.check(case, playing.play(case, champion, tmp_path / name, june, seed=seed), tmp_path / name)
