"""Signatures of the public Sigstore, made on GitHub: what the loopback one of the other tests cannot prove.

They are attestations that GitHub's own client is tested with, taken from its Go module when the test runs.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.x509 import Certificate, UnrecognizedExtension
from sigstore.models import Bundle
from tests.signing.instance import started, statement

from slipway import signing
from slipway.adapters import sigstore
from slipway.errors import Rejected
from slipway.signing import Policy

MODULE, DIGEST = "github.com/cli/cli/v2@v2.83.0", "h1:DIh4WStSDm15OT43vImvKp21v9JAg8pBbdVoisknTKo="
REUSABLE, ENTERPRISE = "reusable-workflow-attestation.sigstore.json", "custom-issuer.sigstore.json"
FULCIO = "1.3.6.1.4.1.57264.1."
POLICY = Policy(
    schema_version=1,
    root=signing.OFFLINE,
    issuer="https://token.actions.githubusercontent.com",
    repository="https://github.com/too-legit/attest",
    workflow=".github/workflows/integration.yml",
    ref="refs/heads/main",
    triggers=("workflow_dispatch",),
    runner="github-hosted",
    predicate_types=("https://slsa.dev/provenance/v1",),
)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the module that holds them."""
    environment = ["GOTOOLCHAIN=local", "GONOSUMDB=*", "GOFLAGS=-mod=mod"]  # the hash is compared here
    command = ["env", *environment, "go", "mod", "download", "-json", MODULE]
    done = subprocess.run(command, cwd=tmp_path_factory.mktemp("go"), capture_output=True, check=True)
    found = json.loads(done.stdout)
    assert found["Sum"] == DIGEST
    return Path(found["Dir"]) / "pkg/cmd/attestation/test/data"


def test_a_real_attestation_verifies(bundles: Path) -> None:
    """Signed by a workflow in May 2024: the root in the locked package says so, without a network."""
    found = sigstore.verify((bundles / REUSABLE).read_text(), sigstore.public_good(offline=True))

    assert found.run.repository == "https://github.com/malancas/attest-demo"
    assert found.run.workflow == "https://github.com/malancas/attest-demo/.github/workflows/shared.yml@refs/heads/main"
    assert found.run.signer.startswith("https://github.com/github/artifact-attestations-workflows/")
    assert found.run.commit == "95baf27389e83e6a5c48f42e190d48d7abcea19e"
    assert json.loads(found.payload)["predicateType"] == "https://slsa.dev/provenance/v1"


def test_a_real_attestation_of_another_issuer_is_not_allowed(bundles: Path) -> None:
    """An enterprise may have its own issuer at GitHub: all else that the policy asks for, this one fits."""
    found = sigstore.verify((bundles / ENTERPRISE).read_text(), sigstore.public_good(offline=True))

    (fault,) = signing.faults(POLICY, found.run)

    assert "its issuer is https://token.actions.githubusercontent.com/hammer-time" in fault
    assert not list(signing.faults(msgspec.structs.replace(POLICY, issuer=found.run.issuer), found.run))


@pytest.mark.parametrize("part", ["payload", "certificate", "entry", "checkpoint"])
def test_a_real_attestation_that_was_edited_is_refused(bundles: Path, part: str) -> None:
    """With a part of another real one it is neither."""
    bundle, other = (json.loads((bundles / name).read_text()) for name in (REUSABLE, ENTERPRISE))
    ours, theirs = bundle["verificationMaterial"], other["verificationMaterial"]
    if part == "payload":
        bundle["dsseEnvelope"]["payload"] = other["dsseEnvelope"]["payload"]
    elif part == "certificate":
        ours["certificate"] = theirs["certificate"]
    elif part == "entry":
        ours["tlogEntries"] = theirs["tlogEntries"]
    else:
        proofs = [material["tlogEntries"][0]["inclusionProof"] for material in (ours, theirs)]
        proofs[0]["checkpoint"] = proofs[1]["checkpoint"]

    with pytest.raises(Rejected, match="refused by"):
        sigstore.verify(json.dumps(bundle), sigstore.public_good(offline=True))


def test_a_loopback_certificate_has_the_form_of_a_real_one(bundles: Path, tmp_path: Path) -> None:
    """The same extensions, critical or not, each fact of the run at its number and in its encoding."""
    real = Bundle.from_json((bundles / ENTERPRISE).read_text()).signing_certificate
    with started(tmp_path) as instance:
        ours = Bundle.from_json(json.dumps(instance.sign(statement()))).signing_certificate

    assert form(ours) == form(real)
    assert facts(ours).keys() == facts(real).keys()
    for number, value in facts(ours).items():
        assert kind(value) == kind(facts(real)[number]), number


def form(certificate: Certificate) -> set[tuple[str, bool]]:
    """A certificate's extensions, and which are critical."""
    return {(extension.oid.dotted_string, extension.critical) for extension in certificate.extensions}


def facts(certificate: Certificate) -> dict[str, bytes]:
    """What Fulcio's extensions hold."""
    values: list[Any] = [each.value for each in certificate.extensions if each.oid.dotted_string.startswith(FULCIO)]
    return {value.oid.dotted_string: value.value for value in values if isinstance(value, UnrecognizedExtension)}


def kind(value: bytes) -> str:
    """What sort of value it is: a UTF8String of DER or bare text, and of an address, a commit, a number or a word."""
    text, encoded = (value[2:].decode(), "UTF8String") if value[:1] == b"\x0c" else (value.decode(), "bare")
    for sort, fits in {
        "address": text.startswith("https://"),
        "commit": len(text) == 40,
        "number": text.isdigit(),
        "ref": text.startswith("refs/"),
    }.items():
        if fits:
            return f"{encoded} {sort}"
    return f"{encoded} text"
