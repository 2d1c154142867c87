"""Requests as clients send them, split between two arms as a router would, or all to one, and their truth afterwards.

A request's number and the seed decide what is asked and which arm answers: the same seed, the same order and the same
split. Sticky, the client decides, and a growing weight only ever moves clients from stable to the canary.
"""

import http.client
import json
import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import accumulate
from typing import Any, Self
from urllib.parse import urlsplit

from slipway import features
from slipway.canary.records import ARMS, Arm
from slipway.rollout import records
from slipway.schema import CLIENT, COLUMNS, TARGET, TRUTH, Known

EDGES = (
    *(0.002, 0.0025, 0.003, 0.0035, 0.004, 0.005, 0.006, 0.0075, 0.009, 0.01, 0.0125, 0.015, 0.0175, 0.02, 0.025),
    *(0.03, 0.035, 0.04, 0.05, 0.06, 0.075, 0.09, 0.1, 0.125, 0.15, 0.175, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.75),
    *(0.9, 1, 1.25, 1.5, 1.75, 2, 2.5),
)
"""Of the histogram, in seconds: those that rollouts/judge.yaml asks a router for."""
DELAYS = ("dep_delay", TRUTH)
SENDERS = 4
TIMEOUT = 5.0  # seconds until a client gives up
IDLE = 2.0  # seconds after which a connection is not trusted to be open still
TELL = 0.25  # seconds between two reports of what has happened
MOST_TRUTHS = 500  # in a report
AGAIN = 1.0  # seconds, until a report that nobody took is sent again
STORES = 15.0  # seconds that a report may take: it waits for a database
ROOM = 2 * 2**20  # requests whose truth waits; there is no such delay
BEHIND = 1.0  # seconds that a router is caught up with: after an hour of silence it is not sent an hour's requests


@dataclass(frozen=True)
class Flight:
    """What a caller sends, who he is, and what happened; None where nobody will ever know."""

    body: bytes
    client: bytes
    late: bool | None


def flights(rows: Iterable[Mapping[str, Any]]) -> list[Flight]:
    """Turn rows into requests. No caller knows a delay before departure, whatever the catalogue says of it."""
    told = [name for name in features.READ if COLUMNS[name].known is Known.BEFORE and name not in DELAYS]
    return [
        Flight(
            json.dumps({name: _plain(row[name]) for name in told if row[name] is not None}).encode(),
            "".join(str(row[name]) for name in CLIENT).encode(),
            None if row[TRUTH] is None else row[TRUTH] >= TARGET,
        )
        for row in rows
    ]


def _plain(value: object) -> object:
    return value if isinstance(value, int | float | str) else str(value)


def key(seed: int) -> bytes:
    """Make the key that splits requests."""
    return blake2b(b"%d" % seed, digest_size=32).digest()


def place(key: bytes, what: bytes) -> float:
    """Where a request stands between 0 and 1: the canary answers what stands below its weight."""
    return int.from_bytes(blake2b(what, key=key, digest_size=8).digest(), "big") / 2**64


def order(seed: int, rows: int) -> list[int]:
    """In which order rows are sent."""
    secret = key(seed)
    return sorted(range(rows), key=lambda row: blake2b(b"row %d" % row, key=secret, digest_size=8).digest())


@dataclass
class Tally:
    """What clients saw of one arm, since the start."""

    requests: int = 0
    errors: int = 0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(EDGES) + 1))

    def add(self, status: int, seconds: float) -> None:
        """Count one answer; 0 stands for none."""
        self.requests += 1
        self.errors += not 200 <= status < 400
        self.buckets[bisect_left(EDGES, seconds)] += 1

    def copy(self) -> "Tally":
        """Take what is counted now."""
        return Tally(self.requests, self.errors, list(self.buckets))

    def within(self) -> dict[float, float]:
        """Requests at or below each edge, infinity included."""
        return dict(zip((*EDGES, float("inf")), map(float, accumulate(self.buckets)), strict=True))

    def told(self) -> records.Traffic:
        """Say it in short."""
        return records.Traffic(requests=self.requests, errors=self.errors, p95=self._quantile(0.95))

    def _quantile(self, share: float) -> float | None:
        below, lower = 0.0, 0.0
        for edge, count in self.within().items():
            if count >= share * self.requests > 0:
                width = edge - lower if edge < float("inf") else 0.0
                return lower + width * (share * self.requests - below) / (count - below)
            below, lower = count, edge
        return None


