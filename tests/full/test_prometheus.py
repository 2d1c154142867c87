"""A real Prometheus that scrapes a router's counters: raw samples come back, and mean what the selectors say."""

import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests
import yaml
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from tests.conftest import ROOT

from slipway.adapters.processes import free_port
from slipway.adapters.prometheus import Prometheus
from slipway.canary import grid, settings
from slipway.canary.records import Arm, Counts, Interval, Kind, Observation, Policy, Rollout, Series
from slipway.canary.settings import Settings

EDGES = (0.04, 0.05, 0.06, 0.25)
TRAEFIK = ("service", "code", "method", "protocol")
STABLE, CANARY = (f"shop-flights-{arm}-http@kubernetescrd" for arm in ("stable", "canary"))
Key = tuple[str, str]  # service, code


@dataclass(eq=False)
class Router:
    """Exports what it answered under the names of Traefik and of Istio, and remembers what each scrape was shown."""

    answered: dict[Key, list[float]] = field(default_factory=dict)  # seconds of each answer
    shown: dict[Key, list[int]] = field(default_factory=lambda: defaultdict(list))

    def answer(self, service: str, code: str, *seconds: float) -> None:
        """Answer requests of a service, each in so many seconds."""
        self.answered[service, code] = [*self.answered.get((service, code), []), *seconds]

    def collect(self) -> Iterator[Metric]:
        """Show all counters at one moment."""
        now = {key: list(seconds) for key, seconds in self.answered.items()}
        for key, seconds in now.items():
            self.shown[key].append(len(seconds))
        requests_, istio = (
            CounterMetricFamily("traefik_service_requests", "", labels=TRAEFIK),
            CounterMetricFamily("istio_requests", "", labels=ISTIO),
        )
        durations, milliseconds = (
            HistogramMetricFamily("traefik_service_request_duration_seconds", "", labels=TRAEFIK),
            HistogramMetricFamily("istio_request_duration_milliseconds", "", labels=ISTIO),
        )
        for (service, code), seconds in now.items():
            labels, theirs = (service, code, "POST", "http"), _istio(service, code)
            requests_.add_metric(labels, len(seconds))
            istio.add_metric(theirs, len(seconds))
            counts = [sum(one <= edge for one in seconds) for edge in EDGES] + [len(seconds)]
            for family, unit, names in ((durations, 1, labels), (milliseconds, 1000, theirs)):
                edges = [*(f"{edge * unit:g}" for edge in EDGES), "+Inf"]
                family.add_metric(names, list(zip(edges, counts, strict=True)), sum(seconds) * unit)
        yield from (requests_, istio, durations, milliseconds)


ISTIO = ("reporter", "destination_service_namespace", "destination_service_name", "response_code")


def _istio(service: str, code: str) -> tuple[str, ...]:
    namespace, _, rest = service.partition("-")
    return ("source", namespace, rest.removesuffix("-http@kubernetescrd"), code)


@pytest.fixture
def router() -> Iterator[tuple[Router, int]]:
    """A router whose counters are there to be scraped; and the port."""
    router, registry, port = Router(), CollectorRegistry(), free_port()
    registry.register(router)  # type: ignore[arg-type]
    router.shown.clear()  # registering asks once
    server, thread = start_http_server(port, "127.0.0.1", registry)
    yield router, port
    server.shutdown()
    thread.join()


