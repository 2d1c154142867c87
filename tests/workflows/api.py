"""What GitHub's API answers, by its documentation: dispatches, pull requests, comments, issues."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.conftest import NAME
from tests.workflows.shelf import Shelf, Token

MOST = 65_536  # characters of a comment


def declared_inputs(origin: Path, ref: str, workflow: str) -> dict[str, Any] | None:
    """The inputs of a workflow's `workflow_dispatch`, or None where it cannot be dispatched."""
    from tests.workflows.running import parsed

    triggers = parsed(origin, ref, workflow)["on"]
    return (triggers["workflow_dispatch"] or {}).get("inputs", {}) if "workflow_dispatch" in triggers else None


def _dispatch(shelf: Shelf, token: Token, workflow: str, document: dict[str, Any]) -> tuple[int, Any]:
    given, ref = document.get("inputs", {}), document["ref"]
    declared = declared_inputs(shelf.origin, ref, workflow)
    if declared is None:
        return 422, {"message": "Workflow does not have 'workflow_dispatch' trigger"}
    if unknown := sorted(given.keys() - declared.keys()):
        return 422, {"message": f"Unexpected inputs provided: {json.dumps(unknown)}"}
    if missing := [name for name, one in declared.items() if one.get("required") and not given.get(name)]:
        return 422, {"message": f"Required input '{missing[0]}' not provided"}
    shelf.dispatched.append((workflow, ref, given, token.actor))
    return 204, None


def _pulls(shelf: Shelf, _token: Token, query: dict[str, str]) -> tuple[int, Any]:
    states = ("open", "closed") if query.get("state") == "all" else (query.get("state", "open"),)
    found = [one for one in shelf.pulls if one["state"] in states]
    return 200, [one for one in found if query.get("head") in (None, one["head"]["label"])]


def _propose(shelf: Shelf, _token: Token, document: dict[str, Any]) -> tuple[int, Any]:
    if any(one["state"] == "open" and one["head"]["ref"] == document["head"] for one in shelf.pulls):
        return 422, {"message": "Validation Failed", "errors": [{"message": "A pull request already exists"}]}
    command = ["git", "rev-parse", f"refs/heads/{document['head']}"]
    done = subprocess.run(command, cwd=shelf.origin, capture_output=True, text=True, check=False)
    if done.returncode:
        return 422, {"message": "Validation Failed", "errors": [{"field": "head", "code": "invalid"}]}
    made = pull(len(shelf.pulls) + 1, NAME, document["head"], done.stdout.strip())
    shelf.pulls.append(made | {"title": document["title"], "body": document["body"]})
    return 201, shelf.pulls[-1]


def pull(number: int, repository: str, branch: str, commit: str) -> dict[str, Any]:
    """A pull request, as far as anybody asks for it."""
    owner = repository.partition("/")[0]
    repo = {"full_name": repository, "owner": {"login": owner}}
    head = {"ref": branch, "sha": commit, "label": f"{owner}:{branch}", "repo": repo}
    return {"number": number, "state": "open", "head": head, "base": {"ref": "main"}}


def _issues(shelf: Shelf, _token: Token, query: dict[str, str]) -> tuple[int, Any]:
    return 200, [one for one in shelf.issues if query.get("creator") in (None, one["user"]["login"])]


def _report(shelf: Shelf, token: Token, document: dict[str, Any]) -> tuple[int, Any]:
    if len(document["body"]) > MOST:
        return 422, {"message": f"body is too long (maximum is {MOST} characters)"}
    who = "github-actions[bot]" if token.actor == "workflow" else token.actor
    shelf.issues.append(document | {"user": {"login": who}})
    return 201, document


def _comments(shelf: Shelf, _token: Token, number: str, _query: dict[str, str]) -> tuple[int, Any]:
    return 200, [{"id": int(number)}] if int(number) in shelf.comments else []


def _comment(shelf: Shelf, _token: Token, number: str, document: dict[str, Any]) -> tuple[int, Any]:
    if len(document["body"]) > MOST:
        return 422, {"message": f"body is too long (maximum is {MOST} characters)"}
    shelf.comments.setdefault(int(number), []).append(document["body"])
    return 201, {"id": 1}


ROUTES = (  # path, method, the right that it takes, who answers
    (r"actions/workflows/([\w.-]+)/dispatches", "POST", ("actions", "write"), _dispatch),
    (r"pulls", "GET", ("pull-requests", "read"), _pulls),
    (r"pulls", "POST", ("pull-requests", "write"), _propose),
    (r"issues", "GET", ("issues", "read"), _issues),
    (r"issues", "POST", ("issues", "write"), _report),
    (r"issues/(\d+)/comments", "GET", ("pull-requests", "read"), _comments),
    (r"issues/(\d+)/comments", "POST", ("pull-requests", "write"), _comment),
    (r"issues/comments/(\d+)", "PATCH", ("pull-requests", "write"), _comment),
)
