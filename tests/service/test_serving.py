"""A served bento as a process: it starts, says why it does not, and ends when it is told to."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import requests

from slipway.adapters import bento
from slipway.adapters.processes import free_port
from slipway.errors import Broken

from .conftest import FLIGHT


def test_termination_ends_it_cleanly(built: Path, tmp_path: Path) -> None:
    """SIGTERM to what the image starts ends it and its worker, with code 0."""
    port = free_port()
    command = [sys.executable, "-m", "bentoml", "serve", str(built), "--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {"BENTOML_HOME": str(tmp_path)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.monotonic() + bento.READY_SECONDS
        while not _answers(port) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert requests.post(f"{bento.address(port)}/predict", json=FLIGHT, timeout=30).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert not _listens(port)
    finally:
        bento.kill_all(tmp_path)


def test_nothing_is_left_behind(built: Path) -> None:
    """When the block ends, by an error too, nobody answers any more."""
    port = free_port()
    with suppress(ZeroDivisionError), bento.serving(built, port):
        assert _answers(port)
        raise ZeroDivisionError
    assert not _listens(port)


def test_a_killed_service_leaves_no_worker(built: Path) -> None:
    """Its worker has a session of its own and outlives it; when the block ends it is gone, and the port is free."""
    port = free_port()
    with bento.serving(built, port):
        killed = [child for child in psutil.Process().children() if str(port) in child.cmdline()]
        assert len(killed) == 1
        killed[0].kill()
        killed[0].wait(10)
    assert not _listens(port)


def test_a_bento_that_does_not_start_is_broken(tmp_path: Path) -> None:
    """A folder that is no bento: what BentoML wrote is in the error, at once."""
    (tmp_path / "service.py").write_text("raise ImportError('no such thing')\n")
    with pytest.raises(Broken, match="no service answers"), bento.serving(tmp_path, free_port()):
        pass


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _answers(port: int) -> bool:
    try:
        return requests.get(f"{bento.address(port)}/readyz", timeout=5).status_code == 200
    except requests.RequestException:  # nobody listens, or the worker is not up yet
        return False
