"""Prometheus: raw samples of a router's counters. Never increase() or rate(): they extrapolate, and hide births.

An instant query over a range selector answers with the samples as they were scraped, stale markers left out.
"""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from time import monotonic
from urllib.parse import urlsplit

import msgspec
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ReadTimeoutError

from slipway.canary import latency, scrapes
from slipway.canary.records import ARMS, Arm, Counts, Gap, Kind, Observation, Part, Policy, Rollout, Series
from slipway.canary.settings import Selectors, fill
from slipway.errors import Broken

MAX_BYTES = 256 << 20
LOOKBACK = 60.0  # seconds before the attempt, to tell a counter that was born from one that was there
THREADS = 8  # look-ups at a time
REMEDY = "Look at its address and its log; the judge asks again at its next look."


class _Found(msgspec.Struct):
    metric: dict[str, str]
    values: list[tuple[float, str]] = []
    value: tuple[float, str] | None = None


class _Data(msgspec.Struct):
    resultType: str  # noqa: N815  # as the API spells it
    result: list[_Found]


class _Answer(msgspec.Struct):
    status: str
    data: _Data | None = None
    error: str = ""
    warnings: list[str] = []


Target = tuple[str | None, str | None]  # job and instance, which Prometheus attaches to all that it scrapes there

_decode = msgspec.json.Decoder(_Answer).decode


class Prometheus:
    """A server of the Prometheus query API. Reading an attempt ends after `seconds`, whatever the server does.

    Raises:
        Broken: `url` is no address.

    """

    def __init__(self, url: str, selectors: Selectors, *, seconds: float = 4.5) -> None:
        self._url, self._selectors, self._seconds = url.rstrip("/"), selectors, seconds
        try:
            self._name = f"Prometheus at {urlsplit(url).netloc.rpartition('@')[2]}"  # without a password
        except ValueError:
            raise Broken("the address of Prometheus cannot be read", "Write it as http://host:9090.") from None
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, no .netrc: what answers must be the server itself
        self._session.headers["Accept-Encoding"] = "identity"  # compressing costs Prometheus far more than sending
        self._session.mount("http", HTTPAdapter(pool_maxsize=2 * THREADS))
        self._pool = ThreadPoolExecutor(2 * THREADS, "prometheus")

    def observe(self, rollout: Rollout, policy: Policy, now: float) -> Observation:
        """Read the counters of an attempt. What cannot be read stands in `gaps`, and its metric is left out."""
        end = monotonic() + self._seconds
        asked, gaps = rollout.started - LOOKBACK, list[Gap]()
        timed = {kind for kind in ("latency", "objective") if kind in policy.metrics}

        def ask(selector: str, arm: Arm = "stable", le: str = "") -> Future[list[_Found]]:
            filled = fill(selector, rollout.namespace, rollout.name, arm, le)
            return self._pool.submit(self._query, f"{filled}[{1000 * (now - asked):.0f}ms]", now, end)

        def take(kind: Part, futures: Mapping[Arm, Future[list[_Found]]]) -> dict[Arm, tuple[Series, ...]] | None:
            try:
                return {arm: _series(future.result(), scraped, policy) for arm, future in futures.items()}
            except Broken as error:
                gaps.append(Gap(part=kind, detail=error.what))
                return None

        selectors = self._selectors
        edge = self._pool.submit(self._bound, rollout, end) if "latency" in timed else None
        alive = ask(selectors.scrapes)
        waiting: dict[Part, dict[Arm, Future[list[_Found]]]] = {
            "requests": {arm: ask(selectors.requests, arm) for arm in ARMS},
            **({"errors": {arm: ask(selectors.errors, arm) for arm in ARMS}} if "errors" in policy.metrics else {}),
            **({"answers": {arm: ask(selectors.answers, arm) for arm in ARMS}} if timed else {}),
        }
        bounds: dict[Kind, float] = {}
        if "objective" in timed:
            bounds["objective"] = policy.metrics["objective"].bound or 0.0
        try:
            if edge is not None:
                bounds["latency"] = edge.result()
        except Broken as error:
            gaps.append(Gap(part="latency", detail=f"{error.what}. {error.remedy}"))
        within: dict[Part, dict[Arm, Future[list[_Found]]]] = {
            kind: {arm: ask(selectors.within, arm, latency.pattern(bound / selectors.edge_seconds)) for arm in ARMS}
            for kind, bound in bounds.items()
        }
        since, scraped = now, dict[Target, list[float]]()  # nothing counts as born where no scrape is known
        try:
            scraped = _scraped(alive.result())
            since = scrapes.since(scraped.values(), policy, asked, now)
        except Broken as error:
            gaps.append(Gap(part="scrapes", detail=error.what))
        read = {kind: take(kind, futures) for kind, futures in (waiting | within).items()}
        counts: dict[Kind, Mapping[Arm, Counts]] = {}
        total, bad, answers = read["requests"], read.get("errors"), read.get("answers")
        if total is not None and bad is not None:
            counts["errors"] = {arm: Counts(total=total[arm], bad=bad[arm]) for arm in ARMS}
        for kind, bound in bounds.items():
            good = read[kind]
            if answers is None or good is None:
                continue
            if answers["stable"] and not good["stable"]:
                detail = f"{bound:g} s is no edge of the router's histogram. {latency.EDGES}"
                gaps.append(Gap(part=kind, detail=detail))
            else:
                counts[kind] = {arm: Counts(total=answers[arm], good=good[arm]) for arm in ARMS}
        return Observation(since=since, requests=total or {}, counts=counts, gaps=tuple(gaps))

    def _bound(self, rollout: Rollout, end: float) -> float:
        """The relative bound of latency, in seconds; see `latency.bound`."""
        selector = fill(self._selectors.within, rollout.namespace, rollout.name, "stable", ".+")
        before, since = (
            _histograms(self._query(selector, at, end), self._selectors.edge_seconds)
            for at in (rollout.started - latency.HOUR, rollout.started)
        )
        return latency.bound([before.get(key, {}) for key in since], list(since.values()))

    def _query(self, query: str, at: float, end: float) -> list[_Found]:
        """Ask for the value of an expression at a time, waiting until `end`.

        Raises:
            Broken: no answer in time, or one that is not of the API.

        """
        try:
            answer = _decode(self._read(query, at, end))
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Broken(f"what {self._name} answers is not of the query API", REMEDY) from None
        if answer.status != "success" or answer.data is None or answer.warnings:
            said = (answer.error or " ".join(answer.warnings) or "nothing")[:200]
            raise Broken(f"{self._name} says: {said}", REMEDY)
        return answer.data.result

    def _read(self, query: str, at: float, end: float) -> bytes:
        left, body = max(0.05, end - monotonic()), bytearray()
        late = Broken(f"{self._name} did not answer in time", REMEDY)
        try:
            with self._session.get(
                f"{self._url}/api/v1/query",
                params={"query": query, "time": f"{at:.3f}", "timeout": f"{left:.3f}"},
                timeout=left,
                stream=True,
                allow_redirects=False,
            ) as response:
                while part := response.raw.read1(1 << 16):  # what is there: to wait for so much could take for ever
                    body += part
                    if monotonic() > end or len(body) > MAX_BYTES:
                        raise late
        except (requests.Timeout, ReadTimeoutError):
            raise late from None
        except (requests.RequestException, HTTPError):
            raise Broken(f"{self._name} cannot be reached", REMEDY) from None
        return bytes(body)


