"""What breaks while a canary is in flight. The first ones of each list are those that CI plays."""

import base64
import json
import re
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from tests.cluster.chaos import FULL, killing
from tests.cluster.chaos.killing import ARGOCD, JUDGE, RELAY, REPOSITORY, ROLLOUTS, TRAEFIK, Part, kill, kill_beside
from tests.cluster.chaos.stand_in import standing_in
from tests.cluster.chaos.stand_in_server import ANSWERS, NEVER
from tests.cluster.machine import outside
from tests.cluster.machine.box import Box
from tests.cluster.machine.cluster import NAMESPACE
from tests.cluster.machine.kubernetes import wait
from tests.cluster.machine.place import NODE
from tests.cluster.scenarios.playing import REFRESH, WHOLE, Stage

from slipway.adapters.ledger import Ledger
from slipway.canary import facts

GAP = 15.0  # seconds for which something is away
GIT, PROMETHEUS, POSTGRES = "git_server", "--storage.tsdb.path", "postgres"  # words of their commands
FAILING = "failing(0.05)"
Back = Callable[[], bool]  # whether what was broken is there again
Asked = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """Something that breaks while a good canary stands at 10 %."""

    name: str
    strike: Callable[[Stage], Back]
    back: float = 60  # seconds until it is there again, at most
    silence: float = 0  # seconds for which clients may see errors; 0: not one


@dataclass(frozen=True)
class Threat:
    """Something that could hide the abort of a bad canary: releases one, and breaks it at the worst moment."""

    name: str
    play: Callable[[Stage], tuple[str, float, Back]]  # the version, when it was released, and as above
    zero: float = 2  # seconds from the verdict to weight 0, at most
    revert: float = 10  # seconds from the abort to the revert in Git, at most
    whole: float = WHOLE  # seconds from there until all is stable, at most


def measured(stage: Stage) -> Asked:
    """What the last analysis of the canary has measured so far."""
    names = list(dict.fromkeys(run.name for run in stage.watch.runs if run.hash == stage.now.canary))
    results = stage.cluster.object("analysisrun", names[-1]).get("status", {}).get("metricResults") if names else None
    return dict(results[0]) if results else {}


def asked(stage: Stage, since: float) -> bool:
    """Whether the judge was asked since then, and has answered: not yet."""
    every = measured(stage).get("measurements", ())
    return any(one["phase"] == "Inconclusive" and facts.time(one["startedAt"]) >= since for one in every)


def synced(stage: Stage, since: float) -> bool:
    """Whether Argo CD has held production against main since then, and found it equal."""
    refresh = ("annotate", "application", NAMESPACE, f"{REFRESH}=normal", "--overwrite")
    stage.cluster.kubectl.run("--namespace=argocd", *refresh)
    status = stage.cluster.object("application", NAMESPACE, "argocd")["status"]
    return bool(status["sync"]["status"] == "Synced" and facts.time(status["reconciledAt"]) >= since)


def killed(part: Part, most: int | None = None) -> Callable[[Stage], Back]:
    """A part's containers end at once; the kubelet starts others."""
    return lambda stage: kill(stage.cluster, part, most)


def away(word: str, start: Callable[[Box], None]) -> Callable[[Stage], Back]:
    """A program beside the cluster ends at once, and nobody starts it anew until the gap is over."""

    def strike(stage: Stage) -> Back:
        box = stage.cluster.box
        kill_beside(box, word)
        time.sleep(GAP)
        start(box)
        return lambda: outside.ready(box.place) is None

    return strike


def without_ledger(stage: Stage) -> Back:
    """PostgreSQL is away: what was answered meanwhile is there once all of it has arrived."""
    began = stage.traffic.mark()
    away(POSTGRES, outside.postgres)(stage)
    meanwhile = stage.traffic.ids(began, stage.traffic.mark())
    assert meanwhile

    def back() -> bool:
        address = outside.ledger(stage.cluster.box.place, outside.READER, NODE)
        with closing(Ledger(address, read_only=True)) as ledger:
            return len(ledger.truths(sorted(meanwhile))) == len(meanwhile)

    return back


def a_stable_pod(stage: Stage) -> Back:
    """The service in one of stable's two pods ends at once."""
    return kill(stage.cluster, Part(NAMESPACE, f"{facts.HASH}={stage.now.stable}", "flights"), 1)


def no_judge(stage: Stage) -> Back:
    """Somebody else answers in the judge's place; each answer is an error to the analysis, and the controller lives."""
    controller, place = killing.running(stage.cluster, ROLLOUTS), stage.cluster.box.place
    with stage.without("judge"), standing_in(stage.cluster, "judge", next(iter(ANSWERS))) as stranger:
        for answer in ANSWERS:
            before = measured(stage).get("error", 0)
            stranger.says(answer)

            def an_error(answer: str = answer, before: int = before) -> bool:
                return stranger.asked(answer) > 0 and measured(stage).get("error", 0) > before

            wait(an_error, f"an error for {answer}", place)
    assert killing.running(stage.cluster, ROLLOUTS) == controller
    return lambda: all(killing.running(stage.cluster, JUDGE).values())


def at_ten(strike: Callable[[Stage], Back]) -> Callable[[Stage], tuple[str, float, Back]]:
    """Break something as soon as the bad canary has its first weight."""

    def play(stage: Stage) -> tuple[str, float, Back]:
        version, began = stage.release(FAILING)
        stage.until(weight=10)
        return version, began, strike(stage)

    return play


