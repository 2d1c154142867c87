"""What stands in for GitHub says no where GitHub does; so a workflow that lacks something is red here, too."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from tests.conftest import NAME
from tests.workflows import expressions
from tests.workflows import github as hub
from tests.workflows.api import MOST
from tests.workflows.github import GitHub
from tests.workflows.server import Server

JOB = {"runs-on": "ubuntu-24.04", "timeout-minutes": 5, "permissions": {"contents": "read"}}
CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1"
APP = {
    "uses": "actions/create-github-app-token@bcd2ba49218906704ab6c1aa796996da409d3eb1",
    "id": "app",
    "with": {
        "client-id": "${{ vars.APP_CLIENT_ID }}",
        "private-key": "${{ secrets.APP_PRIVATE_KEY }}",
        "permission-contents": "write",
    },
}
COMMIT = "git -c user.name=a -c user.email=a@a.invalid commit --quiet --all --message Change"


def world(serving: Server, folder: Path, *steps: dict[str, Any], on: Any = None, **more: Any) -> GitHub:
    """A repository with one workflow of one job, which a push to src/ starts."""
    source = folder / "source"
    (source / ".github/workflows").mkdir(parents=True)
    for name in ("releases", "src"):
        (source / name).mkdir()
        (source / name / "file").write_text("one")
    started = on or {"push": {"branches": ["main"], "paths": ["src/**"]}, "workflow_dispatch": {"inputs": {"x": {}}}}
    document = {"name": "a", "on": started, "permissions": {}, "jobs": {"one": {**JOB, **more, "steps": list(steps)}}}
    (source / ".github/workflows/a.yml").write_text(yaml.safe_dump(document))
    person = hub.Clone(GitHub(folder, serving), source)
    for words in ("init -q -b main", "add --all", "commit -qm Begin"):
        person.run("git", *words.split())
    return hub.make(folder, serving, source)


def push(github: GitHub, text: str = "two", name: str = "src/file") -> None:
    """Somebody changes a file."""
    person = hub.clone(github, "person")
    (person.root / name).write_text(text)
    person.push("Change")


def only(github: GitHub) -> str:
    """How the one run ended, which a push has started."""
    push(github)
    (run,) = github.drain()
    return run.outcome


def checkout(token: str) -> dict[str, Any]:
    """Fetch main, to push to it by a token."""
    return {"uses": CHECKOUT, "with": {"ref": "main", "fetch-depth": 0, "token": token, "persist-credentials": True}}


OURS, THEIRS = checkout("${{ github.token }}"), checkout("${{ steps.app.outputs.token }}")


@pytest.mark.parametrize(
    ("steps", "outcome"),
    [
        ((APP, THEIRS, "releases/file"), "success"),
        ((APP, THEIRS, "src/file"), "failure"),  # not what a verb writes
        ((OURS, "releases/file"), "failure"),  # a workflow's token
    ],
)
def test_main_has_rules(steps: tuple[Any, ...], outcome: str, serving: Server, tmp_path: Path) -> None:
    """The App writes what the verbs write, nobody else anything."""
    *uses, name = steps
    lines = [{"run": line} for line in (f"cp .git/HEAD {name}", COMMIT, "git push --quiet origin HEAD:main")]
    rights = {"permissions": {"contents": "write"}, "environment": "main"}
    github = world(serving, tmp_path, *uses, *lines, **rights)
    assert only(github) == outcome
    assert len(github.runs) == 1  # what it pushed starts nothing


def test_a_loop_would_be_seen(serving: Server, tmp_path: Path) -> None:
    """Without a filter of paths, the App's own push starts the next run."""
    lines = [
        {"run": line} for line in ("cp .git/HEAD releases/file", f"{COMMIT} || true", "git push -q origin HEAD:main")
    ]
    on = {"push": {"branches": ["main"]}}
    github = world(serving, tmp_path, APP, THEIRS, *lines, on=on, environment="main")
    push(github)
    github.drain()
    assert len(github.runs) == 2


@pytest.mark.parametrize("line", ["one\ntwo", "echo ${{ github.actor }}"])
def test_a_program_in_a_line_is_refused(line: str, serving: Server, tmp_path: Path) -> None:
    """More than one command, or one that others write."""
    with pytest.raises(AssertionError):
        only(world(serving, tmp_path, {"run": line}))


@pytest.mark.parametrize("uses", [CHECKOUT.replace("3d3c", "0000"), "actions/cache@" + 40 * "a"])
def test_another_action_is_refused(uses: str, serving: Server, tmp_path: Path) -> None:
    """Nobody has said what it does."""
    with pytest.raises(AssertionError):
        only(world(serving, tmp_path, {"uses": uses}))


@pytest.mark.parametrize("text", ["github.nothing", "contains(github.actor, 'x')", "steps", "needs.none.outputs.x"])
def test_what_is_not_played_is_said(text: str, serving: Server, tmp_path: Path) -> None:
    """An expression that GitHub would read as empty, or that these tests do not know."""
    with pytest.raises(expressions.Unknown):
        only(world(serving, tmp_path, {"run": "true", "env": {"X": f"${{{{ {text} }}}}x"}}))


