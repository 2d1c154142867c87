"""GitHub's API, as far as a workflow is asked to run; Gitea and GitHub Enterprise speak the same."""

from collections.abc import Callable, Mapping

from slipway.errors import Broken

API = "https://api.github.com"
WORKFLOW, BRANCH = "outcome.yml", "main"
SECONDS = 10.0
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
        import requests

        headers = {"Authorization": f"Bearer {self._token()}", "Accept": "application/vnd.github+json"}
        body = {"ref": BRANCH, "inputs": dict(inputs)}
        try:
            answer = requests.post(self._url, json=body, headers=headers, timeout=SECONDS, allow_redirects=False)
        except requests.RequestException as error:
            raise Broken(f"{self._url} does not answer: {type(error).__name__}", "It is asked again.") from None
        if answer.ok and answer.status_code < 300:  # 204 of old, 200 with the run's id of late
            return None
        if answer.status_code in (403, 429) and (wait := _wait(answer.headers)) is not None:
            return wait
        remedy = REMEDIES.get(answer.status_code, "It is asked again.")
        raise Broken(f"{self._url} says {answer.status_code}: {answer.text[:200]!r}", remedy)


def _wait(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After, in the form that GitHub gives it."""
    text = headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None
