"""`make load`: twenty users for twenty seconds against a bento of the model at hand, or against --host."""

import argparse
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from slipway.adapters import bento

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "bench"))
from fresh import fresh_bento  # noqa: E402  # not a package

PORT = 3999


def main() -> int:
    """Return locust's exit code: 0 when the objective is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", help="a service that already runs on this machine")
    parser.add_argument("--seconds", type=int, default=20)
    args = parser.parse_args()
    with ExitStack() as stack:
        host = args.host or stack.enter_context(bento.serving(stack.enter_context(fresh_bento()), PORT))
        users = ("--users", "20", "--spawn-rate", "20", "--run-time", f"{args.seconds}s")
        command = (sys.executable, "-m", "locust", "-f", str(HERE / "locustfile.py"), "--headless", "--only-summary")
        return subprocess.run([*command, *users, "--host", host], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
