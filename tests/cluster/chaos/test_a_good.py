"""One good canary is held in flight at 10 %, and one thing after another breaks around it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter

import pytest
from tests.cluster.chaos.faults import FAULTS, Fault, asked, synced
from tests.cluster.chaos.report import Report
from tests.cluster.machine.fork import Fork
from tests.cluster.machine.kubernetes import wait
from tests.cluster.scenarios.playing import Stage

AGAIN = 60.0  # seconds until judge and Argo CD are asked again: a lease of 15 s, an error's 10 s, and what starts
PRODUCTION = "tests/cluster/environment/production/kustomization.yaml"
PATIENT = (  # bake and deadline; the count goes with it
    ("/spec/args/2/value, value: 20s", "/spec/args/2/value, value: 20m"),
    ("/spec/args/4/value, value: 10m", "/spec/args/4/value, value: 80m"),
    ("/spec/metrics/0/count, value: 206", "/spec/metrics/0/count, value: 1606"),
    ("/spec/metrics/0/inconclusiveLimit, value: 206", "/spec/metrics/0/inconclusiveLimit, value: 1606"),
)


@pytest.fixture(scope="module")
def held(stage: Stage) -> Iterator[str]:
    """The release of a twin which stays at 10 % until a person takes it back; its version."""
    with patient(stage.cluster.fork):
        version, began = stage.release()
    stage.until(weight=10)
    wait(lambda: asked(stage, began), "the analysis", stage.cluster.box.place, AGAIN)
    yield version
    stage.cluster.fork.run("slipway", "revert", "--digest", stage.digest(version), "--why", "it has stood enough")
    found = stage.end(version, began)
    assert (found.kind, found.cause) == ("reverted", "person"), found.told()
    stage.agree()


@pytest.mark.parametrize("fault", FAULTS, ids=attrgetter("name"))
def test_a_good_canary_stays_where_it_is(stage: Stage, held: str, report: Report, fault: Fault) -> None:
    """Neither promoted nor aborted, whoever is gone; what broke is there again, and asked again, by itself."""
    place, began = stage.cluster.box.place, time.time()
    back = fault.strike(stage)
    struck = time.time()
    wait(back, f"what was broken ({fault.name})", place, fault.back)
    there = time.time() - struck
    wait(lambda: asked(stage, struck), "the analysis", place, AGAIN)
    again = time.time() - struck
    wait(lambda: synced(stage, struck), "Argo CD", place, AGAIN)
    states = [one for one in stage.watch.rollouts if one.at >= began]
    assert {(one.weight, one.aborted) for one in (*states, stage.now)} == {(10, False)}
    assert stage.event(held) is None
    clients, silence = stage.traffic.seen(began), stage.traffic.silence(began)
    print(f"{fault.name}: {clients.failures or 'none'} failed, within {silence:.2f} s", flush=True)
    assert silence <= fault.silence
    assert fault.silence or not clients.failed
    report.stands(fault, there, again, clients, silence)


@contextmanager
def patient(fork: Fork) -> Iterator[None]:
    """Have what is released meanwhile bake for longer than all of this takes."""

    def say(changes: tuple[tuple[str, str], ...], message: str) -> None:
        for before, after in changes:
            fork.change(PRODUCTION, before, after)
        fork.run("slipway", "manifests", "render")
        fork.commit(message)

    fork.pull()
    say(PATIENT, "Bake for long")
    try:
        yield
    finally:
        say(tuple((after, before) for before, after in PATIENT), "Bake as before")
