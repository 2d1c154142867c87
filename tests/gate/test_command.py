"""`slipway gate`, `track` and `register` in a real repository, with models that `dvc repro` made."""

import json
from typing import Any

import pytest
import yaml
from tests.conftest import REPOSITORY
from tests.gate.conftest import reproduce, sign

from slipway.adapters import files, mlflow
from slipway.records import GateDecision


def head(project: Any) -> str:
    """The commit that is checked out."""
    return str(project.command("git", "rev-parse", "HEAD").stdout.strip())


def decision(project: Any) -> GateDecision:
    """What stands in build/gate.json."""
    return files.read_record(GateDecision, project.root / "build/gate.json")


def test_first_of_all(first: Any, registry: str, slipway: Any) -> None:
    """Without a champion the answer is no, exit 1; with --first the floors decide, and the model can be registered."""
    from mlflow import MlflowClient

    code, said = slipway(first, "gate")
    assert (code, decision(first).accepted) == (1, False)
    assert "--first" in said
    assert slipway(first, "register")[0] == 1

    (first.root / "artifacts/plots").rename(first.root / "artifacts/away")
    assert "dvc repro" in slipway(first, "track")[1]
    (first.root / "artifacts/away").rename(first.root / "artifacts/plots")

    code, said = slipway(first, "gate", "--first", "--json")
    assert code == 0
    assert json.loads(said)["accepted"] is True
    assert slipway(first, "register")[0] == 2  # nothing is packaged
    packaged = first.command("slipway", "package", "--version", "1.2.3")
    assert packaged.returncode == 0, packaged.stderr
    code, said = slipway(first, "register")
    assert (code, "1.2.3 is not signed" in said) == (1, True)
    sign(first)
    assert slipway(first, "register")[0] == 0
    client = MlflowClient(tracking_uri=registry, registry_uri=registry)
    client.delete_registered_model_alias(mlflow.NAME, mlflow.CHALLENGER)  # as if interrupted there
    assert slipway(first, "register")[0] == 0

    found = mlflow.by_alias(registry, mlflow.CHALLENGER)
    assert found is not None
    assert found.model_digest == decision(first).model_digest
    assert found.tags["version"] == "1.2.3"
    assert found.tags["source_commit"] == head(first)
    assert found.tags["data_digest"] == f"md5:{yaml.safe_load((first.root / 'data.dvc').read_text())['outs'][0]['md5']}"
    assert found.tags["gate"] == "accepted, first"
    assert found.tags["signed_by"].startswith(f"{REPOSITORY}/actions/runs/")
    assert {"trained_at", "training_window", "recipe_digest", "request_version", "metric.auc"} <= set(found.tags)


def test_track_notes_a_training_once(first: Any, registry: str, slipway: Any) -> None:
    """The same model of the same commit is one run, with its parameters, metrics, slices and files."""
    from mlflow import MlflowClient

    (code, once), (_, twice) = slipway(first, "track", "--json"), slipway(first, "track", "--json")
    assert code == 0
    assert once == twice
    client = MlflowClient(tracking_uri=registry)
    run = client.get_run(json.loads(once)["run_id"])

    assert run.data.params["train.logistic_regression.C"] == "0.1"
    assert run.data.metrics["auc_low"] < run.data.metrics["auc"] < run.data.metrics["auc_high"]
    assert "auc/origin/JFK" in run.data.metrics
    names = {entry.path for entry in client.list_artifacts(run.info.run_id)}
    assert {"metrics.json", "plots", "validation.json", "params.yaml", "dvc.lock"} <= names


def test_champion_itself_is_accepted_but_not_as_the_first(champion: Any, slipway: Any) -> None:
    """With a champion, its equal is accepted, and --first is refused."""
    assert slipway(champion, "gate")[0] == 0
    assert decision(champion).champion == decision(champion).model_digest

    code, said = slipway(champion, "gate", "--first")
    assert code == 1
    assert "there is one already" in said


