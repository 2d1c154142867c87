"""The cluster's authority, and what it certifies: who each program is to the others."""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from tests.cluster.machine.place import API, API_SERVICE, NODE, NODE_NAME, Place

DAYS = 365
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
API_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


class Authority:
    """Signs certificates into a folder: NAME.crt and NAME.key; its own is ca.crt."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "slipway cluster")])
        root = self._certificate(self._name, self._key).add_extension(x509.BasicConstraints(True, None), True)
        self._write("ca", root.sign(self._key, hashes.SHA256()), self._key)

    def certify(self, name: str, who: str, *, groups: Sequence[str] = (), serves: Sequence[str] = ()) -> None:
        """Make a key, and a certificate of `who` in `groups`, for a server at the names and addresses of `serves`."""
        key = ec.generate_private_key(ec.SECP256R1())
        parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        subject = x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, who)])
        usages = [CLIENT, SERVER] if serves else [CLIENT]
        builder = self._certificate(subject, key).add_extension(x509.ExtendedKeyUsage(usages), False)
        if serves:
            builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(name) for name in serves]), False)
        self._write(name, builder.sign(self._key, hashes.SHA256()), key)

    def sign_tokens(self) -> None:
        """Make the key pair of ServiceAccounts' tokens: sa.key and sa.pub."""
        key = ec.generate_private_key(ec.SECP256R1())
        self._private("sa", key)
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (self.folder / "sa.pub").write_bytes(public)

    def _certificate(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=DAYS))
        )

    def _write(self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        (self.folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self._private(name, key)

    def _private(self, name: str, key: ec.EllipticCurvePrivateKey) -> None:
        path = self.folder / f"{name}.key"
        path.touch(mode=0o600)
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


def make(place: Place) -> None:
    """Make every key of a new cluster, and the kubeconfigs of those who speak to its API."""
    authority = Authority(place.keys)
    authority.certify("apiserver", "kube-apiserver", serves=[NODE, API_SERVICE, "127.0.0.1", *API_NAMES])
    authority.certify("apiserver-kubelet", "kube-apiserver", groups=["system:masters"])
    authority.certify("admin", "admin", groups=["system:masters"])
    authority.certify("kube-controller-manager", "system:kube-controller-manager", serves=["localhost", "127.0.0.1"])
    authority.certify("kube-scheduler", "system:kube-scheduler", serves=["localhost", "127.0.0.1"])
    authority.certify("kube-proxy", "system:kube-proxy")
    authority.certify("kubelet", f"system:node:{NODE_NAME}", groups=["system:nodes"], serves=[NODE, NODE_NAME])
    authority.certify("registry", "registry", serves=[NODE])
    authority.sign_tokens()
    for who in ("kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet"):
        write_kubeconfig(place, who, place.config / f"{who}.kubeconfig")
    write_kubeconfig(place, "admin", place.kubeconfig)


def write_kubeconfig(place: Place, who: str, path: Path) -> None:
    """Write how `who`, whom the authority has certified, reaches the API."""
    cluster = {"server": API, "certificate-authority": str(place.keys / "ca.crt")}
    user = {"client-certificate": str(place.keys / f"{who}.crt"), "client-key": str(place.keys / f"{who}.key")}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "slipway", "cluster": cluster}],
                "users": [{"name": who, "user": user}],
                "contexts": [{"name": "slipway", "context": {"cluster": "slipway", "user": who}}],
                "current-context": "slipway",
            }
        )
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
