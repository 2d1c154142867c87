"""A server that answers as GitHub's API does when a workflow is to be run; GitHub itself was not reached."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

PATH = "/repos/owner/name/actions/workflows/outcome.yml/dispatches"
TEXTS: dict[int, dict[str, Any]] = {
    200: {"workflow_run_id": 1, "run_url": "https://api.github.com/...", "html_url": "https://github.com/..."},
    401: {"message": "Bad credentials", "status": "401"},
    403: {"message": "Resource not accessible by integration", "status": "403"},
    404: {"message": "Not Found", "status": "404"},
    422: {"message": 'Unexpected inputs provided: ["cause"]', "status": "422"},
    429: {"message": "API rate limit exceeded", "status": "429"},
}


@contextmanager
def answering(statuses: Sequence[int], retry_after: str | None = None) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Answer with these statuses, the last one for ever; 0 hangs. Yields the address and the bodies that came."""
    bodies: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = statuses[min(len(bodies), len(statuses) - 1)]
            bodies.append(body)
            if self.path != PATH or self.headers["Authorization"] != "Bearer ghs_secret":
                status = 401
            if status == 0:
                time.sleep(5)
                return
            self.send_response(status)
            text = json.dumps(TEXTS[status]).encode() if status in TEXTS else b""
            if status == 301:
                self.send_header("Location", self.path)
            if retry_after is not None:
                self.send_header("Retry-After", retry_after)
            if status != 204:
                self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text if status != 204 else b"")

        def log_message(self, *_arguments: Any) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", bodies
    finally:
        server.shutdown()
        server.server_close()
