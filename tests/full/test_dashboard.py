"""The dashboard's queries, asked of a real Prometheus that scrapes a real judge and what a bento exports."""

import importlib.util
import json
import math
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
import requests
import uvicorn
import yaml

from canary.worlds import POLICY, T0, World, rollout
from slipway.adapters.processes import free_port
from slipway.canary.records import Observation, Rollout
from slipway.services.judge import Judge
from slipway.services.judge.http import application

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "monitoring/dashboard.json").read_text())
NAMESPACE, NAME = "flights", "flights"
VARIABLES = {"$namespace": NAMESPACE, "$rollout": NAME}
TARGETS = {
    f"{panel['title']}, {target['refId']}": target for panel in DASHBOARD["panels"] for target in panel["targets"]
}
FOUND_SECONDS = 60
QUESTION = f'verdict{{namespace="{NAMESPACE}", rollout="{NAME}", environment="production", maturity="60s"}}'


class Canary:
    """A canary as its sources know it; the ledger fails at every other look, so that failures are counted, too."""

    def __init__(self) -> None:
        world = World.drawn(5, 60, {"errors": (0.01, 0.03), "latency": (0.033, 0.033), "truth": (0.2, 0.2)})
        self.seen: Observation = world.observed()
        self.looks = 0

    def rollout(self, _namespace: str, _name: str, _now: float) -> Rollout:
        """What the cluster would say."""
        return rollout()

    def asked(self, _namespace: str, _name: str) -> dict[str, str]:
        """What the analysis would ask for."""
        return {}

    def observe(self, *_: Any) -> Observation:
        """What Prometheus would say."""
        return self.seen

    def cohorts(self, *_: Any) -> Any:
        """What the ledger would say."""
        self.looks += 1
        if self.looks % 2:
            raise RuntimeError("gone")
        return self.seen.cohorts

    def reference_share(self, *_: Any) -> float:
        """Stable's share of late flights."""
        return 0.2


@pytest.fixture(scope="module")
def judge() -> Iterator[str]:
    """A judge that is asked all the time, as an analysis would."""
    canary, port = Canary(), free_port()
    server = uvicorn.Server(
        uvicorn.Config(application(Judge(POLICY, canary, canary, canary)), port=port, log_level="warning")
    )
    threads, ended = [threading.Thread(target=server.run)], threading.Event()

    def ask() -> None:
        while not ended.wait(0.2):
            if server.started:
                requests.get(f"http://127.0.0.1:{port}/api/v1/query", {"query": QUESTION, "time": T0 + 700}, timeout=5)

    threads.append(threading.Thread(target=ask))
    for thread in threads:
        thread.start()
    yield f"127.0.0.1:{port}"
    ended.set()
    server.should_exit = True
    for thread in threads:
        thread.join()


@pytest.fixture(scope="module")
def bento() -> Iterator[str]:
    """What a pod exports while it answers: the registry of the service's own counters."""
    spec = importlib.util.spec_from_file_location("telemetry", ROOT / "bentos/flights/telemetry.py")
    assert spec is not None
    assert spec.loader is not None
    telemetry = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(telemetry)
    port, ended = free_port(), threading.Event()
    server, _ = prometheus_client.start_http_server(port, addr="127.0.0.1")

    def answer() -> None:
        while not ended.wait(0.1):
            telemetry.requests("/predict", 200).inc(50)
            telemetry.requests("/predict", 422).inc()
            telemetry.feedback("stored").inc()
            telemetry.LATENCY.observe(0.002)
            telemetry.tell()
            telemetry.SPOOL.set(4096)

    thread = threading.Thread(target=answer)
    thread.start()
    yield f"127.0.0.1:{port}"
    ended.set()
    thread.join()
    server.shutdown()


@pytest.fixture(scope="module")
def ask(judge: str, bento: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Prometheus that scrapes both as docs/judge.md says; returns a function that asks it."""
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    pods = [
        {"targets": [bento], "labels": {"namespace": NAMESPACE, "pod": f"pod-{arm}", "rollouts_pod_template_hash": arm}}
        for arm in ("5d8", "7c4")
    ]
    (folder / "prometheus.yml").write_text(
        yaml.safe_dump(
            {
                "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
                "scrape_configs": [
                    {"job_name": "judge", "honor_labels": True, "static_configs": [{"targets": [judge]}]},
                    {"job_name": "flights", "static_configs": pods},
                ],
            }
        )
    )
    command = [
        *("prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"),
        *(f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"),
    ]
    with subprocess.Popen(command, cwd=folder) as process:

        def get(path: str, **parameters: str) -> Any:
            try:
                answer = requests.get(f"http://127.0.0.1:{port}/api/v1/{path}", parameters, timeout=5).json()
            except requests.ConnectionError:
                assert process.poll() is None, "prometheus has ended"
                return []
            assert answer["status"] == "success", answer
            return answer["data"]

        try:
            yield get
        finally:
            process.terminate()


def filled(query: str) -> str:
    """A query with the values that a person would choose."""
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    return query


def eventually(get: Callable[[], Any]) -> Any:
    """What a question has for an answer once there is one, or what it has in the end."""
    end = time.monotonic() + FOUND_SECONDS
    while not (found := get()) and time.monotonic() < end:
        time.sleep(0.5)
    return found


@pytest.mark.parametrize("name", TARGETS)
def test_every_query_returns_data(ask: Any, name: str) -> None:
    """Each query of each panel finds numbers, with the labels that its legend names; of arms it finds both."""
    query, legend = filled(TARGETS[name]["expr"]), TARGETS[name]["legendFormat"]
    arms = 2 if "by arm" in name or "arm" in legend else 1

    def numbers() -> list[dict[str, str]]:
        found = ask("query", query=query) or {"result": []}
        series = [each["metric"] for each in found["result"] if math.isfinite(float(each["value"][1]))]
        return series if len(series) >= arms else []

    found = eventually(numbers)
    assert found, query
    assert all(set(re.findall(r"{{(\w+)}}", legend)) <= labels.keys() for labels in found)


def test_the_variables_find_the_rollout(ask: Any) -> None:
    """What the dashboard offers to choose from is the rollout that is judged."""
    for variable in DASHBOARD["templating"]["list"][1:]:
        match, _, label = variable["query"]["query"].removeprefix("label_values(").removesuffix(")").rpartition(", ")
        found = eventually(lambda: ask(f"label/{label}/values", **{"match[]": filled(match)}))  # noqa: B023
        assert found == [VARIABLES[f"${variable['name']}"]]