class Traffic:
    """Sends flights in order until the block ends; `weight` says how many of them the canary gets."""

    def __init__(
        self,
        rows: Sequence[Flight],
        address: Callable[[Arm], str | None],
        *,
        rate: float | None,  # a second; None is as fast as it goes
        seed: int,
        sticky: bool,
        credential: str,
        truth_delay: float,
    ) -> None:
        self.weight = 0.0
        self.truths: dict[int, int] = {}  # that were told, by the status of the answer
        self._statuses: dict[int, int] = {}  # requests by the status of the answer; 0 is none
        self._tallies = {arm: Tally() for arm in ARMS}
        self._rows, self._order, self._key = rows, order(seed, len(rows)), key(seed)
        self._address, self._rate, self._sticky = address, rate, sticky
        self._credential, self._delay = credential, truth_delay
        self._host: str | None = None
        self._behind = float("inf")  # seconds, beyond which what was not sent is left out
        self._waiting: deque[tuple[float, str, bool]] = deque(maxlen=ROOM)
        self._lock, self._stop, self._next = threading.Lock(), threading.Event(), 0
        # One request at a time to a process: if it is kept from running for a moment, one request is slow, not four.
        self._lanes = {arm: threading.Semaphore(1) for arm in ARMS}
        self._start = time.monotonic()
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(SENDERS)]
        self._threads.append(threading.Thread(target=self._tell, daemon=True))

    def __enter__(self) -> Self:
        self._start = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def counted(self) -> dict[Arm, Tally]:
        """What clients have seen until now."""
        with self._lock:
            return {arm: tally.copy() for arm, tally in self._tallies.items()}

    @property
    def told(self) -> int:
        """How many truths were taken."""
        with self._lock:
            return sum(count for status, count in self.truths.items() if status in (200, 207))

    def arm(self, number: int) -> Arm:
        """Which arm answers a request."""
        what = self._flight(number).client if self._sticky else b"%d" % number
        return "canary" if place(self._key, what) < self.weight else "stable"

    def _flight(self, number: int) -> Flight:
        return self._rows[self._order[number % len(self._order)]]

    def _take(self) -> tuple[int, float]:
        """The next request, and in how many seconds it is due."""
        with self._lock:
            number, self._next = self._next, self._next + 1
            due = self._start + number / self._rate - time.monotonic() if self._rate else 0.0
            if due < -self._behind:
                self._start -= due
            return number, max(0.0, due)

    def _send(self) -> None:
        senders = {arm: Sender(self._credential, host=self._host) for arm in ARMS}
        while not self._stop.is_set():
            number, pause = self._take()
            if self._rate and self._stop.wait(pause):
                return
            arm, flight = self.arm(number), self._flight(number)
            with self._lanes[arm]:
                begun = time.perf_counter()
                status, answer = senders[arm].post(self._address(arm), "/predict", flight.body)
                took = time.perf_counter() - begun
            made = _id(answer) if status == 200 and flight.late is not None else None
            with self._lock:
                self._tallies[arm].add(status, took)
                self._statuses[status] = self._statuses.get(status, 0) + 1
                if made is not None and flight.late is not None:
                    self._waiting.append((time.monotonic() + self._delay, made, flight.late))

    def _tell(self) -> None:
        """Report what has happened, to stable: it takes the canary's truths, too."""
        sender = Sender(self._credential, STORES, self._host)
        while not self._stop.wait(TELL):
            while truths := self._due():
                status, _ = sender.post(self._address("stable"), "/feedback", json.dumps(truths).encode())
                with self._lock:
                    self.truths[status] = self.truths.get(status, 0) + len(truths)
                if status in (0, 503):  # nothing of it was stored: the same again, later
                    with self._lock:
                        again = time.monotonic() + AGAIN
                        self._waiting.extendleft((again, one["id"], one["late"]) for one in reversed(truths))
                    break

    def _due(self) -> list[dict[str, Any]]:
        now, found = time.monotonic(), list[dict[str, Any]]()
        with self._lock:
            while self._waiting and self._waiting[0][0] <= now and len(found) < MOST_TRUTHS:
                _, made, late = self._waiting.popleft()
                found.append({"id": made, "late": late})
        return found


class Replay(Traffic):
    """Sends flights in order to one address, a router's: it splits them, here all are stable's."""

    def __init__(
        self,
        rows: Sequence[Flight],
        address: str,
        *,
        host: str | None,  # the name to ask for, where it is not that of the address
        rate: float,
        seed: int,
        credential: str,
        truth_delay: float,
    ) -> None:
        super().__init__(
            rows,
            lambda _: address,
            rate=rate,
            seed=seed,
            sticky=False,
            credential=credential,
            truth_delay=truth_delay,
        )
        self._lanes = {arm: threading.Semaphore(SENDERS) for arm in ARMS}  # there are more processes behind it
        self._host, self._behind = host, BEHIND

    @property
    def tally(self) -> Tally:
        """What clients have seen until now."""
        return self.counted()["stable"]

    @property
    def statuses(self) -> dict[int, int]:
        """Their requests until now, by the status of the answer; 0 is none."""
        with self._lock:
            return dict(self._statuses)


def _id(answer: bytes) -> str | None:
    """Find the id in an answer; one that is none of ours has none, and its truth is missing."""
    try:
        return str(json.loads(answer)["id"])
    except (ValueError, KeyError, TypeError):
        return None


class Sender:
    """One kept-alive connection; where nobody answers, the status is 0."""

    def __init__(self, credential: str, timeout: float = TIMEOUT, host: str | None = None) -> None:
        self._timeout = timeout
        self._headers = {"content-type": "application/json", "authorization": f"Bearer {credential}"}
        self._headers |= {"host": host} if host else {}
        self._connection: http.client.HTTPConnection | None = None
        self._address: str | None = None
        self._used = 0.0

    def post(self, address: str | None, path: str, body: bytes) -> tuple[int, bytes]:
        """Send, and return status and body."""
        now = time.monotonic()
        if address != self._address or now - self._used > IDLE:
            self._close()
            self._address = address
        self._used = now
        if address is None:
            return 0, b""
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=self._timeout)
            self._connection.request("POST", path, body, self._headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self._close()
            return 0, b""

    def _close(self) -> None:
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
        self._connection = None
