"""Each challenger once: its canary ends as it must, for the reason that it must, before it has met too many people."""

from pathlib import Path

import pytest

from challengers import playing
from challengers.releases import CASES
from live import bundles
from slipway.adapters.traffic import Flight


@pytest.fixture(scope="session")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bento that all of them are made of, trained on January to March."""
    return bundles.make(tmp_path_factory.mktemp("champion") / "made", "1.0.0", bundles.CHAMPION).bento


@pytest.fixture(scope="session")
def june() -> list[Flight]:
    """What is sent."""
    return playing.june()


@pytest.mark.parametrize("name", CASES)
def test_a_challenger_ends_as_it_must(name: str, champion: Path, june: list[Flight], tmp_path: Path) -> None:
    """See challengers/releases.py."""
    case = CASES[name]
    playing.check(case, playing.play(case, champion, tmp_path / name, june, seed=1), tmp_path / name)
