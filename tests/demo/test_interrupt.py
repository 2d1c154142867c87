"""A demo that is interrupted leaves nothing running, and can be played again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

FIELDS = ["cwd", "cmdline"]


def left(folder: Path) -> list[list[str]]:
    """Command lines of the processes that work in a folder, or on it."""
    found = (process.info for process in psutil.process_iter(FIELDS))
    return [info["cmdline"] for info in found if str(folder) in " ".join([info["cwd"] or "", *(info["cmdline"] or [])])]


def interrupt(root: Path, environment: dict[str, str], number: signal.Signals) -> None:
    """Start a demo, and interrupt it while `dvc repro` runs a stage."""
    command = [sys.executable, "-m", "slipway", "demo"]
    process = subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not any("slipway.stages" in " ".join(line or []) for line in left(root / "build/demo")):
            assert process.poll() is None, "the demo ended before a stage ran"
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(60) != 0
    finally:
        process.kill()


def test_interrupted_demo_leaves_nothing_and_runs_again(copy_repository: Callable[[], Any]) -> None:
    """Ctrl-C and SIGTERM end a stage of `dvc repro` too; the next demo reaches its end, its story beside the JSON."""
    root = copy_repository().root
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    for number in (signal.SIGINT, signal.SIGTERM):
        interrupt(root, environment, number)
        assert left(root / "build/demo") == []

    command = [sys.executable, "-m", "slipway", "demo", "--json"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((root / "build/demo/result.json").read_text())
    assert "dvc repro" in done.stderr
