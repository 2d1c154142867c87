"""The demo on the small profile: what it leaves, and that `--check` sees when a part of it is taken away."""

import json
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import requests


def git(folder: Path, *arguments: str) -> str:
    """Run git."""
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_result_is_what_git_mlflow_and_the_service_say(finished: Any) -> None:
    """result.json names the recorded stable, its image, its champion and its ten predictions; --check agrees."""
    result = json.loads((finished.folder / "result.json").read_text())
    served = requests.get(f"{(finished.folder / 'service').read_text()}/version", timeout=10).json()

    assert result["version"] == "1.0.0" == served["release"]
    assert result["model_digest"] == served["model_digest"]
    assert result["source_commit"] == served["source_commit"]
    assert len(result["predictions"]) == 10
    assert git(finished.folder / "origin.git", "log", "-1", "--format=%s") == "Promote 1.0.0 in production"
    done = finished.run("slipway", "demo", "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_ledger_knows_what_became_of_each_prediction(finished: Any) -> None:
    """Each prediction that the demo asked for is in the ledger with the score that was answered, and with its truth."""
    result = json.loads((finished.folder / "result.json").read_text())
    with closing(sqlite3.connect(finished.folder / "ledger.db")) as ledger:
        stored = ledger.execute(
            "SELECT p.score, p.decision, o.truth FROM predictions p LEFT JOIN outcomes o USING (id) ORDER BY p.at, p.id"
        ).fetchall()

    told = [(one["probability"], one["called_late"], one["arr_delay"] >= 15) for one in result["predictions"]]
    assert sorted((round(score, 9), bool(late), truth == 1) for score, late, truth in stored[:10]) == sorted(told)
    assert all(truth is not None for _, _, truth in stored)
    assert [one["truth"] for one in result["predictions"]] == [truth for _, _, truth in told]


def test_the_users_tree_is_untouched(finished: Any) -> None:
    """The demo works in its own clone: no file of the repository changed, and nothing was committed to it."""
    assert git(finished.root, "status", "--porcelain") == ""
    assert git(finished.root, "log", "--format=%s") == "Begin"


def test_release_commit_changes_manifests_and_records_alone(finished: Any) -> None:
    """The release is one commit: the rendered manifests of production, and releases/."""
    release = json.loads((finished.folder / "result.json").read_text())["release_commit"]
    changed = git(finished.folder / "origin.git", "show", "--name-only", "--format=", release).splitlines()

    assert {name.split("/")[0] for name in changed} == {"k8s", "releases"}
    assert all(name.startswith(("k8s/rendered/production/", "releases/")) for name in changed)


def test_check_fails_without_the_release_commit(finished: Any) -> None:
    """Taking the release commit off main is seen."""
    origin = finished.folder / "origin.git"
    head = git(origin, "rev-parse", "main")
    release = json.loads((finished.folder / "result.json").read_text())["release_commit"]
    git(origin, "update-ref", "refs/heads/main", f"{release}^")
    try:
        done = finished.run("slipway", "demo", "--check")
    finally:
        git(origin, "update-ref", "refs/heads/main", head)

    assert done.returncode == 1
    assert "main holds no releases/stable.json" in done.stderr


def test_check_fails_without_the_alias(finished: Any) -> None:
    """Taking the alias `champion` off the registered model is seen."""
    alias = (
        "from mlflow import MlflowClient; c = MlflowClient();"
        " v = c.get_model_version_by_alias('flights', 'champion').version;"
    )
    finished.run("python", "-c", f"{alias} c.delete_registered_model_alias('flights', 'champion')")
    try:
        done = finished.run("slipway", "demo", "--check")
    finally:
        back = "from mlflow import MlflowClient; MlflowClient().set_registered_model_alias('flights', 'champion', '1')"
        assert finished.run("python", "-c", back).returncode == 0

    assert done.returncode == 1
    assert "no model has the alias" in done.stderr


def test_check_fails_without_a_stable(finished: Any, copy: Callable[[], Path]) -> None:
    """A recorded stable that names no release of production is a sentence, not a crash."""
    origin, clone = finished.folder / "origin.git", copy()
    head = git(origin, "rev-parse", "main")
    (clone / "releases/stable.json").write_text('{"schema_version": 1, "environments": {}}')
    for command in (["commit", "-qam", "Forget"], ["push", "-q", str(origin), "HEAD:main"]):
        assert finished.run("git", *command, folder=clone).returncode == 0
    try:
        done = finished.run("slipway", "demo", "--check")
    finally:
        git(origin, "update-ref", "refs/heads/main", head)

    assert done.returncode == 1, done.stderr
    assert "production has no recorded stable" in done.stderr


def test_a_second_demo_waits_its_turn(finished: Any) -> None:
    """While one plays or serves, another is told so, and touches nothing of it."""
    done = finished.run("slipway", "demo")

    assert done.returncode == 2
    assert "a demo is playing" in done.stderr
    assert finished.run("slipway", "demo", "--check").returncode == 0


def test_demo_plays_at_the_root_of_a_clone_only(finished: Any, tmp_path: Path) -> None:
    """In a folder of the clone, or outside of any, nothing is made."""
    for folder in (finished.root / "docs", tmp_path):
        done = finished.run("slipway", "demo", folder=folder)
        assert done.returncode == 2
        assert "not the root of a clone" in " ".join(done.stderr.split())
        assert not (folder / "build").exists()


def test_serving_on_a_port_in_use_is_refused(finished: Any) -> None:
    """The other's answers would read as ours."""
    port = (finished.folder / "service").read_text().rpartition(":")[2]
    done = finished.run("slipway", "serve", "--release", "1.0.0", "--port", port, folder=finished.folder / "clone")

    assert done.returncode == 2
    assert f"port {port} cannot be had" in done.stderr
    assert "serving" not in done.stdout


def test_zz_check_fails_without_the_service(finished: Any) -> None:
    """Stopping the demo stops its service, and that is seen; the name keeps this test the last of its file."""
    address = (finished.folder / "service").read_text()
    finished.process.terminate()
    finished.process.wait(30)
    done = finished.run("slipway", "demo", "--check")

    assert done.returncode == 1
    assert f"the service does not answer {address}" in done.stderr