def test_secrets_are_of_main(serving: Server, tmp_path: Path) -> None:
    """A run of another branch may not use the environment."""
    github = world(serving, tmp_path, {"run": "true"}, environment="main")
    hub.clone(github, "person").push("Branch off", branch="other")
    github.notice()
    github.enqueue(github.dispatched("a.yml", {}, ref="other"))
    with pytest.raises(AssertionError, match="may not use the environment main"):
        github.drain()


@pytest.mark.parametrize(
    ("method", "path", "rights", "document", "status"),
    [
        (
            "POST",
            "actions/workflows/a.yml/dispatches",
            {"actions": "write"},
            {"ref": "main", "inputs": {"x": "1"}},
            204,
        ),
        (
            "POST",
            "actions/workflows/a.yml/dispatches",
            {"actions": "write"},
            {"ref": "main", "inputs": {"y": "1"}},
            422,
        ),
        ("POST", "actions/workflows/a.yml/dispatches", {"actions": "read"}, {"ref": "main"}, 403),
        ("POST", "issues/1/comments", {"pull-requests": "write"}, {"body": MOST * "x"}, 201),
        ("POST", "issues/1/comments", {"pull-requests": "write"}, {"body": MOST * "x" + "x"}, 422),
        ("POST", "issues/1/comments", {"pull-requests": "read"}, {"body": "x"}, 403),
        ("POST", "pulls", {"contents": "write"}, {"head": "main", "base": "main", "title": "", "body": ""}, 403),
        ("GET", "pulls", {"pull-requests": "read"}, None, 200),
        ("GET", "pulls", None, None, 401),
        ("GET", "secrets", {"secrets": "read"}, None, 404),
    ],
)
def test_the_api_asks_for_rights(  # noqa: PLR0917  # a row of the table
    method: str, path: str, rights: dict[str, str] | None, document: Any, status: int, serving: Server, tmp_path: Path
) -> None:
    """As GitHub: who is not known is told so, who may not is told so, and what is not declared is refused."""
    github = world(serving, tmp_path, {"run": "true"})
    token = github.shelf.issue(rights, "workflow") if rights is not None else "ghs_nobody"
    url, head = f"http://{serving.host}/api/repos/{NAME}/{path}", {"Authorization": f"Bearer {token}"}
    assert requests.request(method, url, json=document, headers=head, timeout=10).status_code == status


@pytest.mark.parametrize(
    ("cancels", "states"), [(False, ["queued", "cancelled", "pending"]), (True, ["cancelled", "cancelled", "queued"])]
)
def test_a_concurrency_group_drops(cancels: bool, states: list[str], serving: Server, tmp_path: Path) -> None:
    """Of three in a row the second is dropped, or with `cancel-in-progress` the first, too: outcome.yml has none."""
    github = world(serving, tmp_path, {"run": "true"})
    path = "source/.github/workflows/a.yml"
    document = yaml.safe_load((tmp_path / path).read_text())
    document["concurrency"] = {"group": "a", "cancel-in-progress": cancels}
    person = hub.clone(github, "person")
    (person.root / ".github/workflows/a.yml").write_text(yaml.safe_dump(document))
    person.push("Group them")
    for _ in range(3):
        github.enqueue(github.dispatched("a.yml", {}))
    assert [run.state for run in github.runs] == states


def test_a_fork_gets_no_secret_and_may_write_nothing(serving: Server, tmp_path: Path) -> None:
    """Its token reads; a push with it is refused."""
    line = {"run": "git push --quiet origin HEAD:refs/heads/theirs"}
    own = {"uses": CHECKOUT, "with": {"fetch-depth": 0, "persist-credentials": True}}
    github = world(
        serving, tmp_path, own, line, on={"pull_request": {"branches": ["main"]}}, permissions={"contents": "write"}
    )
    person = hub.clone(github, "person")
    (person.root / "src/file").write_text("two")
    person.run("git", "commit", "--quiet", "--all", "--message", "Change")
    person.run("git", "push", "--quiet", "origin", "HEAD:refs/elsewhere/x")
    for repository, outcome in (("somebody/slipway", "failure"), (NAME, "success")):
        github.propose("x", person.run("git", "rev-parse", "HEAD"), repository)
        assert [run.outcome for run in github.drain()] == [outcome]


def test_git_says_no_to_nobody(serving: Server, tmp_path: Path) -> None:
    """Who has no token may read."""
    github = world(serving, tmp_path, {"run": "true"})
    address = f"http://{serving.host}/{NAME}"
    subprocess.run(["git", "clone", "--quiet", address, str(tmp_path / "theirs")], check=True)
    command = ["git", "-c", "credential.helper=", "push", "--quiet", "origin", "HEAD:refs/heads/x"]
    env = {"GIT_TERMINAL_PROMPT": "0", "PATH": "/usr/bin:/bin"}
    assert subprocess.run(command, cwd=tmp_path / "theirs", env=env, check=False, capture_output=True).returncode
    assert github.git("branch", "--format=%(refname:short)") == "main"
