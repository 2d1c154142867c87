"""Scenario l: what staging's canary has shown goes to production by itself, and is judged there again."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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
CANARY = 'sum(traefik_service_requests_total{service=~"flights-staging-flights-canary-.*"})'


def test_l_staging_leads_to_production(stage: Stage) -> None:
    """After one release to staging nobody types anything: two canaries, four events, three commits of the relay."""
    assert "staging" not in stage.cluster.main("releases/stable.json")["environments"]
    with replayed(stage):
        # The first in staging has nothing to be compared with; production has, and judges it.
        first, began = stage.release(None, "--environment=staging")
        wait(lambda: happened(stage, first, "production"), "the relay", stage.cluster.box.place, 120)
        assert happened(stage, first, "staging") == [("proposed", None), ("promoted", "person")]
        assert not runs(stage)

        # The second is judged in both, and its turn in production comes when the first has had its own.
        second, _ = stage.release(None, "--environment=staging")
        typed = stage.cluster.fork.run("git", "rev-parse", "HEAD").strip()
        told(stage, first, began)
        told(stage, second, time.time())

        for environment in ("staging", "production"):
            assert happened(stage, second, environment) == JUDGED
        assert runs(stage) == ["Successful"] * 3
        assert asked(CANARY) >= 100  # of the replay: nobody else asks there
        assert commits(stage, typed, second) == [
            (f"Promote {second} in staging", RELAY),
            (f"Release {second} to production", RELAY),
            (f"Promote {second} in production", RELAY),
        ]
        assert {who for _, who in commits(stage, typed)} == {RELAY}
        assert order(stage, first, second)
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


def told(stage: Stage, version: str, began: float) -> None:
    """See that production's canary is promoted on the judge's word, from the first weight on, and no client notices."""
    found = stage.end(version, began)
    print(found.told(), flush=True)
    assert (found.kind, found.cause) == ("promoted", "verdict"), found.told()
    assert found.weights == [10, 30, 60, 100]
    assert found.clients.failed == 0


def happened(stage: Stage, version: str, environment: str) -> list[tuple[str, str | None]]:
    """What main says of a release in an environment: kinds of events, and whose word they were."""
    events = stage.cluster.main(f"releases/{version}.json").get("events", ())
    return [(one["kind"], one.get("cause")) for one in events if one["environment"] == environment]


def order(stage: Stage, first: str, second: str) -> bool:
    """Whether the second came to production after its own promotion in staging, and after the first's in production."""

    def at(version: str, environment: str, kind: str) -> str:
        events: list[dict[str, Any]] = stage.cluster.main(f"releases/{version}.json")["events"]
        (found,) = (one["at"] for one in events if (one["environment"], one["kind"]) == (environment, kind))
        return str(found)

    came = at(second, "production", "proposed")
    return max(at(second, "staging", "promoted"), at(first, "production", "promoted")) <= came


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
