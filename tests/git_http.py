"""Git over HTTP, for servers that know who may: requests and answers of `git http-backend`, which speaks CGI."""

import os
import subprocess
from http.server import BaseHTTPRequestHandler
from pathlib import Path

PUSH = "git-receive-pack"


def pushes(path: str, query: str) -> bool:
    """Whether that is asked by a push."""
    return path.endswith(PUSH) or f"service={PUSH}" in query


def body(asked: BaseHTTPRequestHandler) -> bytes:
    """What came with a request, in one piece or in chunks."""
    if asked.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return asked.rfile.read(int(asked.headers.get("Content-Length") or 0))
    parts = []
    while size := int(asked.rfile.readline().split(b";")[0], 16):
        parts.append(asked.rfile.read(size))
        asked.rfile.readline()
    asked.rfile.readline()
    return b"".join(parts)


def answer(
    asked: BaseHTTPRequestHandler, folder: Path, path: str, query: str, content: bytes, **environment: str
) -> tuple[int, dict[str, str], bytes]:
    """Have Git answer for the repositories in a folder: status, headers and body. Who has no REMOTE_USER only reads."""
    given = {
        **{name: value for name, value in os.environ.items() if name == "PATH" or name.startswith("GIT_CONFIG")},
        "GIT_PROJECT_ROOT": str(folder),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REQUEST_METHOD": asked.command,
        "CONTENT_TYPE": asked.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(content)),
        "HTTP_CONTENT_ENCODING": asked.headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": asked.headers.get("Git-Protocol", ""),
        "REMOTE_ADDR": asked.client_address[0],
        **environment,
    }
    done = subprocess.run(["git", "http-backend"], input=content, env=given, stdout=subprocess.PIPE, check=False)
    head, _, said = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
    status = headers.pop("Status", "200" if headers else "500")
    return int(status.split()[0]), headers, said
