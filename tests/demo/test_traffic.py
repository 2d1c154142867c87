"""What the traffic cannot decide is not released: on a copy of a finished demo, with another figure in judge.yaml."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

Copy = Callable[[], Path]


def prepare(finished: Any, clone: Path, traffic: dict[str, float | None]) -> None:
    """Say how much traffic there is, on main, and package the next version."""
    path = clone / "rollouts/judge.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"traffic": traffic}))
    for command in (
        ["git", "commit", "-qam", "Count the traffic"],
        ["git", "push", "-q", "origin", "HEAD:main"],
        ["slipway", "gate"],
        ["slipway", "package"],
    ):
        done = finished.run(*command, folder=clone)
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_the_traffic_cannot_decide_is_refused(finished: Any, copy: Copy) -> None:
    """One request in 200 s does not decide in three days: nothing is pushed; with what is named as enough, it is."""
    clone = copy()
    prepare(finished, clone, {"production": 0.005})
    head = finished.run("git", "rev-parse", "origin/main", folder=clone).stdout

    done = finished.run("slipway", "release", folder=clone)
    said = " ".join(done.stderr.split())
    assert done.returncode == 1, said
    assert "0.005 requests a second in production: a canary like stable is promoted after" in said
    assert "the deadline is 3 d" in said
    assert finished.run("git", "ls-remote", "origin", "main", folder=clone).stdout.split()[0] == head.strip()
    assert not (clone / "releases/1.1.0.json").exists()

    enough = re.search(r"([0-9.]+) requests a second\.$", said)
    assert enough is not None, said
    prepare(finished, clone, {"production": float(enough[1])})
    done = finished.run("slipway", "release", folder=clone)
    assert done.returncode == 0, done.stderr
    assert "a canary like stable takes about" in done.stderr


def test_unknown_traffic_is_not_checked_and_says_so(finished: Any, copy: Copy) -> None:
    """Where nobody has said how much traffic there is, a release passes, and tells that this was not checked."""
    clone = copy()
    prepare(finished, clone, {"production": None})

    done = finished.run("slipway", "release", folder=clone)
    assert done.returncode == 0, done.stderr
    assert "does not say how much traffic production has: not checked" in " ".join(done.stderr.split())


def test_the_first_release_needs_no_traffic(finished: Any, copy: Copy) -> None:
    """The first release of an environment runs no canary: however little traffic there is, it is not refused."""
    clone = copy()
    prepare(finished, clone, {"staging": 0.005})

    done = finished.run("slipway", "release", "--environment", "staging", folder=clone)
    assert done.returncode == 0, done.stderr
    assert "a canary" not in done.stderr
