"""What the traffic cannot decide is not released: on copies of a finished demo, with other figures in judge.yaml."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Says = Callable[[dict[str, float | None]], Path]


def copy(finished: Any, folder: Path, to: Path) -> Path:
    """Copy an origin and its clone."""
    for name in ("origin.git", "clone"):
        shutil.copytree(folder / name, to / name, symlinks=True)
    run(finished, to / "clone", "git", "remote", "set-url", "origin", str(to / "origin.git"))
    return to / "clone"


def run(finished: Any, clone: Path, *command: str) -> str:
    """Run a command that must succeed; returns what it told meanwhile, on one line."""
    done = finished.run(*command, folder=clone)
    assert done.returncode == 0, done.stdout + done.stderr
    return " ".join(done.stderr.split())


@pytest.fixture(scope="module")
def packaged(finished: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's origin and clone, with the next version gated, packaged and signed."""
    folder = tmp_path_factory.mktemp("packaged")
    clone = copy(finished, finished.folder, folder)
    for verb in ("gate", "package", "sign"):
        run(finished, clone, "slipway", verb)
    return folder


@pytest.fixture
def says(finished: Any, packaged: Path, tmp_path: Path) -> Says:
    """Return a function that says on main how much traffic there is; it returns the clone."""
    clone = copy(finished, packaged, tmp_path)

    def write(traffic: dict[str, float | None]) -> Path:
        path = clone / "rollouts/judge.yaml"
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"traffic": traffic}))
        run(finished, clone, "git", "commit", "-qam", "Count the traffic")
        run(finished, clone, "git", "push", "-q", "origin", "HEAD:main")
        return clone

    return write


def test_what_the_traffic_cannot_decide_is_refused(finished: Any, says: Says) -> None:
    """One request in 200 s does not decide in three days: nothing is pushed; with what is named as enough, it is."""
    clone = says({"production": 0.005})
    head = finished.run("git", "rev-parse", "HEAD", folder=clone).stdout.strip()

    done = finished.run("slipway", "release", folder=clone)
    said = " ".join(done.stderr.split())
    assert done.returncode == 1, said
    assert "0.005 requests a second in production: a canary like stable is promoted after" in said
    assert "the deadline is 3 d" in said
    assert finished.run("git", "ls-remote", "origin", "main", folder=clone).stdout.split()[0] == head
    assert not (clone / "releases/1.2.0.json").exists()

    enough = re.search(r"([0-9.]+) requests a second\.$", said)
    assert enough is not None, said
    clone = says({"production": float(enough[1])})
    assert "a canary like stable takes about" in run(finished, clone, "slipway", "release")


def test_unknown_traffic_is_not_checked_and_says_so(finished: Any, says: Says) -> None:
    """Where nobody has said how much traffic there is, a release passes, and tells that this was not checked."""
    told = run(finished, says({"production": None}), "slipway", "release")
    assert "does not say how much traffic production has: not checked" in told


def test_the_first_release_needs_no_traffic(finished: Any, says: Says) -> None:
    """The first release of an environment runs no canary: however little traffic there is, it is not refused."""
    told = run(finished, says({"staging": 0.005}), "slipway", "release", "--environment", "staging")
    assert "a canary" not in told
