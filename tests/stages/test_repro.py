"""One refusal per stage through `dvc repro`: it stops there, says why, and leaves nothing of that stage behind."""

from collections.abc import Callable
from typing import Any

import polars as pl

from challengers.data import CHALLENGERS


def refused(repository: Any, stage: str, reason: str, out: str) -> None:
    """`dvc repro` fails in this stage for this reason, and the stage's output is not there."""
    done = repository.command("dvc", "repro", stage)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0, said
    assert f"failed to reproduce '{stage}'" in said
    assert reason in said
    assert not (repository.root / out).exists()


def test_validate_stops_the_run(copy_repository: Callable[[], Any]) -> None:
    """An unknown carrier is refused, and prepare does not start."""
    repository = copy_repository()
    for spoil in CHALLENGERS["choices"].changes:
        spoil(repository.root / "data")
    refused(repository, "validate", "carrier · choices · 4 row(s)", "artifacts/validation.json")
    assert not (repository.root / "artifacts/splits").exists()


def test_prepare_stops_the_run(copy_repository: Callable[[], Any]) -> None:
    """Two months of data leave nothing to train on when two are kept for the test."""
    repository = copy_repository().params(prepare__test_months=2, validate__target_rate=None)
    refused(repository, "prepare", "cannot give 2 for the test", "artifacts/splits")


def test_train_stops_the_run(copy_repository: Callable[[], Any]) -> None:
    """A parity that float32 cannot keep is refused."""
    repository = copy_repository().params(train__parity=1e-12)
    refused(repository, "train", "1e-12 is allowed", "artifacts/model")


def test_evaluate_stops_the_run(copy_repository: Callable[[], Any]) -> None:
    """A test month in which nobody is late measures nothing, where the rule that should have refused it is off."""
    repository = copy_repository().params(validate__target_rate=None)
    repository.flights(lambda frame: frame.with_columns(arr_delay=pl.lit(0, pl.Int16)), "2013-04")
    refused(repository, "evaluate", "have the same outcome", "artifacts/metrics.json")
