"""Git over HTTP from a folder of bare repositories, by Git's own program: everybody reads, who has the password pushes.

python git_server.py FOLDER HOST PORT PASSWORD_FILE
"""

import base64
import hmac
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

USER = "slipway"
PUSH = "git-receive-pack"


class Handler(BaseHTTPRequestHandler):
    """Hands each request to `git http-backend`, which speaks CGI."""

    protocol_version = "HTTP/1.1"
    folder: Path
    password: str

    def _ask(self) -> None:
        path, _, query = self.path.partition("?")
        body = self._body()
        pushes = path.endswith(PUSH) or f"service={PUSH}" in query
        if pushes and not self._known():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self._end(b"")
            return
        asked = {
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": self.client_address[0],
            **({"REMOTE_USER": USER} if pushes else {}),
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=asked, stdout=subprocess.PIPE, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [line.partition(": ")[::2] for line in head.decode().split("\r\n") if line]
        self.send_response(int(dict(headers).get("Status", "200").split()[0]) if headers else 500)
        for name, value in headers:
            if name != "Status":
                self.send_header(name, value)
        self._end(content)

    do_GET = do_POST = _ask  # noqa: N815  # as http.server calls them

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _known(self) -> bool:
        expected = "Basic " + base64.b64encode(f"{USER}:{self.password}".encode()).decode()
        return hmac.compare_digest(self.headers.get("Authorization", "").encode(), expected.encode())

    def _end(self, content: bytes) -> None:
        self.send_header("Content-Length", str(len(content)))
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
