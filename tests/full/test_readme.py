"""The README: its first screen, and all of its commands but `make demo` and `make test`, run as they stand."""

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import yaml
from tests import signed
from tests.conftest import IDENTITY

from slipway.adapters.processes import free_port

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
ELSEWHERE = ["make demo", "make test"]  # the first is played by tests/demo, the second runs this
READY_SECONDS = 60


def commands(block: str) -> list[str]:
    """The lines of a block without their comments."""
    return [line.partition("  #")[0].strip() for line in block.splitlines()]


@dataclass(frozen=True)
class Fork:
    """A clone of a bare origin, and the environment of a person who works in it."""

    clone: Path

    @property
    def environment(self) -> dict[str, str]:
        """What commands in the clone see: its own code, and no setting of the machine's."""
        tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        mine = {"PATH": tools, "PYTHONPATH": str(self.clone / "src"), "HOME": str(self.clone.parent)}
        mine |= {"GITHUB_ACTIONS": ""}  # nor that of a job that runs the tests
        return {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"} | IDENTITY | mine

    def run(self, script: str, **variables: str) -> str:
        """Run lines of shell, which must all succeed, and return what they print."""
        done = self.attempt(script, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def attempt(self, script: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run lines of shell, as far as they go."""
        return subprocess.run(
            ["sh", "-eux"],
            input=script,
            cwd=self.clone,
            env=self.environment | variables,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def fork(small_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Fork:
    """A fork of the repository, on the small profile."""
    home = tmp_path_factory.mktemp("fork")
    for arguments in (
        ["clone", "--quiet", "--bare", str(small_repository), str(home / "origin.git")],
        ["clone", "--quiet", str(home / "origin.git"), str(home / "clone")],
    ):
        subprocess.run(["git", *arguments], check=True)
    return Fork(home / "clone")


@pytest.fixture(scope="module")
def worked(fork: Fork) -> Fork:
    """The fork after the README's steps: by hand, and then as the workflow that may sign."""
    fork.run(BLOCKS[1])
    path, alone = commands(BLOCKS[1])[0], commands(BLOCKS[2])[0]
    ended = fork.attempt(f"{path}\n{alone}")
    assert (ended.returncode, "this machine has no identity to sign with" in ended.stderr) == (2, True), ended.stderr
    fork.run(f"{path}\n{BLOCKS[2]}", **signed.signing(fork.run("git rev-parse HEAD").strip()))
    return fork


def test_first_screen() -> None:
    """One sentence, the two commands by line 15, fewer than 200 lines in all."""
    assert commands(BLOCKS[0]) == ELSEWHERE
    lines = TEXT.splitlines()
    assert all(any(line.startswith(command) for line in lines[:15]) for command in ELSEWHERE)
    assert len(lines) < 200


def test_commands_run(worked: Fork) -> None:
    """From the data to a promoted release by the README's own lines; then exactly that release is served."""
    (serve,) = commands(BLOCKS[3])
    port = free_port()
    command = [*serve.split(), "--port", str(port)]  # 3000 may be taken on this machine
    environment = worked.environment | signed.trusting()
    with subprocess.Popen(command, cwd=worked.clone, env=environment, stdout=subprocess.PIPE) as process:
        try:
            served = answer(f"http://127.0.0.1:{port}/version", process)
        finally:
            process.terminate()
    assert served["release"] == "1.0.0"
    assert not BLOCKS[5:], "a block that no test runs"


def test_the_judge_shows_itself(fork: Fork) -> None:
    """In a fresh clone: how a canary was aborted, and how long the next one takes."""
    said = fork.run(BLOCKS[4])
    assert "ABORT after" in said
    assert "in time" in said


def test_the_page_explains_each_tag(worked: Fork) -> None:
    """What a registered version says of itself is what docs/training.md says it does."""
    assert tags(worked.clone / "mlflow.db") == tags_told()


def test_each_plot_has_its_data(worked: Fork) -> None:
    """DVC finds the file, the columns and the template of each plot of dvc.yaml."""
    shown = json.loads(worked.run("dvc plots show --json"))
    assert "errors" not in shown
    for name in (name for plot in yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"] for name in plot):
        (plot,) = shown["data"][name]
        x, y = (plot["content"]["encoding"][axis]["field"] for axis in "xy")
        rows = plot["content"]["data"]["values"]
        assert len(rows) > 5
        assert all({x, y} <= row.keys() for row in rows)


def tags(registry: Path) -> set[str]:
    """What the registered version says of itself."""
    with closing(sqlite3.connect(registry)) as database:
        return {
            key for (key,) in database.execute("select key from model_version_tags") if not key.startswith("metric.")
        }


def tags_told() -> set[str]:
    """The tags that docs/training.md explains."""
    section = (ROOT / "docs/training.md").read_text(encoding="utf-8").partition("| tag of a version |")[2]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def answer(url: str, process: "subprocess.Popen[bytes]") -> dict[str, str]:
    """Ask until the service answers."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            found = requests.get(url, timeout=5)
            if found.ok:
                return found.json()
        except requests.RequestException:
            time.sleep(0.2)
    pytest.fail(f"{url} does not answer")
