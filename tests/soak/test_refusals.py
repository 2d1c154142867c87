"""Every rule of `validate` and of the gate, broken and switched off, through `dvc repro` and the command line."""

import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from tests import signed

from challengers.data import CHALLENGERS
from challengers.models import CASES, TEST, TRAIN, Case

BARE = {"validate__row_count": None, "validate__target_rate": None}  # what the gate is shown, validate would refuse


@pytest.mark.parametrize("name", CHALLENGERS)
def test_validate_refuses_through_dvc(name: str, copy_repository: Callable[[], Any]) -> None:
    """`dvc repro` ends in the refusal, and reaches its end with that one rule off."""
    challenger, repository = CHALLENGERS[name], copy_repository()
    for spoil in challenger.changes:
        spoil(repository.root / "data")

    done = repository.command("dvc", "repro", "validate")
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert all(reason in said for reason in challenger.reasons)
    assert not (repository.root / "artifacts/validation.json").exists()

    repository.params(**{f"validate__{challenger.rule}": challenger.off})
    done = repository.command("dvc", "repro", "validate")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def champion(copy_repository: Callable[[], Any]) -> Any:
    """A repository whose model was trained, gated, signed, registered, released and promoted by the verbs."""
    found = made(copy_repository(), Case())
    for command in ("clone -q --bare . ../origin.git", "remote add origin ../origin.git"):
        assert found.command("git", *command.split()).returncode == 0
    run = signed.signing(found.command("git", "rev-parse", "HEAD").stdout.strip())
    for verb in ("gate --first", "package", "sign", "register", "release", "promote 1.0.0"):
        done = found.command("slipway", *verb.split(), MLFLOW_TRACKING_URI=registry(found), **run)
        assert done.returncode == 0, done.stdout + done.stderr
    return found


def registry(repository: Any) -> str:
    """Its registry of models."""
    return f"sqlite:///{repository.root.parent / 'mlflow.db'}"


def made(repository: Any, case: Case) -> Any:
    """Run the pipeline on a challenger's data and parameters."""
    for month, changes in ((TRAIN, case.train), (TEST, case.test)):
        for change in changes:
            repository.flights(change, month)
    repository.params(**BARE, **case.params)
    done = repository.command("dvc", "repro")
    assert done.returncode == 0, done.stdout + done.stderr
    repository.commit("Challenge")
    return repository


@pytest.mark.xdist_group("champion")  # which takes a minute to make
@pytest.mark.parametrize("rule", CASES)
def test_gate_refuses_through_dvc(rule: str, copy_repository: Callable[[], Any], champion: Any) -> None:
    """`slipway gate` refuses by that rule alone, by the base commit's thresholds; with the rule null, it accepts."""
    case = CASES[rule]
    repository = copy_repository()
    for name in ("releases", "attestations", ".dvc/cache"):  # a stage that it has run alike is not run again
        shutil.rmtree(repository.root / name, ignore_errors=True)
        shutil.copytree(champion.root / name, repository.root / name)
    challenger = made(repository, case)
    environment = {"MLFLOW_TRACKING_URI": registry(challenger if case.first else champion), **signed.trusting()}
    limits: dict[str, Any] = dict.fromkeys(case.also)
    bound = {"budget.latency_ms": 1e-9} if rule == "budget.latency_ms" else {}

    for policy, code in ((limits | bound, 1), (limits | {rule: None}, 0)):
        challenger.params(**{f"gate__{name.replace('.', '__')}": limit for name, limit in policy.items()})
        challenger.commit("Set the thresholds")
        first = ["--first"] if case.first else []
        done = challenger.command("slipway", "gate", "--base", "HEAD", "--json", *first, **environment)
        assert done.returncode == code, done.stdout + done.stderr
        refusing = {check["name"] for check in json.loads(done.stdout)["checks"] if check["passed"] is False}
        assert refusing == ({rule} if code else set())
