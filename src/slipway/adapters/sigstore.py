"""Sigstore: signs a statement without a key of ours, and says who has signed one. It takes a second to import."""

import ipaddress
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from slipway import signing
from slipway.errors import Broken, Rejected
from slipway.signing import Run

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sigstore.models import Bundle, ClientTrustConfig

AUDIENCE = "sigstore"
SAID = 300  # characters of what the library says of a bundle: it may repeat all of it
OIDS = {  # https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md, below 1.3.6.1.4.1.57264.1
    "issuer": 8,
    "signer": 9,
    "runner": 11,
    "repository": 12,
    "commit": 13,
    "ref": 14,
    "repository_id": 15,
    "owner_id": 17,
    "workflow": 18,
    "trigger": 20,
    "invocation": 21,
}


@dataclass(frozen=True)
class Trust:
    """A Sigstore: whose certificates, log and time stamps are believed, and where it is asked to sign."""

    name: str  # for people: which root is used
    config: "ClientTrustConfig"


@dataclass(frozen=True)
class Signed:
    """What a bundle holds, once it is verified."""

    run: Run
    payload_type: str
    payload: bytes
    log_index: int
    at: str  # ISO 8601, UTC: when the log or a time-stamping authority has seen it first


def public_good(*, offline: bool) -> Trust:
    """The public Sigstore; its root is refreshed over TUF, or `offline` taken from the locked package.

    Raises:
        Broken: it cannot be had.

    """
    from sigstore.models import ClientTrustConfig

    if offline:
        return trust(_embedded(), "the public Sigstore's root, as the sigstore package holds it")
    try:
        return Trust("the public Sigstore's root, refreshed over TUF", ClientTrustConfig.production())
    except Exception as error:
        raise Broken(
            f"the public Sigstore's root cannot be had: {error}",
            "Ask again when tuf-repo-cdn.sigstore.dev answers; `root: offline` in signing/policy.yaml needs nobody.",
        ) from error


def _embedded() -> str:
    """What the locked package holds; the library itself would believe whatever lies in this user's cache."""
    store = resources.files("sigstore._store").joinpath(quote("https://tuf-repo-cdn.sigstore.dev", safe=""))
    parts = {"trustedRoot": "trusted_root.json", "signingConfig": "signing_config.v0.2.json"}
    held = {key: json.loads(store.joinpath(name).read_text(encoding="utf-8")) for key, name in parts.items()}
    return json.dumps({"mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"} | held)


def trust(text: str, name: str) -> Trust:
    """Read a client trust config; `name` says whose it is.

    Raises:
        Broken: it is none.

    """
    from sigstore.models import ClientTrustConfig
    from sigstore.verify import Verifier

    try:
        config = ClientTrustConfig.from_json(text)
        Verifier(trusted_root=config.trusted_root)
    except Exception as error:
        raise Broken(f"{name} is no client trust config: {error}", "docs/security.md says how one is made.") from error
    return Trust(name, config)


def loopback(text: str) -> tuple[bool, bool]:
    """Say whether any, and whether every address that a client trust config names is of this machine.

    Raises:
        Broken: it is none.

    """
    try:
        local = [is_loopback(address) for address in _addresses(json.loads(text))]
    except (ValueError, RecursionError) as error:
        raise Broken(f"a client trust config is no JSON: {error}", "docs/security.md says how one is made.") from error
    return any(local), bool(local) and all(local)


def sign(payload: bytes, token: str, trust: Trust) -> str:
    """Sign a statement in the name of who a token was issued to; returns the bundle.

    Raises:
        Broken: the Sigstore does not answer, or does not take the token.

    """
    from sigstore.dsse import Statement
    from sigstore.oidc import IdentityToken
    from sigstore.sign import SigningContext

    try:
        with SigningContext.from_trust_config(trust.config).signer(IdentityToken(token)) as signer:
            return signer.sign_dsse(Statement(payload)).to_json()
    except Exception as error:
        raise Broken(
            f"nothing was signed with {trust.name}: {error!r}",
            "If it answers, does the job hold `id-token: write`? Run it again.",
        ) from error


def ambient() -> str:
    """The token of the platform that we run on.

    Raises:
        Broken: there is none, or the platform does not give it.

    """
    from sigstore.oidc import IdentityError, detect_credential

    try:
        token = detect_credential(AUDIENCE)
    except IdentityError as error:
        raise Broken(f"the platform gives no token: {error}", "Grant the job `id-token: write`.") from error
    if token is None:
        raise Broken(
            "this machine has no identity to sign with",
            "Releases are signed by the workflow that signing/policy.yaml names; `make demo` shows it on this machine.",
        )
    return token


