"""Processes that are started anew when they end, as a kubelet does, and of which none outlives us, however we end.

All carry a mark in their environment: what they start in sessions of their own carries it, too, and is found by it. A
watchdog holds the end of a pipe that closes when we are gone, by SIGKILL as well, and then kills all that is marked.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from secrets import token_hex

import psutil  # type: ignore[import-untyped]

from slipway.rollout.scaled import Probe

MARK = "REHEARSED_BY"  # in the environment of all that is started
POLL = 0.1  # seconds between two looks at a process
KILLED_SECONDS = 10.0
END_SECONDS = 30
LONGEST = 300.0  # seconds of back-off, the kubelet's
WATCHDOG = """
import sys
from slipway.adapters.processes import kill_marked
sys.stdin.buffer.read()
kill_marked(sys.argv[1])
"""


@contextmanager
def family() -> Iterator[dict[str, str]]:
    """Yield the mark to put into the environment of each process; none that has it is alive afterwards."""
    mark = f"{os.environ.get(MARK, '')}/{token_hex(8)}"  # a family in a family is of both
    # In a session of its own Ctrl-C does not reach it; without a mark it does not end itself.
    watchdog = subprocess.Popen(
        [sys.executable, "-c", WATCHDOG, mark],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield {MARK: mark}
    finally:
        try:
            kill_marked(mark)
        finally:  # and if that was interrupted, the watchdog does it
            if watchdog.stdin:
                watchdog.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                watchdog.wait(2 * KILLED_SECONDS)


def kill_marked(mark: str) -> None:
    """Kill all processes with a mark, until two looks in a row find none: one may be about to start another."""
    end, quiet = time.monotonic() + KILLED_SECONDS, 0
    while quiet < 2 and time.monotonic() < end:
        found = marked(mark)
        for process in found:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, 2)
        quiet = 0 if found else quiet + 1
        time.sleep(POLL)


def marked(mark: str | None = None) -> list[psutil.Process]:
    """Find the processes with a mark; without one, with any."""
    return [
        process
        for process in psutil.process_iter(["environ"])
        if (found := (process.info["environ"] or {}).get(MARK)) and found.startswith(mark or "")
    ]


def run(
    command: list[str], folder: Path, environment: Mapping[str, str], *, draws: bool = False, kindly: bool = False
) -> tuple[int, str]:
    """Run a command in a folder to its end: its exit code, and what it printed.

    It `draws` on our terminal by its standard error. An interrupt ends it, and what it has started, before it is passed
    on; `kindly`, it may clear away first: DVC does not heed SIGTERM, and goes on.
    """
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=None if draws else subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # so that Ctrl-C does not reach it beside us
    ) as process:
        try:
            output, _ = process.communicate()
        except BaseException:
            end(process, kindly=kindly)
            raise
    return process.returncode, output


def end(process: "subprocess.Popen[bytes] | subprocess.Popen[str]", *, kindly: bool = True) -> None:
    """End a process that leads a session, and what is left of it; `kindly`, it may clear away first."""
    try:
        if kindly:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(END_SECONDS)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    """Find a port of loopback that nobody listens on, below those that connections are given: they would take it."""
    while True:
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Kept:
    """A process, and whether it is ready. It is started anew on another port, later each time, until it is stopped."""

    def __init__(
        self,
        command: Callable[[int], list[str]],
        environment: Mapping[str, str],
        log: Path,
        probe: Probe | None,
        backoff: float,
    ) -> None:
        self.address: str | None = None  # while it runs
        self.ready = False
        self.restarts = 0
        self.pid: int | None = None
        self._command, self._environment, self.log = command, environment, log
        self._probe, self._backoff = probe, backoff
        self._stop = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Ask it to end, and wait so long at most; whoever is left is killed by the family."""
        self._stop.set()
        self._thread.join()
        if self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)

    def _keep(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            self._run()
            self.ready, self.address, self.pid = False, None, None
            lasted = time.monotonic() - began
            self.restarts = 0 if lasted > 2 * LONGEST else self.restarts + 1
            # The first restart is at once; the kubelet doubles from there.
            pause = 0.0 if self.restarts == 1 else min(LONGEST, self._backoff * 2 ** (self.restarts - 2))
            self._stop.wait(pause)

    def _run(self) -> None:
        """Run it once, until it ends or we are told to stop."""
        port = free_port()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(port), env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        self.pid, self.address = self._process.pid, f"http://127.0.0.1:{port}"
        failures, due = 0, 0.0
        while not self._stop.is_set():
            if self._process.poll() is not None:
                return
            if self._probe is not None and time.monotonic() >= due:
                due = time.monotonic() + (self._probe.period if self.ready else min(POLL, self._probe.period))
                fine = _answers(f"{self.address}{self._probe.path}", self._probe.timeout)
                failures = 0 if fine else failures + 1
                self.ready = fine or (self.ready and failures < self._probe.failures)
            self._stop.wait(POLL)


def _answers(url: str, timeout: float) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:  # noqa: S310  # a loopback address, made above
            return bool(response.status == 200)
    except (OSError, HTTPException, ValueError):  # somebody else has the port, and does not speak HTTP
        return False
