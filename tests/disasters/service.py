"""A bento and its shipper under load, killed and starved at random instants, and then the ledger counted.

    python tests/disasters/service.py BENTO FOLDER --seed 1 --kills 21 --fills 20

Clients remember each prediction that was acknowledged, and each truth. At the end all of them must be in the ledger,
none of them twice. A disk is full by a file that fills it: with --fills the spool must be on a small disk of its own
(`full_disk` gives it one). Prints the counts as JSON.
"""

import argparse
import http.client
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from slipway.adapters import bento

CLIENTS = 4
PAUSE = 0.004  # of a client between two requests
PATIENCE = 90.0
CREDENTIAL = 32 * "c"
FLIGHT = {"date": "2013-04-17", "sched_dep_time": 1745, "carrier": "AA", "origin": "JFK", "dest": "LAX"}
DISK = "2m"
SHIPPERS = 5  # that are killed one after the other
SHIPPING = (0.3, 1.0)  # seconds that each of them lives
UNDISTURBED = (0.05, 0.8)  # seconds between two disasters


def full_disk(command: list[str], mounted: Path) -> list[str]:
    """Run a command with a small disk at `mounted` that nobody else sees, and that goes with it."""
    script = f'mount -t tmpfs -o size={DISK} slipway "$0" && exec "$@"'
    return ["unshare", "--mount", "--map-root-user", "sh", "-c", script, str(mounted), *command]


class Clients:
    """Threads that predict and tell truths, and remember what was acknowledged."""

    def __init__(self, port: int) -> None:
        self.port, self.running = port, True
        self.predictions: dict[str, tuple[int, float]] = {}  # id: number of the row that was sent, probability
        self.truths: dict[str, bool] = {}
        self.statuses: Counter[str] = Counter()
        self._numbers = iter(range(10**8))
        self._lock = threading.Lock()
        chances = [random.Random(number) for number in range(CLIENTS)]  # noqa: S311  # no secret
        self._threads = [threading.Thread(target=self._work, args=(chance,)) for chance in chances]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each finish its request."""
        self.running = False
        for thread in self._threads:
            thread.join()

    def _work(self, choose: random.Random) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        while self.running:
            time.sleep(PAUSE)
            try:
                self._predict(connection, choose)
            except (OSError, http.client.HTTPException, ValueError) as error:  # killed before, or while it answered
                self._count(type(error).__name__)
                connection.close()
                time.sleep(0.02)

    def _predict(self, connection: http.client.HTTPConnection, choose: random.Random) -> None:
        with self._lock:
            numbers = [next(self._numbers) for _ in range(choose.choice((1, 1, 1, 7)))]
        flights = [FLIGHT | {"temp": number / 1e6} for number in numbers]
        status, answers = self._ask(connection, "/predict", flights if len(flights) > 1 else flights[0])
        if status != 200:
            return
        listed = answers if isinstance(answers, list) else [answers]
        for number, answer in zip(numbers, listed, strict=True):
            self.predictions[answer["id"]] = (number, answer["probability"])
        if choose.random() < 0.2:
            truth = {"id": listed[-1]["id"], "late": choose.random() < 0.3}
            if self._ask(connection, "/feedback", truth)[0] == 200:
                self.truths[truth["id"]] = truth["late"]

    def _ask(self, connection: http.client.HTTPConnection, path: str, body: Any) -> tuple[int, Any]:
        headers = {"content-type": "application/json", "authorization": f"Bearer {CREDENTIAL}"}
        connection.request("POST", path, json.dumps(body), headers)
        with connection.getresponse() as response:
            answer = json.loads(response.read())
        reason = answer["reason"] if isinstance(answer, dict) and "reason" in answer else ""
        self._count(f"{path} {response.status} {reason}".rstrip())
        return response.status, answer

    def _count(self, what: str) -> None:
        with self._lock:
            self.statuses[what] += 1


class World:
    """The processes, as a pod has them."""

    def __init__(self, made: Path, folder: Path, port: int) -> None:
        self.made, self.folder, self.port = made, folder, port
        self.home, self.spool, self.database = folder / "home", folder / "spool", folder / "ledger.db"
        secrets = folder / "secrets"
        for needed in (self.home, self.spool, secrets):
            needed.mkdir(exist_ok=True)
        for name, text in {"url": f"sqlite:///{self.database}", "keys": 32 * "k", "credentials": CREDENTIAL}.items():
            (secrets / name).write_text(text)
        told = {"LEDGER": secrets, "SPOOL": self.spool, "ENVIRONMENT": "staging", "POD": "6d4cf56db6"}
        self.variables = {f"SLIPWAY_{name}": str(value) for name, value in told.items()}
        self.log = (folder / "log").open("ab")
        self.start_shipper()
        self.start_service()

    def start_service(self) -> None:
        """Start BentoML and wait until it is ready."""
        environment = bento.home_environment(self.home) | self.variables
        self.service = self._run(bento.serve_command(self.made, self.port), environment)
        wait(self.ready, "the service is not ready")

    def start_shipper(self) -> None:
        """Start the shipper."""
        self.shipper = self._run(bento.ship_command(self.made), os.environ | self.variables)

    def ready(self) -> bool:
        """Ask /readyz."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def heeds_the_end(self) -> bool:
        """Whether the shipper catches SIGTERM by now."""
        caught = re.search(r"^SigCgt:\s*(\w+)", Path(f"/proc/{self.shipper.pid}/status").read_text(), re.MULTILINE)
        return caught is not None and bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)

    def kill_worker(self, _: random.Random) -> None:
        """Kill the process that answers; BentoML starts another."""
        workers = psutil.Process(self.service.pid).children(recursive=True)
        for worker in workers:
            with suppress(psutil.NoSuchProcess):
                worker.kill()
        psutil.wait_procs(workers, PATIENCE)
        wait(self.ready, "the worker does not come back")

    def kill_parent(self, choose: random.Random) -> None:
        """Kill BentoML, later its orphans, and start anew."""
        self.service.kill()
        self.service.wait()
        time.sleep(choose.uniform(0, 0.2))
        bento.kill_all(self.home)
        self.start_service()

    def kill_shipper(self, choose: random.Random) -> None:
        """Kill the shipper and start another, again and again: it is between two commits most of the time."""
        for _ in range(SHIPPERS):
            self.shipper.kill()
            self.shipper.wait()
            self.start_shipper()
            time.sleep(choose.uniform(*SHIPPING))

    def fill(self, choose: random.Random) -> None:
        """Fill the disk of the spool for a while; the service must say so, and be ready again by itself."""
        ballast = self.spool / "ballast"
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass
        time.sleep(choose.uniform(0.02, 0.3))
        ballast.unlink()
        wait(self.ready, "the service does not recover from a full disk")

    def end(self) -> None:
        """End the service, then the shipper, as a pod does."""
        self.service.terminate()
        self.service.wait(PATIENCE)
        wait(self.heeds_the_end, "the shipper does not get to heed SIGTERM")  # the last one may be a second old
        self.shipper.terminate()
        assert self.shipper.wait(PATIENCE) == 0, "the shipper left something"
        assert not list(self.spool.iterdir()), "the spool is not empty"

    def _run(self, command: list[str], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(command, env=environment, stdout=self.log, stderr=self.log, start_new_session=True)


def wait(holds: Callable[[], bool], otherwise: str) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.02)


