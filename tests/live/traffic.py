"""Real requests at a steady rate, split between two bundles as a router would, and their truth after the fact."""

import http.client
import json
import threading
import time
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

import polars as pl

from slipway import features
from slipway.schema import TARGET_MINUTES

EDGES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5)
SENDERS = 4
TELL_SECONDS = 0.5  # between two reports of what has happened


@dataclass(frozen=True)
class Flight:
    """What a caller sends, and what happened; None where nobody will ever know."""

    body: bytes
    late: bool | None


def flights(table: pl.DataFrame) -> list[Flight]:
    """Turn rows into requests; a caller knows nothing of the delay, so he cannot send it."""
    known = [name for name in features.READ if name != "dep_delay"]
    return [
        Flight(
            json.dumps({name: _plain(row[name]) for name in known if row[name] is not None}).encode(),
            None if row["arr_delay"] is None else row["arr_delay"] >= TARGET_MINUTES,
        )
        for row in table.to_dicts()
    ]


def _plain(value: object) -> object:
    return value if isinstance(value, int | float | str) else str(value)


@dataclass
class Tally:
    """What the client saw of one arm, since the start."""

    requests: int = 0
    errors: int = 0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(EDGES) + 1))

    def add(self, status: int, seconds: float) -> None:
        """Count one answer; 0 stands for none."""
        self.requests += 1
        self.errors += not 200 <= status < 400
        self.buckets[bisect_left(EDGES, seconds)] += 1


class Traffic:
    """Sends flights in order, each to the arm that its number hashes to, until told to stop."""

    def __init__(self, rows: Sequence[Flight], addresses: dict[str, str], rate: float, credential: str) -> None:
        self.weight = 0.0
        self.tallies = {arm: Tally() for arm in addresses}
        self.truths: dict[int, int] = {}  # answers of /feedback, by status
        self._rows, self._addresses, self._rate, self._credential = rows, addresses, rate, credential
        self._lock, self._stop, self._next = threading.Lock(), threading.Event(), 0
        self._start = time.monotonic()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(SENDERS)]

    def __enter__(self) -> "Traffic":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        send = {arm: Sender(address, self._credential) for arm, address in self._addresses.items()}
        waiting: dict[str, list[dict[str, Any]]] = {arm: [] for arm in self._addresses}
        told = time.monotonic()
        while not self._stop.is_set():
            with self._lock:
                number, self._next = self._next, self._next + 1
            time.sleep(max(0.0, self._start + number / self._rate - time.monotonic()))
            arm = "canary" if share(number) < self.weight else "stable"
            flight = self._rows[number % len(self._rows)]
            begun = time.perf_counter()
            status, answer = send[arm].post("/predict", flight.body)
            with self._lock:
                self.tallies[arm].add(status, time.perf_counter() - begun)
            if status == 200 and flight.late is not None:
                waiting[arm].append({"id": json.loads(answer)["id"], "late": flight.late})
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                self._tell(send, waiting)
        self._tell(send, waiting)

    def _tell(self, send: dict[str, "Sender"], waiting: dict[str, list[dict[str, Any]]]) -> None:
        for arm, truths in waiting.items():
            if truths:
                status, _ = send[arm].post("/feedback", json.dumps(truths).encode())
                truths.clear()
                with self._lock:
                    self.truths[status] = self.truths.get(status, 0) + 1


def share(number: int) -> float:
    """A number's place between 0 and 1, the same in each run."""
    return int.from_bytes(blake2b(b"%d" % number, digest_size=8).digest(), "big") / 2**64


class Sender:
    """One kept-alive connection; a refused or broken one answers 0."""

    def __init__(self, address: str, credential: str) -> None:
        self._host = urlsplit(address).netloc
        self._headers = {"content-type": "application/json", "authorization": f"Bearer {credential}"}
        self._connection: http.client.HTTPConnection | None = None

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Send, and return status and body."""
        try:
            self._connection = self._connection or http.client.HTTPConnection(self._host, timeout=10)
            self._connection.request("POST", path, body, self._headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            with suppress(AttributeError):
                self._connection.close()  # type: ignore[union-attr]
            self._connection = None
            return 0, b""
