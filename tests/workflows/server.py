"""GitHub's side over HTTP: Git with its rules, the API with its rights, and a container registry, all on this machine.

It answers as GitHub documents; GitHub itself was not reached.
"""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests import git_http
from tests.conftest import NAME
from tests.workflows import api
from tests.workflows.shelf import Shelf, Token

UPDATE = """#!/bin/sh
# The rules of main: a person's push stands for a merged pull request; of the tokens only the App's may push, and only
# what the verbs of slipway write.
[ "$1" = refs/heads/main ] || exit 0
WRITTEN='releases/|attestations/|k8s/rendered/|dvc.lock$|artifacts/'
case "$ACTOR" in
  person) exit 0 ;;
  app) beside=$(git diff --name-only "$2" "$3" | grep -Ev "^($WRITTEN)") ;;
  *) beside=everything ;;
esac
[ -z "$beside" ] && exit 0
echo "GH013: Repository rule violations found for refs/heads/main: $beside" >&2
exit 1
"""
HEARD = """#!/bin/sh
while read old new ref; do echo "$old $new $ref $ACTOR" >> "$GIT_DIR/pushes"; done
"""


class Server:
    """One server for all worlds, one world at a time: its address stands in what they commit."""

    def __init__(self) -> None:
        self.shelf: Shelf | None = None
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"of": self}))
        self._http.daemon_threads = True
        Thread(target=self._http.serve_forever, daemon=True).start()

    @property
    def host(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        """End it."""
        self._http.shutdown()
        self._http.server_close()


@contextmanager
def started() -> Iterator[Server]:
    """Run one."""
    server = Server()
    try:
        yield server
    finally:
        server.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    of: Server

    def here(self) -> Shelf:
        """What it answers from."""
        assert self.of.shelf is not None
        return self.of.shelf

    def _answer(self) -> None:
        body = git_http.body(self)
        path = urlsplit(self.path).path
        if path.startswith("/api/"):
            self._api(path.removeprefix(f"/api/repos/{NAME}/"), body)
        elif path.startswith("/v2/"):
            self._registry(path.removeprefix("/v2/"), body)
        else:
            self._git(path, body)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_PATCH = _answer  # noqa: N815  # as http.server calls them

    def log_message(self, *_: object) -> None:
        """Be quiet."""

    def _say(self, status: int, document: Any = None, content: bytes | None = None, **headers: str) -> None:
        text = content if content is not None else b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def _token(self) -> Token | None:
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "basic":
            given = base64.b64decode(given).decode().partition(":")[2]
        return self.here().tokens.get(given)

    def _git(self, path: str, body: bytes) -> None:
        """`git http-backend`, for whoever may; the repository is public, so everybody reads."""
        token, query = self._token(), urlsplit(self.path).query
        if git_http.pushes(path, query) and (token is None or not token.may("contents", "write")):
            said = b"Write access to repository not granted."
            self._say(401 if token is None else 403, content=said, WWW_Authenticate='Basic realm="GitHub"')
            return
        asked = path.replace(f"/{NAME}", "/origin.git").replace(".git.git", ".git")
        who = {"ACTOR": token.actor, "REMOTE_USER": token.actor} if token else {"ACTOR": "nobody"}
        status, headers, content = git_http.answer(self, self.here().folder, asked, query, body, **who)
        self._say(status, content=content, **headers)

    def _api(self, path: str, body: bytes) -> None:
        document = json.loads(body) if body else {}
        query = {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()}
        token, shelf = self._token(), self.here()
        for pattern, method, right, answer in api.ROUTES:
            found = re.fullmatch(pattern, path)
            if found and self.command == method:
                if token is None:
                    self._say(401, {"message": "Bad credentials"})
                elif not token.may(*right):
                    self._say(403, {"message": "Resource not accessible by integration"})
                else:
                    self._say(*answer(shelf, token, *found.groups(), document or query))
                return
        self._say(404, {"message": "Not Found"})

    def _registry(self, path: str, body: bytes) -> None:
        """As much of the distribution protocol as a push and a pull need; who has no login may not push."""
        shelf, token = self.here(), self._token()
        if self.command not in ("GET", "HEAD") and (token is None or not token.may("packages", "write")):
            self._say(401 if token is None else 403, WWW_Authenticate='Basic realm="registry"')
            return
        name, _, what = re.split(r"/(blobs|manifests)/", path)
        query = {key: values[-1] for key, values in parse_qs(urlsplit(self.path).query).items()}
        if self.command == "POST":
            runtime = shelf.folder / "runtime"  # a list of digests: layers that nobody needs here
            held = runtime.exists() and query.get("mount") in runtime.read_text().split()
            if held:
                _put(shelf, name, query["mount"], b"")
            where = f"/v2/{name}/blobs/uploads/1"
            self._say(201 if held else 202, Location=where)
        elif self.command == "PUT":
            _put(shelf, name, query.get("digest") or f"sha256:{sha256(body).hexdigest()}", body)
            if "uploads" not in what:
                _put(shelf, name, what, body)
            self._say(201)
        elif (found := shelf.blobs / name / what).is_file():
            self._say(200, content=found.read_bytes(), Content_Type="application/vnd.oci.image.manifest.v1+json")
        else:
            self._say(404)


def _put(shelf: Shelf, name: str, what: str, content: bytes) -> None:
    path = shelf.blobs / name / what
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
