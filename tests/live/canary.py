"""A canary on this machine: two bundles, real requests, truth through /feedback, and the judge asked over HTTP."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import requests
import yaml
from tests.conftest import ROOT, free_port

from live.traffic import EDGES, Flight, Traffic
from slipway import records
from slipway.adapters import bento
from slipway.adapters.rehearsal import FACTS, SAMPLES, Known, Rehearsal, Sample
from slipway.canary.records import Interval, Rollout

KEY, CREDENTIAL = 32 * "k", 32 * "c"
RATE = 600  # requests in a second
WEIGHTS = (0.1, 0.3, 0.6)
SCRAPE, GRID, MATURITY, DEADLINE = 0.5, 1, 2, 240  # seconds
BEFORE_SECONDS = 5  # of stable alone
NAMESPACE, NAME = "rehearsal", "flights"
ENDS = {1: "promote", 0: "continue", -1: "abort", -2: "unavailable"}


@dataclass
class Played:
    """How a canary ended."""

    outcome: str
    verdict: dict[str, object]
    requests: int
    seconds: float
    truths: dict[int, int]
    answers: list[int] = field(default_factory=list)  # of the judge, in order


def play(
    folder: Path,
    stable: Path,
    canary: Path,
    rows: list[Flight],
    ledger: str,
    *,
    interruptions: int = 0,
) -> Played:
    """Send the canary its weights, step by step, until the judge has promoted it to the end or aborts it.

    The judge is killed and started anew `interruptions` times on the way.
    """
    folder.mkdir(parents=True)
    arms = {"stable": (stable, "aaaaaaaaaa"), "canary": (canary, "bbbbbbbbbb")}
    with ExitStack() as stack:
        addresses = {arm: stack.enter_context(_served(folder, arm, *what, ledger)) for arm, what in arms.items()}
        recorder = Recorder(folder / "rollout")
        judge = Judge(folder, ledger)
        stack.callback(judge.stop)
        judge.start()
        traffic = stack.enter_context(Traffic(rows, addresses, RATE, CREDENTIAL))
        begun = time.monotonic()
        _pass(BEFORE_SECONDS, traffic, recorder)
        answers: list[int] = []
        for step, weight in enumerate(WEIGHTS, start=1):
            traffic.weight = weight
            recorder.step(step, weight)
            while (answer := judge.ask()) == 0 and time.monotonic() - begun < DEADLINE:
                answers.append(answer)
                _pass(1.0, traffic, recorder)
                if interruptions:
                    interruptions -= 1
                    judge.stop()
                    judge.start()
            answers.append(answer)
            if answer != 1:
                break
        told = judge.verdict()
    sent = sum(tally.requests for tally in traffic.tallies.values())
    return Played(ENDS[answers[-1]], told, sent, time.monotonic() - begun, traffic.truths, answers)


def _pass(seconds: float, traffic: Traffic, recorder: "Recorder") -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        recorder.sample(traffic)
        time.sleep(SCRAPE)


@contextmanager
def _served(folder: Path, arm: str, path: Path, pod: str, ledger: str) -> Iterator[str]:
    secrets, spool = folder / arm / "secrets", folder / arm / "spool"
    secrets.mkdir(parents=True)
    spool.mkdir()
    for name, text in (("url", ledger), ("keys", KEY), ("credentials", CREDENTIAL)):
        (secrets / name).write_text(text)
    told = {"LEDGER": str(secrets), "SPOOL": str(spool), "ENVIRONMENT": NAMESPACE, "POD": pod}
    with bento.serving(path, free_port(), **{f"SLIPWAY_{name}": value for name, value in told.items()}) as address:
        yield address


class Recorder:
    """Writes what the one who splits the traffic knows."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / SAMPLES).touch()
        self.folder, self._samples, self._intervals = folder, Rehearsal(folder), list[Interval]()

    def step(self, number: int, weight: float) -> None:
        """Note that a new weight begins."""
        now = time.time()
        done = [msgspec.structs.replace(one, end=one.end or now) for one in self._intervals]
        self._intervals = [*done, Interval(start=now, end=None, weight=weight, step=number)]
        rollout = Rollout(
            namespace=NAMESPACE,
            name=NAME,
            stable="aaaaaaaaaa",
            canary="bbbbbbbbbb",
            attempt=1,
            intervals=tuple(self._intervals),
            steps=len(WEIGHTS),
            available=1,
            unavailable_since=None,
        )
        new = self.folder / "new"
        new.write_text(records.dumps(Known(rollout=rollout, latency_bound=0.05)))
        new.rename(self.folder / FACTS)

    def sample(self, traffic: Traffic) -> None:
        """Note what was counted so far."""
        now, samples = time.time(), list[Sample]()
        for arm, tally in traffic.tallies.items():
            samples += [
                Sample(time=now, arm=arm, counter="requests", value=tally.requests),
                Sample(time=now, arm=arm, counter="errors", value=tally.errors),
                *(
                    Sample(time=now, arm=arm, counter="within", value=sum(tally.buckets[: place + 1]), le=edge)
                    for place, edge in enumerate(EDGES)
                    if edge in (0.05, 0.25)
                ),
            ]
        self._samples.append(*samples)


class Judge:
    """`slipway judge serve`, as a process."""

    def __init__(self, folder: Path, ledger: str) -> None:
        self._port, self._log = free_port(), folder / "judge.log"
        settings = yaml.safe_load((ROOT / "rollouts/judge.yaml").read_text())
        settings["policy"] |= {"scrape": SCRAPE, "grid": GRID, "grace": 2, "settle": 1}
        (folder / "judge.yaml").write_text(yaml.safe_dump(settings))
        (folder / "ledger").write_text(ledger)
        self._command = [
            *(sys.executable, "-m", "slipway", "judge", "serve", "--port", str(self._port)),
            *("--policy", str(folder / "judge.yaml"), "--rehearsal", str(folder / "rollout")),
            *("--ledger", str(folder / "ledger")),
        ]
        self._asked = {"namespace": NAMESPACE, "rollout": NAME, "maturity": f"{MATURITY}s", "deadline": f"{DEADLINE}s"}

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=os.environ)
        for _ in range(300):
            assert self._process.poll() is None, self._log.read_text()
            with suppress(requests.ConnectionError):
                if requests.get(f"http://127.0.0.1:{self._port}/healthz", timeout=5).ok:
                    return
            time.sleep(0.1)
        raise AssertionError(self._log.read_text())

    def stop(self) -> None:
        """Kill it: it has nothing to save."""
        self._process.kill()
        self._process.wait()

    def ask(self) -> int:
        """Ask as Argo Rollouts does."""
        labels = ", ".join(f'{name}="{value}"' for name, value in self._asked.items())
        answer = self._get("/api/v1/query", query=f"verdict{{{labels}}}")
        (sample,) = answer["data"]["result"]
        return int(sample["value"][1])

    def verdict(self) -> dict[str, object]:
        """Ask as a person does."""
        return self._get("/verdict", **self._asked)

    def _get(self, path: str, **parameters: str) -> dict[str, object]:
        answer = requests.get(f"http://127.0.0.1:{self._port}{path}", params=parameters, timeout=10)
        assert answer.status_code == 200, answer.text
        return json.loads(answer.text)
