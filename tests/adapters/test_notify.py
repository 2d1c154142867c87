"""Notifications to real servers on this machine: a webhook, what Slack's address leads to, a mail server."""

import json
import os
import re
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import apprise  # here, as its import may take seconds of those that a service has
import pytest
from tests.conftest import ROOT

from slipway.adapters import notify
from slipway.adapters.processes import free_port

TITLE, BODY, KEY = "1.2.0 was aborted in production", "verdict: 2.9 points more loss", "production/1.2.0/reverted"
SECRET = "s3cr3t-t0ken"  # noqa: S105  # of no service


class Hook(BaseHTTPRequestHandler):
    """Answers what the server was told to, in order, the last one for ever, and keeps what it was asked."""

    server: Any

    def do_POST(self) -> None:
        """Take a notification."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, dict(self.headers), body))
        status = self.server.statuses.pop(0) if len(self.server.statuses) > 1 else self.server.statuses[0]
        if status is None:
            self.server.release.wait(60)
            return
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


class Mail(socketserver.StreamRequestHandler):
    """A mail server that takes one message after the other, or refuses every recipient."""

    server: Any

    def handle(self) -> None:
        """Speak SMTP as far as it is needed."""
        self._say("220 here")
        while line := self.rfile.readline():
            match line.split(b":")[0].split()[0].upper():
                case b"DATA":
                    self._say("354 go on")
                    lines = list(iter(self.rfile.readline, b".\r\n"))
                    self.server.asked.append(message_from_bytes(b"".join(lines)))
                    self._say("250 taken")
                case b"RCPT" if self.server.full:
                    self._say("452 mailbox full")
                case b"QUIT":
                    return self._say("221 bye")
                case _:
                    self._say("250 fine")
        return None

    def _say(self, words: str) -> None:
        self.wfile.write(f"{words}\r\n".encode())


@pytest.fixture
def serve() -> Iterator[Callable[..., Any]]:
    """Return a function that starts a server, and give it what it needs; all are stopped in the end."""
    running: list[Any] = []

    def start(kind: type[Any], handler: type[Any], **facts: Any) -> Any:
        kind.daemon_threads = kind.allow_reuse_address = True
        server = kind(("127.0.0.1", 0), handler)
        server.asked, server.release = [], threading.Event()
        server.port = server.server_address[1]
        vars(server).update(facts)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.release.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def hook(serve: Any) -> Callable[..., Any]:
    """Return a function that starts a web server with these answers; None is none at all."""
    return lambda *statuses: serve(ThreadingHTTPServer, Hook, statuses=list(statuses))


def test_webhook_is_told_what_happened_and_by_which_key(hook: Any) -> None:
    """Title, body and key arrive, once."""
    server = hook(200)

    assert notify.send([f"json://127.0.0.1:{server.port}/{SECRET}"], TITLE, BODY, KEY) == ()
    ((path, headers, body),) = server.asked
    told = json.loads(body)
    assert (path, told["title"], told["message"]) == (f"/{SECRET}", TITLE, BODY)
    assert headers["Idempotency-Key"] == KEY


def test_slack_is_told(hook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Apprise sends to Slack, at an address of this machine."""
    from apprise.plugins.slack import NotifySlack

    server = hook(500, 200)
    monkeypatch.setattr(NotifySlack, "webhook_url", f"http://127.0.0.1:{server.port}/services")
    tokens = "T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"

    assert notify.send([f"slack://{tokens}/#releases"], TITLE, BODY, KEY) == ()
    assert [path for path, _, _ in server.asked] == [f"/services/{tokens}"] * 2
    told = server.asked[-1][2].decode()
    assert TITLE in told
    assert BODY in told


def test_mail_is_sent(serve: Any) -> None:
    """A message with subject, body and key."""
    server = serve(socketserver.ThreadingTCPServer, Mail, full=False)
    url = f"mailto://127.0.0.1:{server.port}?from=slipway@example.org&to=oncall@example.org&mode=insecure"

    assert notify.send([url], TITLE, BODY, KEY) == ()
    (message,) = server.asked
    assert (message["Subject"], message["To"], message["Idempotency-Key"]) == (TITLE, "oncall@example.org", KEY)
    assert BODY in message.as_string()


def test_a_full_mailbox_is_a_failure_in_words(serve: Any) -> None:
    """No message was taken, and nobody is led to believe so."""
    server = serve(socketserver.ThreadingTCPServer, Mail, full=True)
    url = f"mailto://127.0.0.1:{server.port}?from=slipway@example.org&to=oncall@example.org&mode=insecure"

    (said,) = notify.send([url], TITLE, BODY, KEY)
    assert said == "notification 1 of 1 (E-Mail) was not taken, in 3 attempts"
    assert server.asked == []


