"""A challenger's canary, played by the engine of `slipway rehearse` from the manifests of production."""

import shutil
from contextlib import suppress
from pathlib import Path

import msgspec
import polars as pl
from tests.conftest import ROOT

from challengers.releases import Case
from slipway import manifests
from slipway.adapters import files
from slipway.adapters.flights import read_month
from slipway.adapters.rehearsal import FACTS, Known
from slipway.adapters.traffic import Flight, flights
from slipway.commands import deciding
from slipway.commands.rehearse_engine import rehearse
from slipway.commands.rehearse_play import Play, Side
from slipway.manifests import tree
from slipway.manifests.environment import Environment
from slipway.rollout.records import Rehearsed, Tick

RATE, SPEED = 600.0, 10.0
ASKED = {"bake": "0s", "maturity": "20s", "cycle": "0s", "deadline": "40m"}  # of the judge, before --speed
TRIES = 5  # a busy machine is seen in the first seconds
GIVEN_UP = 20  # seconds until pods that do not get ready are given up, in place of 300: nothing else waits for it


def june() -> list[Flight]:
    """Flights of 16 to 30 June: later than all that the champion was trained on."""
    table = read_month(ROOT / "replay", "2013-06").filter(pl.col("date").dt.day() > 15)
    return flights(table.iter_rows(named=True))


class _Busy(Exception):
    """The machine is so busy that stable is as slow as the canary is made to be: then it is not slower."""


def play(case: Case, champion: Path, folder: Path, rows: list[Flight], seed: int) -> Rehearsed:
    """Make the challenger, and rehearse its canary to the end; begin again where the machine was too busy for it."""
    for _ in range(TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(_Busy):
            return _played(case, champion, folder, rows, seed)
    raise AssertionError(f"{TRIES} times this machine was too busy for a stable whose latency bound is {case.bound} s")


def _played(case: Case, champion: Path, folder: Path, rows: list[Flight], seed: int) -> Rehearsed:
    folder.mkdir(parents=True)
    return rehearse(
        Play(
            name="production",
            environment=_production(given_up="deadline" in case.causes),
            settings=deciding.read(ROOT / deciding.SETTINGS),
            stable=Side("1.0.0", f"sha256:{64 * '1'}", case.stable(champion, folder / "stable")),
            canary=Side("2.0.0", f"sha256:{64 * '2'}", case.make(champion, folder / "canary")),
            rows=rows,
            folder=folder / "rehearsal",
            rate=RATE,
            speed=SPEED,
            seed=seed,
            overrides=ASKED,
        ),
        lambda tick: _premise(case, tick, folder / "rehearsal" / FACTS),
    )


def _premise(case: Case, tick: Tick, facts: Path) -> None:
    """End a rehearsal as soon as its bound is known to be another than the case is made for."""
    if case.bound is not None and tick.weight > 0:
        bound = files.read_record(Known, facts).latency_bound
        assert bound is not None
        if bound > case.bound:
            raise _Busy


def _production(*, given_up: bool) -> Environment:
    """The objects that the next release puts to production."""
    texts = files.read_texts(ROOT / "k8s/next/production", "*.yaml")
    if given_up:
        before, after = "progressDeadlineSeconds: 300", f"progressDeadlineSeconds: {GIVEN_UP}"
        assert any(before in text for text in texts.values())
        texts = {name: text.replace(before, after) for name, text in texts.items()}
    found, problems = manifests.examine(tree.objects(texts))
    assert found is not None, problems
    return found


def check(case: Case, played: Rehearsed, folder: Path) -> None:
    """Compare the end of a canary with how it must end."""
    canary, evidence = played.traffic["canary"], played.evidence
    print(told(played))
    assert played.outcome == case.outcome, told(played)
    assert played.cause in case.causes, told(played)
    if played.cause == "verdict":
        assert evidence is not None
        assert evidence.blame == case.blame, told(played)
    assert case.weights in (None, weights(folder / "rehearsal")), told(played)
    if case.outcome == "aborted":
        assert canary.requests <= case.most, told(played)
    if played.cause == "deadline":
        assert "the digest of model.onnx is" in (folder / "rehearsal/canary/log").read_text()


def weights(folder: Path) -> tuple[int, ...]:
    """What the canary of a rehearsal got, in points and in order."""
    lines = (folder / "ticks.jsonl").read_text().splitlines()
    found = dict.fromkeys(round(100 * msgspec.json.decode(line, type=Tick).weight) for line in lines)
    return tuple(weight for weight in found if weight)


def told(played: Rehearsed) -> str:
    """One line for a person."""
    arms = ", ".join(f"{arm} {seen.requests} with {seen.errors} errors" for arm, seen in played.traffic.items())
    blame, why = (played.evidence.blame, played.evidence.detail) if played.evidence else (None, played.message)
    return f"{played.outcome}, cause {played.cause}, blame {blame}, after {played.seconds:.0f} s: {arms}. {why}"
