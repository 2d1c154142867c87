"""Loads one URL from one core: as fast as it answers (closed), or at a fixed rate whatever it does (open).

    python bench/generator.py PORT PATH BODY_FILE --seconds 3 --connections 8 [--rate 4000]

Prints JSON. In the open mode a latency counts from the time at which the request was due, so a server that stalls is
charged for all who would have come meanwhile. `idle` is the share of its core that the generator had left: near 0 the
generator was the limit, and the rate says nothing about the server.
"""

import argparse
import asyncio
import json
import os
import time
from collections import Counter, deque
from pathlib import Path

import uvloop

CORE = 1


class Load:
    """What is sent, and what came back."""

    def __init__(self, request: bytes, rate: float | None) -> None:
        self.request, self.rate = request, rate
        self.latencies: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.running = True


class Connection(asyncio.Protocol):
    """One kept-alive connection with one request at a time; `due` holds the times of requests that wait for it."""

    def __init__(self, load: Load) -> None:
        self.load, self.buffer, self.due = load, b"", deque[float]()
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, in the closed mode, with the first request."""
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # of a stream
        if self.load.rate is None:
            self.send(time.perf_counter())

    def send(self, due: float) -> None:
        """Send the next request, or remember that it was due."""
        if self.busy:
            self.due.append(due)
            return
        self.busy, self.since = True, due
        self.transport.write(self.load.request)

    def data_received(self, data: bytes) -> None:
        """Take a whole answer, and go on."""
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        now = time.perf_counter()
        self.load.latencies.append(now - self.since)
        self.load.statuses[head[9:12].decode()] += 1
        self.buffer, self.busy = b"", False
        if self.load.rate is None and self.load.running:
            self.send(now)
        elif self.due:
            self.send(self.due.popleft())

    def connection_lost(self, error: Exception | None) -> None:
        """Count a connection that broke under a request as an answer of no status."""
        if self.busy and self.load.running:
            self.load.statuses[f"broken: {error}"] += 1


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])


async def run(load: Load, port: int, connections: int, seconds: float) -> None:
    """Keep `connections` busy for `seconds`."""
    loop = asyncio.get_running_loop()
    made = [(await loop.create_connection(lambda: Connection(load), "127.0.0.1", port))[1] for _ in range(connections)]
    start, sent = time.perf_counter(), 0
    while (passed := time.perf_counter() - start) < seconds:
        for number in range(sent, int(passed * load.rate) if load.rate else 0):
            min(made, key=_waiting).send(start + number / load.rate)  # type: ignore[operator]  # there is a rate
            sent = number + 1
        await asyncio.sleep(0.001 if load.rate else 0.05)  # uvloop counts in milliseconds
    load.running = False
    await asyncio.sleep(0.2)
    _charge(load, made)


def _charge(load: Load, made: list[Connection]) -> None:
    """Count each request of a fixed rate that was due and has no answer yet, with the time it has waited so far."""
    if load.rate is None:
        return
    now = time.perf_counter()
    for connection in made:
        late = [*connection.due, *([connection.since] if connection.busy else [])]
        load.latencies += [now - due for due in late]
        load.statuses["unanswered"] += len(late)
    load.statuses = +load.statuses


def _waiting(connection: Connection) -> int:
    return len(connection.due) + connection.busy


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("body", type=Path)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--rate", type=float)
    args = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {CORE % (os.cpu_count() or 1)})
    body = args.body.read_bytes()
    head = f"POST {args.path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    load = Load(f"{head}\r\n\r\n".encode() + body, args.rate)
    used, start = time.process_time(), time.perf_counter()
    uvloop.run(run(load, args.port, args.connections, args.seconds))
    idle = 1 - (time.process_time() - used) / (time.perf_counter() - start)
    ordered = sorted(load.latencies) or [float("nan")]
    result = {
        "per_second": (len(load.latencies) - load.statuses["unanswered"]) / args.seconds,
        "p50_ms": ordered[len(ordered) // 2] * 1000,
        "p99_ms": ordered[int(len(ordered) * 0.99)] * 1000,
        "statuses": load.statuses,
        "idle": idle,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