@pytest.mark.parametrize(
    ("statuses", "asked", "says"),
    [
        ([500, 200], 2, None),
        ([429, 503, 200], 3, None),
        ([500], 3, "was not taken, in 3 attempts: it answered 500"),
        ([403], 1, "was not taken, in 1 attempts: it answered 403"),
        ([500, None], 3, "was not taken, in 3 attempts"),
        ([500, 404], 2, "was not taken, in 2 attempts: it answered 404"),
    ],
)
def test_what_may_be_taken_later_is_tried_again(
    hook: Any, statuses: list[int | None], asked: int, says: str | None
) -> None:
    """A server that stumbles is asked again, one that says no is not; the same key goes with each attempt."""
    server = hook(*statuses)
    found = notify.send([f"json://127.0.0.1:{server.port}/"], TITLE, BODY, KEY)

    assert found == ((f"notification 1 of 1 (JSON) {says}",) if says else ())
    assert [headers["Idempotency-Key"] for _, headers, _ in server.asked] == [KEY] * asked


def test_one_that_fails_holds_up_no_other(
    hook: Any, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A hanging, a refusing, an unknown and a failing address each have a sentence; the good one is told at once.

    No secret of an address is said or logged, and all of it ends within the bound.
    """
    good, hanging, failing = hook(200), hook(None), hook(500)
    urls = [
        f"json://user:{SECRET}@127.0.0.1:{hanging.port}/{SECRET}",
        f"json://user:{SECRET}@127.0.0.1:{free_port()}/{SECRET}?+Authorization={SECRET}",
        f"jsoon://127.0.0.1/{SECRET}",
        f"hooks.slack.com/services/{SECRET}",
        f"json://user:{SECRET}@127.0.0.1:{failing.port}/{SECRET}",
        f"json://127.0.0.1:{good.port}/",
    ]
    started = time.monotonic()
    said = notify.send(urls, TITLE, BODY, KEY)

    assert time.monotonic() - started < notify.SECONDS + 5
    assert [line.split(" of 6")[0] for line in said] == [f"notification {number}" for number in range(1, 6)]
    assert len(good.asked) == 1
    printed = capfd.readouterr()
    assert SECRET not in "".join((*said, printed.out, printed.err, caplog.text, str(threading.enumerate())))
    assert printed.err == ""


def test_a_server_that_drips_is_given_up() -> None:
    """Whatever keeps a service's library busy, the time for all of them is bounded, and the process can end."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def drip() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                for number in range(100):
                    connection.sendall(f"X-{number}: drip\r\n".encode())
                    time.sleep(0.5)

        threading.Thread(target=drip, daemon=True).start()
        code = (
            "import apprise\n"  # which takes longer than those seconds on a busy machine
            "import logging; logging.basicConfig(level=logging.INFO)\n"
            "from slipway.adapters import notify; notify.SECONDS = 4.0\n"
            f"print(*notify.send(['json://127.0.0.1:{port}/', 'json://127.0.0.1:{free_port()}/'], 'a', 'b', 'c'))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=40)

    assert (done.returncode, done.stderr) == (0, "")
    assert "1 of 2 (JSON) was not taken within 4 s" in done.stdout


def test_whom_to_tell(tmp_path: Path) -> None:
    """Addresses stand in the variable, or in the file that it names; nothing is nobody."""
    secret = tmp_path / "notify"
    secret.write_text("json://a/x\n\nslack://b  mailto://c\n")

    assert notify.configured(None) == notify.configured(" \n") == ()
    assert notify.configured("json://a/x slack://b\nmailto://c") == ("json://a/x", "slack://b", "mailto://c")
    assert notify.configured(str(secret)) == ("json://a/x", "slack://b", "mailto://c")
    (said,) = notify.send(notify.configured(str(tmp_path / "absent")), TITLE, BODY, KEY)
    assert said == "notification 1 of 1 has an address that Apprise does not know; see SLIPWAY_NOTIFY"
    assert notify.send((), TITLE, BODY, KEY) == ()


def test_the_page_shows_addresses_that_are_some() -> None:
    """Apprise knows each of docs/notifications.md, once the three tokens of Slack look like some."""
    shown = re.findall(r"`(\w+://[^`]+)`", (ROOT / "docs/notifications.md").read_text())
    tokens = {"TOKEN_A": "T1JJ3T3L2", "TOKEN_B": "A1BRTD4JD", "TOKEN_C": "TIiajkdnlazkcOXrIdevi7FQ"}
    for name, token in tokens.items():
        shown = [address.replace(name, token) for address in shown]

    assert len(shown) == 3
    assert [address for address in shown if apprise.Apprise.instantiate(address) is None] == []


def test_only_the_addresses_given_are_spoken_to(hook: Any, tmp_path: Path) -> None:
    """A process that notifies connects to nothing else, and Apprise leaves no file behind."""
    server = hook(200)
    code = (
        "import sys, socket\n"
        "sys.addaudithook(lambda event, given: event == 'socket.connect' and print('connect', given[1]))\n"
        "sys.addaudithook(lambda event, given: event == 'socket.getaddrinfo' and print('ask', given[0]))\n"
        f"from slipway.adapters import notify; assert 'apprise' not in sys.modules\n"
        f"assert notify.send(['json://127.0.0.1:{server.port}/'], 'a', 'b', 'c') == ()"
    )
    home = os.environ | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=home, cwd=tmp_path
    )

    assert (done.returncode, done.stderr) == (0, "")
    lines = set(done.stdout.splitlines())
    assert lines == {"ask 127.0.0.1", f"connect ('127.0.0.1', {server.port})"}
    assert list(tmp_path.rglob("*")) == []
