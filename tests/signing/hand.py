"""A real package with card and signature, in a repository that is little but its policy; and how to sign others."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from sigstore import dsse
from sigstore.oidc import IdentityToken
from sigstore.sign import SigningContext
from tests.conftest import ROOT, Project
from tests.signing.instance import Instance

from slipway import attestation, digests
from slipway.adapters import files, sigstore
from slipway.adapters.git import Repository
from slipway.attestation import Lineage, Statement
from slipway.card import words, writing
from slipway.commands import package as packaging
from slipway.commands import verifying
from slipway.records import Bundle, GateDecision, Metrics, ModelInfo, Package, RuntimeLock
from slipway.signing import Run

VERSION = "1.0.0"


@dataclass(frozen=True)
class Hand:
    """What is at hand after `slipway package`."""

    root: Path
    package: Package
    card: str

    @property
    def commit(self) -> str:
        """The commit that the package was made of."""
        return self.package.bundle.source_commit

    @property
    def bento(self) -> Path:
        """The folder of the bento."""
        return self.root / "build/bentos" / VERSION / "bento"

    def statement(self, run: Run) -> Statement:
        """What `slipway sign` says of it in a run."""
        metrics = files.read_record(Metrics, self.root / "artifacts/metrics.json")
        model = self.package.bundle.model_digest
        gate = GateDecision(
            accepted=True,
            first=True,
            model_digest=model,
            champion=None,
            base=self.commit,
            thresholds_digest=digests.of_bytes(b"thresholds"),
            guards_changed=(),
            checks=(),
            latency_ms=1.5,
            model_bytes=1,
            comparison=None,
        )
        lineage = Lineage(
            package=self.package, parent_model=None, gate=gate, metrics=metrics, bento=verifying.extract(self.bento)
        )
        card = digests.of_bytes(self.card.encode())
        return attestation.statement(lineage, run, card=card, dependencies=(), byproducts=())

    def put(self, bundle: str) -> None:
        """Put a bundle where `slipway sign` writes it."""
        files.write_text(self.root / verifying.SIGNED, bundle)

    def sign(self, instance: Instance, **claims: str) -> str:
        """Say in a run with these claims what is at hand, and sign it."""
        token = instance.token(**{"sha": self.commit, **claims})
        return sign(instance, attestation.write(self.statement(sigstore.run_of(token))), token=token)

    def verify(self) -> verifying.Verified:
        """Verify what is at hand."""
        return verifying.built(Repository(self.root))

    def allow(self, text: str) -> None:
        """Agree on another policy."""
        files.write_text(self.root / verifying.POLICY, text)
        git(self.root, "commit", "--quiet", "--all", "--message", "Allow others")


def make(trained: Project, root: Path) -> Hand:
    """Package a trained model, with its card."""
    for folder in ("bentos", "signing", "requirements"):
        shutil.copytree(ROOT / folder, root / folder)
    shutil.copytree(trained.root / "artifacts", root / "artifacts")
    (root / ".gitignore").write_text("build/\nartifacts/\n")
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Begin")
    model = files.read_record(ModelInfo, root / "artifacts/model/model.json")
    nothing = digests.of_bytes(b"")
    bundle = Bundle(
        version=VERSION,
        source_commit=git(root, "rev-parse", "HEAD"),
        data_digest=f"md5:{32 * '0'}.dir",
        recipe_digest=nothing,
        model_digest=model.model_digest,
        request_version=model.request_version,
    )
    made = packaging.build(root, bundle)
    card = writing.write(
        writing.Facts(
            words=words.parse(files.parse_yaml((root / packaging.WORDS).read_text(), "card.yaml"), "card.yaml"),
            package=made,
            model=model,
            metrics=files.read_record(Metrics, root / "artifacts/metrics.json"),
            runtime=files.read_record(RuntimeLock, root / packaging.RUNTIME),
            lock_name=packaging.LOCK.as_posix(),
            lock=(root / packaging.LOCK).read_text(),
        )
    )
    files.write_text(root / verifying.CARD, card)
    return Hand(root, made, card)


def trust(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust an instance from here on."""
    monkeypatch.setenv(verifying.LOOPBACK, str(instance.trust))


def git(root: Path, *arguments: str) -> str:
    """Run git, and return what it printed."""
    done = Project(root).command("git", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def sign(
    instance: Instance, payload: bytes, *, kind: str = attestation.PAYLOAD_TYPE, token: str = "", **claims: str
) -> str:
    """Sign any bytes of any type; the client itself takes in-toto statements only."""
    context = SigningContext.from_trust_config(instance.config)
    with (
        mock.patch.object(dsse.Envelope, "_TYPE", kind),
        context.signer(IdentityToken(token or instance.token(**claims))) as signer,
    ):
        return signer.sign_dsse(_Raw(payload)).to_json()


class _Raw(dsse.Statement):
    def __init__(self, contents: bytes) -> None:
        self._contents: Any = contents
