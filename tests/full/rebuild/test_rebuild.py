"""`slipway rebuild`: a release made anew elsewhere is the same, and what is not the same is named."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import IDENTITY
from tests.full.rebuild.conftest import VERSION

from demo.playing import left

OTHER = {"OPENBLAS_CORETYPE": "Sandybridge", "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "77", "OMP_NUM_THREADS": "2"}
STARTED_SECONDS = 300


def objects(shop: Any, name: str) -> list[Path]:
    """The objects of the remote that hold files whose path has `name` in it."""
    remote = shop.remote / "files/md5"
    data = (shop.root / "data.dvc").read_text().partition("md5: ")[2].split()[0]
    listed = json.loads((remote / data[:2] / data[2:]).read_text())
    return [remote / one["md5"][:2] / one["md5"][2:] for one in listed if name in one["relpath"]]


def seen(root: Path) -> list[tuple[str, int]]:
    """Every file of a checkout but git's own, and when it was written."""
    found = (path for path in root.rglob("*") if path.is_file() and ".git" not in path.parts)
    return sorted((str(path), path.stat().st_mtime_ns) for path in found if path.suffix != ".pyc")


def told(done: "subprocess.CompletedProcess[str]") -> Any:
    """What it has answered, and which parts differ."""
    answer = json.loads(done.stdout)
    return answer, [one["name"] for one in answer["parts"] if one["recorded"] != one["rebuilt"]]


def test_a_release_comes_out_again_in_another_place(released: Any, tmp_path: Path) -> None:
    """Another folder, core type, time zone, umask, hash seed and thread count: every digest of the record comes out.

    Nothing stays behind, and nothing of the checkout is touched.
    """
    elsewhere, before = temporary(tmp_path / "some where"), seen(released.root)
    done = released.run("sh", "-c", f"umask 077; slipway rebuild {VERSION} --json", TMPDIR=str(elsewhere), **OTHER)

    assert done.returncode == 0, done.stdout + done.stderr
    answer, differing = told(done)
    assert answer["identical"]
    assert [one["name"] for one in answer["parts"]] == ["data", "recipe", "model", "bento", "image", "card"]
    assert (differing, answer["outputs"], answer["bento"], answer["installed"]) == ([], [], None, [])
    assert not list(elsewhere.iterdir())
    assert seen(released.root) == before


def test_data_that_rotted_in_the_remote_are_named(shop: Any) -> None:
    """DVC pulls them without a word. What follows from them is another: told file by file, against what was signed."""
    import polars as pl

    (path,) = objects(shop, "flights/2013-03")
    path.chmod(0o644)
    pl.read_parquet(path).head(-200).write_parquet(path)
    answer, differing = told(shop.run("slipway", "rebuild", VERSION, "--json"))

    assert differing == ["data", "model", "bento", "image", "card"]
    assert not answer["identical"]
    assert {"artifacts/model of train", "artifacts/metrics.json of evaluate"} <= set(answer["outputs"])
    assert (answer["bento"]["against"], answer["bento"]["remark"]) == ("attestation", None)
    changed = {"src/model/model.json", "src/model/model.onnx", "src/bundle.json"}
    assert {f"{name} was changed" for name in changed} <= set(answer["bento"]["differences"])


def test_another_recipe_and_other_tools_are_named(shop: Any, tmp_path: Path) -> None:
    """A record that names another commit: what it gives is told against what still lies here, and the clone is kept.

    That commit's lock asks for other tools than are installed, which is said.
    """
    shop.project.params(train__logistic_regression__C=0.2)
    lock = shop.root / "requirements/pipeline.txt"
    lock.write_text(lock.read_text().replace("\nnumpy==", "\nnumpy==0.9", 1))
    shop.ok("dvc", "repro", "--quiet")
    commit = shop.publish("Train otherwise")
    shop.move(commit)
    done = shop.run("slipway", "rebuild", VERSION, "--folder", str(tmp_path / "kept"))

    assert done.returncode == 1, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    marks = {words[1]: words[0] for words in lines if words[0] in ("✓", "✗")}
    assert marks == {"data": "✓", "recipe": "✗", "model": "✗", "bento": "✗", "image": "✗", "card": "✗"}
    assert "    src/model/model.onnx was changed" in done.stdout.splitlines()
    assert "not held against what was signed: 1.0.0 is not verified" in done.stdout
    assert (
        f"not as requirements/pipeline.txt of that commit says: numpy {metadata.version('numpy')}, locked 0.9"
        in done.stdout
    )
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=tmp_path / "kept", capture_output=True, text=True, check=True
    )
    assert head.stdout.strip() == commit


