"""Flights of 16 to 30 June through a router, and their truth afterwards; started by tests.cluster.traffic.

One line of the log for each request, written as it is answered: its time, status (0: nobody answered), seconds, the
release and pod that its id names, and the id. One for each report of truths: its time, status, how many it held and how
many were taken.

    p 1790848888.123456 200 0.0041 1.2.0 6d4cf56db6 1~9c56cc51~production~1.2.0~6d4cf56db6~AbCdEfGhIjKl~F4hq...
    t 1790848888.301234 200 38 38
"""

import json
import os
import time
from collections import deque
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
from locust import FastHttpUser, constant, constant_throughput, task

from slipway import identity
from slipway.adapters.flights import read_month
from slipway.adapters.traffic import AGAIN, MOST_TRUTHS, STORES, TELL, TIMEOUT, flights, order

TOLD = json.loads(os.environ["SLIPWAY_TRAFFIC"])  # by tests.cluster.traffic
JUNE = read_month(Path(__file__).parents[3] / "replay", "2013-06").filter(pl.col("date").dt.day() > 15)
ROWS = flights(JUNE.iter_rows(named=True))
ORDER = order(TOLD["seed"], len(ROWS))
NUMBERS, TRAVELLERS = count(), count()
HEADERS = {"Host": TOLD["header"], "content-type": "application/json"}
LOG = Path(TOLD["log"]).open("a", buffering=1)  # noqa: SIM115  # line by line, until the process ends
WAITING: deque[tuple[float, dict[str, Any]]] = deque()  # truths, and when they are told


class Traveller(FastHttpUser):
    """Asks about one flight at a time; all of them together at the rate, one after the other."""

    wait_time = constant_throughput(TOLD["rate"] / TOLD["travellers"])
    connection_timeout = network_timeout = TIMEOUT
    default_headers = HEADERS

    def on_start(self) -> None:
        """Begin when it is its turn: they would all ask at once, again and again."""
        time.sleep(next(TRAVELLERS) / TOLD["rate"])

    @task
    def ask(self) -> None:
        """Ask about the next flight."""
        flight = ROWS[ORDER[next(NUMBERS) % len(ROWS)]]
        began = time.perf_counter()
        answer = self.client.post("/predict", data=flight.body)
        now, took, version, pod, made = time.time(), time.perf_counter() - began, "-", "-", "-"
        with suppress(ValueError, KeyError, TypeError, identity.Refused):  # no answer of ours
            said = json.loads(answer.content)
            version, made = said["version"], said["id"]
            pod = identity.read(made).pod
            if flight.late is not None:
                WAITING.append((now + TOLD["truth_delay"], {"id": made, "late": flight.late}))
        LOG.write(f"p {now:.6f} {answer.status_code} {took:.4f} {version} {pod} {made}\n")


class Teller(FastHttpUser):
    """Reports what has happened."""

    fixed_count = 1
    wait_time = constant(TELL)
    connection_timeout = network_timeout = STORES
    default_headers = HEADERS | {"authorization": f"Bearer {TOLD['credential']}"}

    @task
    def tell(self) -> None:
        """Report all that is due."""
        if os.getppid() != TOLD["parent"]:  # killed: nobody else would end us
            os._exit(1)
        truths = []
        while WAITING and WAITING[0][0] <= time.time() and len(truths) < MOST_TRUTHS:
            truths.append(WAITING.popleft()[1])
        if not truths:
            return
        answer = self.client.post("/feedback", data=json.dumps(truths))
        status, taken = answer.status_code, 0
        if status in (200, 207):
            taken = sum(receipt["status"] == 200 for receipt in json.loads(answer.content))
        elif status in (0, 503):  # nothing of it was stored
            WAITING.extendleft((time.time() + AGAIN, one) for one in reversed(truths))
        LOG.write(f"t {time.time():.6f} {status} {len(truths)} {taken}\n")
