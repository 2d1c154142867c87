"""`slipway gate`, `track` and `register` in a real repository, with models that `dvc repro` made."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway.__main__ import main
from slipway.adapters import files, mlflow
from slipway.records import GateDecision, ModelInfo

IDENTITY = {f"GIT_{who}_{key}": "test@slipway.invalid" for who in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
TOOLS = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@dataclass(frozen=True)
class Tree:
    """A checkout, and the registry of models that it uses."""

    root: Path
    uri: str

    def run(self, *command: str) -> str:
        """Run git or DVC; returns what it printed."""
        environment = os.environ | IDENTITY | TOOLS | {"PYTHONPATH": str(self.root / "src")}
        done = subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        """Commit everything; returns the commit."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)
        return self.run("git", "rev-parse", "HEAD")

    def params(self, section: str, **changes: Any) -> None:
        """Change a section of params.yaml."""
        path = self.root / "params.yaml"
        raw = yaml.safe_load(path.read_text())
        raw[section] |= changes
        path.write_text(yaml.safe_dump(raw))

    @property
    def decision(self) -> GateDecision:
        """What stands in build/gate.json."""
        return files.read_record(GateDecision, self.root / "build/gate.json")


@pytest.fixture(scope="module")
def first(small_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A repository with its pipeline run and committed, and an empty registry."""
    root = tmp_path_factory.mktemp("gate") / "repository"
    shutil.copytree(small_repository, root, symlinks=True)
    tree = Tree(root, f"sqlite:///{root.parent / 'mlflow.db'}")
    tree.run("dvc", "repro", "--quiet")
    tree.commit("Train")
    return tree


@pytest.fixture
def slipway(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Return a function that runs a verb in a tree, and gives its exit code and all that it printed."""

    def run(tree: Tree, *words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["slipway", *words, "--root", str(tree.root), "--tracking-uri", tree.uri])
        try:
            main()
        except SystemExit as ended:
            printed = capsys.readouterr()
            return int(ended.code or 0), " ".join(f"{printed.out} {printed.err}".split())  # a terminal wraps
        raise AssertionError("typer always exits")

    return run


@pytest.fixture
def champion(first: Tree, slipway: Any, tmp_path: Path) -> Tree:
    """A copy of the repository, whose model is the champion."""
    info = files.read_record(ModelInfo, first.root / "artifacts/model/model.json")
    if mlflow.champion(first.uri) is None:
        assert slipway(first, "gate", "--first")[0] == 0
        assert slipway(first, "register")[0] == 0
        mlflow.crown(first.uri, info.model_digest)
    shutil.copytree(first.root, tmp_path / "repository", symlinks=True)
    return Tree(tmp_path / "repository", first.uri)


def test_first_of_all(first: Tree, slipway: Any) -> None:
    """Without a champion the answer is no, exit 1; with --first the floors decide, and the model can be registered."""
    code, said = slipway(first, "gate")
    assert (code, first.decision.accepted) == (1, False)
    assert "--first" in said
    assert slipway(first, "register")[0] == 1

    (first.root / "artifacts/plots").rename(first.root / "artifacts/away")
    assert "dvc repro" in slipway(first, "track")[1]
    (first.root / "artifacts/away").rename(first.root / "artifacts/plots")

    code, said = slipway(first, "gate", "--first", "--json")
    assert code == 0
    assert json.loads(said)["accepted"] is True
    assert slipway(first, "register", "--version", "soon")[0] == 1
    assert slipway(first, "register", "--version", "1.2.3")[0] == 0

    found = mlflow.by_alias(first.uri, mlflow.CHALLENGER)
    assert found is not None
    assert found.model_digest == first.decision.model_digest
    assert found.tags["version"] == "1.2.3"
    assert found.tags["source_commit"] == first.run("git", "rev-parse", "HEAD")
    assert found.tags["data_digest"] == f"md5:{yaml.safe_load((first.root / 'data.dvc').read_text())['outs'][0]['md5']}"
    assert found.tags["gate"] == "accepted, first"
    assert {"trained_at", "training_window", "recipe_digest", "request_version", "metric.auc"} <= set(found.tags)


def test_track_notes_a_training_once(first: Tree, slipway: Any) -> None:
    """The same model of the same commit is one run, with its parameters, metrics, slices and files."""
    from mlflow import MlflowClient

    (code, once), (_, twice) = slipway(first, "track", "--json"), slipway(first, "track", "--json")
    assert code == 0
    assert once == twice
    client = MlflowClient(tracking_uri=first.uri)
    run = client.get_run(json.loads(once)["run_id"])

    assert run.data.params["train.logistic_regression.C"] == "0.1"
    assert run.data.metrics["auc_low"] < run.data.metrics["auc"] < run.data.metrics["auc_high"]
    assert "auc/origin/JFK" in run.data.metrics
    names = {entry.path for entry in client.list_artifacts(run.info.run_id)}
    assert {"metrics.json", "plots", "validation.json", "params.yaml", "dvc.lock"} <= names


def test_champion_itself_is_accepted_but_not_as_the_first(champion: Tree, slipway: Any) -> None:
    """With a champion, its equal is accepted, and --first is refused."""
    assert slipway(champion, "gate")[0] == 0
    assert champion.decision.champion == champion.decision.model_digest

    code, said = slipway(champion, "gate", "--first")
    assert code == 1
    assert "there is one already" in said


@pytest.mark.parametrize("change", ["parameter", "data", "model", "metrics"])
def test_stale_artifacts_are_refused(champion: Tree, slipway: Any, change: str) -> None:
    """What does not follow from the data, the parameters and the code is refused, with `dvc repro` as the remedy."""
    if change == "parameter":
        champion.params("train", seed=1)
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
    assert champion.decision.checks[0].passed is False


def test_worse_model_is_refused_by_the_base_commit(champion: Tree, slipway: Any) -> None:
    """A stump made by `dvc repro` is refused for its AUC, even if the same change switches that rule off.

    Once the switched-off rule is in the base commit, the same stump is accepted: it was that rule alone.
    """
    stump = {"max_iter": 1, "learning_rate": 0.1, "max_leaf_nodes": 2, "min_samples_leaf": 80, "l2_regularization": 1.0}
    base = champion.run("git", "rev-parse", "HEAD")
    champion.params("train", hist_gradient_boosting=stump, logistic_regression={"C": 1e-6, "max_iter": 300})
    champion.params("gate", auc_margin=None)
    champion.run("dvc", "repro", "--quiet")
    changed = champion.commit("Be lazy")

    code, said = slipway(champion, "gate", "--base", base, "--markdown", str(champion.root.parent / "report.md"))
    assert code == 1
    assert [check.name for check in champion.decision.checks if check.passed is False] == ["auc_margin"]
    assert champion.decision.guards_changed == ("gate",)
    assert "guard changed" in said
    report = (champion.root.parent / "report.md").read_text()
    assert report.startswith("## ❌ Rejected")
    assert "Guard changed" in report
    assert slipway(champion, "register")[0] == 1

    assert slipway(champion, "gate", "--base", changed)[0] == 0
    assert champion.decision.guards_changed == ()


def test_register_refuses_another_model_than_the_accepted(champion: Tree, slipway: Any) -> None:
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


def test_without_a_model_or_a_base_there_is_no_decision(champion: Tree, slipway: Any) -> None:
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
