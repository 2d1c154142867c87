"""Git by its own command line, against real repositories: a bare origin and two clones."""

import subprocess
from pathlib import Path

import pytest

from slipway.adapters.git import Repository
from slipway.errors import Broken, Rejected


@pytest.fixture
def clones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Repository, Repository]:
    """Two clones of one bare origin that holds one commit."""
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "test")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "test@slipway.invalid")
    _git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "origin")
    _git(tmp_path, "clone", "--quiet", "origin", "first")
    (tmp_path / "first" / "a.txt").write_text("a\n")
    _git(tmp_path / "first", "checkout", "--quiet", "-B", "main")
    _git(tmp_path / "first", "add", "a.txt")
    _git(tmp_path / "first", "commit", "--quiet", "-m", "Begin")
    _git(tmp_path / "first", "push", "--quiet", "origin", "main")
    _git(tmp_path, "clone", "--quiet", "origin", "second")
    return Repository(tmp_path / "first"), Repository(tmp_path / "second")


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def test_publish_commits_only_the_named_paths(clones: tuple[Repository, Repository]) -> None:
    """What else lies in the tree stays out of the commit, and the commit is on the remote."""
    first, second = clones
    (first.root / "b.txt").write_text("b\n")
    (first.root / "stray.txt").write_text("not mine\n")

    commit = first.publish(["b.txt"], "Add b")
    second.fetch()

    assert second.commit_of("origin/main") == commit
    assert second.show("origin/main", "b.txt") == "b\n"
    assert second.show("origin/main", "stray.txt") is None
    assert first.dirty() == ["stray.txt"]


def test_losing_a_race_leaves_no_commit(clones: tuple[Repository, Repository]) -> None:
    """The second to push is refused, its branch is where it was, and the remote holds the first one's commit."""
    first, second = clones
    (first.root / "a.txt").write_text("first\n")
    winner = first.publish(["a.txt"], "Change a")
    before = second.head()
    (second.root / "a.txt").write_text("second\n")

    with pytest.raises(Rejected, match="did not take the commit"):
        second.publish(["a.txt"], "Change a as well")

    assert second.head() == before
    assert (second.root / "a.txt").read_text() == "a\n"
    second.fetch()
    assert second.commit_of("origin/main") == winner


def test_a_file_that_a_commit_does_not_hold_is_none(clones: tuple[Repository, Repository]) -> None:
    """Absence is an answer, not an error."""
    assert clones[0].show("HEAD", "missing.txt") is None
    assert clones[0].commit_of("no-such-branch") is None


def test_git_errors_carry_what_git_said(clones: tuple[Repository, Repository]) -> None:
    """A failing command names itself and repeats git's own words."""
    with pytest.raises(Broken, match=r"git checkout failed .*no-such-branch"):
        clones[0].git("checkout", "no-such-branch")


def test_a_commit_that_fails_leaves_the_paths_as_before(
    clones: tuple[Repository, Repository], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an identity git refuses; the changed file and the new one are gone again, and so is the staging."""
    first, _ = clones
    before = first.head()
    (first.root / "a.txt").write_text("changed\n")
    (first.root / "new").mkdir()
    (first.root / "new" / "b.txt").write_text("b\n")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "")
    monkeypatch.setenv("GIT_COMMITTER_NAME", "")

    with pytest.raises(Broken, match="git commit failed"):
        first.publish(["a.txt", "new"], "Change a")

    assert (first.head(), first.dirty()) == (before, [])
    assert (first.root / "a.txt").read_text() == "a\n"


def test_a_remote_that_cannot_be_reached_is_no_verdict(clones: tuple[Repository, Repository]) -> None:
    """Nobody refused: the push is broken, says why, and leaves nothing."""
    first, _ = clones
    before = first.head()
    first.git("remote", "set-url", "origin", str(first.root / "nowhere"))
    (first.root / "a.txt").write_text("changed\n")

    with pytest.raises(Broken, match="nowhere"):
        first.publish(["a.txt"], "Change a")
    assert (first.head(), first.dirty()) == (before, [])