def run_of(token: str) -> Run:
    """Read what a token says of its run. The certificate made for it says the same, and counts."""
    import jwt

    try:
        said: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
        home = "https://github.com/"
        repository = home + said["repository"]
        return Run(
            issuer=said["iss"],
            signer=home + said["job_workflow_ref"],
            workflow=home + said["workflow_ref"],
            repository=repository,
            repository_id=said["repository_id"],
            owner_id=said["repository_owner_id"],
            commit=said["sha"],
            ref=said["ref"],
            trigger=said["event_name"],
            runner=said["runner_environment"],
            invocation=f"{repository}/actions/runs/{said['run_id']}/attempts/{said['run_attempt']}",
        )
    except (jwt.PyJWTError, KeyError, TypeError) as error:
        raise Broken(
            f"the token is not one of a GitHub workflow: {error!r}", "Sign in the release workflow."
        ) from error


def verify(bundle: str, trust: Trust) -> Signed:
    """Verify a bundle: signature, certificate, log entry and time. Whether its run may sign, the caller decides.

    Raises:
        Rejected: something of it is not in order; says what.

    """
    from sigstore.models import Bundle
    from sigstore.verify import Verifier

    verifier = Verifier(trusted_root=trust.config.trusted_root)
    certificate = _Certificate()
    try:
        opened = Bundle.from_json(bundle)
        payload_type, payload = verifier.verify_dsse(opened, certificate)
        _require_bound(opened, bundle, trust)
        seen = min(one.time for one in verifier._establish_time(opened))  # noqa: SLF001  # verified ones alone
    except Exception as error:  # any doubt is a refusal; the library raises many kinds for a bundle that was changed
        why = " ".join(str(error).split())[:SAID] or repr(error)
        raise Rejected(f"its signature is refused by {trust.name}: {why}", "Sign it again.") from error
    if certificate.run is None:
        raise Rejected("nothing says who has signed it", "Sign it again.")
    return Signed(
        run=certificate.run,
        payload_type=payload_type,
        payload=payload,
        log_index=opened.log_entry._inner.log_index,  # noqa: SLF001
        at=seen.astimezone(UTC).isoformat(timespec="seconds"),
    )


class _Certificate:
    """A verification policy of sigstore's: reads who has signed, once the chain of the certificate was verified."""

    def __init__(self) -> None:
        self.run: Run | None = None

    def verify(self, cert: "Certificate") -> None:
        from cryptography.hazmat import asn1
        from cryptography.x509 import ObjectIdentifier, SubjectAlternativeName, UniformResourceIdentifier
        from sigstore.errors import VerificationError

        facts = {
            name: asn1.decode_der(
                str,
                cert.extensions.get_extension_for_oid(ObjectIdentifier(f"1.3.6.1.4.1.57264.1.{oid}")).value.value,  # type: ignore[attr-defined]
            )
            for name, oid in OIDS.items()
        }
        named = cert.extensions.get_extension_for_class(SubjectAlternativeName).value
        if named.get_values_for_type(UniformResourceIdentifier) != [facts["signer"]] or len(named) != 1:
            raise VerificationError(f"the certificate is not for {facts['signer']} alone")
        self.run = Run(**facts)


def _require_bound(opened: "Bundle", text: str, trust: Trust) -> None:
    """Refuse what the client reads over: another spelling, a key twice, a log, place or time that no log has signed."""
    if json.loads(text, object_pairs_hook=signing.unique) != json.loads(opened.to_json()):
        raise ValueError("the bundle is not written as it was signed")
    entry = opened.log_entry._inner  # noqa: SLF001
    if entry.log_id.key_id not in {log.log_id.key_id for log in trust.config.trusted_root._inner.tlogs}:  # noqa: SLF001
        raise ValueError("the log entry is of a log that is not trusted")
    checkpoint = entry.inclusion_proof.checkpoint and entry.inclusion_proof.checkpoint.envelope
    if not checkpoint or f"\n\N{EM DASH} {checkpoint.split()[0]} " not in checkpoint:
        raise ValueError("the log's checkpoint is signed in the name of another log")
    promised, time = entry.inclusion_promise, entry.integrated_time  # Rekor v1 signs place and time
    proven = entry.log_index == entry.inclusion_proof.log_index and not (promised or time)  # v2 proves the place
    if not (promised and time) and not proven:
        raise ValueError("the log entry names a place or a time that the log has not signed")


def _addresses(value: Any) -> Iterator[str]:  # noqa: ANN401  # JSON of any shape
    if isinstance(value, dict):
        for key, part in value.items():
            if key in ("uri", "url", "baseUrl") and isinstance(part, str):
                yield part
            else:
                yield from _addresses(part)
    elif isinstance(value, list):
        for part in value:
            yield from _addresses(part)


def is_loopback(address: str) -> bool:
    """Say whether an address is of this machine."""
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:  # a bracket that is never closed
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
