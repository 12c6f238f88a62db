"""Certificates of the cluster: one authority, a certificate for each server, a kubeconfig for each client."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.kubernetes.lab.places import API, API_SERVICE, GATEWAY, NODE

DAYS = timedelta(days=2)
CLIENTS = {
    "admin": ("system:masters", "admin"),
    "controllers": (None, "system:kube-controller-manager"),
    "scheduler": (None, "system:kube-scheduler"),
    "kubelet": ("system:nodes", f"system:node:{NODE}"),
    "proxy": (None, "system:kube-proxy"),
    "dns": (None, "coredns"),
    "policies": (None, "network-policies"),
    "apiserver-kubelet": ("system:masters", "apiserver-kubelet"),
}
API_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


@dataclass(frozen=True)
class Authority:
    """Signs what the cluster's parts show each other; everything lies in `folder`."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def new(cls, folder: Path) -> "Authority":
        """Make one."""
        folder.mkdir(parents=True, exist_ok=True)
        key, name = ec.generate_private_key(ec.SECP256R1()), _name(None, "autoloader-lab")
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        certificate = (
            _builder(name, name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(key, hashes.SHA256())
        )
        (folder / "ca.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
        (folder / "ca.key").write_bytes(_pem(key))
        return cls(folder, key, certificate)

    def server(self, file: str, subject: str, addresses: tuple[str, ...], names: tuple[str, ...] = ()) -> None:
        """Write a server's certificate and key."""
        alternatives = [*(x509.IPAddress(ip_address(one)) for one in addresses), *map(x509.DNSName, names)]
        self._sign(file, _name("system:nodes", subject), ExtendedKeyUsageOID.SERVER_AUTH, alternatives)

    def client(self, file: str, group: str | None, user: str) -> None:
        """Write a client's certificate and key, and its kubeconfig."""
        self._sign(file, _name(group, user), ExtendedKeyUsageOID.CLIENT_AUTH, [])
        files = {"client-certificate": f"{self.folder}/{file}.crt", "client-key": f"{self.folder}/{file}.key"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": {"server": API, "certificate-authority": f"{self.folder}/ca.crt"}}],
            "users": [{"name": "me", "user": files}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "me"}}],
            "current-context": "lab",
        }
        (self.folder / f"{file}.kubeconfig").write_text(json.dumps(config))

    def _sign(self, file: str, name: x509.Name, usage: x509.ObjectIdentifier, names: list[x509.GeneralName]) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(name, self.certificate.subject, key.public_key())
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        (self.folder / f"{file}.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
        (self.folder / f"{file}.key").write_bytes(_pem(key))


def make(folder: Path) -> None:
    """Make all that the cluster needs."""
    authority = Authority.new(folder)
    authority.server("apiserver", "kube-apiserver", ("127.0.0.1", GATEWAY, API_SERVICE), API_NAMES)
    authority.server("kubelet-server", f"system:node:{NODE}", (GATEWAY,), (NODE,))
    for file, (group, user) in CLIENTS.items():
        authority.client(file, group, user)
    accounts = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "accounts.key").write_bytes(_pem(accounts))
    public = accounts.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "accounts.pub").write_bytes(public)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + DAYS)
    )


def _name(group: str | None, user: str) -> x509.Name:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, user)])


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