@pytest.fixture
def prometheus(tmp_path: Path, router: tuple[Router, int]) -> Iterator[str]:
    """Debian's Prometheus on loopback, scraping the router every second under the two jobs."""
    port = free_port()
    target = [{"targets": [f"127.0.0.1:{router[1]}"]}]
    config = {
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [{"job_name": "traefik", "static_configs": target}],
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={tmp_path}/prometheus.yml",
                f"--storage.tsdb.path={tmp_path}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _ready(address))
        yield address
    finally:
        process.terminate()
        process.wait()


def _ready(address: str) -> bool:
    try:
        return requests.get(f"{address}/-/ready", timeout=5).ok
    except requests.ConnectionError:
        return False


def until(true: Callable[[], Any], seconds: float = 60) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def rules(name: str, **policy: float) -> Settings:
    """One of the two files, for a scrape every second."""
    found = settings.parse(yaml.safe_load((ROOT / "rollouts" / name).read_text()), name)
    return msgspec.structs.replace(found, policy=msgspec.structs.replace(found.policy, grid=2, scrape=1, **policy))


def rollout(started: float) -> Rollout:
    """A canary in its only step."""
    return Rollout(
        namespace="shop",
        name="flights",
        stable="aaa",
        canary="bbb",
        attempt=1,
        intervals=(Interval(start=started, end=None, weight=0.5, step=1),),
        steps=1,
        available=1,
        unavailable_since=None,
    )


def scrapes(router: Router, key: Key, more: int) -> None:
    """Wait for so many scrapes."""
    before = len(router.shown[key])
    until(lambda: len(router.shown[key]) >= before + more)


def values(series: tuple[Series, ...]) -> list[list[float]]:
    """Values of each, the shortest first."""
    return sorted((list(one.values) for one in series), key=lambda one: (len(one), one))


def grown(
    seen: Observation, counts: tuple[Series, ...], policy: Policy, known: Rollout, now: float
) -> tuple[float, bool]:
    """By how much counters grew, as the decision counts it, and whether anything in it was broken."""
    inside = grid.cells(known, policy, now)
    found = grid.growth(counts, inside, since=seen.since, scrape=policy.scrape)
    return float(found.counted.sum()), bool(found.broken.any())


def test_raw_samples_births_and_resets(prometheus: str, router: tuple[Router, int]) -> None:
    """Each sample comes back as it was scraped: what was there, what was born, what fell, what vanished."""
    exported, _ = router
    found = rules("judge.yaml")
    exported.answer(STABLE, "200", *(95 * [0.045]), *(5 * [0.3]))
    exported.answer("shop-other-canary-http@kubernetescrd", "500", 0.1)
    exported.answer("mall-flights-canary-http@kubernetescrd", "500", 0.1)
    until(lambda: exported.shown[STABLE, "200"])
    scrapes(exported, (STABLE, "200"), 5)
    known = rollout(time.time())
    scrapes(exported, (STABLE, "200"), 3)
    exported.answer(STABLE, "200", *(19 * [0.01]), 0.055)
    exported.answer(CANARY, "200", 0.01, 0.055, 0.3)
    exported.answer(CANARY, "404", 0.01)
    exported.answer(CANARY, "502", 0.01, 0.01)
    scrapes(exported, (CANARY, "502"), 3)
    now = time.time()
    source = Prometheus(prometheus, found.selectors, seconds=10)
    seen = source.observe(known, found.policy, now)
    assert seen.gaps == ()
    shown = exported.shown
    # 1.5 scrapes may be under way: what came back is what was shown, but for the last ones
    for arm, key in (("stable", (STABLE, "200")), ("canary", (CANARY, "200"))):
        (got,) = [one for one in values(seen.requests[_arm(arm)]) if one == shown[key][: len(one)]]
        assert len(got) >= 3
    errors = seen.counts["errors"]
    assert values(errors["stable"].bad) == []
    assert [one[-1] for one in values(errors["canary"].bad)] == [1, 2]
    assert sum(one[-1] for one in values(errors["canary"].total)) == 6
    latency, objective = seen.counts["latency"], seen.counts["objective"]  # bound: 0.05, where stable's p95 was
    assert sum(one[-1] for one in values(latency["canary"].total)) == 6
    assert sum(one[-1] for one in values(latency["canary"].good)) == 4
    assert sum(one[-1] for one in values(objective["canary"].good)) == 5
    assert values(latency["stable"].good)[0][-1] == 95 + 19
    # born at 0, within the attempt; stable's hundred from before are not of the attempt
    assert grown(seen, errors["canary"].total, found.policy, known, now + 4) == (6, False)
    assert grown(seen, errors["stable"].total, found.policy, known, now + 4) == (20, False)

    # Prometheus began after this attempt did: what it saw first was there before, and is not of the attempt
    late = rollout(known.started - 30)
    seen = source.observe(late, found.policy, now)
    assert grown(seen, seen.requests["stable"], found.policy, late, now + 4)[0] == 20
    # and where the scrapes cannot be read, nothing counts as born
    blind = msgspec.structs.replace(found.selectors, scrapes="up{{")
    seen = Prometheus(prometheus, blind, seconds=10).observe(late, found.policy, now)
    assert grown(seen, seen.requests["stable"], found.policy, late, now + 4)[0] == 20

    exported.answered[STABLE, "200"] = [0.01]  # the router was restarted
    del exported.answered[CANARY, "404"]  # Traefik drops what it no longer routes to
    scrapes(exported, (STABLE, "200"), 3)
    after = source.observe(known, found.policy, time.time())
    assert 1.0 in values(after.requests["stable"])[0]
    assert [one[-1] for one in values(after.counts["errors"]["canary"].bad)] == [1, 2]
    assert grown(after, after.requests["stable"], found.policy, known, time.time() + 4)[1]


def _arm(name: str) -> Arm:
    return "stable" if name == "stable" else "canary"


def test_the_first_error_after_a_restart_counts(prometheus: str, router: tuple[Router, int]) -> None:
    """A router that started again shows no counter of errors until the next one, and then 1, as before."""
    exported, _ = router
    found = rules("judge.yaml")
    exported.answer(CANARY, "200", 0.01)
    until(lambda: exported.shown[CANARY, "200"])
    scrapes(exported, (CANARY, "200"), 3)
    known = rollout(time.time())
    exported.answer(CANARY, "404", 0.01)
    scrapes(exported, (CANARY, "404"), 3)
    del exported.answered[CANARY, "404"]
    scrapes(exported, (CANARY, "200"), 5)
    exported.answer(CANARY, "404", 0.01)
    scrapes(exported, (CANARY, "404"), 3)
    now = time.time()
    seen = Prometheus(prometheus, found.selectors, seconds=10).observe(known, found.policy, now)
    errors = seen.counts["errors"]["canary"]
    assert grown(seen, errors.bad, found.policy, known, now + 4) == (2, False)
    assert grown(seen, errors.total, found.policy, known, now + 4) == (2, False)


def test_the_example_for_istio(prometheus: str, router: tuple[Router, int]) -> None:
    """The other file finds the same counts under Istio's names, with edges in milliseconds."""
    exported, _ = router
    found = rules("judge-istio.yaml")
    selectors = msgspec.structs.replace(found.selectors, scrapes='up{job="traefik"}')  # the one job there is
    exported.answer(STABLE, "200", *(95 * [0.045]), *(5 * [0.3]))
    exported.answer(CANARY, "0", 0.01)
    exported.answer(CANARY, "200", 0.01, 0.055, 0.3)
    until(lambda: exported.shown[CANARY, "200"])
    scrapes(exported, (CANARY, "200"), 4)
    now = time.time()
    seen = Prometheus(prometheus, selectors, seconds=10).observe(rollout(now - 1.5), found.policy, now)
    assert seen.gaps == ()

    def last(kind: Kind, arm: Arm, of: Callable[[Counts], tuple[Series, ...]]) -> float:
        return sum(one.values[-1] for one in of(seen.counts[kind][arm]))

    assert last("errors", "canary", lambda counts: counts.bad) == 1
    assert last("errors", "canary", lambda counts: counts.total) == 4
    assert last("latency", "canary", lambda counts: counts.good) == 2
    assert last("objective", "canary", lambda counts: counts.good) == 3
    assert last("latency", "stable", lambda counts: counts.good) == 95


def test_what_prometheus_cannot_tell_is_a_gap(prometheus: str, router: tuple[Router, int]) -> None:
    """An objective between two edges, a router that is scraped too seldom, a selector that Prometheus cannot read."""
    exported, _ = router
    found = rules("judge.yaml")
    exported.answer(STABLE, "200", *(95 * [0.045]), *(5 * [0.3]))
    until(lambda: exported.shown[STABLE, "200"])
    scrapes(exported, (STABLE, "200"), 4)
    now = time.time()
    metrics = {**found.policy.metrics}
    metrics["objective"] = msgspec.structs.replace(metrics["objective"], bound=0.2)
    policy = msgspec.structs.replace(found.policy, metrics=metrics, scrape=0.1)
    selectors = msgspec.structs.replace(found.selectors, errors=found.selectors.errors.replace("!~", "!!"))
    seen = Prometheus(prometheus, selectors, seconds=10).observe(rollout(now - 1.5), policy, now)
    assert set(seen.counts) == {"latency"}
    told = {gap.part: gap.detail for gap in seen.gaps}
    assert set(told) == {"errors", "objective", "scrapes"}
    assert told["errors"].startswith("Prometheus at 127.0.0.1:")
    assert "parse error" in told["errors"]
    assert "0.2 s is no edge" in told["objective"]
    assert "scraped every 1 s" in told["scrapes"]
