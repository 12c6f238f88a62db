"""A private CA, and the certificates that it signs: for servers of 127.0.0.1, and for clients."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)
HERE: Sequence[x509.GeneralName] = (x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1")))
ELSEWHERE: Sequence[x509.GeneralName] = (x509.DNSName("elsewhere.example"),)


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, in PEM: each by itself, and both in one file."""

    certificate: Path
    key: Path
    both: Path

    def server_context(self) -> ssl.SSLContext:
        """What a server of Python's needs to show it."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        return context


class Authority:
    """Its own certificate is `ca`."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = _named(name)
        self._key = generate_private_key(SECP256R1())
        self.ca = folder / f"{name}.pem"
        built = _begun(self._name, self._name, self._key, datetime.now(UTC) + DAY)
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.ca.write_bytes(built.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def issue(
        self,
        name: str,
        names: Sequence[x509.GeneralName] = HERE,
        *,
        user: str | None = None,
        group: str | None = None,
        ends: timedelta = DAY,
    ) -> Issued:
        """Sign a certificate that is made out to these names; its files are called `name`, as its owner is by itself.

        Kubernetes knows its clients by `user` and `group`.
        """
        key = generate_private_key(SECP256R1())
        built = _begun(_named(user or name, group), self._name, key, datetime.now(UTC) + ends)
        if names:
            built = built.add_extension(x509.SubjectAlternativeName(names), critical=False)
        issued = Issued(*(self._folder / f"{name}.{ending}" for ending in ("crt", "key", "pem")))
        issued.certificate.write_bytes(built.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        issued.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        issued.both.write_bytes(issued.key.read_bytes() + issued.certificate.read_bytes())
        return issued


def _begun(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, ends: datetime
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=datetime.now(UTC) - 2 * DAY,
        not_valid_after=ends,
    )


def _named(name: str, group: str | None = None) -> x509.Name:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, name)])
