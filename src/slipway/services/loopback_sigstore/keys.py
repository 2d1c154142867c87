"""The instance's keys and certificates: made once, then kept in its folder."""

import os
import secrets
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Key = ec.EllipticCurvePrivateKey


class Keys:
    """What the folder keeps, by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def key(self, name: str) -> Key:
        """Give the private key of a service."""
        kept = serialization.load_pem_private_key(self._kept(f"{name}.key", _new_key), None)
        assert isinstance(kept, Key)  # noqa: S101  # this module wrote it
        return kept

    def certificate(self, name: str, make: Callable[[], x509.Certificate]) -> x509.Certificate:
        """Give a certificate, made the first time."""
        pem = self._kept(f"{name}.crt", lambda: make().public_bytes(serialization.Encoding.PEM))
        return x509.load_pem_x509_certificate(pem)

    def secret(self, name: str) -> str:
        """Give a random text."""
        return self._kept(name, lambda: secrets.token_hex(16).encode()).decode()

    def _kept(self, name: str, make: Callable[[], bytes]) -> bytes:
        path = self.folder / name
        if not path.exists():
            fresh = path.with_suffix(f"{path.suffix}.new")  # never half a key under its name
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
                stream.write(make())
            fresh.replace(path)
        return path.read_bytes()


def sign(key: Key, content: bytes) -> bytes:
    """Sign with ECDSA over SHA-256, as every service here does."""
    return key.sign(content, ec.ECDSA(hashes.SHA256()))


def public(key: Key) -> bytes:
    """Write the public half as a DER SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def identity(key: Key) -> bytes:
    """Name a key as logs do: by the digest of its public half."""
    return sha256(public(key)).digest()


def _new_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
