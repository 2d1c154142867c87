"""GitHub's API: run a workflow, open a pull request or an issue. Gitea and GitHub Enterprise speak the same."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from slipway.errors import Broken

if TYPE_CHECKING:
    from requests import Response

API = "https://api.github.com"
WORKFLOW, BRANCH = "outcome.yml", "main"
MACHINE = "github-actions[bot]"  # whose token a workflow has
SECONDS = 10.0
AGAIN = "It is asked again."
ALLOW = "Give the relay a token that may write Actions of that repository, in the file of --github-token-file."
REMEDIES = {
    401: ALLOW,
    403: ALLOW,
    404: f"Look at --github-repository, and whether {BRANCH} has .github/workflows/{WORKFLOW}; {ALLOW}",
    422: f"Look at the inputs of .github/workflows/{WORKFLOW} on {BRANCH}: they must be those of the relay.",
}


class Workflow:
    """outcome.yml of a repository, OWNER/NAME; `token` is read at each call, so that it can be exchanged."""

    def __init__(self, api: str, repository: str, token: Callable[[], str]) -> None:
        self._url = f"{api.rstrip('/')}/repos/{repository}/actions/workflows/{WORKFLOW}/dispatches"
        self._token = token

    def dispatch(self, inputs: Mapping[str, str]) -> float | None:
        """Ask for a run; None when it was taken, else the seconds that GitHub asks to wait.

        Raises:
            Broken: it was not taken, or nobody answers.

        """
        answer = _ask("POST", self._url, self._token(), AGAIN, json={"ref": BRANCH, "inputs": dict(inputs)})
        if answer.ok and answer.status_code < 300:  # 204 of old, 200 with the run's id of late
            return None
        if answer.status_code in (403, 429) and (wait := _wait(answer.headers)) is not None:
            return wait
        remedy = REMEDIES.get(answer.status_code, AGAIN)
        raise Broken(f"{self._url} says {answer.status_code}: {answer.text[:200]!r}", remedy)


def _wait(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After, in the form that GitHub gives it."""
    text = headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None


def _ask(method: str, url: str, token: str, remedy: str, **how: Any) -> "Response":  # noqa: ANN401  # as requests has it
    import requests

    headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
    try:
        return requests.request(method, url, headers=headers, timeout=SECONDS, allow_redirects=False, **how)
    except requests.RequestException as error:
        raise Broken(f"{url} does not answer: {type(error).__name__}", remedy) from None


class Repository:
    """A repository, OWNER/NAME, and who asks. Each method raises Broken where it was not taken, or nobody answers."""

    def __init__(self, api: str, repository: str, token: str) -> None:
        self._url, self._owner, self._token = f"{api}/repos/{repository}", repository.partition("/")[0], token

    def open_pull_request(self, branch: str, title: str, body: str) -> bool:
        """Ask for a branch to be merged into main, once; False where somebody has closed that pull request."""
        head = f"{self._owner}:{branch}"
        found = self._get("pulls", head=head, state="all")
        if not found:
            self._post("pulls", head=branch, base=BRANCH, title=title, body=body)
        return not found or found[0]["state"] == "open"

    def pull_request_of(self, head: str) -> int | None:
        """The number of the open pull request of a branch, OWNER:BRANCH, into main."""
        found = self._get("pulls", head=head, state="open", base=BRANCH)
        return next((int(one["number"]) for one in found if one["head"]["label"] == head), None)

    def open_issue(self, title: str, body: str) -> None:
        """Open an issue, unless a workflow has, and nobody has closed it."""
        found = self._get("issues", creator=MACHINE, state="open", per_page="100")
        if title not in [one["title"] for one in found]:
            self._post("issues", title=title, body=body)

    def _get(self, what: str, **query: str) -> Any:  # noqa: ANN401  # JSON of any shape
        return self._answer("GET", what, params=query)

    def _post(self, what: str, **document: str) -> None:
        self._answer("POST", what, json=document)

    def _answer(self, method: str, what: str, **how: dict[str, str]) -> Any:  # noqa: ANN401  # JSON of any shape
        url = f"{self._url}/{what}"
        answer = _ask(method, url, self._token, "Run it again.", **how)
        if answer.status_code in (200, 201):
            return answer.json()
        right = f"{'issues' if what == 'issues' else 'pull-requests'}: {'read' if method == 'GET' else 'write'}"
        forbidden = answer.status_code in (401, 403, 404)  # what a token may not see is not there
        remedy = f"Give the token of this step `{right}`, and run it again." if forbidden else "Run it again."
        raise Broken(f"{url} says {answer.status_code} to {method}: {answer.text[:200]!r}", remedy)


def here() -> Repository:
    """The one that this workflow runs in.

    Raises:
        Broken: no workflow runs here, or it gives no token.

    """
    names = ("GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN")
    if missing := [name for name in names if not os.environ.get(name)]:
        raise Broken(f"{', '.join(missing)} is not set", "A workflow sets the first two, its `env` the token.")
    return Repository(*(os.environ[name] for name in names))
