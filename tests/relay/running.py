"""A relay as a process, in a world with a real origin, and a rehearsal folder that a test writes."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from msgspec import structs
from tests.judge import worlds as judged
from tests.outcomes.world import World

from slipway.adapters import files
from slipway.adapters.processes import free_port
from slipway.adapters.rehearsal import SAMPLES
from slipway.rollout.records import Seen

TOKEN = "sesame"  # noqa: S105
SPACES = {"staging": "flights-staging", "production": "flights-production"}


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


def remembered(world: World, table: str) -> list[Any]:
    """What a relay keeps on the disk."""
    memory = sqlite3.connect(world.folder / "relay.db")
    try:
        return memory.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608
    finally:
        memory.close()


def hang(world: World) -> None:
    """From here on Git's remote takes a connection and says nothing."""
    script = world.folder / "ssh"
    script.write_text("#!/bin/sh\nexec sleep 600\n")
    script.chmod(0o755)
    world.git("config", "core.sshCommand", str(script), folder=world.clone)
    world.git("remote", "set-url", "origin", "ssh://git@slipway.invalid/main.git", folder=world.clone)


def github(world: World, address: str) -> tuple[str, ...]:
    """The options by which a relay asks GitHub at an address."""
    (world.folder / "github-token").write_text("ghs_secret\n")
    token = str(world.folder / "github-token")
    repository = ("--github-repository", "owner/name", "--github-token-file", token)
    return ("--mode", "github", "--github-api", address, *repository)


def begin(world: World, bad: float) -> None:
    """A canary in staging, 15 minutes old, of whose answers a share is bad."""
    known = judged.rollout(900, namespace=SPACES["staging"])
    shift = time.time() - 900 - known.started
    moved = tuple(
        structs.replace(one, start=one.start + shift, end=one.end and one.end + shift) for one in known.intervals
    )
    folder = world.folder / "rehearsal/staging"
    folder.parent.mkdir(exist_ok=True)
    judged.rehearse(folder, bad=bad, known=structs.replace(known, intervals=moved))
    samples = [json.loads(line) for line in (folder / SAMPLES).read_text().splitlines()]
    lines = (json.dumps(one | {"time": one["time"] + shift}) for one in samples)
    (folder / SAMPLES).write_text("".join(f"{line}\n" for line in lines))


@contextmanager
def judge(world: World) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """A judge of that canary as a process, without a ledger."""
    rules = (world.clone / "rollouts/judge.yaml").read_text().splitlines()
    (world.folder / "judge.yaml").write_text("\n".join(line for line in rules if "truth:" not in line))
    port, folder = free_port(), str(world.folder / "rehearsal/staging")
    command = (sys.executable, "-m", "slipway", "judge", "serve", "--rehearsal", folder, "--port", str(port))
    process = subprocess.Popen([*command, "--policy", str(world.folder / "judge.yaml")], env=world.environment())
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _answers(here: Relay) -> bool:
    assert here.process.poll() is None, here.log.read_text()
    try:
        return requests.get(f"{here.url}/healthz", timeout=5).ok
    except requests.ConnectionError:
        return False