def test_data_that_the_remote_lacks_are_no_answer(shop: Any, tmp_path: Path) -> None:
    """They lie in the checkout, and in its cache; they are not taken from there."""
    gone, *_ = objects(shop, "weather")
    gone.unlink()
    done = shop.run("slipway", "rebuild", VERSION, TMPDIR=str(temporary(tmp_path)))

    assert done.returncode == 2, done.stdout
    assert "`dvc pull data.dvc` ended with exit code" in done.stderr
    assert f"{gone.parent.name}{gone.name}" in "".join(done.stderr.split())  # its digest, whatever the terminal wraps
    assert "dvc push data.dvc" in done.stderr
    assert not list(temporary(tmp_path).iterdir())


def test_a_stage_that_fails_is_no_answer(shop: Any) -> None:
    """What it has printed last is told."""
    params = shop.root / "params.yaml"
    params.write_text(params.read_text() + "colour: red\n")
    shop.move(shop.publish("Misspell"))
    done = shop.run("slipway", "rebuild", VERSION, "--json")

    assert done.returncode == 2, done.stdout
    answer = json.loads(done.stdout)
    assert answer["outcome"] == "broken"
    assert "`dvc repro --force` ended with exit code" in answer["what"]
    assert "colour" in answer["what"]


def test_a_shallow_clone_is_no_answer(shop: Any, tmp_path: Path) -> None:
    """It has the record, and not the commit."""
    shop.publish("Go on")
    shop.ok("git", "clone", "--quiet", "--depth=1", shop.root.as_uri(), str(tmp_path / "shallow"))
    done = shop.run("slipway", "rebuild", VERSION, "--root", str(tmp_path / "shallow"))

    assert done.returncode == 2, done.stdout
    assert "git fetch --unshallow" in done.stderr


def test_an_unknown_version_is_refused(released: Any) -> None:
    """There is nothing to hold it against."""
    done = released.run("slipway", "rebuild", "9.9.9")

    assert done.returncode == 1
    assert "holds no 9.9.9" in done.stderr


def test_a_folder_with_something_in_it_is_refused(released: Any, tmp_path: Path) -> None:
    """Nothing in it is touched; neither is a file in its place."""
    (tmp_path / "there").write_text("mine")
    for folder in (tmp_path, tmp_path / "there"):
        done = released.run("slipway", "rebuild", VERSION, "--folder", str(folder))
        assert done.returncode == 1
        assert "not an empty folder" in done.stderr
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing(number: signal.Signals, released: Any, tmp_path: Path) -> None:
    """A stage of the pipeline ends with it, and the temporary folder is gone."""
    folder = temporary(tmp_path)
    environment = os.environ | IDENTITY | {"PYTHONPATH": str(released.root / "src"), "TMPDIR": str(folder)}
    process = subprocess.Popen(
        [sys.executable, "-m", "slipway", "rebuild", VERSION],
        cwd=released.root,
        env=environment,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  # as in a terminal
    )
    try:
        deadline = time.monotonic() + STARTED_SECONDS
        while not any("slipway.stages" in " ".join(line) for line in left(folder)):
            assert process.poll() is None, "it ended before it was interrupted"
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(number)
        assert process.wait(60) != 0
    finally:
        process.kill()

    assert left(folder) == []
    assert not list(folder.iterdir())


def temporary(folder: Path) -> Path:
    """A folder for temporary files."""
    path = folder / "temporary"
    path.mkdir(parents=True, exist_ok=True)
    return path
