"""Three bundles, and the flights of a later fortnight, for tests that play whole canaries."""

from pathlib import Path

import polars as pl
import pytest
from tests.conftest import ROOT

from live import bundles
from slipway.adapters.flights import read_month
from slipway.adapters.traffic import Flight, flights


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Bentos: the champion, a challenger trained on two months more, and one that learnt the future."""
    root = tmp_path_factory.mktemp("bundles")
    return {
        "champion": bundles.make(root / "champion", "1.0.0", bundles.CHAMPION).bento,
        "challenger": bundles.make(root / "challenger", "1.1.0", bundles.CHALLENGER).bento,
        "leak": bundles.make(root / "leak", "1.2.0", bundles.CHALLENGER, leak=True).bento,
    }


@pytest.fixture(scope="session")
def june() -> list[Flight]:
    """Flights of 16 to 30 June, which no bundle was trained on."""
    table = read_month(ROOT / "replay", "2013-06").filter(pl.col("date").dt.day() > 15)
    return flights(table.iter_rows(named=True))
