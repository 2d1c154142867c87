"""Plays a scenario: a release goes in, and what came of it is collected from Git, the cluster and the clients."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tests.cluster.machine import outside
from tests.cluster.machine.cluster import Cluster
from tests.cluster.machine.kubernetes import wait
from tests.cluster.scenarios.watching import Rollout, Watch
from tests.cluster.traffic import Seen, Traffic

from challengers.releases import FAULTS, HOOK
from slipway.errors import Broken

ENDS = ("promoted", "reverted", "superseded", "restored")


@dataclass(frozen=True)
class Ended:
    """How a release ended."""

    version: str
    began: float
    event: dict[str, Any]  # Git's
    weights: list[int]  # of the canary, in order
    seconds: dict[str, float]  # from one thing to another, by name
    clients: Seen  # from the release's commit until all was stable again

    @property
    def kind(self) -> str:
        """What Git says: promoted, reverted."""
        return str(self.event["kind"])

    @property
    def cause(self) -> str:
        """Whose word it was."""
        return str(self.event["cause"])

    @property
    def blame(self) -> str | None:
        """The metric at fault."""
        return (self.event.get("evidence") or {}).get("blame")

    def told(self) -> str:
        """One line for a person."""
        took = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in self.seconds.items())
        asked = f"{self.clients.requests} requests, failed {self.clients.failures or 'none'}"
        how = f"{self.version} {self.kind}, cause {self.cause}, blame {self.blame}, weights {self.weights}"
        return f"{how}; {took}; {asked}"


@dataclass
class Stage:
    """A cluster with a champion, clients, and an eye on it."""

    cluster: Cluster
    watch: Watch
    traffic: Traffic
    stable: str  # the version of the recorded stable

    def end_of(self, version: str) -> dict[str, Any] | None:
        """The last of a release's events in production, if it is an end."""
        events = [
            one
            for one in self.cluster.main(f"releases/{version}.json").get("events", ())
            if one["environment"] == "production"
        ]
        return events[-1] if events and events[-1]["kind"] in ENDS else None

    def now(self) -> Rollout:
        """The Rollout as it was seen last."""
        return self.watch.rollouts[-1]

    def release(self, fault: str | None = None) -> tuple[str, float]:
        """Release what is at hand, behind a fault if one is named; its version, and when its commit was pushed."""
        fork = self.cluster.fork
        fork.pull()
        with self._behind(fault):
            version = fork.release()
        return version, time.time()

    @contextmanager
    def _behind(self, fault: str | None) -> Iterator[None]:
        """Have the service stand behind a fault, and afterwards no more."""
        fork = self.cluster.fork
        service, faults = fork.root / "bentos/flights/service.py", fork.root / "bentos/flights/faults.py"
        before = service.read_text()
        if fault:
            shutil.copyfile(FAULTS, faults)
            service.write_text(before + HOOK.format(fault=fault))
            fork.commit(f"Serve behind {fault}")
        yield
        if fault:
            service.write_text(before)
            faults.unlink()
            fork.commit("Serve as before")

    def end(self, version: str, began: float, seconds: float = 300) -> Ended:
        """Wait until main says how the release ended, and the Rollout is whole again."""
        place = self.cluster.box.place
        event = wait(lambda: self.end_of(version), f"the end of {version}", place, seconds)
        recorded = time.time()
        whole = wait(self.whole(began), "the Rollout", place, 60)
        after = time.time()
        self.cluster.fork.pull()
        if event["kind"] == "promoted":
            self.stable = version
        weights = self.watch.weights(began)
        took = {}
        new = next((one.hash for one in self.watch.pods if one.at > began), None)
        with suppress(StopIteration):
            took["commit -> pods starting"] = (
                next(pod.at for pod in self.watch.pods if pod.at > began and pod.hash == new) - began
            )
        if aborted := self.watch.first(began, aborted=True):
            took["abort -> revert in Git"] = recorded - aborted.at
            took["revert -> all stable"] = whole - recorded
            with suppress(StopIteration):
                failed = next(run for run in self.watch.runs if run.at > began and run.phase in ("Failed", "Error"))
                zero = next(one for one in self.watch.rollouts if one.at >= failed.at and one.weight == 0)
                took["verdict -> weight 0"] = zero.at - failed.at
        took["whole"] = after - began
        return Ended(version, began, event, weights, took, self.traffic.seen(began, after))

    def whole(self, began: float) -> Callable[[], float | None]:
        """Whether the Rollout is healthy on one template since then; says when that was seen first."""

        def look() -> float | None:
            last = self.now()
            if last.at > began and last.phase == "Healthy" and last.canary == last.stable and not last.aborted:
                return last.at
            return None

        return look

    def champion(self) -> str | None:
        """The digest of the registry's champion."""
        from slipway.adapters import mlflow

        found = mlflow.champion(outside.MODELS)
        return found.model_digest if found else None

    def agree(self) -> None:
        """See that Git, cluster and registry say the same.

        Raises:
            Broken: they do not.

        """
        wait(
            lambda: bool(self.cluster.fork.run("slipway", "status", "--cluster")) or True,
            "agreement",
            self.cluster.box.place,
            60,
        )

    def image(self) -> str:
        """The image that the Deployment asks for."""
        found = self.cluster.object("deployment", "flights")
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


def refused(call: Callable[[], object]) -> str:
    """The words with which something was refused."""
    try:
        call()
    except Broken as error:
        return str(error)
    raise AssertionError("it was not refused")
