"""Plays a scenario: a release goes in, and what came of it is collected from Git, the cluster and the clients."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from tests.cluster.machine.cluster import NAMESPACE, Cluster
from tests.cluster.machine.kubernetes import wait
from tests.cluster.machine.place import NODE
from tests.cluster.scenarios.watching import Rollout, Watch
from tests.cluster.traffic import Seen, Traffic

from challengers.releases import FAULTS, HOOK
from slipway.canary.facts import HASH, at
from slipway.errors import Broken
from slipway.rollout.seen import seen

REFRESH = "argocd.argoproj.io/refresh"
STAGING = "flights.staging.example.com"  # as its route matches
ENDS = ("promoted", "reverted", "superseded", "restored")
WHOLE = 90.0  # seconds that the Rollout may take to be healthy on one template again
SETTLED = 1.0  # seconds after a weight was set, and before the next one, that are not counted as its


@dataclass(frozen=True)
class Ended:
    """How a release ended."""

    version: str
    event: dict[str, Any]  # Git's
    weights: list[int]  # of the canary, in order, but for 0
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
        how = f"{self.version} {self.kind}, cause {self.cause}, blame {self.blame}, weights {self.weights}"
        took = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in self.seconds.items())
        return f"{how}; {took}; {self.clients.requests} requests, failed {self.clients.failures or 'none'}"


@dataclass
class Stage:
    """A cluster with a champion, clients, and an eye on it."""

    cluster: Cluster
    watch: Watch
    traffic: Traffic
    stable: str  # the version of the recorded stable

    def release(self, fault: str | None = None, *options: str) -> tuple[str, float]:
        """Release what is at hand, behind a fault if one is named; its version, and when its commit was pushed."""
        self.cluster.fork.pull()
        with self._behind(fault):
            version = self.cluster.fork.release(*options)
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
        try:
            yield
        finally:
            if fault:
                service.write_text(before)
                faults.unlink()
                fork.commit("Serve as before")

    def end(self, version: str, began: float, seconds: float = 400, whole: float = WHOLE) -> Ended:
        """Wait until main says how the release ended, and then until the Rollout is whole again."""
        place = self.cluster.box.place
        event = wait(lambda: self.event(version), f"the end of {version}", place, seconds)
        recorded = time.time()
        settled = self.settle(began, whole)
        self.cluster.fork.pull()
        if event["kind"] in ("promoted", "restored"):
            self.stable = version
        took = {name: value for name, value in self._took(began, recorded, settled) if value is not None}
        return Ended(version, event, self.watch.weights(began), took, self.traffic.seen(began, settled))

    def event(self, version: str) -> dict[str, Any] | None:
        """The last of a release's events in production, if it is an end."""
        every = self.cluster.main(f"releases/{version}.json").get("events", ())
        mine = [one for one in every if one["environment"] == "production"]
        return mine[-1] if mine and mine[-1]["kind"] in ENDS else None

    def settle(self, since: float, seconds: float = WHOLE) -> float:
        """Wait until the Rollout is healthy on one template again; says when that was seen."""

        def whole() -> float | None:
            last = self.now
            there = last.phase == "Healthy" and last.canary == last.stable and not last.aborted
            return last.at if there and last.at > since and self.runs_stable(last.stable) else None

        return float(wait(whole, "the Rollout", self.cluster.box.place, seconds))

    def runs_stable(self, template: str) -> bool:
        """Whether the recorded stable's image is the Deployment's, and to the controller too; as that template."""
        version = self.cluster.main("releases/stable.json")["environments"]["production"]
        digest = self.cluster.main(f"releases/{version}.json")["package"]["image_digest"]
        found = self.cluster.object("rollout", "flights")
        stands = seen(found, self.cluster.object("deployment", "flights"), (), time.time())
        return (stands.phase, stands.image, at(found, "status", "stableRS")) == ("healthy", digest, template)

    def until(self, seconds: float = 120, **fields: object) -> Rollout:
        """Wait until the Rollout is so."""

        def look() -> Rollout | None:
            return self.now if all(getattr(self.now, name) == value for name, value in fields.items()) else None

        found = wait(look, f"the Rollout with {fields}", self.cluster.box.place, seconds)
        assert isinstance(found, Rollout)
        return found

    def pods(self, template: str, *, others: bool = False) -> list[str]:
        """The names of a template's pods, or of all others."""
        chosen = f"--selector={HASH}{'!=' if others else '='}{template}"
        return self.cluster.kubectl.run("--namespace", NAMESPACE, "get", "pods", chosen, "--output=name").split()

    @property
    def now(self) -> Rollout:
        """The Rollout as it was seen last."""
        return self.watch.rollouts[-1]

    def image(self) -> str:
        """The image that the Deployment asks for."""
        found = self.cluster.object("deployment", "flights")
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"])

    def digest(self, version: str) -> str:
        """The image of a release."""
        return str(self.cluster.main(f"releases/{version}.json")["package"]["image_digest"])

    def person(self, *verb: str) -> None:
        """Somebody types `kubectl argo rollouts VERB`."""
        program, place = self.cluster.programs["kubectl-argo-rollouts"], self.cluster.box.place
        command = [program, *verb, f"--kubeconfig={place.kubeconfig}", f"--namespace={NAMESPACE}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Broken(f"kubectl argo rollouts {' '.join(verb)}: {done.stderr}", "Mend what it names.")

    @contextmanager
    def without(self, name: str, namespace: str = "slipway") -> Iterator[None]:
        """Have a Deployment no pods until the block ends."""
        replicas = self.cluster.object("deployment", name, namespace)["spec"]["replicas"]
        kubectl = self.cluster.kubectl
        with self._unhealed():
            kubectl.run("--namespace", namespace, "scale", f"deployment/{name}", "--replicas=0")
            gone = ("pod", f"--selector=app.kubernetes.io/name={name}", "--for=delete", "--timeout=60s")
            try:
                kubectl.run("--namespace", namespace, "wait", *gone)
                yield
            finally:
                kubectl.run("--namespace", namespace, "scale", f"deployment/{name}", f"--replicas={replicas}")
                kubectl.run("--namespace", namespace, "rollout", "status", f"deployment/{name}", "--timeout=120s")

    @contextmanager
    def _unhealed(self) -> Iterator[None]:
        """Have Argo CD leave the platform as it is."""
        name = "slipway-platform"
        before = self.cluster.object("application", name, "argocd")["spec"]["syncPolicy"]["automated"]

        def sync(automated: dict[str, bool] | None) -> None:
            again = {"annotations": {REFRESH: "normal"}}
            patch = json.dumps({"metadata": again, "spec": {"syncPolicy": {"automated": automated}}})
            self.cluster.kubectl.run("--namespace=argocd", "patch", "application", name, "--type=merge", "-p", patch)
            wait(heard, "Argo CD", self.cluster.box.place)

        def heard() -> bool:  # it takes the annotation away, and what it began before has ended
            live = self.cluster.object("application", name, "argocd")
            return REFRESH not in live["metadata"]["annotations"] and "operation" not in live

        sync(None)  # without self-heal alone, the next commit would bring it back
        try:
            yield
        finally:
            sync(before)

    def agree(self) -> None:
        """See that Git, cluster and registry say the same, as `slipway status` looks at them."""
        look = ("slipway", "status", "--cluster")
        wait(lambda: self.cluster.fork.run(*look), "what slipway status asks for", self.cluster.box.place)

    def ask_staging(self) -> None:
        """Ask it once: nobody else does between canaries, and of what was never asked there are no series."""
        requests.get(f"http://{NODE}/version", headers={"Host": STAGING}, timeout=5)

    def shares(self, began: float, pod: str) -> dict[int, tuple[float, int]]:
        """The share of requests that a canary got at each weight, and of how many, since then."""
        states = [one for one in self.watch.rollouts if one.at > began and one.canary == pod]
        found: dict[int, tuple[float, int]] = {}
        for weight in sorted({one.weight for one in states} - {0}):
            first = next(one.at for one in states if one.weight == weight)
            last = next((one.at for one in states if one.at > first and one.weight != weight), time.time())
            seen = self.traffic.seen(first + SETTLED, last - SETTLED)
            found[weight] = (seen.share(pod), seen.requests)
        return found

    def _took(self, began: float, recorded: float, whole: float) -> Iterator[tuple[str, float | None]]:
        new = next((one for one in self.watch.rollouts if one.at > began and one.canary != one.stable), None)
        canary = new.canary if new else ""
        starting = (pod.at for pod in self.watch.pods if pod.at > began and pod.hash == canary)
        yield "commit -> pods starting", _since(began, next(starting, None))
        if aborted := self.watch.first(began, aborted=True):
            mine = (run for run in self.watch.runs if run.at > began and run.hash == canary)
            if verdict := next((run.at for run in mine if run.phase in ("Failed", "Error")), None):
                zero = (one.at for one in self.watch.rollouts if one.at > began and one.aborted and one.weight == 0)
                yield "verdict -> weight 0", _since(verdict, next(zero, None))
            yield "abort -> revert in Git", recorded - aborted.at
            yield "revert -> all stable", max(0.0, whole - recorded)
        elif new and (back := self.watch.first(new.at, canary=new.stable)):  # the stable's template, while in canary
            well = self.watch.first(back.at, canary=new.stable, weight=0, phase="Healthy")
            yield "image back -> all stable", _since(back.at, well.at if well else None)
        yield "in all", whole - began


def _since(then: float, at: float | None) -> float | None:
    return None if at is None else at - then


def refused(call: Callable[[], object]) -> str:
    """The words with which something was refused."""
    try:
        call()
    except Broken as error:
        return " ".join(str(error).split())
    raise AssertionError("it was not refused")
