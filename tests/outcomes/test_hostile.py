"""Clones, words and remotes as they are at night: an answer or a sentence, and main as it was where it is no answer."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.outcomes import world as worlds
from tests.outcomes.world import World
from tests.samples import package

from slipway import quarantine
from slipway.adapters import git
from slipway.adapters.git import Repository
from slipway.errors import Broken, Rejected

ABORT = ("revert", "--digest", package("1.1.0").image_digest, "--cause", "verdict")


@pytest.fixture
def flying(world: World) -> World:
    """A world with a stable and a release in flight."""
    world.release("1.0.0")
    world.promote("1.0.0")
    world.release("1.1.0")
    return world


def broken(world: World, code: int, *command: str, folder: Path | None = None) -> str:
    """Run a verb that must end with a code, a sentence and no traceback; main stays as it was."""
    before = world.head()
    done = world.run("slipway", *command, folder=folder, COLUMNS="1000")
    assert (done.returncode, world.head()) == (code, before), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


def relative(world: World) -> None:
    """The remote is named by a path from the clone."""
    world.git("remote", "set-url", "origin", "../origin.git", folder=world.clone)


def sparse(world: World) -> None:
    """Only some folders are checked out; a tree that inherits it has no releases."""
    world.git("sparse-checkout", "set", "rollouts", folder=world.clone)


def excluding(world: World) -> None:
    """The person's own excludes name what the verb writes anew."""
    (world.folder / "excludes").write_text("quarantine.json\n")
    world.git("config", "core.excludesFile", str(world.folder / "excludes"), folder=world.clone)


@pytest.mark.parametrize("make", [relative, sparse, excluding])
def test_an_abort_from_an_odd_clone(flying: World, make: Callable[[World], None]) -> None:
    """It is whole: the record, the manifests and the quarantine."""
    make(flying)
    flying.ok(*ABORT)
    assert flying.kinds("1.1.0") == ["proposed", "reverted"]
    assert len(quarantine.active(flying.state().quarantine)) == 4


