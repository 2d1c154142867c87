"""What the service remembers: each answered prediction and its truth, over HTTP, in a ledger on SQLite."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from slipway.adapters import bento

from .conftest import FLIGHT, free_port

KEY, CREDENTIAL = 32 * "k", 32 * "c"


class Remembering(NamedTuple):
    """A service with a ledger."""

    address: str
    database: Path
    folder: Path

    def rows(self, table: str) -> list[sqlite3.Row]:
        """All rows of a table."""
        connection = sqlite3.connect(self.database)
        connection.row_factory = sqlite3.Row
        try:
            return connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608  # named by a test
        finally:
            connection.close()

    def tell(self, body: Any, credential: str = CREDENTIAL) -> requests.Response:
        """Send a truth, or several."""
        headers = {"authorization": f"Bearer {credential}"}
        return requests.post(f"{self.address}/feedback", json=body, headers=headers, timeout=30)


def configured(folder: Path) -> dict[str, str]:
    """Write the secrets of a service into a folder; returns its variables."""
    (folder / "secrets").mkdir()
    (folder / "spool").mkdir()
    texts = {"url": f"sqlite:///{folder / 'ledger.db'}\n", "keys": f"{KEY}\n", "credentials": f"{CREDENTIAL}\n"}
    for name, text in texts.items():
        (folder / "secrets" / name).write_text(text)
    return {
        "SLIPWAY_LEDGER": str(folder / "secrets"),
        "SLIPWAY_SPOOL": str(folder / "spool"),
        "SLIPWAY_ENVIRONMENT": "staging",
        "SLIPWAY_POD": "6d4cf56db6",
    }


@pytest.fixture(scope="module")
def remembering(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remembering]:
    """A served bento with a ledger."""
    folder = tmp_path_factory.mktemp("remembering")
    with bento.serving(built, free_port(), **configured(folder)) as address:
        yield Remembering(address, folder / "ledger.db", folder)


def eventually(holds: Callable[[], Any]) -> Any:
    """Wait until something holds; what it is then."""
    deadline = time.monotonic() + 30
    while not (found := holds()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def test_a_prediction_and_its_truth_reach_the_ledger(remembering: Remembering) -> None:
    """The request as it was sent, the answer, and a truth told once: one row in each table."""
    answer = requests.post(f"{remembering.address}/predict", json=FLIGHT, timeout=30).json()
    told = remembering.tell({"id": answer["id"], "late": True, "rating": 4})
    assert (told.status_code, told.json()) == (200, {"id": answer["id"], "status": 200, "result": "stored"})

    (prediction,) = eventually(lambda: [row for row in remembering.rows("predictions") if row["id"] == answer["id"]])
    assert json.loads(prediction["features"]) == FLIGHT
    assert prediction["score"] == answer["probability"]
    assert bool(prediction["decision"]) == answer["late"]
    assert (prediction["environment"], prediction["release"], prediction["pod"]) == ("staging", "1.2.3", "6d4cf56db6")
    (outcome,) = [row for row in remembering.rows("outcomes") if row["id"] == answer["id"]]
    assert (outcome["truth"], outcome["rating"], outcome["call"]) == (1.0, 4, prediction["call"])
