"""A relay as a process, in a world with a real origin, and a rehearsal folder that a test writes."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from tests.conftest import free_port
from tests.outcomes.world import World

from slipway.adapters import files
from slipway.rollout.records import Seen

TOKEN = "sesame"  # noqa: S105
SPACES = {"staging": "flights-staging", "production": "flights"}


def until(true: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Wait until something is so, and return it."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it has never come so"
        time.sleep(0.05)
    return found


def see(world: World, image: str, phase: str, cause: str | None = None, environment: str = "staging") -> None:
    """Write the rehearsal's seen.json."""
    seen = Seen(
        namespace=SPACES[environment],
        rollout="flights",
        image=image,
        rollback=False,
        phase=phase,  # type: ignore[arg-type]
        cause=cause,  # type: ignore[arg-type]
        detail="RolloutAborted" if phase == "aborted" else "",
        at=time.time(),
    )
    files.write_record(world.folder / "rehearsal" / environment / "seen.json", seen)


@dataclass
class Relay:
    """A process, and where it listens."""

    process: "subprocess.Popen[bytes]"
    url: str
    log: Path

    def hear(self, environment: str = "staging", token: str = TOKEN, **body: Any) -> requests.Response:
        """Send a webhook."""
        told = {"namespace": SPACES[environment], "rollout": "flights", "image": "any"} | body
        head = {"Authorization": f"Bearer {token}"}
        return requests.post(f"{self.url}/rollouts", json=told, headers=head, timeout=10)

    def metric(self, name: str) -> float:
        """The value of one of its series."""
        lines = requests.get(f"{self.url}/metrics", timeout=10).text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name) and "_created" not in line)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()


@contextmanager
def relay(world: World, *options: str, poll: float = 0.2, **variables: str) -> Iterator[Relay]:
    """Start `slipway relay serve` in the world's clone; it must end by SIGTERM, in peace."""
    (world.folder / "token").write_text(f"{TOKEN}\n")
    port, log = free_port(), world.folder / "relay.log"
    command = (
        *(sys.executable, "-m", "slipway", "relay", "serve", "--port", str(port), "--poll", str(poll)),
        *("--token-file", str(world.folder / "token"), "--state", str(world.folder / "relay.db")),
        *(() if "--kubernetes" in options else ("--rehearsal", str(world.folder / "rehearsal"))),
        *options,
    )
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command, cwd=world.clone, env=world.environment(**variables), stdout=stream, stderr=stream
        )
    here = Relay(process, f"http://127.0.0.1:{port}", log)
    try:
        until(lambda: _answers(here))
        yield here
    finally:
        alive = process.poll() is None
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=60)
    assert not alive or code == 0, log.read_text()


def _answers(here: Relay) -> bool:
    assert here.process.poll() is None, here.log.read_text()
    try:
        return requests.get(f"{here.url}/healthz", timeout=5).ok
    except requests.ConnectionError:
        return False