def at_the_abort(strike: Callable[[Stage], Back]) -> Callable[[Stage], tuple[str, float, Back]]:
    """Break something as soon as the Rollout is aborted."""

    def play(stage: Stage) -> tuple[str, float, Back]:
        version, began = stage.release(FAILING)
        stage.until(seconds=180, aborted=True)
        return version, began, strike(stage)

    return play


def at_the_verdict(stage: Stage) -> tuple[str, float, Back]:
    """The judge would abort, and the controller dies: before it has asked again, or while it writes the abort down."""
    version, began = stage.release(FAILING)
    stage.until(weight=10)

    def decided() -> bool:
        where = f"/api/v1/namespaces/slipway/services/judge:http/proxy/verdict?namespace={NAMESPACE}&rollout=flights"
        return bool(stage.now.aborted or json.loads(_raw(stage, where))["verdict"] == "abort")

    wait(decided, "the verdict", stage.cluster.box.place, 180)
    return version, began, kill(stage.cluster, ROLLOUTS)


def at_the_revert(stage: Stage) -> tuple[str, float, Back]:
    """Git has the revert, and who would read it for Argo CD dies."""
    version, began = stage.release(FAILING)
    wait(lambda: stage.event(version), f"the end of {version}", stage.cluster.box.place, 240)
    return version, began, kill(stage.cluster, REPOSITORY)


def lost_webhook(stage: Stage) -> tuple[str, float, Back]:
    """Rollouts has another token than the relay, which refuses its call."""
    secret = ("argo-rollouts", "secret", "argo-rollouts-notification-secret")
    right = stage.cluster.object(secret[1], secret[2], secret[0])["data"]["relay-token"]

    def token(value: str) -> None:
        patch = json.dumps({"data": {"relay-token": value}})
        stage.cluster.kubectl.run("--namespace", secret[0], "patch", *secret[1:], "--type=merge", f"--patch={patch}")

    before = refused(stage)
    token(base64.b64encode(b"wrong").decode())
    try:
        version, began = stage.release(FAILING)
        stage.until(seconds=180, aborted=True)
        assert refused(stage) > before
    finally:
        token(right)
    return version, began, lambda: True


def hanging_receiver(stage: Stage) -> tuple[str, float, Back]:
    """Whoever is called takes the call, and never answers; then it is gone, and the relay back."""
    version, began = stage.release(FAILING)  # before, or its commit might have Argo CD bring the relay back
    with stage.without("relay"), standing_in(stage.cluster, "relay", NEVER) as stranger:
        wait(lambda: stranger.asked(NEVER), "the webhook", stage.cluster.box.place, 180)
        time.sleep(GAP)
        assert not stage.now.aborted  # this is why the relay must answer at once
        assert stage.now.weight == 10
    return version, began, lambda: all(killing.running(stage.cluster, RELAY).values())


def refused(stage: Stage) -> float:
    """How many webhooks the relay has refused for their token."""
    said = _raw(stage, "/api/v1/namespaces/slipway/services/relay:http/proxy/metrics")
    found = re.search(r'^slipway_relay_webhooks_total\{answer="unauthorized"\} (\S+)', said, re.MULTILINE)
    assert found
    return float(found[1])


def _raw(stage: Stage, path: str) -> str:
    return stage.cluster.kubectl.run("get", f"--raw={path}")


FAULTS = [
    Fault("kill -9 of the Rollouts controller", killed(ROLLOUTS)),
    Fault("kill -9 of one judge of two", killed(JUDGE, 1)),
    Fault("kill -9 of both judges", killed(JUDGE)),
    Fault("Prometheus away for 15 s", away(PROMETHEUS, outside.prometheus)),
    Fault("PostgreSQL away for 15 s", without_ledger),
    Fault("kill -9 of Argo CD's application controller", killed(ARGOCD), back=90),
    Fault("kill -9 of Argo CD's repo server", killed(REPOSITORY)),
    Fault("kill -9 of Traefik", killed(TRAEFIK), silence=20),
    Fault("the Git server away for 15 s", away(GIT, outside.git)),
    Fault("kill -9 of the relay", killed(RELAY)),
    Fault("kill -9 of one stable pod of two", a_stable_pod, silence=10),
    Fault(f"in the judge's place: {', '.join(ANSWERS)}", no_judge),
]
THREATS = [
    Threat("both judges killed at its first weight", at_ten(killed(JUDGE))),
    Threat("the relay killed at the abort", at_the_abort(killed(RELAY)), revert=60),
    Threat(
        "Prometheus away for 15 s from its first weight on", at_ten(away(PROMETHEUS, outside.prometheus)), revert=20
    ),
    Threat("the Rollouts controller killed at the verdict", at_the_verdict, zero=60, revert=30),
    Threat("a webhook with a wrong token", lost_webhook, zero=5, revert=30),
    Threat("a receiver that hangs for 15 s", hanging_receiver, zero=GAP + 15, revert=60),
    # Argo CD could not read main when it was told of the revert, and looks again when it does by itself.
    Threat("Argo CD's repo server killed at the revert", at_the_revert, whole=240),
    Threat("the Git server away for 15 s from the abort on", at_the_abort(away(GIT, outside.git)), revert=60),
]
if not FULL:
    FAULTS, THREATS = FAULTS[:1], THREATS[:2]
