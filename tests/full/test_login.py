"""Registries that ask who we are: by password, and by a token that is good for what we asked and nothing else."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from tests.full.conftest import registry_in

from slipway import digests, oci
from slipway.adapters import registry as registries
from slipway.adapters.registry import login
from slipway.errors import Broken
from slipway.records import RuntimeLock
from slipway.reference import Reference

USER, WORD = "ci", "harbour"
BASIC = f"Basic {base64.b64encode(f'{USER}:{WORD}'.encode()).decode()}"
HTPASSWD = "ci:$2b$05$VulYkg5z91zQFDRgwIAAV.IDQs3YzyAsTM/srFPnSfE8XnxEcqlMK\n"
SCRATCH = RuntimeLock(
    platform="linux/amd64",
    repository=None,
    manifest_digest=digests.of_bytes(b""),
    config={"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}},
    layers=(),
)


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Begin every test without a login."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for name in (login.REGISTRY, login.USERNAME, login.PASSWORD):
        monkeypatch.delenv(name, raising=False)


def image(lock: RuntimeLock, content: bytes) -> oci.Image:
    """Append one file."""
    tar = oci.layer({"file": (content, False)}, "home")
    return oci.append(lock, tar, created_by="test", env={}, labels={}, workdir="/")


def publish(host: str) -> list[str]:
    """Push a runtime, lock it, push a release on it from another repository; say how its blobs got there."""
    runtime, how = Reference(host, "team/runtime", tag="1"), list[str]()
    registries.push(image(SCRATCH, b"runtime"), runtime, runtime, lambda *_: None)
    release = image(registries.make_lock(runtime), b"release")
    registries.push(release, Reference(host, "team/release", tag="1"), runtime, lambda _, way: how.append(way))
    return how


def log_in(folder: Path, host: str, word: str = WORD) -> None:
    """Do what `docker login` does."""
    auth = base64.b64encode(f"{USER}:{word}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))


@contextmanager
def guarded_in(folder: Path, calls_itself: str = "") -> Iterator[str]:
    """Run a registry with a password."""
    (folder / "htpasswd").write_text(HTPASSWD)
    auth = f"auth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}"
    with registry_in(folder / "registry", auth, calls_itself) as host:
        yield host


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[str]:
    """A registry with a password."""
    with guarded_in(tmp_path) as host:
        yield host


def test_password_from_the_configuration_file(guarded: str, tmp_path: Path) -> None:
    """What `docker login` left is enough, and without it or with a wrong word the registry's no is reported."""
    with pytest.raises(Broken, match="answered 401") as stop:
        publish(guarded)
    assert "Log in" in stop.value.remedy
    log_in(tmp_path, guarded, "wrong")
    with pytest.raises(Broken, match="answered 401"):
        publish(guarded)
    log_in(tmp_path, guarded)
    assert publish(guarded) == ["mounted", "uploaded", "uploaded"]


def test_password_from_the_environment(guarded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three variables are enough too."""
    monkeypatch.setenv(login.REGISTRY, guarded)
    monkeypatch.setenv(login.USERNAME, USER)
    monkeypatch.setenv(login.PASSWORD, WORD)
    assert publish(guarded) == ["mounted", "uploaded", "uploaded"]


class Issuer(ThreadingHTTPServer):
    """Issues tokens that the real registry verifies: for whom it knows, the scopes that were asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")])
        builder = x509.CertificateBuilder(name, name, self.key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        self.certificate = builder.not_valid_after(datetime(2100, 1, 1, tzinfo=UTC)).sign(self.key, hashes.SHA256())
        (folder / "issuer.pem").write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        self.asked: list[set[str]] = []

    def token(self, scopes: list[str]) -> str:
        """Sign a token for `scopes`."""
        chain = [base64.b64encode(self.certificate.public_bytes(serialization.Encoding.DER)).decode()]
        access = [dict(zip(("type", "name", "actions"), s.split(":"), strict=True)) for s in scopes]
        now = int(time.time())
        claims = {"iss": "issuer", "aud": "registry", "sub": USER, "nbf": now - 60, "iat": now, "exp": now + 600}
        claims["access"] = [{**entry, "actions": entry["actions"].split(",")} for entry in access]
        parts = [{"typ": "JWT", "alg": "RS256", "x5c": chain}, {**claims, "jti": "1"}]
        signed = ".".join(_text(json.dumps(part).encode()) for part in parts)
        return f"{signed}.{_text(self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class Asked(BaseHTTPRequestHandler):
    server: Issuer

    def do_GET(self) -> None:
        """Answer with a token, or 401."""
        scopes = parse_qs(urlsplit(self.path).query)["scope"]
        self.server.asked.append(set(scopes))
        known = self.headers.get("Authorization") == BASIC
        self.send_response(200 if known else 401)
        self.end_headers()
        self.wfile.write(json.dumps({"token": self.server.token(scopes)} if known else {}).encode())

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[Issuer]:
    """A running issuer."""
    with Issuer(tmp_path) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_token_with_the_least_rights(issuer: Issuer, tmp_path: Path) -> None:
    """A token is asked for once per command, for the target and for pulling the runtime, and mounting works with it."""
    realm = f"http://127.0.0.1:{issuer.server_port}/token"
    settings = f"realm: {realm}, service: registry, issuer: issuer, rootcertbundle: {tmp_path}/issuer.pem"
    with registry_in(tmp_path / "registry", f"auth: {{token: {{{settings}}}}}") as host:
        with pytest.raises(Broken, match="answered 401"):
            publish(host)
        log_in(tmp_path, host)
        issuer.asked.clear()
        assert publish(host) == ["mounted", "uploaded", "uploaded"]
    runtime, release = "repository:team/runtime", "repository:team/release"
    assert issuer.asked == [
        {f"{runtime}:pull,push", f"{runtime}:pull"},
        {f"{runtime}:pull"},
        {f"{release}:pull,push", f"{runtime}:pull"},
    ]


def test_a_password_stays_with_its_registry(tmp_path: Path) -> None:
    """A registry that sends uploads to another host does not get our password sent there."""
    with Listener() as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        with guarded_in(tmp_path, f"http://127.0.0.1:{other.server_port}") as host:
            log_in(tmp_path, host)
            with pytest.raises(Broken, match="answered 404"):
                publish(host)
        other.shutdown()
    assert other.heard == [None]


def test_nothing_is_sent_in_the_clear(tmp_path: Path) -> None:
    """A registry that sends uploads to plain http outside this machine is not followed."""
    with guarded_in(tmp_path, "http://registry.example.org") as host:
        log_in(tmp_path, host)
        with pytest.raises(Broken, match="plain http"):
            publish(host)


class Listener(ThreadingHTTPServer):
    """Remembers the credentials that it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Heard)
        self.heard: list[str | None] = []


class Heard(BaseHTTPRequestHandler):
    server: Listener

    def do_PUT(self) -> None:
        """Take an upload, and have no use for it."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append(self.headers.get("Authorization"))
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Be quiet."""
