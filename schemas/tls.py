"""TLS as a client: whom to trust, by a file that a setting names, and why a server is not trusted, in one line."""

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from schemas.settings import SettingsError

OTHER_NAME = {62, 64}  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
OUT_OF_TIME = {9, 10}  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
SECONDS = 5


@dataclass(frozen=True, slots=True)
class Trust:
    """The CAs of a file (PEM) which the setting `variable` names; without a file, those of this system."""

    variable: str
    ca_file: str | None = None

    def read(self, environ: Mapping[str, str]) -> Self:
        """Take the file's path from the environment."""
        return replace(self, ca_file=environ.get(self.variable) or None)

    def context(self) -> ssl.SSLContext:
        """What a client checks a server with. Raises SettingsError when there is no such file, or no certificate."""
        with _named(self.variable, self.ca_file, "certificates of CAs in PEM"):
            return ssl.create_default_context(cafile=self.ca_file)

    def pem(self) -> bytes:
        """Read the file, for clients that check by themselves. Raises the same."""
        self.context()
        return Path(self.ca_file).read_bytes() if self.ca_file else b""

    def told(self, error: Exception, at: str) -> str:
        """Say why there is no TLS with a server."""
        if isinstance(error, ssl.SSLCertVerificationError):
            if error.verify_code in OTHER_NAME:
                return f"the certificate of {at} is made out to another name: {error.verify_message}"
            if error.verify_code in OUT_OF_TIME:
                return f"the certificate of {at} is not valid now: {error.verify_message}; renew it"
            signers = f"{self.variable} ({self.ca_file})" if self.ca_file else "a CA of this system"
            return f"the certificate of {at} is not signed by {signers}; let {self.variable} name the file of its CA"
        if isinstance(error, ssl.SSLError) and error.reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"}:
            return f"{at} does not speak TLS"
        if isinstance(error, ssl.SSLEOFError):
            return f"{at} hangs up at the handshake; does it speak TLS?"
        if isinstance(error, ssl.SSLError) and error.reason and "ALERT" in error.reason:
            return f"{at} does not take our certificate, or wants one: {error.reason.lower().replace('_', ' ')}"
        return f"{at} does not answer: {error}"


def show(context: ssl.SSLContext, variables: tuple[str, str], certificate_file: str, key_file: str | None) -> None:
    """Have a certificate of our own shown to servers. Raises SettingsError when the files do not hold one."""
    with _named(variables[1] if key_file else variables[0], key_file or certificate_file, "a key in PEM"):
        context.load_cert_chain(certificate_file, key_file)


def shake_hands(host: str, port: int, context: ssl.SSLContext, *, listen_seconds: float = 0) -> None:
    """Connect and shake hands, to see whether it can be done.

    Since TLS 1.3 a server says only after the handshake that it misses a certificate of ours: so long is listened.

    Raises:
        OSError: it cannot; ssl.SSLError is one.
    """
    plain = socket.create_connection((host, port), SECONDS)
    with plain, context.wrap_socket(plain, server_hostname=host) as encrypted:
        if listen_seconds:
            encrypted.settimeout(listen_seconds)
            with suppress(TimeoutError):
                encrypted.recv(1)


def distrust(error: BaseException | None) -> ssl.SSLError | None:
    """Find TLS's own word among the causes of a client's error."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error


@contextmanager
def _named(variable: str, file: str | None, wanted: str) -> Iterator[None]:
    try:
        yield
    except ssl.SSLError as error:
        raise SettingsError(f"{variable}={file} does not hold {wanted}: {error.reason or error}") from error
    except OSError as error:
        raise SettingsError(f"{variable}={file} cannot be read: {error.strerror or error}; name {wanted}") from error
