"""X.509: the roots, the time stamp authority's certificate, and Fulcio's for a workflow, with the CT log's SCT."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from slipway.services.loopback_sigstore import keys
from slipway.services.loopback_sigstore.keys import Key

GITHUB = "https://github.com/"
FULCIO = "1.3.6.1.4.1.57264.1"
SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
BARE = ("iss", "event_name", "sha", "workflow", "repository", "ref")  # from 1 on; deprecated, and still written
ENCODED = (  # from 8 on, as DER
    *("iss", "job_workflow_ref", "job_workflow_sha", "runner_environment", "repository", "sha", "ref"),
    *("repository_id", "repository_owner", "repository_owner_id", "workflow_ref", "workflow_sha", "event_name", "run"),
    "repository_visibility",
)
ADDRESSES = ("job_workflow_ref", "repository", "repository_owner", "workflow_ref", "run")
YEARS = timedelta(days=3650)
USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


@dataclass(frozen=True)
class Authority:
    """Who signs certificates."""

    certificate: x509.Certificate
    key: Key


def root(name: str, key: Key) -> x509.Certificate:
    """Make a certificate authority that signs itself."""
    builder = _builder(_named(name), key.public_key(), _named(name), key, YEARS)
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .sign(key, hashes.SHA256())
    )


def stamping(name: str, key: Key, issuer: Authority) -> x509.Certificate:
    """Make the certificate of a time stamp authority."""
    builder = _builder(_named(name), key.public_key(), issuer.certificate.subject, issuer.key, YEARS)
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .sign(issuer.key, hashes.SHA256())
    )


def signing(
    claims: Mapping[str, str],
    public: CertificatePublicKeyTypes,
    issuer: Authority,
    ct_key: Key,
    lifetime: timedelta,
) -> x509.Certificate:
    """Make Fulcio's certificate for the workflow of these claims, with the CT log's word that it is logged."""
    builder = _builder(x509.Name([]), public, issuer.certificate.subject, issuer.key, lifetime)
    who = x509.UniformResourceIdentifier(GITHUB + claims["job_workflow_ref"])
    builder = (
        builder.add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
        .add_extension(x509.SubjectAlternativeName([who]), critical=True)
    )
    for number, value in _facts(claims).items():
        oid = x509.ObjectIdentifier(f"{FULCIO}.{number}")
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, value), critical=False)
    # What a CT log signs is the certificate as it will be, without the list that holds the signature itself.
    logged = _sct(builder.sign(issuer.key, hashes.SHA256()).tbs_certificate_bytes, issuer.key, ct_key)
    builder = builder.add_extension(x509.UnrecognizedExtension(SCT_LIST, logged), critical=False)
    return builder.sign(issuer.key, hashes.SHA256())


def der(certificate: x509.Certificate) -> bytes:
    """Write a certificate as DER."""
    return certificate.public_bytes(serialization.Encoding.DER)


def _facts(claims: Mapping[str, str]) -> dict[int, bytes]:
    """What Fulcio writes of GitHub's claims, by the last number of the OID."""
    run = f"{claims['repository']}/actions/runs/{claims['run_id']}/attempts/{claims['run_attempt']}"
    texts = {**claims, "run": run}
    texts |= {name: GITHUB + texts[name] for name in ADDRESSES}
    bare = {number: claims[name].encode() for number, name in enumerate(BARE, 1)}
    return bare | {number: core.UTF8String(texts[name]).dump() for number, name in enumerate(ENCODED, 8)}


def _sct(logged: bytes, issuer_key: Key, ct_key: Key) -> bytes:
    """Sign a certificate as a CT log does (RFC 6962, 3.2), and wrap it as the list that a certificate holds."""
    now = int(datetime.now(UTC).timestamp() * 1000)
    entry = keys.identity(issuer_key) + len(logged).to_bytes(3, "big") + logged
    signature = keys.sign(ct_key, struct.pack("!BBQH", 0, 0, now, 1) + entry + b"\0\0")
    ecdsa_sha256 = bytes([4, 3])
    sct = struct.pack("!B32sQH", 0, keys.identity(ct_key), now, 0) + ecdsa_sha256 + _sized(signature)
    listed: bytes = core.OctetString(_sized(_sized(sct))).dump()
    return listed


def _sized(content: bytes) -> bytes:
    return len(content).to_bytes(2, "big") + content


def _named(name: str) -> x509.Name:
    organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "loopback-sigstore")
    return x509.Name([organization, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*given: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in given for usage in USAGES})


def _builder(
    subject: x509.Name,
    public: CertificatePublicKeyTypes,
    issuer: x509.Name,
    issuer_key: Key,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    start = datetime.now(UTC).replace(microsecond=0)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(authority, critical=False)
    )
