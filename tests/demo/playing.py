"""Plays a demo as a process, and sees what it leaves."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

FINISHED_SECONDS = 900


def left(folder: Path) -> list[list[str]]:
    """Command lines of the processes that work in a folder, or on it."""
    found = (process.info for process in psutil.process_iter(["cwd", "cmdline"]))
    return [info["cmdline"] for info in found if str(folder) in " ".join([info["cwd"] or "", *(info["cmdline"] or [])])]


def interrupt(root: Path, number: signal.Signals, reached: Callable[[Path], bool], *options: str) -> list[list[str]]:
    """Start a demo, interrupt it once it has reached something, and return what is left of it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "slipway", "demo", *options],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # What a script has started in the background ignores SIGINT, and so do its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    try:
        deadline = time.monotonic() + FINISHED_SECONDS
        while not reached(root / "build/demo"):
            assert process.poll() is None, "the demo ended before it was interrupted"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(60) != 0
    finally:
        process.kill()
    return left(root / "build/demo")


def trains(demo: Path) -> bool:
    """Whether a stage of `dvc repro` runs."""
    return any("slipway.stages" in " ".join(line or []) for line in left(demo))
