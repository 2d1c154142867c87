"""Disasters at many random instants: what was acknowledged is in the ledger, once."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from disasters import service
from slipway.adapters.processes import free_port

SEEDS = range(1, 1 + int(os.environ.get("SLIPWAY_SOAK_N", "2")))
KILLS, FILLS = 21, 21

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from fresh import fresh_bento  # noqa: E402  # as the benchmark and the load test make one


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A bento of the model at hand."""
    with fresh_bento() as folder:
        yield folder


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_or_doubled(made: Path, tmp_path: Path, seed: int) -> None:
    """Worker, parent or shipper killed 21 times, and the disk filled 21 times, at instants that a seed chose."""
    (tmp_path / "spool").mkdir()
    options = ["--port", str(free_port()), "--seed", str(seed), "--kills", str(KILLS), "--fills", str(FILLS)]
    program = [sys.executable, service.__file__, str(made), str(tmp_path), *options]
    run = service.full_disk(program, tmp_path / "spool")
    counted = json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
    print(json.dumps(counted, indent=2))
    assert counted["answers"]["/predict 503 spool"] > 0  # the disk was full
    assert counted["acknowledged"] > 10_000
    assert (counted["lost"], counted["doubled"], counted["truths lost"]) == (0, 0, 0)
