"""What nobody foresaw ends with 2, broken: 1 would read as a model refused."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

SLIPWAY = [sys.executable, "-m", "slipway"]


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (["gate", "--root", "/nonexistent"], os.environ["PATH"]),
        (["package"], "/nonexistent"),
        (["release"], os.environ["PATH"]),
    ],
    ids=["no such repository", "no git", "no checkout"],
)
def test_unforeseen_errors_are_no_verdict(command: list[str], path: str, tmp_path: Path) -> None:
    """A missing folder, a missing git, an empty folder."""
    environment = os.environ | {"PATH": path}
    done = subprocess.run(
        [*SLIPWAY, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2, done.stderr


@pytest.mark.parametrize("stage", ["prepare", "train"])
def test_stages_without_their_files_are_no_verdict(stage: str, tmp_path: Path) -> None:
    """`dvc repro` sees 2."""
    arguments = {"prepare": ["--data", "data"], "train": ["--splits", "splits"]}[stage]
    run = [sys.executable, "-m", f"slipway.stages.{stage}", *arguments, "--out", "out"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 2, done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ended", [signal.SIGTERM, signal.SIGHUP])
def test_an_ended_command_clears_away_what_it_began(ended: signal.Signals, small_repository: Path) -> None:
    """A cancelled job, or a closed terminal, leaves no temporary folder behind."""
    with tempfile.TemporaryDirectory() as temporary:
        environment = os.environ | {"TMPDIR": temporary, "PYTHONPATH": str(small_repository / "src")}
        process = subprocess.Popen(
            [sys.executable, "-c", WAITING], cwd=small_repository, env=environment, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(ended)
        deadline = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)

        assert process.poll() not in (None, 0)
        assert not list(Path(temporary).iterdir())


WAITING = """
import tempfile, time
from slipway import __main__ as cli

@cli.app.command()
def wait() -> None:
    with tempfile.TemporaryDirectory():
        print("waiting", flush=True)
        time.sleep(60)

import sys
sys.argv = ["slipway", "wait"]
cli.main()
"""
