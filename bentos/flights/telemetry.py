"""What the service counts. BentoML's own metrics do not see the hot route; these do, and /metrics shows both."""

from bisect import bisect_left
from collections.abc import Sequence
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

# Fine below, where a prediction lives; 0.25 s is the objective that the canary is judged by, so it must be an edge.
EDGES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5)

_requests = Counter("slipway_requests", "Requests by route and status", ["route", "status"])
_predictions = Counter("slipway_predictions", "Flights by decision", ["decision"])
_rejected = Counter("slipway_rejected_requests", "Refused requests by reason", ["reason"])
_feedback = Counter("slipway_feedback", "Truths by what became of them", ["result"])
_latency = Histogram("slipway_predict_seconds", "Time to answer /predict, from headers to body", buckets=EDGES)
SPOOL = Gauge(
    "slipway_spool_bytes",
    "Predictions on this disk; a file is removed when all of it is in the ledger and the next is begun",
    multiprocess_mode="livemostrecent",
)


class Tally:
    """A counter of the hot route: kept here, and told to prometheus_client when somebody asks, which costs a tenth.

    There is one worker, so who asks for /metrics asks the process that counts. What a killed one had not told is lost.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter, self._untold = counter, 0

    def inc(self, amount: int = 1) -> None:
        """Count."""
        self._untold += amount

    def tell(self) -> None:
        """Hand over what was counted since."""
        self._counter.inc(self._untold)
        self._untold = 0


class Timings:
    """A histogram of the hot route, kept like a tally. It has no public way to take many at a time."""

    def __init__(self, histogram: Histogram, edges: Sequence[float]) -> None:
        self._histogram, self._edges = histogram, edges
        self._untold, self._seconds = [0] * (len(edges) + 1), 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self._untold[bisect_left(self._edges, seconds)] += 1
        self._seconds += seconds

    def tell(self) -> None:
        """Hand over what was counted since."""
        for bucket, amount in zip(self._histogram._buckets, self._untold, strict=True):  # noqa: SLF001  # see above
            bucket.inc(amount)
        self._histogram._sum.inc(self._seconds)  # noqa: SLF001
        self._untold, self._seconds = [0] * len(self._untold), 0.0


@cache
def requests(route: str, status: int) -> Counter:
    """Counter of a route and a status; both come from this code, never from the caller, so they are few."""
    return _requests.labels(route, str(status))


@cache
def rejected(reason: str) -> Counter:
    """Counter of a Problem's reason."""
    return _rejected.labels(reason)


@cache
def feedback(result: str) -> Counter:
    """Counter of a receipt's result."""
    return _feedback.labels(result)


ANSWERED = Tally(requests("/predict", 200))
LATENCY = Timings(_latency, EDGES)
LATE, ON_TIME = Tally(_predictions.labels("late")), Tally(_predictions.labels("on_time"))


def tell() -> None:
    """Bring /metrics up to date."""
    for kept in (ANSWERED, LATENCY, LATE, ON_TIME):
        kept.tell()
