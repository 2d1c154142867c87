"""Git over HTTP from a folder of bare repositories, by Git's own program: everybody reads, who has the password pushes.

python -m tests.cluster.machine.git_server FOLDER HOST PORT PASSWORD_FILE
"""

import base64
import hmac
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests import git_http

USER = "slipway"
SAFE = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}


class Handler(BaseHTTPRequestHandler):
    """Hands each request to `git http-backend`, which speaks CGI."""

    protocol_version = "HTTP/1.1"
    folder: Path
    password: str

    def _ask(self) -> None:
        path, _, query = self.path.partition("?")
        body, pushes = git_http.body(self), git_http.pushes(path, query)
        if pushes and not self._known():
            self._end(401, {"WWW-Authenticate": 'Basic realm="git"'})
            return
        user = {"REMOTE_USER": USER} if pushes else {}
        self._end(*git_http.answer(self, self.folder, path, query, body, **user, **SAFE))

    do_GET = do_POST = _ask  # noqa: N815  # as http.server calls them

    def _known(self) -> bool:
        expected = "Basic " + base64.b64encode(f"{USER}:{self.password}".encode()).decode()
        return hmac.compare_digest(self.headers.get("Authorization", "").encode(), expected.encode())

    def _end(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing: Argo CD and the relay ask every few seconds."""


def main(folder: str, host: str, port: str, password: str) -> None:
    """Serve until the end."""
    Handler.folder, Handler.password = Path(folder), Path(password).read_text().strip()
    ThreadingHTTPServer((host, int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
