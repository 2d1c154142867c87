"""A real receiver of notifications, which can be told to hold its answer or to refuse."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Webhook:
    """What was received, as (Idempotency-Key, body); `status` is answered once `answer` is set."""

    port: int = 0
    status: int = 200
    received: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    heard: threading.Event = field(default_factory=threading.Event)
    answer: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Its address, as Apprise writes it."""
        return f"json://127.0.0.1:{self.port}/"

    @property
    def keys(self) -> list[str]:
        """The keys of what was received."""
        return [key for key, _ in self.received]


@contextmanager
def listening() -> Iterator[Webhook]:
    """Receive until the block ends."""
    webhook = Webhook()
    webhook.answer.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            webhook.received.append((str(self.headers["Idempotency-Key"]), body))
            webhook.heard.set()
            webhook.answer.wait(60)
            self.send_response(webhook.status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

        def handle(self) -> None:
            with suppress(ConnectionError):  # the caller was killed
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    webhook.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield webhook
    finally:
        webhook.answer.set()
        server.shutdown()
        server.server_close()
