"""One cluster for all scenarios and faults, with clients that ask all the time, and an eye on it."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.machine import delivery
from tests.cluster.machine.box import Box
from tests.cluster.machine.cluster import HOSTNAME, Cluster
from tests.cluster.machine.fork import TRAFFIC
from tests.cluster.machine.place import NODE, Place
from tests.cluster.scenarios.playing import Stage
from tests.cluster.scenarios.watching import watching
from tests.cluster.traffic import Traffic

FIRST, LAST = "test_scenarios", "chaos"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what makes nodes of its own, then the first release; break things at the end."""

    def place(item: pytest.Item) -> int:
        folder = item.path.parent.name
        return {"scenarios": 1 if item.path.stem == FIRST else 2, LAST: 3}.get(folder, 0)

    items.sort(key=place)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A platform on which nothing is released yet."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="slipway-", dir="/var/tmp", ignore_cleanup_errors=True) as folder:
        box = Box(Place(Path(folder)))
        try:
            yield Cluster.make(box, lambda what: print(f"{time.monotonic() - began:6.1f} s  {what}", flush=True))
        finally:
            box.end()


@pytest.fixture(scope="session")
def stage(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The first release serves, clients ask, and all that happens is seen."""
    with watching(cluster) as watch:
        version = cluster.serve(print)
        cluster.fork.decide()  # against the champion that it is now: what follows is the same model again
        with Traffic.start(
            tmp_path_factory.mktemp("traffic"),
            host=f"http://{NODE}",
            header=HOSTNAME,
            credential=delivery.credential(cluster.box.place),
            rate=TRAFFIC,
        ) as traffic:
            yield Stage(cluster, watch, traffic, version)
