"""Scenarios e and l: the twin goes through staging to production by itself, and is judged in both."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from tests.cluster.machine import outside
from tests.cluster.machine.fork import REPLAY
from tests.cluster.machine.kubernetes import wait
from tests.cluster.machine.place import NODE
from tests.cluster.scenarios.playing import Stage

RELAY = "slipway-relay"  # as k8s/platform/relay.env names who commits
RATE = 80  # requests a second: 20 would do, and take minutes longer
NAMESPACE = "flights-staging"
JUDGED = [("proposed", None), ("promoted", "verdict")]
WEIGHTS = [10, 30, 60, 100]
CANARY = 'sum(traefik_service_requests_total{service=~"flights-staging-flights-canary-.*"})'


def test_l_a_release_to_staging_is_judged_there_and_in_production(stage: Stage) -> None:
    """After it nobody types anything: two canaries, four events, three commits of the relay.

    It is the champion's twin. Clients get no error, and the canary the share that its weight says.
    """
    assert not runs(stage)
    with replayed(stage):
        version, _ = stage.release(None, "--environment=staging")
        typed = stage.cluster.fork.run("git", "rev-parse", "HEAD").strip()
        wait(lambda: happened(stage, version, "production"), "the relay", stage.cluster.box.place, 180)
        began = time.time()
        found = stage.end(version, began)
        print(found.told(), flush=True)

    assert happened(stage, version, "staging") == happened(stage, version, "production") == JUDGED
    assert runs(stage) == ["Successful"] * 3
    assert asked(CANARY) >= 100  # of the replay: nobody else asks there
    assert commits(stage, typed, version) == [
        (f"Promote {version} in staging", RELAY),
        (f"Release {version} to production", RELAY),
        (f"Promote {version} in production", RELAY),
    ]
    assert found.weights == WEIGHTS
    assert found.clients.failed == 0
    shares = stage.shares(began, stage.now.stable)
    print({weight: f"{share:.4f} of {requests}" for weight, (share, requests) in shares.items()}, flush=True)
    for weight in WEIGHTS[:-1]:
        share, requests_ = shares[weight]
        assert requests_ >= 5000
        assert abs(share - weight / 100) <= 0.005
    stage.agree()


@contextmanager
def replayed(stage: Stage) -> Iterator[None]:
    """Have staging's traffic on until the block ends, as docs/rehearsal.md switches it."""
    fork = stage.cluster.fork

    def switch(message: str, *changes: tuple[str, str], replicas: int) -> None:
        fork.pull()
        for before, after in changes:
            fork.change(REPLAY, before, after)
        fork.run("slipway", "manifests", "render")
        fork.commit(message)

        def there() -> bool:
            replay = stage.cluster.object("deployment", "replay", NAMESPACE)
            return (replay["spec"]["replicas"], replay["status"].get("availableReplicas", 0)) == (replicas, replicas)

        wait(there, "replay", stage.cluster.box.place, 90)

    on, off = ("replicas: 0\n", "replicas: 1\n"), ("replicas: 1\n", "replicas: 0\n")
    fast, slow = ("--rate=20]", f"--rate={RATE}]"), (f"--rate={RATE}]", "--rate=20]")
    switch("Have traffic in staging", on, fast, replicas=1)
    try:
        yield
    finally:
        switch("Have no traffic in staging", off, slow, replicas=0)


def happened(stage: Stage, version: str, environment: str) -> list[tuple[str, str | None]]:
    """What main says of a release in an environment: kinds of events, and whose word they were."""
    events = stage.cluster.main(f"releases/{version}.json").get("events", ())
    return [(one["kind"], one.get("cause")) for one in events if one["environment"] == environment]


def runs(stage: Stage) -> list[str]:
    """How the analyses of staging have ended."""
    listed = stage.cluster.kubectl.run("--namespace", NAMESPACE, "get", "analysisruns", "--output=json")
    return [each["status"]["phase"] for each in json.loads(listed)["items"]]


def commits(stage: Stage, since: str, version: str = "") -> list[tuple[str, str]]:
    """Subject and author of each commit on main since then, the oldest first, or of those that name a release."""
    fork = stage.cluster.fork
    fork.pull()
    lines = fork.run("git", "log", "--reverse", "--format=%s%x09%an", f"{since}..HEAD").splitlines()
    found = [(subject, who) for subject, _, who in (line.partition("\t") for line in lines)]
    return [one for one in found if version in one[0].split() or not version]


def asked(query: str) -> float:
    """What Prometheus answers."""
    address = f"http://{NODE}:{outside.PROMETHEUS}/api/v1/query"
    found = requests.get(address, params={"query": query}, timeout=5).json()["data"]["result"]
    return float(found[0]["value"][1]) if found else 0.0
