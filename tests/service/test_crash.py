"""What was acknowledged is in the ledger, once, whoever is killed: the small run. `make soak` has the large one."""

import json
import subprocess
import sys
from pathlib import Path

from disasters import service
from slipway.adapters.processes import free_port


def test_killed_processes_lose_nothing(built: Path, tmp_path: Path) -> None:
    """Worker, parent and shipper are killed under load: nothing that was acknowledged is lost, nothing is doubled."""
    run = [sys.executable, service.__file__, str(built), str(tmp_path), "--port", str(free_port()), "--kills", "3"]
    counted = json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
    print(counted)
    assert counted["acknowledged"] > 100
    assert (counted["lost"], counted["doubled"], counted["truths lost"]) == (0, 0, 0)
