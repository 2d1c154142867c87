"""The loopback Sigstore, judged by the unmodified client: what it signs is believed, whatever is not its own is not."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, decode_timestamp_response
from sigstore._internal.fulcio.client import FulcioClientError
from sigstore.errors import Error, VerificationError
from sigstore.models import Bundle, ClientTrustConfig
from sigstore.verify import Verifier, policy
from tests.conftest import NAME, REPOSITORY
from tests.signing.instance import Instance, command, started, statement

ISSUER = "https://token.actions.githubusercontent.com"
WORKFLOW = f"{REPOSITORY}/.github/workflows/release.yml@refs/heads/main"
COMMIT = "b" * 40
SIGN = """
import os, sys
from pathlib import Path
from sigstore.models import ClientTrustConfig
from sigstore.oidc import IdentityToken, detect_credential
from sigstore.sign import SigningContext
from tests.signing.instance import statement

config = ClientTrustConfig.from_json(Path(os.environ["SLIPWAY_LOOPBACK_TRUST"]).read_text())
with SigningContext.from_trust_config(config).signer(IdentityToken(detect_credential())) as signer:
    print(signer.sign_dsse(statement(n=7)).to_json())
"""
Edit = Callable[[dict[str, Any], dict[str, Any]], None]


@pytest.fixture(params=["loopback", "loopback_v1"])
def instance(request: pytest.FixtureRequest) -> Instance:
    """Both versions of Rekor, one after the other."""
    found: Instance = request.getfixturevalue(request.param)
    return found


def verify(bundle: dict[str, Any], trust: Path, commit: str = COMMIT) -> dict[str, Any]:
    """Verify as a consumer does, by all that a workflow's certificate says."""
    expected = policy.AllOf(
        [
            policy.Identity(identity=WORKFLOW, issuer=ISSUER),
            policy.OIDCIssuerV2(ISSUER),
            policy.OIDCBuildSignerURI(WORKFLOW),
            policy.OIDCBuildSignerDigest(commit),
            policy.OIDCRunnerEnvironment("github-hosted"),
            policy.OIDCSourceRepositoryURI(REPOSITORY),
            policy.OIDCSourceRepositoryDigest(commit),
            policy.OIDCSourceRepositoryRef("refs/heads/main"),
            policy.OIDCSourceRepositoryIdentifier("1"),
            policy.OIDCSourceRepositoryOwnerURI(REPOSITORY.rpartition("/")[0]),
            policy.OIDCSourceRepositoryOwnerIdentifier("2"),
            policy.OIDCBuildConfigURI(WORKFLOW),
            policy.OIDCBuildConfigDigest(commit),
            policy.OIDCBuildTrigger("push"),
            policy.OIDCRunInvocationURI(f"{REPOSITORY}/actions/runs/1/attempts/1"),
            policy.OIDCSourceRepositoryVisibility("public"),
            policy.GitHubWorkflowTrigger("push"),
            policy.GitHubWorkflowSHA(commit),
            policy.GitHubWorkflowName("release"),
            policy.GitHubWorkflowRepository(NAME),
            policy.GitHubWorkflowRef("refs/heads/main"),
        ]
    )
    config = ClientTrustConfig.from_json(trust.read_text())
    kind, payload = Verifier(trusted_root=config.trusted_root).verify_dsse(
        Bundle.from_json(json.dumps(bundle)), expected
    )
    assert kind == "application/vnd.in-toto+json"
    return dict(json.loads(payload))


def entry(bundle: dict[str, Any]) -> dict[str, Any]:
    """The bundle's only log entry."""
    (found,) = bundle["verificationMaterial"]["tlogEntries"]
    return dict(found)


def port(instance: Instance) -> int:
    """Where an instance listens."""
    found = urlsplit(instance.environment()["ACTIONS_ID_TOKEN_REQUEST_URL"]).port
    assert found is not None
    return found


def test_what_one_process_signs_another_verifies(instance: Instance) -> None:
    """The client takes its token from the job's environment, as on GitHub; who verifies has the trust file only."""
    environment = os.environ | instance.environment(sha=COMMIT)
    root = Path(__file__).parents[2]

    signed = subprocess.run(
        [sys.executable, "-c", SIGN], cwd=root, env=environment, capture_output=True, text=True, check=True
    )

    assert verify(json.loads(signed.stdout), instance.trust)["predicate"] == {"n": 7}


