"""The judge, asked as a person asks it."""

from slipway import records
from slipway.canary import recorded
from slipway.canary.records import Verdict
from slipway.errors import Broken
from slipway.records import Evidence

SECONDS = 10.0  # the judge answers within 8


class Judge:
    """A judge at an address."""

    def __init__(self, url: str) -> None:
        self._url = f"{url.rstrip('/')}/verdict"

    def word(self, namespace: str, rollout: str) -> Evidence | None:
        """Say what its verdict on a canary rests on now; None where it knows of no attempt.

        Raises:
            Broken: it does not answer with a verdict.

        """
        import requests

        asked = {"namespace": namespace, "rollout": rollout}
        try:
            answer = requests.get(self._url, params=asked, timeout=SECONDS, allow_redirects=False)
        except requests.RequestException as error:
            raise Broken(f"{self._url} does not answer: {type(error).__name__}", "It is asked again.") from None
        if answer.status_code != 200:
            raise Broken(f"{self._url} says {answer.status_code}", "Look at the judge's log.")
        verdict = records.loads(Verdict, answer.content, self._url)
        return recorded.evidence(verdict) if verdict.attempt else None
