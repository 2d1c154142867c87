"""In the place of judge or relay: answers every request with what the folder's file `answer` names, or never.

python stand_in_server.py HOST PORT FOLDER     # FOLDER/asked: a line for each request, with the answer it got
"""

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NEVER = "nothing for ever"
ANSWERS = {
    "a page": (200, "text/html", b"<!doctype html><title>Welcome</title><p>promote"),
    "an empty 200": (200, "application/json", b""),
    "`null`": (200, "application/json", b"null"),
    "500": (500, "text/plain", b"broken"),
}


class Handler(BaseHTTPRequestHandler):
    """HTTP/1.0: no connection is kept, so that each question is asked of whoever the Service names then."""

    folder: Path

    def _ask(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = (self.folder / "answer").read_text()
        with (self.folder / "asked").open("a") as asked:
            asked.write(f"{answer}\n")
        if answer == NEVER:
            time.sleep(3600)
        status, kind, content = ANSWERS[answer]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _ask  # noqa: N815  # as http.server calls them


def main(host: str, port: str, folder: str) -> None:
    """Serve until the end."""
    Handler.folder = Path(folder)
    server = ThreadingHTTPServer((host, int(port)), Handler)
    (Handler.folder / "ready").touch()
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
