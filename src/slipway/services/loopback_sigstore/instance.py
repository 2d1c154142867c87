"""One instance: its services' keys, and the client trust config that makes a client trust them."""

from base64 import b64decode, b64encode
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from slipway.errors import Rejected
from slipway.services.loopback_sigstore import certificates, keys, rekor, timestamps, tokens
from slipway.services.loopback_sigstore.certificates import Authority
from slipway.services.loopback_sigstore.keys import Key, Keys
from slipway.services.loopback_sigstore.log import Log

HERE = "127.0.0.1"
ORIGIN = f"{HERE}/rekor"  # part of the log's base URL, as verifiers demand, and the same at every port
MEDIA = "application/vnd.dev.sigstore"
Json = dict[str, Any]


class Instance:
    """The services of a folder."""

    def __init__(self, folder: Path, rekor_version: int, certificate_seconds: int) -> None:
        self.rekor_version, self.certificate_seconds = rekor_version, certificate_seconds
        kept = Keys(folder)
        self.request_token = kept.secret("request-token")
        self.token_key, self.ct_key, self.stamp_key = kept.key("token"), kept.key("ct"), kept.key("stamp")
        self.fulcio, self.stamp_root = _authority(kept, "fulcio"), _authority(kept, "stamp-root")
        self.stamp = kept.certificate("stamp", lambda: certificates.stamping("stamp", self.stamp_key, self.stamp_root))
        self.log = Log(folder / "rekor.log", ORIGIN, kept.key("rekor"))

    def certify(self, token: str, asked: Json) -> Json:
        """Answer Fulcio's request for a certificate (API v2).

        Raises:
            Rejected: the token is not this instance's, or the key is not the asker's.

        """
        claims = tokens.check(token, self.token_key)
        request = x509.load_pem_x509_csr(b64decode(asked["certificateSigningRequest"]))
        if not request.is_signature_valid:
            raise Rejected("the request is not signed by its key", "Sign it.")
        lifetime = timedelta(seconds=self.certificate_seconds)
        made = certificates.signing(claims, request.public_key(), self.fulcio, self.ct_key, lifetime)
        chain = [
            certificate.public_bytes(serialization.Encoding.PEM).decode()
            for certificate in (made, self.fulcio.certificate)
        ]
        return {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}

    def enter(self, version: int, asked: Json) -> Json:
        """Log an entry."""
        return (rekor.version_1 if version == 1 else rekor.version_2)(self.log, asked)

    def stamped(self, query: bytes) -> bytes:
        """Answer a time stamp query."""
        return timestamps.reply(query, self.stamp, self.stamp_key)

    def trust(self, url: str) -> Json:
        """Write the client trust config of the instance at this address; the trusted root is the same at any."""
        valid = {"start": self.fulcio.certificate.not_valid_before_utc.strftime("%Y-%m-%dT%H:%M:%SZ")}

        def authority(name: str, *chain: x509.Certificate) -> Json:
            return {
                "subject": {"organization": "loopback-sigstore", "commonName": name},
                "uri": f"http://{HERE}/{name}",
                "certChain": {"certificates": [{"rawBytes": _text(certificates.der(each))} for each in chain]},
                "validFor": valid,
            }

        def log(name: str, key: Key) -> Json:
            details = {"rawBytes": _text(keys.public(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": valid}
            return {
                "baseUrl": f"http://{HERE}/{name}",
                "hashAlgorithm": "SHA2_256",
                "publicKey": details,
                "logId": {"keyId": _text(keys.identity(key))},
            }

        def service(version: int, path: str = "") -> Json:
            return {"url": url + path, "majorApiVersion": version, "validFor": valid, "operator": "loopback-sigstore"}

        return {
            "mediaType": f"{MEDIA}.clienttrustconfig.v0.1+json",
            "trustedRoot": {
                "mediaType": f"{MEDIA}.trustedroot+json;version=0.1",
                "tlogs": [log("rekor", self.log.key)],
                "certificateAuthorities": [authority("fulcio", self.fulcio.certificate)],
                "ctlogs": [log("ct", self.ct_key)],
                "timestampAuthorities": [authority("stamp", self.stamp, self.stamp_root.certificate)],
            },
            "signingConfig": {
                "mediaType": f"{MEDIA}.signingconfig.v0.2+json",
                "caUrls": [service(1)],
                "oidcUrls": [service(1)],
                "rekorTlogUrls": [service(self.rekor_version)],
                # Rekor v1 says the time itself; version 2 leaves it to a time stamp authority.
                "tsaUrls": [service(1, "/api/v1/timestamp")] if self.rekor_version == 2 else [],
                "rekorTlogConfig": {"selector": "ANY"},
                "tsaConfig": {"selector": "ANY"},
            },
        }

    def environment(self, url: str, trust: Path) -> dict[str, str]:
        """Name the variables that make a process a signer of this instance."""
        return {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/token",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.request_token,
            "SLIPWAY_LOOPBACK_TRUST": str(trust),
        }


def _authority(kept: Keys, name: str) -> Authority:
    key = kept.key(name)
    return Authority(kept.certificate(name, lambda: certificates.root(name, key)), key)


def _text(content: bytes) -> str:
    return b64encode(content).decode()
