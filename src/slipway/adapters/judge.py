"""A running judge, asked as the analysis asks it (the Prometheus provider of Argo Rollouts), and as a person does."""

import json
from collections.abc import Mapping, Sequence

from slipway import records
from slipway.canary.records import Trace, Verdict
from slipway.errors import SlipwayError

REFUSED = "the judge does not answer: {}"


def query(address: str | None, text: str, now: float, timeout: float) -> tuple[Sequence[float] | None, str]:
    """Ask a question; returns the vector, or None and why there is none: whatever is no vector is an error."""
    import requests

    if address is None:
        return None, REFUSED.format("it is not running")
    try:
        answer = requests.post(f"{address}/api/v1/query", data={"query": text, "time": now}, timeout=timeout)
    except (requests.RequestException, ValueError) as error:
        return None, REFUSED.format(type(error).__name__)
    if not answer.ok:
        return None, REFUSED.format(f"HTTP {answer.status_code}")
    try:
        found = json.loads(answer.content)
        if found["status"] != "success" or found["data"]["resultType"] != "vector":
            return None, "the answer is no vector"
        return [_number(sample["value"][1]) for sample in found["data"]["result"]], ""
    except (ValueError, KeyError, TypeError, IndexError):
        return None, "the answer is none of the Prometheus query API"


def _number(text: object) -> float:
    if not isinstance(text, str):
        raise TypeError
    return float(text)  # NaN and Inf are values, and meet no condition


def verdict(address: str | None, labels: Mapping[str, str], now: float, timeout: float) -> Verdict | None:
    """Ask for the reasons; None where there is no such answer."""
    return _told(Verdict, f"{address}/verdict", {**labels, "time": repr(now)}, timeout)


def trace(address: str | None, labels: Mapping[str, str], now: float, timeout: float) -> Trace | None:
    """Ask how a verdict came about; None where there is no such answer."""
    return _told(Trace, f"{address}/trace", {**labels, "time": repr(now)}, timeout)


def _told(kind: type[records.Record], url: str, parameters: Mapping[str, str], timeout: float) -> records.Record | None:
    import requests

    try:
        answer = requests.get(url, params=parameters, timeout=timeout)
        return records.loads(kind, answer.content, url) if answer.ok else None
    except (requests.RequestException, ValueError, SlipwayError):
        return None
