"""Is a release what the workflow of the policy has signed: asked before a model is registered, released, gone back to.

The policy is read from what everybody agreed on, never from the working tree; a statement proves itself, wherever it
was found.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from slipway import attestation, card, digests, records, signing
from slipway.adapters import files, layout, tree
from slipway.adapters.git import Repository
from slipway.attestation import Statement
from slipway.commands import BUILD, agreed, progress
from slipway.errors import Broken, Rejected
from slipway.records import GateDecision, Package, Release
from slipway.signing import Policy

if TYPE_CHECKING:
    from slipway.adapters.sigstore import Signed, Trust

POLICY = Path("signing/policy.yaml")
FOLDER = Path("attestations")
SIGNED, CARD = BUILD / "attestation.sigstore.json", BUILD / attestation.CARD
LOOPBACK = "SLIPWAY_LOOPBACK_TRUST"


@dataclass(frozen=True)
class Verified:
    """A release whose signature holds: who has signed it, what, and by whose root that is known."""

    package: Package
    root: str
    signed: "Signed"
    statement: Statement


def committed(version: str) -> tuple[Path, Path]:
    """Where the signed statement and the model card of a release stand in Git."""
    return FOLDER / f"{version}.sigstore.json", FOLDER / f"{version}.cdx.json"


def built(repository: Repository) -> Verified:
    """Verify what is at hand in build/: signature and model card, and that the bytes are those that were signed.

    Raises:
        Rejected: it is not signed, or not as the policy asks; says which fact.
        Broken: nothing was packaged, or no answer is possible.

    """
    root = repository.root
    package = files.read_record(Package, root / BUILD / "package.json")
    if not (root / SIGNED).exists():
        raise Rejected(f"{package.bundle.version} is not signed: there is no {SIGNED}", "Run `slipway sign`.")
    bundle, document = files.read_bytes(root / SIGNED), files.read_bytes(root / CARD)
    verified = _verify(repository, package, bundle.decode(errors="replace"), document)
    version = package.bundle.version
    require_bento(verified.statement, root / BUILD / "bentos" / version / "bento")
    image = layout.read(root / BUILD / "images" / version)[0].digest
    if image != package.image_digest:
        raise Rejected(f"the image at hand is {image}, signed was {package.image_digest}", attestation.REMEDY)
    return verified


def released(repository: Repository, release: Release) -> Verified:
    """Verify a release by what Git holds of it.

    Raises:
        Rejected: it is not signed, or not as the policy asks; says which fact.
        Broken: no answer is possible.

    """
    package = release.package
    texts = [_committed(repository, path) for path in committed(package.bundle.version)]
    verified = _verify(repository, package, texts[0], texts[1].encode())
    require_same_gate(verified, release.gate)
    return verified


def commit(root: Path, version: str) -> None:
    """Bring what was signed to where Git keeps it."""
    for made, kept in zip((SIGNED, CARD), committed(version), strict=True):
        files.write_text(root / kept, files.read_bytes(root / made).decode())


def require_same_gate(verified: Verified, gate: GateDecision) -> None:
    """See that the gate's decision that a release rests on is the one that was signed.

    Raises:
        Rejected: it is another.

    """
    if records.dumps(verified.statement.lineage.gate) != records.dumps(gate):
        version = verified.package.bundle.version
        raise Rejected(
            f"{version} is not verified: signed was another decision of the gate than it is released with",
            f"Sign after the gate; of a release: `git log -p -- releases/{version}.json`.",
        )


def require_same_model(verified: Verified, found: Mapping[str, str]) -> None:
    """See that the files of a model, name -> digest, are those in the bento that was signed.

    Raises:
        Rejected: one is another.

    """
    version, bento = verified.package.bundle.version, verified.statement.lineage.bento
    for name, digest in found.items():
        signed = bento.get(f"src/model/{name}")
        if signed is None or signed.digest != digest:
            raise Rejected(
                f"{name} is not the one that was signed of {version}: it is {digest}", "Restore what was signed."
            )


def policy(repository: Repository) -> Policy:
    """Read the signing policy that everybody agreed on."""
    commit = agreed.newest(repository).commit
    text = repository.show(commit, str(POLICY))
    if text is None:
        raise Broken(f"{commit[:12]} has no {POLICY}: nobody may sign", "docs/security.md says how one is written.")
    return signing.parse(files.parse_yaml(text, str(POLICY)), f"{POLICY} of {commit[:12]}")


def trust(repository: Repository, asked: Policy) -> "Trust":
    """Whose certificates, log and times are believed: the policy's root, or the loopback one of a demo or a test.

    Raises:
        Rejected: a loopback root where none may be.
        Broken: the root cannot be had.

    """
    if LOOPBACK in os.environ:
        return _loopback(os.environ[LOOPBACK], os.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL", ""))
    return _root(repository, asked.root, agreed.newest(repository).commit)


@cache
def _root(repository: Repository, root: str, commit: str) -> "Trust":
    from slipway.adapters import sigstore

    if root in (signing.PUBLIC_GOOD, signing.OFFLINE):
        return sigstore.public_good(offline=root == signing.OFFLINE)
    text = repository.show(commit, root)
    if text is None:
        raise Broken(f"{commit[:12]} has no {root}, which {POLICY} names as the root", "Commit it to main.")
    if sigstore.loopback(text)[0]:
        raise Rejected(f"{root} names this very machine as its Sigstore: anybody could have signed", f"Mend {POLICY}.")
    return sigstore.trust(text, f"the root in {root} of {commit[:12]}")


@cache
def _loopback(path: str, token_url: str) -> "Trust":
    from slipway.adapters import sigstore

    if "KUBERNETES_SERVICE_HOST" in os.environ or (token_url and not sigstore.is_loopback(token_url)):
        raise Rejected(f"{LOOPBACK} is set where real releases are made", f"It is for demo and tests: unset {LOOPBACK}")
    text = files.read_bytes(Path(path)).decode(errors="replace")
    if not sigstore.loopback(text)[1]:
        raise Rejected(f"{path} names a Sigstore of another machine", f"Name it as `root` of {POLICY} instead.")
    return sigstore.trust(text, "a loopback root, for demo and tests only")


def _verify(repository: Repository, package: Package, bundle: str, document: bytes) -> Verified:
    from slipway.adapters import sigstore

    version, asked = package.bundle.version, policy(repository)
    root = trust(repository, asked)
    try:
        signed = sigstore.verify(bundle, root)
        statement = attestation.accept(
            signed.payload_type, signed.payload, asked, signed.run, package, digests.of_bytes(document)
        )
        _require_card(document, package)
    except Rejected as error:
        raise Rejected(f"{version} is not verified: {error.what}", error.remedy) from error
    progress.print(f"[dim]verified {version}: signed by {signed.run.signer}; by {root.name}[/]", soft_wrap=True)
    return Verified(package=package, root=root.name, signed=signed, statement=statement)


def _require_card(text: bytes, package: Package) -> None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Rejected(f"its model card is no JSON: {error}", "Run `slipway package`.") from error
    card.check(document, package)


def _committed(repository: Repository, path: Path) -> str:
    here = repository.root / path
    text = files.read_bytes(here).decode(errors="replace") if here.is_file() else None
    text = text or repository.show(agreed.newest(repository).commit, str(path))
    if text is None:
        raise Rejected(f"there is no {path}: nobody has signed that release", "Only a signed release may run.")
    return text


def require_bento(statement: Statement, folder: Path) -> None:
    """Hold a bento against what was signed, file by file.

    Raises:
        Rejected: it is another; says what file of it.
        Broken: it cannot be read.

    """
    try:
        content = tree.read(folder)
    except tree.Unbound as error:
        raise Rejected(f"the bento at hand is not what was signed: {error.what}", attestation.REMEDY) from error
    if changed := digests.differences(statement.lineage.entries, digests.entries(content)):
        raise Rejected(f"the bento at hand is not what was signed: {', '.join(changed)}", attestation.REMEDY)
    if (found := digests.of_tree(content)) != (meant := statement.lineage.package.bento_digest):
        raise Rejected(f"the bento at hand is {found}, signed was {meant}", attestation.REMEDY)


def extract(root: Path) -> Mapping[str, attestation.File]:
    """Every file of a bento, as it is signed."""
    return {
        path: attestation.File(digest=digest, executable=executable)
        for path, (digest, executable) in digests.entries(tree.read(root)).items()
    }
