"""Questions that nobody should ask, the judge's log after them, and a Prometheus that takes its time."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from tests.conftest import ROOT
from tests.judge import worlds
from typer.testing import CliRunner

from slipway.__main__ import app
from slipway.adapters import files
from slipway.adapters.prometheus import Prometheus
from slipway.adapters.rehearsal import Rehearsal
from slipway.canary import settings
from slipway.errors import Broken
from slipway.services.judge import Judge

Serve = Callable[[Judge], str]


@pytest.fixture
def address(tmp_path: Path, serve: Serve) -> str:
    """A judge of a rehearsal."""
    source = Rehearsal(worlds.rehearse(tmp_path / "rehearsal", seconds=60))
    return serve(Judge(worlds.POLICY, source, source, None))


@pytest.mark.parametrize("given", ["rps=1e-300&weight=1e-300", "rps=1e-4&weight=5e-324", "rps=1e-300&weight=0.5"])
def test_a_plan_for_no_traffic_at_all(address: str, given: str) -> None:
    """Less than a request in hours: refused, before something is divided by it."""
    answer = requests.get(f"{address}/plan?{given}", timeout=30)
    assert (answer.status_code, answer.json()["errorType"]) == (400, "bad_data")


def test_a_weight_of_nothing() -> None:
    """As on the command line."""
    done = CliRunner().invoke(app, ["judge", "plan", "--rps", "0.0001", "--weight", "5e-324"])
    assert done.exit_code == 2
    assert "a weight is a share" in done.stderr


def test_who_hangs_up_leaves_no_traceback(capfd: pytest.CaptureFixture[str], address: str) -> None:
    """The client goes in the middle of its question; the next one is answered."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nquery=")
        time.sleep(0.3)  # it is read up to here
    for _ in range(10):
        assert requests.get(f"{address}/healthz", timeout=30).ok
        time.sleep(0.05)
    assert "Traceback" not in capfd.readouterr().err


def test_an_answer_in_drops_is_not_waited_for() -> None:
    """A byte comes now and then, so that the connection is never silent: it is left when the time is over."""
    rules = settings.parse(files.parse_yaml((ROOT / "rollouts/judge.yaml").read_bytes(), "it"), "it")
    dropped = []

    def drip(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            for number in range(200):
                connection.sendall(b" ")
                dropped.append(number)
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,))
        thread.start()
        prometheus = Prometheus(f"http://127.0.0.1:{listening.getsockname()[1]}", rules.selectors)
        with pytest.raises(Broken, match="did not answer in time"):
            prometheus._query("up", 0.0, time.monotonic() + 0.5)
        thread.join()
    assert len(dropped) < 200


def test_a_prometheus_at_no_address() -> None:
    """It is said at the start."""
    rules = settings.parse(files.parse_yaml((ROOT / "rollouts/judge.yaml").read_bytes(), "it"), "it")
    with pytest.raises(Broken, match="address of Prometheus"):
        Prometheus("http://[", rules.selectors)