@pytest.mark.parametrize("change", ["parameter", "data", "model", "metrics"])
def test_stale_artifacts_are_refused(champion: Any, slipway: Any, change: str) -> None:
    """What does not follow from the data, the parameters and the code is refused, with `dvc repro` as the remedy."""
    if change == "parameter":
        champion.params(train__seed=1)
    else:
        places = {
            "data": "data/flights/2013-04.parquet",
            "model": "artifacts/model/model.json",
            "metrics": "artifacts/metrics.json",
        }
        path = champion.root / places[change]
        path.chmod(0o644)
        path.write_bytes(path.read_bytes() + b" ")

    code, said = slipway(champion, "gate")

    assert code == 1
    assert "dvc repro" in said
    assert decision(champion).checks[0].passed is False


def test_worse_model_is_refused_by_the_base_commit(champion: Any, slipway: Any) -> None:
    """A stump made by `dvc repro` is refused for its AUC, even if the same change switches that rule off.

    Once the switched-off rule is in the base commit, the same stump is accepted: it was that rule alone.
    """
    stump = {"max_iter": 1, "learning_rate": 0.1, "max_leaf_nodes": 2, "min_samples_leaf": 80, "l2_regularization": 1.0}
    base = head(champion)
    champion.params(train__hist_gradient_boosting=stump, train__logistic_regression__C=1e-6, gate__auc_margin=None)
    reproduce(champion)
    changed = champion.commit("Be lazy")

    code, said = slipway(champion, "gate", "--base", base)
    assert code == 1
    assert [check.name for check in decision(champion).checks if check.passed is False] == ["auc_margin"]
    assert decision(champion).guards_changed == ("gate",)
    assert "guard changed" in said
    assert slipway(champion, "register")[0] == 1

    assert slipway(champion, "gate", "--base", changed)[0] == 0
    assert decision(champion).guards_changed == ()


def test_change_that_measures_itself_is_refused(champion: Any, slipway: Any) -> None:
    """With another `evaluate` than the base's a model is refused, and compared as the base says.

    Once that section is in the base commit, the same model is accepted: it was that change alone.
    """
    base = head(champion)
    champion.params(evaluate__slice_min_rows=300)  # 150 in the base
    reproduce(champion)
    changed = champion.commit("Look at fewer slices")

    code, said = slipway(champion, "gate", "--base", base)
    assert code == 1
    assert "merge that change first, alone" in said
    decided = decision(champion)
    assert decided.guards_changed == ("evaluate",)
    assert [check.name for check in decided.checks if check.passed is False] == ["evidence"]
    assert decided.comparison is not None
    middling = [group for group in decided.comparison.slices if 150 <= group.rows < 300]
    assert middling
    assert all(group.auc is not None for group in middling)

    assert slipway(champion, "gate", "--base", changed)[0] == 0


def test_register_refuses_another_model_than_the_accepted(champion: Any, slipway: Any) -> None:
    """A decision lets in one digest, and no other file under its name; and no commit may lie about its source."""
    assert slipway(champion, "gate")[0] == 0
    path = champion.root / "artifacts/model/model.onnx"
    content = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(content + b" ")
    code, said = slipway(champion, "register")
    assert code == 1
    assert "the model at hand is" in said

    path.write_bytes(content)
    (champion.root / "note").write_text("not committed")
    code, said = slipway(champion, "register")
    assert code == 1
    assert "no commit holds: note" in said


def test_register_refuses_a_model_of_another_commit(champion: Any, slipway: Any) -> None:
    """What the gate has accepted is not registered under a commit whose code would make something else."""
    assert slipway(champion, "gate")[0] == 0
    with (champion.root / "src/slipway/features.py").open("a") as stream:
        stream.write("# another recipe\n")
    champion.commit("Edit after the gate")

    code, said = slipway(champion, "register")

    assert code == 1
    assert "does not follow from this commit" in said
    assert "src/slipway/features.py modified" in said


def test_without_a_model_or_a_base_there_is_no_decision(champion: Any, slipway: Any) -> None:
    """No model is a no, an unknown base is a breakage; neither leaves a decision behind."""
    assert slipway(champion, "gate")[0] == 0
    assert slipway(champion, "gate", "--base", "nowhere")[0] == 2
    assert not (champion.root / "build/gate.json").exists()

    path = champion.root / "artifacts/model/model.onnx"
    path.chmod(0o644)
    path.write_bytes(b"another")
    code, said = slipway(champion, "gate")
    assert code == 1
    assert "another model than model.onnx" in said

    path.unlink()
    code, said = slipway(champion, "gate")
    assert code == 1
    assert "dvc repro" in said
    assert not (champion.root / "build/gate.json").exists()
