"""The judge behind real HTTP on loopback, and sources that answer as they are told."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import uvicorn

from slipway.services.judge import Judge
from slipway.services.judge.http import application


@contextmanager
def answering(answers: Callable[[str], tuple[int, bytes]]) -> Iterator[str]:
    """Run an HTTP server that answers each path, with its query, by `answers`; yield its address.

    Whoever wants answers compressed gets 406: for days of samples Prometheus would spend its seconds on that.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            squeezed = "gzip" in self.headers.get("Accept-Encoding", "")
            status, body = (406, b"") if squeezed else answers(self.path)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def serving(judge: Judge) -> Iterator[str]:
    """Serve a judge on a free port; yield its address."""
    server = uvicorn.Server(uvicorn.Config(application(judge), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def serve() -> Iterator[Callable[[Judge], str]]:
    """Serve judges until the test ends."""
    with ExitStack() as stack:
        yield lambda judge: stack.enter_context(serving(judge))


@pytest.fixture
def answer() -> Iterator[Callable[[Callable[[str], tuple[int, bytes]]], str]]:
    """Run HTTP servers until the test ends."""
    with ExitStack() as stack:
        yield lambda answers: stack.enter_context(answering(answers))
