"""What the Makefile's tiers rest on: tests of one group run in one worker, for they share a port or a trained model."""

import subprocess
import sys
from pathlib import Path

TESTS = """
import os, pytest

@pytest.mark.xdist_group("port")
@pytest.mark.parametrize("number", range(4))
def test_shares(number):
    with open("workers", "a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + "\\n")
"""


def test_a_group_stays_in_one_worker(tmp_path: Path) -> None:
    """Of several workers, one runs the whole group: pytest and pytest-xdist of the lock agree on how it is marked."""
    (tmp_path / "test_x.py").write_text(TESTS)
    run = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "test_x.py"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    workers = (tmp_path / "workers").read_text().split()
    assert len(workers) == 4
    assert len(set(workers)) == 1
