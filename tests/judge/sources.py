"""A Prometheus and a Kubernetes API that answer what they are told to, over HTTP."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from canary.objects import at, deployment, pod, rollout, run

BEGUN = at("12:00:00")
LONG = 900
RUNS = [
    run(1, "12:00:00", "12:05:00", "Successful"),
    run(3, "12:05:00", "12:10:00", "Successful"),
    run(5, "12:10:00"),
]
PODS = [pod("True", "11:59:30"), pod("True", "11:59:31")]
EDGES = (0.02, 0.04, 0.05, 0.06, 0.25, float("inf"))
SHARES = (0.2, 0.9, 0.95, 0.97, 0.99, 1.0)  # of the answers, within each edge

ODD: dict[str, Callable[[], tuple[int, bytes]]] = {
    "HTML": lambda: (200, b"<html>It works!</html>"),
    "nothing": lambda: (200, b""),
    "null": lambda: (200, b"null"),
    "another API": lambda: (200, b'{"status": "success", "data": {"resultType": "scalar", "result": [1, "1"]}}'),
    "a list": lambda: (200, b"[]"),
    "500": lambda: (500, b"oops"),
    "403": lambda: (403, b'{"kind": "Status", "message": "forbidden"}'),
    "a redirect": lambda: (302, b""),
    "slow": lambda: (time.sleep(6), (200, b"{}"))[1],
}


@dataclass
class Cluster:
    """The API server: a Rollout in its third step. `odd` is what it answers instead, to paths that hold `to`."""

    rollout: dict[str, Any] = field(default_factory=rollout)
    deployment: dict[str, Any] | None = field(default_factory=deployment)
    runs: list[dict[str, Any]] = field(default_factory=lambda: list(RUNS))
    pods: list[dict[str, Any]] = field(default_factory=lambda: list(PODS))
    odd: str = ""
    to: str = ""
    asked: list[str] = field(default_factory=list)

    def __call__(self, path: str) -> tuple[int, bytes]:
        """Answer a path."""
        self.asked.append(path)
        if self.odd and self.to in path:
            return ODD[self.odd]()
        place, selector = urlsplit(path).path, parse_qs(urlsplit(path).query).get("labelSelector", [""])[0]
        if place == "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/flights":
            return 200, json.dumps(self.rollout).encode()
        if place == "/apis/apps/v1/namespaces/shop/deployments/flights" and self.deployment:
            return 200, json.dumps(self.deployment).encode()
        if place == "/apis/argoproj.io/v1alpha1/namespaces/shop/analysisruns":
            assert selector == "rollouts-pod-template-hash=bbb,rollout-type=Step"
            return 200, json.dumps({"kind": "AnalysisRunList", "items": self.runs}).encode()
        if place == "/api/v1/namespaces/shop/pods":
            assert selector == "rollouts-pod-template-hash=bbb"
            return 200, json.dumps({"kind": "PodList", "items": self.pods}).encode()
        return 404, b'{"kind": "Status", "code": 404}'


@dataclass
class Counters:
    """Prometheus with Traefik's counters of that canary; `bad` is the canary's share of errors.

    `odd` is what it answers instead, to queries that hold `to`.
    """

    bad: float = 0.01
    rate: float = 20
    odd: str = ""
    to: str = ""
    scraped: bool = True
    silent: bool = False
    warnings: tuple[str, ...] = ()

    def __call__(self, path: str) -> tuple[int, bytes]:
        """Answer a query."""
        given = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        query, now = given["query"], float(given["time"])
        if self.odd and self.to in query:
            return ODD[self.odd]()
        window = re.search(r"\[(\d+)ms\]$", query)
        arm = "canary" if "-canary-" in query else "stable"
        found = []
        for labels, count in [] if self.silent and arm == "canary" else self._series(query, arm):
            if window is None:
                found.append({"metric": labels, "value": [now, str(count(now))]})
            else:
                first = max(now - int(window[1]) / 1000, BEGUN - 10 if arm == "canary" else 0)
                times = [BEGUN + 5 * tick for tick in range(-400, LONG // 5 + 1) if first < BEGUN + 5 * tick <= now]
                found.append({"metric": labels, "values": [[one, str(count(one))] for one in times]})
        kind = "matrix" if window else "vector"
        data = {"resultType": kind, "result": found}
        return 200, json.dumps({"status": "success", "data": data, "warnings": self.warnings}).encode()

    def _series(self, query: str, arm: str) -> list[tuple[dict[str, str], Callable[[float], int]]]:
        def answers(now: float) -> int:
            passed, sent = now - BEGUN, 100_000.0 + (min(0.0, now - BEGUN) * self.rate if arm == "stable" else -100_000)
            for begin, weight in ((0, 0.1), (300, 0.3), (600, 0.6)):
                lasted = min(max(passed - begin, 0), 300 if begin < 600 else 10**9)
                sent += self.rate * lasted * (weight if arm == "canary" else 1 - weight)
            return round(sent)

        def wrong(now: float) -> int:
            return int(answers(now) * (self.bad if arm == "canary" else 0.01))

        if query.startswith("up"):
            return [({"__name__": "up"}, lambda _: 1)] if self.scraped else []
        if "_bucket" in query:
            pattern = re.search(r'le=~"([^"]*)"', query)
            assert pattern
            wanted = re.compile(pattern[1].replace("\\\\", "\\"))
            spelled = {edge: "+Inf" if edge == float("inf") else f"{edge:g}" for edge in EDGES}
            return [
                ({"le": spelled[edge]}, lambda now, share=share: int(answers(now) * share))
                for edge, share in zip(EDGES, SHARES, strict=True)
                if wanted.fullmatch(spelled[edge])
            ]
        if "code!~" in query:
            return [({"code": "500"}, wrong)]
        if "_count" in query:
            return [({}, answers)]
        return [({"code": "200"}, lambda now: answers(now) - wrong(now)), ({"code": "500"}, wrong)]