def test_a_restart_is_the_same_instance(tmp_path: Path) -> None:
    """Its root is the same byte by byte, its log goes on, and what it signed before verifies after."""
    with started(tmp_path) as first:
        before, root = first.sign(statement(), sha=COMMIT), json.loads(first.trust.read_text())["trustedRoot"]
    with started(tmp_path, "--rekor", "1") as second:
        after = second.sign(statement(n=2), sha=COMMIT)

    assert json.loads(second.trust.read_text())["trustedRoot"] == root
    assert verify(before, second.trust)["predicate"] == {"n": 1}
    assert verify(after, second.trust)["predicate"] == {"n": 2}
    assert entry(after)["inclusionProof"]["treeSize"] == "2"
    assert entry(after)["inclusionProof"]["hashes"]


def test_every_size_of_the_log_proves_its_last_entry(loopback: Instance) -> None:
    """The tree is uneven at most sizes, and the path to its root another one at each."""
    bundles = [loopback.sign(statement(n=number), sha=COMMIT) for number in range(9)]

    assert [verify(bundle, loopback.trust)["predicate"]["n"] for bundle in bundles] == list(range(9))


def test_another_instance_is_not_believed(loopback: Instance, loopback_v1: Instance) -> None:
    """Each has its own keys, whatever names they bear."""
    with pytest.raises(VerificationError, match="not enough sources of verified time"):  # another's time stamp
        verify(loopback.sign(statement(), sha=COMMIT), loopback_v1.trust)
    with pytest.raises(VerificationError, match="failed to build timestamp certificate chain"):
        verify(loopback_v1.sign(statement(), sha=COMMIT), loopback.trust)


def test_the_public_root_does_not_believe_it(instance: Instance) -> None:
    """Nobody who trusts the public Sigstore trusts this one."""
    bundle = Bundle.from_json(json.dumps(instance.sign(statement(), sha=COMMIT)))

    with pytest.raises(VerificationError, match=r"not enough sources of verified time|certificate chain"):
        Verifier.production(offline=True).verify_dsse(bundle, policy.UnsafeNoOp())


@pytest.mark.parametrize(
    ("claims", "named"),
    [
        ({"sha": "c" * 40}, "OIDCBuildSignerDigest|OIDCSourceRepositoryDigest|does not match"),
        ({"ref": "refs/heads/feature"}, "do not match"),
        ({"repository": "fork/slipway"}, "do not match"),
        ({"job_workflow_ref": f"{NAME}/.github/workflows/other.yml@refs/heads/main"}, "do not match"),
        ({"event_name": "pull_request"}, "match"),
        ({"runner_environment": "self-hosted"}, "match"),
    ],
    ids=lambda given: "".join(given) if isinstance(given, dict) else "",
)
def test_a_claim_of_the_query_stands_in_the_certificate(loopback: Instance, claims: dict[str, str], named: str) -> None:
    """A test can be any workflow; the policy sees that it is another one."""
    bundle = loopback.sign(statement(), **{"sha": COMMIT, **claims})

    with pytest.raises(VerificationError, match=named):
        verify(bundle, loopback.trust)


def test_a_claim_that_github_does_not_make_is_refused(loopback: Instance) -> None:
    """A misspelt claim would else be a default that nobody asked for."""
    with pytest.raises(requests.HTTPError, match="401"):
        loopback.token(comit=COMMIT)


def test_a_wrong_request_token_gets_no_token(loopback: Instance) -> None:
    """The request token is the job's secret."""
    url = loopback.environment()["ACTIONS_ID_TOKEN_REQUEST_URL"]

    for headers in ({"Authorization": "bearer wrong"}, {}):
        assert requests.get(url, headers=headers, timeout=10).status_code == 401


@pytest.mark.parametrize("forged", ["key", "issuer", "audience", "time", "none"])
def test_a_forged_token_gets_no_certificate(loopback: Instance, forged: str) -> None:
    """Fulcio believes tokens of its issuer's key, for Sigstore, whose time is now."""
    kept = Path(loopback.folder / "token.key").read_text()
    claims = jwt.decode(loopback.token(sha=COMMIT), options={"verify_signature": False})
    key: Any = ec.generate_private_key(ec.SECP256R1()) if forged == "key" else kept
    claims |= {"issuer": {"iss": "https://elsewhere.example"}, "audience": {"aud": "pypi"}}.get(forged, {})
    claims |= {"exp": int(time.time()) - 1} if forged == "time" else {}
    token = (
        jwt.encode(claims, None, algorithm="none") if forged == "none" else jwt.encode(claims, key, algorithm="ES256")
    )
    url = loopback.environment()["ACTIONS_ID_TOKEN_REQUEST_URL"].replace("/token", "/api/v2/signingCert")

    refused = requests.post(url, json={}, headers={"Authorization": f"Bearer {token}"}, timeout=10)

    assert refused.status_code == 401
    assert "token is refused" in refused.json()["message"]


