"""What `slipway release`, `promote` and `serve` refuse: each on a copy of a finished demo, changed in one place."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from slipway.adapters.processes import free_port

Copy = Callable[[], Path]


def refused(finished: Any, clone: Path, *command: str) -> str:
    """Run a verb that must say no; returns what it said, and sees that it changed nothing."""
    finished.run("git", "fetch", "-q", folder=clone)
    head = finished.run("git", "rev-parse", "origin/main", folder=clone).stdout
    before = finished.run("git", "status", "--porcelain", folder=clone).stdout
    done = finished.run(*command, folder=clone)
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    finished.run("git", "fetch", "-q", folder=clone)
    assert finished.run("git", "rev-parse", "origin/main", folder=clone).stdout == head
    assert finished.run("git", "status", "--porcelain", folder=clone).stdout == before
    return " ".join(done.stderr.split())


def test_a_version_is_released_once(finished: Any, copy: Copy) -> None:
    """What was aborted is barred; its version is burnt; nothing below it follows; a stale decision lets nothing in."""
    clone = copy()
    assert finished.run("slipway", "gate", folder=clone).returncode == 0
    for version in ("1.1.0", "0.9.0"):
        assert finished.run("slipway", "package", "--version", version, folder=clone).returncode == 0
        assert finished.run("slipway", "sign", folder=clone).returncode == 0
        assert f"{version} is not above 1.1.0" in refused(finished, clone, "slipway", "release")

    assert finished.run("slipway", "package", folder=clone).returncode == 0
    decision = json.loads((clone / "build/gate.json").read_text())
    (clone / "build/gate.json").write_text(json.dumps(decision | {"champion": None}))
    assert finished.run("slipway", "sign", folder=clone).returncode == 0
    assert "1.2.0 against no champion; Git says" in refused(finished, clone, "slipway", "release")


def test_what_was_aborted_is_not_released_again(finished: Any, copy: Copy) -> None:
    """The leak's package is still at hand, with the gate's yes: Git says that it is barred, by all that it is."""
    said = refused(finished, copy(), "slipway", "release")
    assert "1.1.0 is not released" in said
    assert said.count("quarantined") >= 4


def test_dirty_tree_is_refused(finished: Any, copy: Copy) -> None:
    """A change that no commit holds cannot be part of a release, nor of a package."""
    clone = copy()
    (clone / "params.yaml").write_text((clone / "params.yaml").read_text() + "# a thought\n")

    assert "no commit holds: params.yaml" in refused(finished, clone, "slipway", "release")
    assert "no commit holds: params.yaml" in refused(finished, clone, "slipway", "package")


def test_unpushed_commit_is_refused(finished: Any, copy: Copy) -> None:
    """What is released is on main; a commit that only this clone has is not."""
    clone = copy()
    (clone / "note.txt").write_text("mine\n")
    finished.run("git", "add", "note.txt", folder=clone)
    assert finished.run("git", "commit", "-qm", "Note", folder=clone).returncode == 0

    assert "is not at origin/main" in refused(finished, clone, "slipway", "release")


def test_unknown_digest_is_refused(finished: Any, copy: Copy) -> None:
    """An image at hand that is not the packaged one, by a byte, is not released."""
    clone = copy()
    for verb in ("gate", "package", "sign"):
        assert finished.run("slipway", verb, folder=clone).returncode == 0
    package = clone / "build/package.json"
    record = json.loads(package.read_text())
    record["image_digest"] = "sha256:" + 64 * "0"
    package.write_text(json.dumps(record))
    assert "1.2.0 is not verified: the image is sha256:0000" in refused(finished, clone, "slipway", "release")

    layer = max((clone / "build/images/1.2.0/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    layer.write_bytes(layer.read_bytes()[:-1] + b"\0")
    assert "sha256" in refused(finished, clone, "slipway", "release")


def test_an_older_release_is_not_promoted_again(finished: Any, copy: Copy) -> None:
    """Promoting 1.0.0 after 1.2.0 would be a rollback that nobody recorded."""
    clone = copy()
    verbs = ("gate", "package", "sign", "release", "promote 1.2.0")
    for command in (f"slipway {verb}" for verb in verbs):
        done = finished.run(*command.split(), folder=clone)
        assert done.returncode == 0, done.stdout + done.stderr

    assert "1.0.0 is not in flight in production" in refused(finished, clone, "slipway", "promote", "1.0.0")
    assert "1.1.0 is not in flight in production" in refused(finished, clone, "slipway", "promote", "1.1.0")


def test_unpushed_commit_is_not_promoted_along(finished: Any, copy: Copy) -> None:
    """`promote` pushes what it has made on main, and nothing that this clone alone has."""
    clone = copy()
    for command in ("slipway gate", "slipway package", "slipway sign", "slipway release"):
        assert finished.run(*command.split(), folder=clone).returncode == 0
    finished.run("git", "commit", "-q", "--allow-empty", "-m", "Unreviewed", folder=clone)

    assert finished.run("slipway", "promote", "1.2.0", folder=clone).returncode == 0
    assert "Unreviewed" not in finished.run("git", "log", "--format=%s", "origin/main", folder=clone).stdout


def test_image_of_another_model_is_refused(finished: Any, copy: Copy) -> None:
    """The statement says what the image is made from; package.json cannot say otherwise."""
    clone = copy()
    for verb in ("gate", "package", "sign"):
        assert finished.run("slipway", verb, folder=clone).returncode == 0
    path = clone / "build/package.json"
    record = json.loads(path.read_text())
    record["bundle"]["model_digest"] = "sha256:" + 64 * "0"
    path.write_text(json.dumps(record))

    assert "1.2.0 is not verified: the model.onnx is sha256:0000" in refused(finished, clone, "slipway", "release")


def test_what_staging_proved_is_released_to_production_unchanged(finished: Any, copy: Copy) -> None:
    """One version, the same image, in both environments; staging's promotion leaves the champion alone."""
    clone = copy()
    for command in (
        "slipway gate",
        "slipway package",
        "slipway sign",
        "slipway release --environment staging",
        "slipway promote 1.2.0 --environment staging --cause verdict",
        "slipway release",
    ):
        done = finished.run(*command.split(), folder=clone)
        assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads((clone / "releases/1.2.0.json").read_text())

    assert [(event["kind"], event["environment"]) for event in record["events"]] == [
        ("proposed", "staging"),
        ("promoted", "staging"),
        ("proposed", "production"),
    ]
    stable = json.loads((clone / "releases/stable.json").read_text())["environments"]
    assert stable == {"production": "1.0.0", "staging": "1.2.0"}


