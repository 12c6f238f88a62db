"""Certificates of the cluster: one authority, a certificate for each server, a kubeconfig for each client."""

import json
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.authority import Authority, Issued
from tests.kubernetes.lab.places import API, API_SERVICE, GATEWAY, NODE

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


def make(folder: Path) -> None:
    """Make all that the cluster needs: `ca.pem`, `NAME.crt` and `NAME.key`, `NAME.kubeconfig`, the key of accounts."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority(folder, "ca")
    authority.issue("apiserver", _names(("127.0.0.1", GATEWAY, API_SERVICE), API_NAMES))
    authority.issue("kubelet-server", _names((GATEWAY,), (NODE,)))
    for name, (group, user) in CLIENTS.items():
        shown = authority.issue(name, (), user=user, group=group)
        (folder / f"{name}.kubeconfig").write_text(json.dumps(_kubeconfig(authority.ca, shown)))
    accounts = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = accounts.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = accounts.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "accounts.key").write_bytes(private)
    (folder / "accounts.pub").write_bytes(public)


def _names(addresses: tuple[str, ...], names: tuple[str, ...]) -> list[x509.GeneralName]:
    return [*(x509.IPAddress(ip_address(one)) for one in addresses), *map(x509.DNSName, names)]


def _kubeconfig(ca: Path, shown: Issued) -> dict[str, object]:
    user = {"client-certificate": str(shown.certificate), "client-key": str(shown.key)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": {"server": API, "certificate-authority": str(ca)}}],
        "users": [{"name": "me", "user": user}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "me"}}],
        "current-context": "lab",
    }
