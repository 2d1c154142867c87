"""A command that is given so much time and no more, with all that it has started."""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from time import monotonic

LINGER = 5.0  # seconds to clear away in, once told to end
STEP = 0.05


def run(command: Sequence[str], folder: Path, seconds: float, stop: Event) -> tuple[int | None, str]:
    """Run a command in a folder; its exit code, None where it was ended, and the end of what it said."""
    with tempfile.TemporaryFile() as said:  # no pipe: what hangs on could hold one open
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
        code = _wait(process, seconds, stop)
        if code is None:
            _signal(process, signal.SIGTERM)
            _wait(process, LINGER, Event())
            _signal(process, signal.SIGKILL)
            process.wait()
        said.seek(0)
        return code, said.read().decode(errors="replace").strip()[-2000:]


def _wait(process: "subprocess.Popen[bytes]", seconds: float, stop: Event) -> int | None:
    end = monotonic() + seconds
    while process.poll() is None and monotonic() < end and not stop.is_set():
        stop.wait(STEP)
    return process.poll()


def _signal(process: "subprocess.Popen[bytes]", number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
