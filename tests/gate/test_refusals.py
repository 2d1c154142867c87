"""Each rule of the gate refuses a model that was made to break it, from changed data or parameters, and no record."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from tests import samples, signed
from tests.conftest import ROOT, Project

from challengers.models import CASES, TEST, TRAIN, Case
from slipway import digests
from slipway.adapters import files, mlflow
from slipway.adapters.git import Repository
from slipway.commands import shelf
from slipway.commands.evidence import judge
from slipway.gate import RULES, Policy
from slipway.params import Gate
from slipway.records import GateDecision, ModelInfo, Release

InGit = Callable[[Path], Repository]
SMALL = Path(__file__).parents[1] / "small" / "params.yaml"


@pytest.fixture(scope="module")
def make(make_project: Callable[[], Any]) -> Callable[[Case], Path]:
    """Return a function that trains a challenger; the same one twice is trained once."""
    made: dict[str, Path] = {}

    def train(case: Case) -> Path:
        key = repr((case.train, case.test, case.params))
        if key not in made:
            project = make_project().params(**case.params)
            for month, changes in ((TRAIN, case.train), (TEST, case.test)):
                for change in changes:
                    project.flights(change, month)
            made[key] = project.run().root
        return made[key]

    return train


@pytest.fixture(scope="module")
def champion(make: Callable[[Case], Path]) -> Path:
    """The project of the champion."""
    return make(Case())


@pytest.fixture(scope="module")
def registries(champion: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, str]:
    """Two registries in SQLite: one that holds the champion (False), one for the first of all (True)."""
    uris = {first: f"sqlite:///{tmp_path_factory.mktemp('registry') / 'mlflow.db'}" for first in (False, True)}
    folder = champion / "artifacts/model"
    info = files.read_record(ModelInfo, folder / "model.json")
    tags = {
        "model_digest": info.model_digest,
        "source_commit": "c" * 40,
        "info_digest": digests.of_bytes((folder / "model.json").read_bytes()),
    }
    run = mlflow.track(uris[False], mlflow.Run(parameters={}, metrics={}, tags=tags, files=()))
    example = pl.DataFrame([[0.0]] * len(info.features)).to_numpy().astype("float32")
    mlflow.register(uris[False], run, folder, example, tags)
    mlflow.crown(uris[False], info.model_digest)
    return uris


@pytest.fixture(scope="module")
def main(champion: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What main holds of the champion's release: its record, and its signature."""
    folder, model = tmp_path_factory.mktemp("main"), champion / "artifacts/model"
    made = {name: digests.of_bytes((model / name).read_bytes()) for name in ("model.onnx", "model.json")}
    package = samples.package("1.0.0")
    bundle = msgspec.structs.replace(package.bundle, model_digest=made["model.onnx"])
    package, gate = msgspec.structs.replace(package, bundle=bundle), samples.gate(bundle.model_digest)
    shelf.write(folder, Release(package=package, gate=gate, events=()))
    signed.write(folder, package, gate, *((f"src/model/{name}", digest) for name, digest in made.items()))
    shutil.copytree(ROOT / "signing", folder / "signing")
    return folder


@pytest.fixture
def in_git(main: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Repository]:
    """Return a function that commits a project to a repository that starts from that main."""
    for name, value in signed.trusting().items():
        monkeypatch.setenv(name, value)

    def commit(root: Path) -> Repository:
        if not (root / ".git").exists():
            shutil.copytree(main, root, dirs_exist_ok=True)
            assert Project(root).command("git", "init", "-q", "-b", "main").returncode == 0
            Project(root).commit("Challenge")
        return Repository(root)

    return commit


def policy(root: Path, off: tuple[str, ...] = (), **limits: float) -> Policy:
    """The thresholds of the small profile, with rules switched off or set; `root` is measured as it says itself."""
    plain = msgspec.to_builtins(files.read_params(SMALL).gate)
    for name, value in [*limits.items(), *((rule, None) for rule in off)]:
        section, _, key = name.rpartition(".")
        (plain[section] if section else plain)[key] = value
    evaluate = files.read_params(root / "params.yaml").evaluate
    return Policy(thresholds=msgspec.convert(plain, Gate), evaluate=evaluate, base="b" * 40)


def refusing(decision: GateDecision) -> set[str]:
    """The checks that refuse."""
    return {check.name for check in decision.checks if check.passed is False}


def test_every_rule_has_a_challenger() -> None:
    """No rule of the gate is without one."""
    assert set(CASES) == set(RULES)


def test_twin_of_the_champion_is_accepted(champion: Path, registries: dict[bool, str], in_git: InGit) -> None:
    """With every rule on, a model that is the champion's equal passes: what follows is refused for its own fault."""
    decision = judge(in_git(champion), registries[False], policy(champion), (), first=False)

    assert decision.accepted, refusing(decision)
    assert all(check.passed for check in decision.checks)


@pytest.mark.parametrize("rule", CASES)
def test_rule_refuses_and_only_it(
    rule: str, make: Callable[[Case], Path], registries: dict[bool, str], in_git: InGit
) -> None:
    """A challenger made to break one rule is refused by it alone, and accepted when that rule is null."""
    case = CASES[rule]
    root, uri = make(case), registries[case.first]
    limits = {}
    if rule == "budget.latency_ms":  # no model is that fast: no clock decides this test
        limits[rule] = 1e-9

    repository = in_git(root)
    on = judge(repository, uri, policy(root, case.also, **limits), (), first=case.first)
    off = judge(repository, uri, policy(root, (*case.also, rule), **limits), (), first=case.first)

    assert not on.accepted
    assert refusing(on) == {rule}
    assert off.accepted, refusing(off)


def test_champion_that_has_seen_the_window_cannot_be_compared(
    make_project: Callable[[], Any], registries: dict[bool, str], in_git: InGit
) -> None:
    """A challenger that is tested on days of the champion's training cannot be compared with it, and is refused."""
    project = make_project()
    for kind in ("flights", "weather"):  # a month back: what the champion was trained on is the test now
        folder = project.root / "data" / kind
        shutil.copy(folder / f"{TRAIN}.parquet", folder / "2013-02.parquet")
        (folder / f"{TEST}.parquet").unlink()
    days = pl.col("date").dt.day()
    project.flights(lambda flights: flights.filter(days <= 15), "2013-02")
    project.flights(lambda flights: flights.filter(days > 15), TRAIN).run()

    decision = judge(in_git(project.root), registries[False], policy(project.root), (), first=False)

    assert refusing(decision) == {"champion"}
    assert "leaves 0 days" in next(check.detail for check in decision.checks if check.name == "champion")


def test_metrics_with_nan_are_refused(make: Callable[[Case], Path], registries: dict[bool, str], in_git: InGit) -> None:
    """A metric that is no number, as JSON writes NaN, is refused with `dvc repro` as the remedy."""
    root = make(replace(Case(), params={"train__seed": 7}))
    path = root / "artifacts/metrics.json"
    raw = msgspec.json.decode(path.read_bytes())
    raw["overall"]["auc"]["low"] = None
    path.write_bytes(msgspec.json.encode(raw))

    decision = judge(in_git(root), registries[False], policy(root), (), first=False)

    assert refusing(decision) >= {"evidence"}
    assert "dvc repro" in decision.checks[0].detail