def count(clients: Clients, database: Path) -> dict[str, Any]:
    """Compare what was acknowledged with what is stored."""
    with sqlite3.connect(database) as connection:
        stored = {
            id_: (round(json.loads(features)["temp"] * 1e6), score)
            for id_, features, score in connection.execute("SELECT id, features, score FROM predictions")
        }
        rows = connection.execute("SELECT count(*) FROM predictions").fetchone()[0]
        truths = {id_: bool(truth) for id_, truth in connection.execute("SELECT id, truth FROM outcomes")}
    numbers = Counter(number for number, _ in stored.values())
    return {
        "acknowledged": len(clients.predictions),
        "stored": rows,
        "lost": len(clients.predictions.items() - stored.items()),
        "doubled": rows - len(numbers),
        "truths acknowledged": len(clients.truths),
        "truths stored": len(truths),
        "truths lost": len(clients.truths.items() - truths.items()),
        "answers": dict(sorted(clients.statuses.items())),
    }


def main() -> None:
    """Start all, let the disasters happen, end all, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bento", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=21)
    parser.add_argument("--fills", type=int, default=0)
    args = parser.parse_args()
    choose = random.Random(args.seed)  # noqa: S311  # no secret
    world = World(args.bento, args.folder, args.port)
    victims = (world.kill_worker, world.kill_parent, world.kill_shipper)
    disasters = [victims[number % 3] for number in range(args.kills)] + [world.fill] * args.fills
    choose.shuffle(disasters)
    clients = Clients(args.port)
    try:
        for disaster in disasters:
            time.sleep(choose.uniform(*UNDISTURBED))
            disaster(choose)
        time.sleep(UNDISTURBED[1])
        clients.stop()
        world.end()
    finally:
        clients.running = False
        bento.kill_all(world.home)
        with suppress(ProcessLookupError):
            os.killpg(world.shipper.pid, signal.SIGKILL)
    happened = {"seed": args.seed, "kills": args.kills, "fills": args.fills}
    json.dump(happened | count(clients, world.database), sys.stdout, indent=2)


if __name__ == "__main__":
    main()