def test_ungated_model_is_refused(finished: Any, copy: Copy) -> None:
    """A gate that says no, as `--first` does where a champion exists, leaves nothing to sign, register or release."""
    clone = copy()
    assert finished.run("slipway", "gate", "--first", folder=clone).returncode == 1
    assert finished.run("slipway", "package", "--version", "1.2.0", folder=clone).returncode == 0

    assert "1.2.0 is not" in refused(finished, clone, "slipway", "release")
    for verb in ("sign", "register"):
        assert "the gate has rejected" in refused(finished, clone, "slipway", verb)
    (clone / "build/gate.json").unlink()
    assert finished.run("slipway", "release", folder=clone).returncode == 2
    assert "nothing has let this model in" in refused(finished, clone, "slipway", "register")


def test_release_in_flight_holds_the_next_one(finished: Any, copy: Copy) -> None:
    """The twin of the champion passes the gate, is released as 1.2.0, and nothing follows until it has an outcome."""
    clone = copy()
    for command in ("slipway gate", "slipway package", "slipway sign", "slipway release"):
        done = finished.run(*command.split(), folder=clone)
        assert done.returncode == 0, done.stdout + done.stderr
    for verb in ("package", "sign"):
        assert finished.run("slipway", verb, folder=clone).returncode == 0

    assert "1.2.0 is in flight in production" in refused(finished, clone, "slipway", "release")
    assert finished.run("slipway", "promote", "1.2.0", folder=clone).returncode == 0
    assert json.loads((clone / "releases/stable.json").read_text())["environments"] == {"production": "1.2.0"}


def test_promoting_twice_changes_nothing(finished: Any, copy: Copy) -> None:
    """The second promotion of the stable is accepted, and makes no commit."""
    clone = copy()
    head = finished.run("git", "rev-parse", "HEAD", folder=clone).stdout

    assert finished.run("slipway", "promote", "1.0.0", folder=clone).returncode == 0
    assert finished.run("git", "rev-parse", "HEAD", folder=clone).stdout == head


def test_promoting_or_serving_what_was_never_released_is_refused(finished: Any, copy: Copy) -> None:
    """Only what releases/ holds can become stable or be served."""
    clone = copy()

    for command in (("promote", "9.9.9"), ("serve", "--release", "9.9.9")):
        assert "there is no release 9.9.9" in refused(finished, clone, "slipway", *command)


def test_serving_another_image_than_the_released_is_refused(finished: Any, copy: Copy) -> None:
    """`serve` runs the bytes that the record names; another image under that version is refused."""
    clone = copy()
    assert finished.run("slipway", "package", "--version", "2.0.0", folder=clone).returncode == 0
    shutil.rmtree(clone / "build/images/1.0.0")
    shutil.move(clone / "build/images/2.0.0", clone / "build/images/1.0.0")

    assert "release 1.0.0 is sha256:" in refused(finished, clone, "slipway", "serve", "--release", "1.0.0")


def test_serving_a_version_that_the_image_does_not_hold_is_refused(finished: Any, copy: Copy) -> None:
    """A prediction carries the version that is baked into the image; under another one nothing is served."""
    clone = copy()
    shutil.copy(clone / "releases/1.0.0.json", clone / "releases/3.0.0.json")
    shutil.copytree(clone / "build/images/1.0.0", clone / "build/images/3.0.0")

    assert "release 3.0.0 holds 1.0.0" in refused(finished, clone, "slipway", "serve", "--release", "3.0.0")


def test_unknown_environment_is_broken(finished: Any, copy: Copy) -> None:
    """A release to an environment that there is not names those that there are, and a path is none."""
    clone = copy()
    for environment in ("moon", "../next/production"):
        done = finished.run("slipway", "release", "--environment", environment, folder=clone)
        assert done.returncode == 2
        assert "is none of staging, production" in " ".join(done.stderr.replace("│", " ").split())


def test_serve_ends_with_its_service(finished: Any, copy: Copy, tmp_path: Path) -> None:
    """It tells the service its release's bento, and does not outlive one that was killed: it says so, and is broken."""
    port, clone = free_port(), copy()
    command = ["slipway", "serve", "--release", "1.0.0", "--port", str(port)]
    said = tmp_path / "said"
    with said.open("w") as stream:
        process = subprocess.Popen(command, cwd=clone, env=finished.environment, stdout=stream, stderr=stream)
    deadline = time.monotonic() + 60
    while "serving" not in said.read_text() and time.monotonic() < deadline:
        time.sleep(0.1)
    child = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True).stdout.strip()
    expected = psutil.Process(int(child)).environ()["SLIPWAY_BENTO"]
    os.kill(int(child), signal.SIGKILL)

    assert expected == json.loads((clone / "releases/1.0.0.json").read_text())["package"]["bento_digest"]
    assert process.wait(30) == 2
    assert "ended by itself" in said.read_text()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)), "a worker of the killed service still listens"
