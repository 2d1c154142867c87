"""Real flights against /predict; misses the objective, or one request, and the exit code is 1.

locust -f tests/load/locustfile.py --headless --users 20 --run-time 20s --host http://127.0.0.1:3000
"""

import logging
import os
import random
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from locust import FastHttpUser, between, events, task
from locust.env import Environment

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from fresh import real_flights, requests_of

OBJECTIVE_MS = float(os.environ.get("SLIPWAY_OBJECTIVE_MS", "250"))  # p95 as the client sees it
FLIGHTS = requests_of(real_flights(2000))


class Traveller(FastHttpUser):
    """Mostly asks about one flight, sometimes about ten, about seven times a second."""

    wait_time = between(0.1, 0.2)

    def on_start(self) -> None:
        """Each user walks through the flights from a place of its own."""
        self.random = random.Random(id(self))  # noqa: S311  # not for secrets

    @task(9)
    def one(self) -> None:
        """Ask about one flight."""
        self.client.post("/predict", json=self.random.choice(FLIGHTS))

    @task(1)
    def ten(self) -> None:
        """Ask about ten flights."""
        self.client.post("/predict", json=self.random.sample(FLIGHTS, 10), name="/predict, ten flights")


@events.init.add_listener
def only_loopback(environment: Environment, **_: Any) -> None:
    """Refuse to load anything but this machine."""
    if environment.host and urlsplit(environment.host).hostname not in ("127.0.0.1", "::1", "localhost"):
        raise SystemExit(f"{environment.host} is not this machine: load is for loopback only")


@events.quitting.add_listener
def judge(environment: Environment, **_: Any) -> None:
    """Compare with the objective."""
    total = environment.stats.total
    p95 = total.get_response_time_percentile(0.95) or float("inf")
    met = p95 <= OBJECTIVE_MS and not total.num_failures
    said = f"p95 {p95:.0f} ms of {OBJECTIVE_MS:.0f} ms, {total.num_failures} of {total.num_requests} failed"
    logging.getLogger("load").warning("%s: %s", "met" if met else "MISSED", said)
    environment.process_exit_code = 0 if met else 1
