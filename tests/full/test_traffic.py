"""The clients of a cluster's tests: they ask at their rate, tell the truth, count right, and end with whoever began."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import psutil
import pytest
from tests.cluster.traffic import Traffic
from tests.conftest import ROOT, Project
from tests.service.conftest import build

from slipway.adapters import bento, files
from slipway.adapters.processes import free_port
from slipway.errors import Broken

VERSION, POD, RATE, NAME = "1.2.3", "6d4cf56db6", 100, "flights.example.com"
CREDENTIAL = 32 * "c"


def eventually(holds: Callable[[], bool]) -> bool:
    """Wait until it does."""
    deadline = time.monotonic() + 20
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.1)
    return holds()


def rows(database: Path, table: str) -> int:
    """Count the rows of a table."""
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608


def test_answers_and_truths_are_counted_and_silence_is_a_failure(trained: Project, tmp_path: Path) -> None:
    """A service with a ledger answers, and is stopped; the ledger holds what the clients have counted."""
    made = build(trained.root / "artifacts/model", tmp_path / "bento", VERSION)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    files.write_texts(tmp_path / "secrets", {"url": url, "keys": 32 * "k", "credentials": CREDENTIAL})
    (tmp_path / "spool").mkdir()
    told = {"LEDGER": str(tmp_path / "secrets"), "SPOOL": str(tmp_path / "spool"), "ENVIRONMENT": "staging", "POD": POD}
    with ExitStack() as service:
        variables = {f"SLIPWAY_{name}": value for name, value in told.items()}
        address = service.enter_context(bento.serving(made, free_port(), **variables))
        with Traffic.start(
            tmp_path / "traffic", host=address, header=NAME, credential=CREDENTIAL, rate=RATE, truth_delay=0.5
        ) as traffic:
            since = traffic.mark()
            seen = traffic.wait_for(3 * RATE, since)
            assert RATE / 3 < 3 * RATE / (traffic.mark() - since) < 1.2 * RATE  # a machine may be slow, and never fast
            assert (seen.failures, seen.by_version, seen.share(POD)) == ({}, {VERSION: seen.requests}, 1.0)
            assert eventually(lambda: traffic.seen(since).truths > RATE)
            service.close()
            gone = traffic.mark()
            lost = traffic.wait_for(RATE, gone)
            assert (lost.failures, lost.by_pod, lost.truths) == ({0: lost.requests}, {}, 0)
            assert traffic.seen(since, gone).requests + traffic.seen(gone).requests == traffic.seen(since).requests
    assert not psutil.pid_exists(traffic.pid)
    whole = traffic.seen(0.0)
    held = {table: rows(tmp_path / "ledger.db", table) for table in ("predictions", "outcomes")}
    # What was answered while the service ended may not have reached the client.
    assert 0 <= held["predictions"] - whole.by_version[VERSION] <= RATE / 5
    assert 0 <= held["outcomes"] - whole.truths <= RATE


def test_clients_that_have_died_are_not_waited_for(tmp_path: Path) -> None:
    """Neither those that never begin nor those that are killed; nobody needs to answer for that."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    with (
        pytest.raises(Broken, match="TypeError"),
        Traffic.start(tmp_path / "no", host=nowhere, header=NAME, credential="c", seed="x"),  # type: ignore[arg-type]
    ):
        pytest.fail("they began")
    with (  # noqa: PT012  # it is killed in the block
        pytest.raises(Broken, match="exit code -9"),
        Traffic.start(tmp_path / "yes", host=nowhere, header=NAME, credential="c") as traffic,
    ):
        assert traffic.wait_for(10, 0.0).failed >= 10
        os.kill(traffic.pid, signal.SIGKILL)
        traffic.wait_for(10_000, traffic.mark())


def test_they_end_when_their_maker_is_killed(tmp_path: Path) -> None:
    """A test run that is killed leaves nobody who asks."""
    script = f"""
import sys, time
from pathlib import Path
from tests.cluster.traffic import Traffic
with Traffic.start(Path(sys.argv[1]), host=sys.argv[2], header="{NAME}", credential="c", rate=20) as traffic:
    print(traffic.pid, flush=True)
    time.sleep(600)
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    command = [sys.executable, "-c", script, str(tmp_path), f"http://127.0.0.1:{free_port()}"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as maker:
        assert maker.stdout is not None
        pid = int(maker.stdout.readline())
        assert psutil.pid_exists(pid)
        maker.kill()
    assert eventually(lambda: not psutil.pid_exists(pid))
