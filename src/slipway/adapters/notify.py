"""Notifications over Apprise: Slack, e-mail, a webhook, and whatever else its addresses name.

To tell is never part of an outcome: what cannot be told is told back in words, within seconds, and nothing is raised.
An address holds its service's secret, so no word of it is ever printed.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

VARIABLE = "SLIPWAY_NOTIFY"
SECONDS = 15.0  # for all services together, which are told at the same time
ATTEMPTS = 3
CONNECT_SECONDS, READ_SECONDS = 2.0, 3.0
_STATUS = re.compile(r"error=(\d{3})")  # in what Apprise logs of an answer
_PATIENT = {408, 425, 429}  # of the answers that blame the caller, those that may be another one later


def configured(value: str | None) -> tuple[str, ...]:
    """Addresses, apart by blanks or lines: as they stand, or in the file that is named (a mounted Secret)."""
    value = (value or "").strip()
    if value and "://" not in value:
        with suppress(OSError, ValueError):  # what cannot be read is no address either, which `send` will say
            value = Path(value).read_text(encoding="utf-8")
    return tuple(value.split())


def send(urls: Sequence[str], title: str, body: str, key: str) -> tuple[str, ...]:
    """Tell every service; returns what could not be told, in words, one per service, none when all were.

    Services that pass headers on get `key` as Idempotency-Key: the same key is the same notification.
    """
    services = [_Telling(number, len(urls), url, (title, body, key)) for number, url in enumerate(urls, start=1)]
    for service in services:
        service.start()
    deadline = time.monotonic() + SECONDS
    for service in services:
        service.join(max(0.0, deadline - time.monotonic()))
    return tuple(f"{service.name} {service.problem}" for service in services if service.problem)


class _Telling(threading.Thread):
    """One service, told in a thread that nobody has to wait for."""

    def __init__(self, number: int, of: int, url: str, message: tuple[str, str, str]) -> None:
        super().__init__(name=f"notification {number} of {of}", daemon=True)
        self.problem: str | None = f"was not taken within {SECONDS:g} s"
        self._url, self._message = url, message
        self._heard: list[str] = []

    def run(self) -> None:
        try:
            self.problem = self._tell()
        except Exception as error:  # noqa: BLE001  # whatever a service's library trips over is its failure alone
            self.problem = f"failed: {type(error).__name__}"  # its text may hold the address

    def _tell(self) -> str | None:
        import apprise

        log = logging.getLogger("apprise")
        log.propagate = False  # its warnings name hosts and recipients
        ears = _Ears(self._heard)
        log.addHandler(ears)
        try:
            known = "://" in self._url  # what is not even an address would be logged as it stands
            service = apprise.Apprise.instantiate(self._url) if known else None
            if service is None:
                return f"has an address that Apprise does not know; see {VARIABLE}"
            return self._attempts(service, apprise.NotifyFormat.TEXT)
        finally:
            log.removeHandler(ears)

    def _attempts(self, service: Any, text: object) -> str | None:  # noqa: ANN401  # any of Apprise's plugins
        import tenacity

        self.name += f" ({service.service_name})"
        service.socket_connect_timeout = min(service.socket_connect_timeout, CONNECT_SECONDS)
        service.socket_read_timeout = min(service.socket_read_timeout, READ_SECONDS)
        service.request_rate_per_sec = 0  # the waits between attempts are these
        title, body, key = self._message
        if isinstance(getattr(service, "headers", None), dict):
            service.headers["Idempotency-Key"] = key
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda taken: not taken and self._patient()),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=2),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )
        if attempts(self._once, lambda: service.notify(title=title, body=body, body_format=text)):
            return None
        answered = f": it answered {self._heard[-1]}" if self._heard else ""
        return f"was not taken, in {attempts.statistics['attempt_number']} attempts{answered}"

    def _once(self, notify: Callable[[], bool]) -> bool:
        self._heard.clear()
        return notify()

    def _patient(self) -> bool:
        """Whether the same might be taken later: an answer that blames the caller will stay the same."""
        status = int(self._heard[-1]) if self._heard else 500
        return not 400 <= status < 500 or status in _PATIENT


class _Ears(logging.Handler):
    """Hears the HTTP status of what this thread was answered."""

    def __init__(self, heard: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._thread, self._heard = threading.get_ident(), heard

    def emit(self, record: logging.LogRecord) -> None:
        found = _STATUS.search(record.getMessage())
        if found and record.thread == self._thread:
            self._heard.append(found[1])
