"""What the cluster shows while a scenario plays, each change with the time at which it was seen."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from tests.cluster.machine.cluster import NAMESPACE, Cluster

from slipway.adapters import processes

ROLLOUT = (
    *("status.canary.weights.canary.weight", "status.currentStepIndex", "status.phase", "status.abort"),
    *("status.currentPodHash", "status.stableRS", "status.message"),
)
PODS = ("metadata.name", "metadata.labels.rollouts-pod-template-hash", "status.phase")
RUNS = ("metadata.name", "metadata.labels.rollouts-pod-template-hash", "status.phase", "status.message")


Take = Callable[[float, list[str]], None]


class Rollout(NamedTuple):
    """The Rollout at one moment."""

    at: float
    weight: int  # of the canary, in points
    step: int
    phase: str
    aborted: bool
    canary: str  # the hash of the template that it goes to
    stable: str
    message: str


class Pod(NamedTuple):
    """A change of a pod."""

    at: float
    name: str
    hash: str
    phase: str


class Run(NamedTuple):
    """A change of an AnalysisRun."""

    at: float
    name: str
    hash: str
    phase: str
    message: str


@dataclass
class Watch:
    """All that was seen since the watch began."""

    rollouts: list[Rollout] = field(default_factory=list)
    pods: list[Pod] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)

    def weights(self, since: float) -> list[int]:
        """What the canary got since then, each change once; 0 is left out."""
        found = [one.weight for one in self.rollouts if one.at >= since]
        return [weight for weight, _ in groupby(found) if weight]

    def first(self, since: float, **fields: object) -> Rollout | None:
        """The first state of the Rollout since then that is so."""
        for one in self.rollouts:
            if one.at >= since and all(getattr(one, name) == value for name, value in fields.items()):
                return one
        return None


@contextmanager
def watching(cluster: Cluster) -> Iterator[Watch]:
    """Watch the service's Rollout, pods and AnalysisRuns until the block ends."""
    watch, running, over = Watch(), dict[str, subprocess.Popen[str]](), threading.Event()

    def follow(kind: str, fields: Sequence[str], take: Take) -> None:
        template = "{'|'}".join(f"{{.{name}}}" for name in fields) + "{'\\n'}"
        command = [cluster.kubectl.program, f"--kubeconfig={cluster.box.place.kubeconfig}", "--namespace", NAMESPACE]
        command += ["get", kind, "--watch", f"--output=jsonpath={template}"]
        while not over.is_set():  # the API ends each watch after a while
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
            )
            running[kind] = process
            assert process.stdout is not None
            for line in process.stdout:
                found = line.rstrip("\n").split("|", len(fields) - 1)
                if len(found) == len(fields):  # the rest of a message of several lines is none
                    take(time.time(), found)
            over.wait(0.5)

    def rollout(at: float, found: list[str]) -> None:
        weight, step, phase, aborted, canary, stable, message = found
        seen = Rollout(at, int(weight or 0), int(step or 0), phase, aborted == "true", canary, stable, message)
        watch.rollouts.append(seen)

    followed: tuple[tuple[str, Sequence[str], Take], ...] = (
        ("rollouts", ROLLOUT, rollout),
        ("pods", PODS, lambda at, found: watch.pods.append(Pod(at, *found))),
        ("analysisruns", RUNS, lambda at, found: watch.runs.append(Run(at, *found))),
    )
    for arguments in followed:
        threading.Thread(target=follow, args=arguments, daemon=True).start()
    try:
        yield watch
    finally:
        over.set()
        for process in running.values():
            processes.end(process)
