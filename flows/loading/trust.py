"""The storage's own CA (`AWS_CA_BUNDLE`) in the eyes of an embedded Spark, and a look whether it fits.

Java takes no PEM file, and a store of its own replaces the CAs that it has by itself: so ours are added to a copy. A
Spark that does not trust its storage hangs without a word, hence the look.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import getproxies, proxy_bypass

from flows.loading.errors import Infrastructure
from schemas.connections import S3_CA_VARIABLE, s3_connection
from schemas.tls import Trust, shake_hands

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STORE_PASSWORD = "changeit"  # noqa: S105 - Java's own word for what holds nothing secret
KEYTOOL_SECONDS = 60
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def look_at_storage(environ: Mapping[str, str]) -> None:
    """Shake hands with an endpoint of our own. Behind a proxy nothing is looked at.

    Raises:
        Infrastructure: it does not answer, or its certificate does not fit.
        SettingsError: it would be talked to in plain text, or there is no CA in the file.
    """
    connection = s3_connection(environ)
    trust = Trust(S3_CA_VARIABLE, connection.ca_file)
    context, address = trust.context(), connection.encrypted_address
    if address is None or ("https" in getproxies() and not proxy_bypass(address[0])):
        return
    try:
        shake_hands(*address, context)
    except OSError as error:
        raise Infrastructure(
            f"the storage: {trust.told(error, connection.endpoint or '')}", target="storage"
        ) from error


def give_to_java(environ: Mapping[str, str]) -> None:
    """Have the Java that this process starts trust the storage's CA besides those of its own.

    Raises:
        SettingsError: there is no certificate in the file.
    """
    ca_file = s3_connection(environ).ca_file
    if ca_file is None:
        return
    folder = Path(tempfile.mkdtemp(prefix="autoloader-trust-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    store = _store(folder / "trust", _certificates(Trust(S3_CA_VARIABLE, ca_file).pem().decode()), environ)
    options = (f"-Djavax.net.ssl.trustStore={store}", f"-Djavax.net.ssl.trustStorePassword={STORE_PASSWORD}")
    # Added to the options of spark-defaults.conf, which a session's own options would replace.
    os.environ["SPARK_SUBMIT_OPTS"] = " ".join([environ.get("SPARK_SUBMIT_OPTS", ""), *options]).strip()


def _store(store: Path, certificates: Mapping[bytes, str], environ: Mapping[str, str]) -> Path:
    """Write a store with Java's own CAs and these; each costs a start of keytool, but for those that Java has."""
    java = (
        Path(environ["JAVA_HOME"])
        if environ.get("JAVA_HOME")
        else Path(shutil.which("java") or "").resolve().parents[1]
    )
    own = java / "lib" / "security" / "cacerts"
    keytool = [str(java / "bin" / "keytool"), "-keystore", str(store), "-storepass", STORE_PASSWORD, "-noprompt"]
    known: Mapping[bytes, str] = {}
    if own.exists():
        shutil.copyfile(own, store)
        known = _certificates(_ran([*keytool, "-list", "-rfc"]))
    for number, (binary, text) in enumerate(certificates.items()):
        if binary not in known:
            _ran([*keytool, "-importcert", "-alias", f"autoloader-{number}"], text)
    return store


def _certificates(text: str) -> Mapping[bytes, str]:
    return {ssl.PEM_cert_to_DER_cert(found): found for found in _CERTIFICATE.findall(text)}


def _ran(command: Sequence[str], said: str = "") -> str:
    return subprocess.run(
        command, input=said, capture_output=True, text=True, check=True, timeout=KEYTOOL_SECONDS
    ).stdout
