"""Starts a loopback Sigstore for a test, and signs with it as a workflow does."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import requests
from sigstore import dsse
from sigstore.dsse import Statement, StatementBuilder, Subject
from sigstore.models import Bundle, ClientTrustConfig
from sigstore.oidc import IdentityToken
from sigstore.sign import SigningContext
from tests.conftest import NAME

SOURCE = Path(__file__).parents[2] / "src"


@dataclass(frozen=True)
class Instance:
    """A running instance: its folder and its process."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def trust(self) -> Path:
        """The client trust config."""
        return self.folder / "trust.json"

    @property
    def config(self) -> ClientTrustConfig:
        """The client trust config, read."""
        return ClientTrustConfig.from_json(self.trust.read_text())

    def environment(self, **claims: str) -> dict[str, str]:
        """What a signer's environment needs; claims by name, the others are as the policy asks."""
        found: dict[str, str] = json.loads((self.folder / "environment.json").read_text())
        found["ACTIONS_ID_TOKEN_REQUEST_URL"] += f"?{urlencode({'repository': NAME, **claims})}"
        return found

    def token(self, **claims: str) -> str:
        """An ID token, asked for without the environment of this process."""
        asked = self.environment(**claims)
        answer = requests.get(
            asked["ACTIONS_ID_TOKEN_REQUEST_URL"],
            headers={"Authorization": f"bearer {asked['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"},
            timeout=10,
        )
        answer.raise_for_status()
        return str(answer.json()["value"])

    def sign(self, made: Statement, token: str | None = None, **claims: str) -> dict[str, Any]:
        """Sign a statement with the client; returns the bundle."""
        identity = IdentityToken(token or self.token(**claims))
        with SigningContext.from_trust_config(self.config).signer(identity) as signer:
            return dict(json.loads(signer.sign_dsse(made).to_json()))

    def sign_late(self, made: Statement, **claims: str) -> dict[str, Any]:
        """Sign, but have it logged and stamped when the certificate is over; wants --certificate-seconds of a few."""
        context = SigningContext.from_trust_config(self.config)
        with context.signer(IdentityToken(self.token(**claims))) as signer:
            certificate = signer._signing_cert()
            envelope = dsse._sign(signer._private_key, made)
            entry = context._rekor._build_dsse_request(envelope=envelope, certificate=certificate)
            over = certificate.not_valid_after_utc.timestamp() + 1  # times are whole seconds, and the last one counts
            assert over - time.time() < 10, "start it with --certificate-seconds of a few"
            time.sleep(max(0, over - time.time()))
            bundle: Bundle = signer._finalize_sign(certificate, envelope, entry)
        return dict(json.loads(bundle.to_json()))


def statement(**predicate: object) -> Statement:
    """Make an in-toto statement about a subject that is nothing."""
    about = StatementBuilder().subjects([Subject(name="model", digest={"sha256": "a" * 64})])
    return about.predicate_type("https://slsa.dev/provenance/v1").predicate(predicate or {"n": 1}).build()


def command(folder: Path, *arguments: str) -> list[str]:
    """How an instance is started."""
    return [sys.executable, "-m", "slipway.services.loopback_sigstore", "--folder", str(folder), *arguments]


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[Instance]:
    """Run the instance of a folder until the block ends."""
    ready = folder / "environment.json"
    ready.unlink(missing_ok=True)  # an earlier process's would be believed before this one listens
    process = subprocess.Popen(command(folder, *arguments), env=os.environ | {"PYTHONPATH": str(SOURCE)})
    try:
        deadline = time.monotonic() + 60
        while not ready.exists():
            assert process.poll() is None, f"the loopback Sigstore ended with {process.returncode}"
            assert time.monotonic() < deadline, "the loopback Sigstore does not listen"
            time.sleep(0.02)
        yield Instance(folder, process)
    finally:
        process.terminate()
        process.wait()
