"""The short demo: what it leaves, and that `--check` sees when a part of it is taken away."""

import json
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from demo.playing import left


def git(folder: Path, *arguments: str) -> str:
    """Run git."""
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def result(finished: Any) -> Any:
    """What the demo has written down."""
    return json.loads((finished.folder / "result.json").read_text())


def test_result_is_what_git_mlflow_and_the_ledger_say(finished: Any) -> None:
    """The first release is the recorded stable; the leak was caught by the truth alone, and taken back by no hand."""
    told = result(finished)
    first, leak = told["scenes"]

    assert told["version"] == "1.0.0" == first["release"]
    assert (first["verdict"], first["cause"], first["model_digest"]) == ("promoted", "person", told["champion_digest"])
    assert (leak["release"], leak["verdict"], leak["cause"], leak["blame"]) == ("1.1.0", "reverted", "verdict", "truth")
    assert 0 < leak["requests"]["canary"] <= leak["predictions"]
    assert 0 < leak["truths"] <= leak["predictions"]
    assert leak["seconds"] > 0
    origin = finished.folder / "origin.git"
    assert git(origin, "log", "-1", "--format=%an %s", leak["git_head"]) == "slipway Revert 1.1.0 in production"
    assert "person" not in git(origin, "log", "-1", "--format=%B", leak["git_head"])
    assert git(origin, "log", "-1", "--format=%an", f"{told['git_head']}") in ("A reviewer", "slipway")
    done = finished.run("slipway", "demo", "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_leaks_recipe_is_quarantined_and_gone_from_main(finished: Any) -> None:
    """What made it is barred by all its digests, the champion's by none; the merged branch has its source reverted."""
    clone = finished.folder / "clone"
    stable, leak = (json.loads((clone / f"releases/{name}.json").read_text())["package"] for name in ("1.0.0", "1.1.0"))
    barred = {one["digest"] for one in json.loads((clone / "releases/quarantine.json").read_text())["events"]}

    assert barred == {
        *(leak[name] for name in ("image_digest", "bento_digest")),
        *(leak["bundle"][name] for name in ("model_digest", "recipe_digest")),
    }
    assert barred.isdisjoint({stable["image_digest"], stable["bundle"]["model_digest"]})
    assert "dep_delay" not in (clone / "src/slipway/features.py").read_text()
    assert finished.run("slipway", "status", folder=clone).returncode == 0


def test_the_ledger_knows_what_became_of_each_prediction(finished: Any) -> None:
    """Each flight that the demo asked about is in the ledger with the score that was answered, and with its truth."""
    told = result(finished)["predictions"]
    with closing(sqlite3.connect(finished.folder / "ledger.db")) as ledger:
        stored = {
            id_: (round(score, 9), bool(late), truth == 1)
            for id_, score, late, truth in ledger.execute(
                "SELECT p.id, p.score, p.decision, o.truth FROM predictions p JOIN outcomes o USING (id)"
                " WHERE p.pod = 'demo' AND p.release = '1.0.0'"
            )
        }
    assert len(told) == 10
    assert {one["id"]: (one["probability"], one["called_late"], one["arr_delay"] >= 15) for one in told} == stored
    assert all(one["truth"] == (one["arr_delay"] >= 15) for one in told)


def test_the_recorded_stable_serves_on(finished: Any) -> None:
    """`--serve` ends with the release that Git names, not with the one that was aborted."""
    served = requests.get(f"{(finished.folder / 'service').read_text()}/version", timeout=10).json()
    assert (served["release"], served["model_digest"]) == ("1.0.0", result(finished)["champion_digest"])


def test_the_users_tree_is_untouched(finished: Any) -> None:
    """The demo works in its own clone: no file of the repository changed, and nothing was committed to it."""
    assert git(finished.root, "status", "--porcelain") == ""
    assert git(finished.root, "log", "--format=%s") == "Begin"


def test_release_commit_changes_manifests_and_records_alone(finished: Any) -> None:
    """A release, and its way back, are one commit each: production's manifests, records, and once what was signed."""
    origin = finished.folder / "origin.git"
    release = git(origin, "log", "--format=%H", "--grep=^Slipway-Release: 1.1.0$", "main")
    for commit, once in ((release, {"attestations"}), (result(finished)["scenes"][1]["git_head"], set())):
        changed = git(origin, "show", "--name-only", "--format=", commit).splitlines()
        assert {name.split("/")[0] for name in changed} == {"k8s", "releases"} | once
        folders = ("k8s/rendered/production/", "releases/", "attestations/1.1.0.")
        assert all(name.startswith(folders) for name in changed)


def test_check_fails_without_the_commit_of_an_outcome(finished: Any) -> None:
    """Taking the revert off main is seen: the scene did not end, and Git does not agree with itself."""
    origin = finished.folder / "origin.git"
    head = git(origin, "rev-parse", "main")
    git(origin, "update-ref", "refs/heads/main", f"{result(finished)['scenes'][1]['git_head']}^")
    try:
        done = finished.run("slipway", "demo", "--check")
    finally:
        git(origin, "update-ref", "refs/heads/main", head)

    assert done.returncode == 1
    assert "the image in the manifests is" in " ".join(done.stderr.split())


def test_check_fails_without_the_truth(finished: Any) -> None:
    """Taking truths out of the ledger is seen."""
    ledger = finished.folder / "ledger.db"
    with closing(sqlite3.connect(ledger)) as database:
        database.execute("CREATE TABLE kept AS SELECT * FROM outcomes WHERE pod = 'demo'")
        database.execute("DELETE FROM outcomes WHERE pod = 'demo'")
        database.commit()
    try:
        done = finished.run("slipway", "demo", "--check")
    finally:
        with closing(sqlite3.connect(ledger)) as database:
            database.execute("INSERT INTO outcomes SELECT * FROM kept")
            database.execute("DROP TABLE kept")
            database.commit()

    assert done.returncode == 1
    assert "predictions.1.id was" in done.stderr


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


def test_zz_the_end_of_a_demo_is_its_result(finished: Any) -> None:
    """Ended, it stops its service and prints its result; `--check` needs neither. The name keeps this test the last."""
    address = (finished.folder / "service").read_text()
    finished.process.terminate()
    printed, _ = finished.process.communicate(timeout=60)

    assert json.loads(printed) == result(finished)
    with pytest.raises(requests.ConnectionError):
        requests.get(address, timeout=5)
    assert left(finished.folder) == []
    assert finished.run("slipway", "demo", "--check").returncode == 0
