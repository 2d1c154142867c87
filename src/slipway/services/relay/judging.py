"""The judge's last words, for the record of an outcome: after a canary's end it has none."""

from slipway.adapters import judge
from slipway.canary import recorded
from slipway.errors import Broken
from slipway.records import Evidence

SECONDS = 10.0  # the judge answers within 8


class Judge:
    """A judge at an address."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")

    def word(self, namespace: str, rollout: str, now: float) -> Evidence | None:
        """Say what its verdict on a canary rests on; None where it knows of no attempt.

        Raises:
            Broken: it does not answer with a verdict.

        """
        verdict = judge.verdict(self._address, {"namespace": namespace, "rollout": rollout}, now, SECONDS)
        if verdict is None:
            raise Broken(
                f"the judge at {self._address} does not answer", "Look at its log; the outcome can do without."
            )
        return recorded.evidence(verdict) if verdict.attempt else None
