"""Rekor: what is written to the log of a signature, and what is answered, in version 1 and version 2."""

import time
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Any

import msgspec
import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from slipway.errors import Rejected
from slipway.services.loopback_sigstore import keys
from slipway.services.loopback_sigstore.log import Log

Json = dict[str, Any]


def version_1(log: Log, asked: Json) -> Json:
    """Log a DSSE envelope whose signatures are good, at the time of this clock."""
    if asked["kind"] != "dsse":
        raise Rejected(f"an entry of kind {asked['kind']}", "Log a DSSE envelope.")
    proposed = asked["spec"]["proposedContent"]
    envelope, verifier = msgspec.json.decode(proposed["envelope"]), proposed["verifiers"][0]
    payload, kind = b64decode(envelope["payload"]), envelope["payloadType"]
    signed = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    signatures = [signature["sig"] for signature in envelope["signatures"]]
    certificate = x509.load_pem_x509_certificate(b64decode(verifier))
    for signature in signatures:
        _check(certificate, b64decode(signature), sha256(signed).digest())
    spec = {
        "envelopeHash": _sha256(proposed["envelope"].encode()),
        "payloadHash": _sha256(payload),
        "signatures": [{"signature": signature, "verifier": verifier} for signature in signatures],
    }
    body = _body("0.0.1", "dsse", spec)
    found = log.add(body)
    promised: Json = {
        "body": b64encode(body).decode(),
        "integratedTime": int(time.time()),
        "logID": keys.identity(log.key).hex(),
        "logIndex": found.index,
    }
    proof = {
        "logIndex": found.index,
        "treeSize": found.size,
        "rootHash": found.root.hex(),
        "hashes": [part.hex() for part in found.path],
        "checkpoint": found.checkpoint,
    }
    promise = b64encode(keys.sign(log.key, rfc8785.dumps(promised))).decode()
    return {found.leaf.hex(): promised | {"verification": {"signedEntryTimestamp": promise, "inclusionProof": proof}}}


def version_2(log: Log, asked: Json) -> Json:
    """Log a good signature on a digest; its time is the time stamp authority's to say."""
    request = asked["hashedRekordRequestV002"]
    signature, digest = request["signature"], request["digest"]
    certificate = x509.load_der_x509_certificate(b64decode(signature["verifier"]["x509Certificate"]["rawBytes"]))
    _check(certificate, b64decode(signature["content"]), b64decode(digest))
    spec = {"hashedRekordV002": {"data": {"algorithm": "SHA2_256", "digest": digest}, "signature": signature}}
    body = _body("0.0.2", "hashedrekord", spec)
    found = log.add(body)
    return {
        "logIndex": str(found.index),
        "logId": {"keyId": b64encode(keys.identity(log.key)).decode()},
        "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"},
        "canonicalizedBody": b64encode(body).decode(),
        "inclusionProof": {
            "logIndex": str(found.index),
            "treeSize": str(found.size),
            "rootHash": b64encode(found.root).decode(),
            "hashes": [b64encode(part).decode() for part in found.path],
            "checkpoint": {"envelope": found.checkpoint},
        },
    }


def _check(certificate: x509.Certificate, signature: bytes, digest: bytes) -> None:
    """Refuse what the certificate's key did not sign, as Rekor does."""
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise Rejected("the certificate's key is not one on a curve", "Sign with ECDSA.")
    key.verify(signature, digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))


def _body(version: str, kind: str, spec: Json) -> bytes:
    return rfc8785.dumps({"apiVersion": version, "kind": kind, "spec": spec})


def _sha256(content: bytes) -> Json:
    return {"algorithm": "sha256", "value": sha256(content).hexdigest()}
