"""What a rehearsal starts is kept alive while it plays, and is gone when it has ended, by whatever it ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from tests.conftest import ROOT

from slipway.adapters import processes
from slipway.adapters.processes import Kept, family
from slipway.rollout.scaled import Probe

PROBE = Probe(path="/", period=0.1, timeout=2.0, failures=2)
SERVER = "import sys; from http.server import *; HTTPServer(('127.0.0.1', int(sys.argv[1])), {}).serve_forever()"
FINE = SERVER.format("SimpleHTTPRequestHandler")
STRANGER = r"""
import socket, sys
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    listening.accept()[0].sendall(b"\xff\r\n\r\n")
"""
# A daemon of its own session, which ignores what it is asked for politely, as a worker of BentoML's may.
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
PARENT = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {STUBBORN!r}], start_new_session=True)
time.sleep(600)
"""
PLAYER = f"""
import os, signal, subprocess, sys, time
from slipway.adapters.processes import family
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.default_int_handler)
with family() as mark:
    subprocess.Popen([sys.executable, "-c", {PARENT!r}], env=os.environ | mark, start_new_session=True)
    print(mark["{processes.MARK}"], flush=True)
    if sys.argv[1] == "raise":
        time.sleep(1)
        raise RuntimeError
    time.sleep(600)
"""


def until(what: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it does not come to be"
        time.sleep(0.05)


@contextmanager
def kept(folder: Path, program: str, probe: Probe | None = PROBE, backoff: float = 0.2) -> Iterator[Kept]:
    """Keep a Python program alive, which gets the port as its argument."""
    with family() as mark:
        one = Kept(
            lambda port: [sys.executable, "-c", program, str(port)], os.environ | mark, folder / "log", probe, backoff
        )
        yield one
        one.stop(10)


def test_a_process_is_ready_when_it_answers_and_is_started_anew_when_it_ends(tmp_path: Path) -> None:
    """While it is away it is not ready; it comes back at another address."""
    with kept(tmp_path, FINE) as one:
        until(lambda: one.ready)
        before, pid = one.address, one.pid
        assert pid is not None
        psutil.Process(pid).kill()
        until(lambda: one.pid != pid)
        assert not one.ready or one.address != before
        until(lambda: one.ready)
        assert (one.address != before, one.restarts) == (True, 1)


def test_one_that_never_answers_is_never_ready(tmp_path: Path) -> None:
    """It lives, and 501 is no 200."""
    with kept(tmp_path, SERVER.format("BaseHTTPRequestHandler")) as one:
        until(lambda: one.address)
        time.sleep(1.5)
        assert (one.ready, one.restarts) == (False, 0)


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_stranger_on_the_port_is_never_ready(tmp_path: Path) -> None:
    """What it says is no HTTP, and ends no probing."""
    with kept(tmp_path, STRANGER) as one:
        until(lambda: one.address)
        time.sleep(1.0)
        assert not one.ready


def test_one_that_hangs_is_not_ready_any_more(tmp_path: Path) -> None:
    """A probe has a timeout, and a number of failures until it counts."""
    with kept(tmp_path, FINE, Probe(path="/", period=0.1, timeout=0.3, failures=2)) as one:
        until(lambda: one.ready)
        assert one.pid is not None
        os.kill(one.pid, signal.SIGSTOP)
        until(lambda: not one.ready)
        os.kill(one.pid, signal.SIGCONT)
        until(lambda: one.ready)
        assert one.restarts == 0


def test_one_that_always_ends_is_started_later_each_time(tmp_path: Path) -> None:
    """First at once, then after a pause that doubles."""
    noting = f"import time; open({str(tmp_path / 'times')!r}, 'a').write(str(time.monotonic()) + chr(10))"
    with kept(tmp_path, noting, None, 0.4) as one:
        until(lambda: one.restarts >= 4)
    starts = [float(line) for line in (tmp_path / "times").read_text().splitlines()]
    pauses = [after - before for before, after in pairwise(starts)]
    assert pauses[1] > 0.4
    assert pauses[2] > 0.8


@pytest.mark.parametrize("end", ["raise", signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=str)
def test_no_process_outlives_whoever_started_it(end: str | signal.Signals) -> None:
    """Not even the child of a child in a session of its own, that ignores SIGTERM; not even after a SIGKILL."""
    command = [sys.executable, "-c", PLAYER, str(end)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT, start_new_session=True
    ) as player:
        assert player.stdout is not None
        mark = player.stdout.readline().strip()
        assert mark
        if isinstance(end, signal.Signals):
            until(lambda: len(processes.marked(mark)) == 2)
            player.send_signal(end)
        assert player.wait(60) != 0
        until(lambda: not processes.marked(mark), 30)
