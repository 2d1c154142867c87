"""What the relay tells Prometheus of itself."""

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest


class Meters:
    """The counters and gauges of one relay. Times are seconds since 1970: alert on `time()` minus them."""

    def __init__(self) -> None:
        self._registry = here = CollectorRegistry()
        self._webhooks = Counter("slipway_relay_webhooks", "Webhooks by answer", ["answer"], registry=here)
        self._waiting = Gauge("slipway_relay_waiting", "Kept on the disk", ["what"], registry=here)
        self._actions = Counter("slipway_relay_actions", "Tries by verb and result", ["verb", "result"], registry=here)
        self._failures = Counter("slipway_relay_failures", "Sources that did not answer", ["source"], registry=here)
        self._reports = Gauge("slipway_relay_report", "1 while people are needed", ["environment"], registry=here)
        self._looked = Gauge("slipway_relay_looked_at", "Last look that saw it", ["environment"], registry=here)
        self._fetched = Gauge("slipway_relay_fetched_at", "Last time that main was read", registry=here)
        self._turned = Gauge("slipway_relay_turned_at", "Last turn", registry=here)
        for answer in ("stored", "unauthorized", "refused", "broken"):
            self._webhooks.labels(answer)
        for source in ("git", "facts", "judge", "outbox", "relay"):
            self._failures.labels(source)
        self.last_turn = 0.0

    def text(self) -> bytes:
        """Render the exposition."""
        return generate_latest(self._registry)

    def heard(self, answer: str) -> None:
        """Count a webhook."""
        self._webhooks.labels(answer).inc()

    def waiting(self, hints: int, actions: int) -> None:
        """Say how much is kept."""
        self._waiting.labels("hints").set(hints)
        self._waiting.labels("actions").set(actions)

    def acted(self, verb: str, result: str) -> None:
        """Count a try, or its end."""
        self._actions.labels(verb, result).inc()

    def failed(self, source: str) -> None:
        """Count a source that did not answer."""
        self._failures.labels(source).inc()

    def reports(self, environment: str, *, standing: bool) -> None:
        """Say whether an environment waits for people who were told so."""
        self._reports.labels(environment).set(standing)

    def looked(self, environment: str, now: float) -> None:
        """Note that an environment was looked at."""
        self._looked.labels(environment).set(now)

    def fetched(self, now: float) -> None:
        """Note that main was read."""
        self._fetched.set(now)

    def turned(self, now: float) -> None:
        """Note that a turn began."""
        self.last_turn = now
        self._turned.set(now)
