"""What a comment says of guards is read from Git, by main's own list; what a run has handed over is read strictly."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT, Project
from tests.unit.test_comment import FOUND

from slipway import records
from slipway.adapters import files
from slipway.adapters.git import Repository
from slipway.commands.comment import LARGEST, touched
from slipway.commands.gate import before
from slipway.errors import Broken

JUDGE, POLICY, OWNERS = "rollouts/judge.yaml", "signing/policy.yaml", ".github/CODEOWNERS"
Change = Callable[[Project], object]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A repository with guards and a module that is none, pushed to its remote."""
    found = Project(tmp_path / "repository")
    for name in (JUDGE, POLICY, OWNERS, "params.yaml", "src/slipway/model.py"):
        files.write_text(found.root / name, (ROOT / name).read_text())
    for command in ("git init -q -b main", "git init -q --bare ../origin", "git remote add origin ../origin"):
        assert found.command(*command.split()).returncode == 0
    found.commit("Begin")
    push(found)
    return found


def push(project: Project) -> None:
    """Publish what is checked out."""
    assert project.command("git", "push", "-q", "origin", "HEAD:main").returncode == 0


def guards(project: Project, commit: str) -> tuple[str, ...]:
    """Those that a commit touches."""
    repository = Repository(project.root)
    base = before(repository, commit)
    return touched(repository, base, repository.git("merge-base", base, commit), commit)


def append(name: str, text: str = "# more\n") -> Change:
    """A change that adds to a file, or makes it."""

    def change(project: Project) -> None:
        path = project.root / name
        files.write_text(path, (path.read_text() if path.exists() else "") + text)

    return change


def drop_the_owners(project: Project) -> None:
    """A change that takes a guard from the list, and changes it."""
    path = project.root / OWNERS
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if "/rollouts/" not in line))
    append(JUDGE)(project)


def move_away(project: Project) -> None:
    """A change by which a guard is elsewhere."""
    (project.root / JUDGE).rename(project.root / "judge.yaml")


CHANGES: dict[str, tuple[Change, tuple[str, ...]]] = {
    "a module": (append("src/slipway/model.py"), ()),
    "training": (lambda project: project.params(train__seed=1), ()),
    "the gate's thresholds": (lambda project: project.params(gate__auc_floor=0.1), ("gate of params.yaml",)),
    "how it is measured": (lambda project: project.params(evaluate__seed=1), ("evaluate of params.yaml",)),
    "the objective": (lambda project: project.params(monitor__auc_floor=None), ("monitor of params.yaml",)),
    "no parameters": (lambda project: (project.root / "params.yaml").write_text("[" * 9), ("params.yaml",)),
    "gone parameters": (lambda project: (project.root / "params.yaml").unlink(), ("params.yaml",)),
    "the canary's margins": (append(JUDGE), (JUDGE,)),
    "a new policy": (append("signing/admission/new file.yaml"), ("signing/admission/new file.yaml",)),
    "moved away": (move_away, (JUDGE,)),
    "taken from the list": (drop_the_owners, (OWNERS, JUDGE)),
    "the quarantine": (append("releases/quarantine.json"), ("releases/quarantine.json",)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_guard_that_a_change_touches_is_named(name: str, project: Project) -> None:
    """By the CODEOWNERS of main, not of the change; of params.yaml only the sections that decide."""
    change, named = CHANGES[name]
    change(project)
    assert guards(project, project.commit("Change")) == named


def test_what_main_has_changed_meanwhile_is_not_the_change_s(project: Project) -> None:
    """A branch that is behind is not told to have taken back what it has never had."""
    behind = project.commit("Branch")
    assert project.command("git", "checkout", "-q", "-b", "other", "HEAD^").returncode == 0
    append(JUDGE)(project)
    project.commit("Margins")
    push(project)
    done = project.command("slipway", "comment", "--commit", behind, "--json", PYTHONPATH=str(ROOT / "src"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["guards"] == []


def test_without_a_list_nobody_knows(project: Project) -> None:
    """A main whose CODEOWNERS names no path is refused: no red line would then mean nothing."""
    files.write_text(project.root / OWNERS, "* @example/all\n")
    project.commit("Own it all")
    push(project)
    with pytest.raises(Broken, match="nobody knows what guards are"):
        guards(project, project.commit("Change"))


def test_the_writer_needs_main_and_the_commit_alone(project: Project, tmp_path: Path) -> None:
    """In a checkout of main, with the commit fetched and nothing of it checked out, the comment names its guard.

    The run's own word on the guards, and its own place in params.yaml, count for nothing.
    """
    project.params(gate__auc_floor=0.1)
    commit = project.commit("Ask for less")
    assert project.command("git", "push", "-q", "origin", "HEAD:refs/pull/1/head").returncode == 0
    for command in (
        f"git clone -q {tmp_path}/origin {tmp_path}/main -b main",
        f"git -C {tmp_path}/main fetch -q origin {commit}",
    ):
        assert project.command(*command.split()).returncode == 0
    files.write_record(tmp_path / "main/artifact/report.json", FOUND)

    writer = Project(tmp_path / "main")
    words = ("comment", "--from", "artifact/report.json", "--commit", commit, "--to", "comment.md", "--json")
    done = writer.command("slipway", *words, PYTHONPATH=str(ROOT / "src"))

    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert (told["commit"], told["guards"]) == (commit, ["gate of params.yaml"])
    text = (writer.root / "comment.md").read_text()
    assert text == told["markdown"]
    assert "🔴 **Guard changed:** `gate of params.yaml`" in text
    assert f"git checkout {commit}" in text
    assert "the next version is `1.0.0`" in text


HANDED: dict[str, Callable[[dict[str, Any]], object]] = {
    "a key more": lambda told: told.update({"##[add-mask]<b>": 1}),  # to a runner that reads it in a log, a command
    "a number that is a text": lambda told: told["metrics"]["test"].update(rows="<b>"),
    "no number": lambda told: told["metrics"].update(confidence=None),
    "too much": lambda told: told["model"].update(estimator="x" * LARGEST),
    "nothing": lambda told: told.clear(),
}


@pytest.mark.parametrize("name", HANDED)
def test_what_is_no_report_is_as_none(name: str, project: Project) -> None:
    """Not a word of it is believed, and it cannot keep the red line away."""
    told = json.loads(records.dumps(FOUND))
    HANDED[name](told)
    files.write_text(project.root / "build/report.json", json.dumps(told))
    append(JUDGE)(project)
    project.commit("Margins")
    text = commented(project)
    assert text.startswith("## ❔ No decision")
    assert f"🔴 **Guard changed:** `{JUDGE}`" in text

    (project.root / "build/report.json").unlink()
    assert commented(project) == text


def commented(project: Project) -> str:
    """What is written, and not to the log."""
    done = project.command("slipway", "comment", PYTHONPATH=str(ROOT / "src"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "##[" not in done.stdout + done.stderr
    return (project.root / "build/comment.md").read_text()


def test_a_commit_that_is_not_here_is_refused(project: Project) -> None:
    """It is never guessed from the record: the remedy is to fetch it."""
    files.write_record(project.root / "build/report.json", FOUND)
    done = project.command("slipway", "comment", "--commit", "e" * 40, PYTHONPATH=str(ROOT / "src"))
    assert done.returncode == 2
    assert f"git fetch origin {'e' * 40}" in done.stderr.replace("\n", " ")
    assert [path.name for path in (project.root / "build").iterdir()] == ["report.json"]
