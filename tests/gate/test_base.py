"""Which commit's guards decide: in real repositories, with a remote, before and after a release."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from slipway.adapters import files
from slipway.adapters.git import Repository
from slipway.commands import shelf
from slipway.commands.gate import read_policy
from slipway.errors import Broken
from slipway.records import Bundle, GateDecision, Package, Release, Stable

SMALL = Path(__file__).parents[1] / "small" / "params.yaml"
DIGEST = "sha256:" + 64 * "a"


@pytest.fixture
def project(tmp_path: Path, trained: Any) -> Any:
    """A repository with parameters and nothing else, pushed to its remote."""
    found = type(trained)(tmp_path / "repository")
    found.root.mkdir()
    shutil.copy(SMALL, found.root / "params.yaml")
    for command in ("git init -q -b main", "git init -q --bare ../origin", "git remote add origin ../origin"):
        assert found.command(*command.split()).returncode == 0
    found.commit("Begin")
    push(found)
    return found


def push(project: Any) -> None:
    """Publish what is checked out."""
    done = project.command("git", "push", "-q", "origin", "HEAD:main")
    assert done.returncode == 0, done.stderr


def release(project: Any, source: str) -> None:
    """Record a release of a commit, and that production's stable is it."""
    bundle = Bundle(
        version="1.0.0",
        source_commit=source,
        data_digest="md5:0",
        recipe_digest=DIGEST,
        model_digest=DIGEST,
        request_version=1,
    )
    decided = GateDecision(
        accepted=True,
        first=True,
        model_digest=DIGEST,
        champion=None,
        base=source,
        thresholds_digest=DIGEST,
        guards_changed=(),
        checks=(),
        latency_ms=0.1,
        model_bytes=1,
        comparison=None,
    )
    package = Package(bundle=bundle, bento_digest=DIGEST, image_digest=DIGEST)
    shelf.write(project.root, Release(package=package, gate=decided, events=()))
    shelf.write_stable(project.root, Stable(environments={"production": "1.0.0"}))
    project.commit("Promote 1.0.0")


def base(project: Any) -> str:
    """The commit whose guards decide by default."""
    return read_policy(Repository(project.root), None).base


def test_change_that_is_not_on_main_is_judged_by_main(project: Any) -> None:
    """What stands on origin/main decides over what was committed since."""
    agreed = base(project)
    project.params(gate__auc_floor=0.1).commit("Ask for less")

    policy = read_policy(Repository(project.root), None)
    assert policy.base == agreed
    assert policy.thresholds.auc_floor == files.read_params(SMALL).gate.auc_floor
    assert policy.changed == ("gate",)


@pytest.mark.parametrize("more", [False, True], ids=["the last on main", "somebody pushed since"])
def test_change_that_is_on_main_is_judged_by_the_stable(project: Any, more: bool) -> None:
    """Once pushed, a change is on origin/main itself: the commit decides that the recorded stable was made from."""
    released = base(project)
    release(project, released)
    changed = project.params(gate__auc_floor=0.1).commit("Ask for less")
    if more:
        project.commit("Somebody else's")
    push(project)
    assert project.command("git", "reset", "-q", "--hard", changed).returncode == 0

    policy = read_policy(Repository(project.root), None)
    assert policy.base == released
    assert policy.changed == ("gate",)


def test_before_the_first_release_the_tree_decides(project: Any) -> None:
    """Without a recorded stable there is nothing older that anybody agreed on: HEAD decides, as without a remote."""
    head = project.params(gate__auc_floor=0.1).commit("Ask for less")
    push(project)
    assert base(project) == head

    assert project.command("git", "remote", "remove", "origin").returncode == 0
    assert base(project) == head


def test_stable_whose_commit_is_not_here_is_no_base(project: Any) -> None:
    """Where the stable's commit was not fetched, nothing else takes its place."""
    release(project, 40 * "e")
    push(project)

    with pytest.raises(Broken, match="there is no commit eeee") as error:
        base(project)
    assert "--base" in error.value.remedy