def test_the_client_meets_that_refusal_too(loopback: Instance) -> None:
    """A token of another key ends the signing."""
    claims = jwt.decode(loopback.token(sha=COMMIT), options={"verify_signature": False})
    token = jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256")

    with pytest.raises(FulcioClientError):
        loopback.sign(statement(), token)


def _payload(bundle: dict[str, Any], _: dict[str, Any]) -> None:
    envelope = bundle["dsseEnvelope"]
    envelope["payload"] = b64encode(b64decode(envelope["payload"]).replace(b'"n":1', b'"n":3')).decode()


def _checkpoint(bundle: dict[str, Any], _: dict[str, Any]) -> None:
    (found,) = bundle["verificationMaterial"]["tlogEntries"]
    text = found["inclusionProof"]["checkpoint"]["envelope"]
    origin, size, rest = text.split("\n", 2)
    found["inclusionProof"]["checkpoint"]["envelope"] = f"{origin}\n{int(size) + 1}\n{rest}"


def _path(bundle: dict[str, Any], _: dict[str, Any]) -> None:
    (found,) = bundle["verificationMaterial"]["tlogEntries"]
    found["inclusionProof"]["hashes"][0] = b64encode(bytes(32)).decode()


def _no_entry(bundle: dict[str, Any], _: dict[str, Any]) -> None:
    bundle["verificationMaterial"]["tlogEntries"] = []


def _other_entry(bundle: dict[str, Any], other: dict[str, Any]) -> None:
    entries = bundle["verificationMaterial"]["tlogEntries"]
    bundle.update(other)  # the later entry in the earlier signature: the other way it may precede the certificate
    bundle["verificationMaterial"]["tlogEntries"] = entries


def _other_certificate(bundle: dict[str, Any], other: dict[str, Any]) -> None:
    bundle["verificationMaterial"]["certificate"] = other["verificationMaterial"]["certificate"]


def _no_stamp(bundle: dict[str, Any], _: dict[str, Any]) -> None:
    del bundle["verificationMaterial"]["timestampVerificationData"]


def _other_stamp(bundle: dict[str, Any], other: dict[str, Any]) -> None:
    data = "timestampVerificationData"
    bundle["verificationMaterial"][data] = other["verificationMaterial"][data]


def _time(bundle: dict[str, Any], _: dict[str, Any]) -> None:
    (found,) = bundle["verificationMaterial"]["tlogEntries"]
    found["integratedTime"] = str(int(found["integratedTime"]) + 1)


BOTH = [
    (_payload, "invalid signature"),
    (_checkpoint, "checkpoint: invalid signature"),
    (_path, "inclusion proof"),
    (_no_entry, "exactly one log entry"),
    (_other_entry, "inconsistent|log entry"),
    (_other_certificate, "invalid signature"),
]
CASES = [
    *(
        pytest.param(name, *case, id=f"{name}-{case[0].__name__}")
        for name in ("loopback", "loopback_v1")
        for case in BOTH
    ),
    pytest.param("loopback", _no_stamp, "an inclusion promise or signed timestamp", id="loopback-_no_stamp"),
    pytest.param("loopback", _other_stamp, "not enough sources of verified time", id="loopback-_other_stamp"),
    pytest.param("loopback_v1", _time, "inclusion promise", id="loopback_v1-_time"),
]


@pytest.mark.parametrize(("name", "edit", "named"), CASES)
def test_an_edited_bundle_is_refused(name: str, edit: Edit, named: str, request: pytest.FixtureRequest) -> None:
    """Nothing of a bundle can be changed, left out or taken from another signature."""
    signer: Instance = request.getfixturevalue(name)
    other = signer.sign(statement(n=2), sha=COMMIT)
    bundle = signer.sign(statement(), sha=COMMIT)
    verify(bundle, signer.trust)

    edit(bundle, other)

    with pytest.raises(Error, match=named):
        verify(bundle, signer.trust)


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_signature_after_the_certificate_is_refused(version: str, tmp_path: Path) -> None:
    """The time is the log's in version 1, and in version 2 the time stamp authority's: never the signer's."""
    with started(tmp_path, "--rekor", version, "--certificate-seconds", "4") as brief:
        bundle = brief.sign_late(statement(), sha=COMMIT)

    with pytest.raises(VerificationError, match="not valid at validation time"):
        verify(bundle, brief.trust)


