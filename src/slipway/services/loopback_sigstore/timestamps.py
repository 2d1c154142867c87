"""The time stamp authority: RFC 3161 replies."""

import secrets
from datetime import UTC, datetime
from hashlib import sha256

from asn1crypto import cms, core, tsp
from asn1crypto import x509 as asn1
from cryptography import x509

from slipway.services.loopback_sigstore import certificates, keys
from slipway.services.loopback_sigstore.keys import Key

POLICY = "1.3.6.1.4.1.57264.2"
SHA256 = {"algorithm": "sha256"}


def reply(query: bytes, certificate: x509.Certificate, key: Key) -> bytes:
    """Stamp what the query names with the time of this clock."""
    asked = tsp.TimeStampReq.load(query, strict=True)
    now = datetime.now(UTC).replace(microsecond=0)
    stamped = {
        "version": "v1",
        "policy": POLICY,
        "message_imprint": asked["message_imprint"],
        "serial_number": secrets.randbits(64),
        "gen_time": now,
        "nonce": asked["nonce"].native,
    }
    signed = _signed(tsp.TSTInfo(stamped).dump(), now, certificates.der(certificate), key)
    token = {"content_type": "signed_data", "content": signed}
    answer: bytes = tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token}).dump()
    return answer


def _signed(content: bytes, now: datetime, certificate: bytes, key: Key) -> cms.SignedData:
    holder = asn1.Certificate.load(certificate)
    named = tsp.SigningCertificateV2({"certs": [{"hash_algorithm": SHA256, "cert_hash": sha256(certificate).digest()}]})
    attributes = cms.CMSAttributes(
        [
            {"type": "content_type", "values": ["tst_info"]},
            {"type": "signing_time", "values": [cms.Time({"utc_time": now})]},
            {"type": "message_digest", "values": [sha256(content).digest()]},
            {"type": "signing_certificate_v2", "values": [named]},
        ]
    )
    signer = {
        "version": "v1",
        "sid": {"issuer_and_serial_number": {"issuer": holder.issuer, "serial_number": holder.serial_number}},
        "digest_algorithm": SHA256,
        "signed_attrs": attributes,
        "signature_algorithm": {"algorithm": "sha256_ecdsa"},
        "signature": keys.sign(key, attributes.untag().dump()),
    }
    return cms.SignedData(
        {
            "version": "v3",
            "digest_algorithms": [SHA256],
            "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(content)},
            "certificates": [holder],
            "signer_infos": [cms.SignerInfo(signer)],
        }
    )