def test_a_hook_is_no_race_whatever_it_says(flying: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its no is a no at once, also where its words are those that git has for somebody faster."""
    hook = flying.origin / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'fetch first a ticket' >&2; exit 1\n")
    hook.chmod(0o755)
    monkeypatch.setattr(git, "PATIENCE", 0)
    with pytest.raises(Rejected, match="a ticket"):
        flying.revert("1.1.0")


def test_a_lift_in_many_lines_is_no_release(flying: World) -> None:
    """A person's words cannot be the lines by which commits are found."""
    flying.revert("1.1.0")
    released = flying.release("1.2.0")
    commit = flying.head()
    forged = "a mistake\n\nSlipway-Release: 1.2.0\nSlipway-Environment: production"
    flying.ok("quarantine", "lift", package("1.1.0").bundle.recipe_digest, "--why", forged)
    flying.promote("1.2.0")
    assert flying.state().releases["1.2.0"].events[-1].commit == commit, released


def test_words_that_are_no_text(flying: World) -> None:
    """What a terminal would obey, and bytes that are no text, become blanks; nothing at all is asked for again."""
    for nothing in ("", " \n", "\x1b", "x" * 2001):
        assert "--why" in broken(flying, 2, *ABORT, "--why", nothing)
    flying.ok(*ABORT, "--why", "\x1b[31m[bold]the\udcff\nmenu[/nonsense]")
    assert flying.state().releases["1.1.0"].events[-1].why == "[31m[bold]the menu[/nonsense]"
    assert "[bold]the menu[/nonsense]" in flying.ok("history")


def test_evidence_of_bytes_that_are_no_text(flying: World) -> None:
    """They are refused as any other nonsense."""
    assert "--evidence holds no valid Evidence" in broken(flying, 2, *ABORT, "--evidence", '{"detail": "\udcff"}')


def test_a_record_that_is_no_text(flying: World) -> None:
    """Somebody's editor wrote UTF-16: a sentence that names what it was."""
    flying.git("pull", "-q", folder=flying.clone)
    (flying.clone / "releases/1.2.0.json").write_bytes("{}".encode("utf-16"))
    for command in ("add -A", "commit -qm Nonsense", "push -q origin main"):
        flying.git(*command.split(), folder=flying.clone)
    for command in ("status", "history", "quarantine list", "audit 1.1.0"):
        assert "is no text" in broken(flying, 2, *command.split())
    assert "1.2.0.json" in broken(flying, 2, *ABORT)


def test_an_author_of_long_ago(flying: World) -> None:
    """A commit that is not UTF-8 hides nothing."""
    flying.git("pull", "-q", folder=flying.clone)
    path = flying.clone / "releases/1.1.0.json"
    path.write_text(path.read_text() + "\n")
    command = ["git", "-c", "i18n.commitEncoding=nonsense", "commit", "-qam", "Blank", "--author"]
    author = "Jos\xe9 <j@slipway.invalid>".encode("latin-1")
    subprocess.run([*command, author], cwd=flying.clone, env=flying.environment(), check=True)
    flying.git("push", "-q", "origin", "main", folder=flying.clone)
    assert "1.1.0" in flying.ok("history")


def test_a_clone_in_a_folder_like_markup(flying: World, tmp_path: Path) -> None:
    """What git says names the folder, which is printed as it is."""
    (tmp_path / "a[").mkdir()
    elsewhere = worlds.copy(flying, tmp_path / "a[" / "x]")
    done = elsewhere.run("slipway", *ABORT)
    assert (done.returncode, "a[/x]" in done.stderr) == (0, True), done.stderr


def test_a_shallow_clone_cannot_go_back(flying: World) -> None:
    """It lacks the manifests to come back to, and says how to have them."""
    flying.git("clone", "-q", "--depth", "1", f"file://{flying.origin}", "shallow", folder=flying.folder)
    assert "--unshallow" in broken(flying, 2, *ABORT, folder=flying.folder / "shallow")


def test_no_place_for_the_throw_away_tree(flying: World) -> None:
    """A file stands where its folder goes."""
    (flying.clone / ".git/slipway/lock").unlink()
    (flying.clone / ".git/slipway").rmdir()
    (flying.clone / ".git/slipway").touch()
    assert ".git/slipway: File exists" in broken(flying, 2, *ABORT)


def test_no_git(monkeypatch: pytest.MonkeyPatch) -> None:
    """The container has none."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Broken, match="git cannot be run"):
        Repository(ROOT).head()


def test_a_message_longer_than_a_command_line(flying: World) -> None:
    """A judge may say a lot."""

    def change(tree: Repository) -> str:
        (tree.root / "new").touch()
        return f"Long\n\n{'x' * 200_000}"

    Repository(flying.clone).compare_and_swap(change)
    assert len(flying.git("log", "-1", "--format=%B")) > 200_000


def test_a_stable_without_a_record(flying: World) -> None:
    """Somebody deleted it: no verb decides on the rest, and status says what is missing."""
    flying.git("pull", "-q", folder=flying.clone)
    for command in ("rm -q releases/1.0.0.json", "commit -qm Tidy", "push -q origin main"):
        flying.git(*command.split(), folder=flying.clone)
    assert "names 1.0.0 for production" in broken(flying, 2, *ABORT)
    told = flying.run("slipway", "status")
    assert (told.returncode, "1.0.0.json" in told.stdout) == (1, True), told.stdout + told.stderr


@pytest.mark.parametrize("path", ["/proc/nowhere/mlflow.db", "/"])
def test_a_registry_that_is_no_file(flying: World, path: str) -> None:
    """Git is done; that the registry is not is a sentence, after seconds."""
    done = flying.run("slipway", *ABORT, "--tracking-uri", f"sqlite:///{path}")
    assert (done.returncode, "Git is done" in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr
    assert flying.kinds("1.1.0") == ["proposed", "reverted"]