def test_rekor_logs_no_signature_that_is_none(instance: Instance) -> None:
    """As the real one: an entry is evidence that the certificate's key signed."""
    bundle = instance.sign(statement(), sha=COMMIT)
    logged = json.loads(b64decode(entry(bundle)["canonicalizedBody"]))["spec"]
    address = json.loads(instance.trust.read_text())["signingConfig"]["rekorTlogUrls"][0]
    if address["majorApiVersion"] == 2:
        data = logged["hashedRekordV002"]
        asked: Any = {
            "hashedRekordRequestV002": {"digest": b64encode(bytes(32)).decode(), "signature": data["signature"]}
        }
    else:
        envelope = {**bundle["dsseEnvelope"], "payload": b64encode(b"{}").decode()}
        verifiers = [logged["signatures"][0]["verifier"]]
        asked = {
            "kind": "dsse",
            "spec": {"proposedContent": {"envelope": json.dumps(envelope), "verifiers": verifiers}},
        }
    size = (instance.folder / "rekor.log").stat().st_size

    refused = requests.post(f"{address['url']}/api/v{address['majorApiVersion']}/log/entries", json=asked, timeout=10)

    assert (refused.status_code, refused.json()["message"]) == (400, "the signature is not of this content and key")
    assert (instance.folder / "rekor.log").stat().st_size == size


@pytest.mark.parametrize("nonce", [True, False])
def test_a_time_stamp_answers_its_query(loopback: Instance, nonce: bool) -> None:
    """The client looks at neither nonce nor status: another's answer would do."""
    query = TimestampRequestBuilder().hash_algorithm(HashAlgorithm.SHA256).data(b"signature").nonce(nonce=nonce).build()
    address = json.loads(loopback.trust.read_text())["signingConfig"]["tsaUrls"][0]["url"]

    reply = decode_timestamp_response(requests.post(address, data=query.as_bytes(), timeout=10).content)

    assert (reply.status, reply.tst_info.nonce) == (0, query.nonce)
    assert reply.tst_info.message_imprint.message == sha256(b"signature").digest()


@pytest.mark.parametrize("path", ["api/v2/signingCert", "api/v1/log/entries", "api/v2/log/entries", "api/v1/timestamp"])
def test_nonsense_is_refused(loopback: Instance, path: str) -> None:
    """What is no request is a refusal, never a breakage."""
    url = loopback.environment()["ACTIONS_ID_TOKEN_REQUEST_URL"].replace("token", path)
    headers = {"Authorization": f"Bearer {loopback.token()}"}

    for body in (b"", b"{}", b"[]", b"1", b"\xff\xfe"):
        assert requests.post(url, data=body, headers=headers, timeout=10).status_code == 400


def test_it_answers_this_machine_only(loopback: Instance) -> None:
    """It listens at 127.0.0.1, and to no other name for it."""
    url = loopback.environment()["ACTIONS_ID_TOKEN_REQUEST_URL"]

    assert requests.get(url, headers={"Host": f"rebound.example:{port(loopback)}"}, timeout=10).status_code == 400
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port(loopback)), timeout=5)


def test_a_folder_has_one_process(loopback: Instance) -> None:
    """Two would write two histories of one log."""
    second = subprocess.run(command(loopback.folder), capture_output=True, text=True, check=False, timeout=60)

    assert second.returncode == 2
    assert "is served already" in second.stderr
    assert loopback.environment()


def test_it_ends_at_once(tmp_path: Path) -> None:
    """SIGTERM ends it also while a client has sent half of a request."""
    with started(tmp_path) as brief, socket.create_connection(("127.0.0.1", port(brief)), timeout=10) as half:
        half.sendall(b"POST /api/v1/timestamp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n1")
        brief.token()  # it has had time to read the half
        brief.process.send_signal(signal.SIGTERM)
        brief.process.wait(10)


def test_its_keys_are_its_own(loopback: Instance) -> None:
    """Nobody else on the machine may sign as it."""
    assert loopback.folder.stat().st_mode & 0o077 == 0
    assert {path.stat().st_mode & 0o777 for path in loopback.folder.glob("*.key")} == {0o600}