def _target(one: _Found) -> Target:
    return one.metric.get("job"), one.metric.get("instance")


def _counter(one: _Found) -> Series:
    try:
        return Series(times=tuple(at for at, _ in one.values), values=tuple(float(value) for _, value in one.values))
    except ValueError:
        raise Broken("a sample of Prometheus is no number", REMEDY) from None


def _scraped(found: list[_Found]) -> dict[Target, list[float]]:
    """When each target was scraped, in order."""
    times: dict[Target, set[float]] = {}
    for one in found:
        up = _counter(one)
        good = (at for at, value in zip(up.times, up.values, strict=True) if value == 1)
        times.setdefault(_target(one), set()).update(good)
    return {target: sorted(each) for target, each in times.items()}


def _series(found: list[_Found], scraped: Mapping[Target, list[float]], policy: Policy) -> tuple[Series, ...]:
    """Counters, each cut where it began anew if the scrapes of its target are known."""
    counters = [(_counter(one), scraped.get(_target(one))) for one in found if one.values]
    cut = (scrapes.lives(counter, known, policy) if known else (counter,) for counter, known in counters)
    return tuple(chain.from_iterable(cut))


def _histograms(found: list[_Found], unit: float) -> dict[tuple[tuple[str, str], ...], dict[float, float]]:
    """Cumulative buckets by series; `unit` is what an edge counts, in seconds."""
    histograms: dict[tuple[tuple[str, str], ...], dict[float, float]] = {}
    for one in found:
        key = tuple(sorted((name, value) for name, value in one.metric.items() if name != "le"))
        try:
            edge, count = float(one.metric.get("le", "")) * unit, float(one.value[1] if one.value else "")
        except ValueError:
            raise Broken("a bucket of Prometheus has no edge or no count", REMEDY) from None
        histograms.setdefault(key, {})[edge] = count
    return histograms
