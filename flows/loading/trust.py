"""The storage's own CA (`AWS_CA_BUNDLE`) in the eyes of an embedded Spark, and a look whether it fits.

Java takes no PEM file, and a store of one's own replaces the CAs that it has by itself: so ours are added to a copy. A
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
from schemas.connections import s3_connection
from schemas.tls import shake_hands

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
    address = connection.encrypted_address
    if address is None or ("https" in getproxies() and not proxy_bypass(address[0])):
        return  # before there is a context, which takes longer than all that a small load asks the ledger
    try:
        shake_hands(*address, connection.trust.context())
    except OSError as error:
        told = connection.trust.told(error, f"{address[0]}:{address[1]}")
        raise Infrastructure(f"the storage: {told}", target="storage") from error


def give_to_java(environ: Mapping[str, str]) -> None:
    """Have the Java that this process starts trust the storage's CA besides those of its own.

    Raises:
        SettingsError: there is no certificate in the file.
    """
    trust = s3_connection(environ).trust
    if trust.ca_file is None:
        return
    folder = Path(tempfile.mkdtemp(prefix="autoloader-trust-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _write_store(folder / "trust", _certificates(trust.pem().decode()), _java_home(environ))
    options = f'"-Djavax.net.ssl.trustStore={folder / "trust"}" -Djavax.net.ssl.trustStorePassword={STORE_PASSWORD}'
    # Added to the options of spark-defaults.conf, which a session's own options would replace.
    os.environ["SPARK_SUBMIT_OPTS"] = f"{environ.get('SPARK_SUBMIT_OPTS', '')} {options}".strip()


def _write_store(store: Path, certificates: Mapping[bytes, str], java_home: Path) -> None:
    """Write Java's own CAs and these; a start of keytool adds one, so those that Java has are left out."""
    own = java_home / "lib" / "security" / "cacerts"
    keytool = [str(java_home / "bin" / "keytool"), "-keystore", str(store), "-storepass", STORE_PASSWORD, "-noprompt"]
    known: Mapping[bytes, str] = {}
    if own.exists():
        shutil.copyfile(own, store)
        known = _certificates(_ran([*keytool, "-list", "-rfc"]))
    for number, (binary, text) in enumerate(certificates.items()):
        if binary not in known:
            _ran([*keytool, "-importcert", "-alias", f"autoloader-{number}"], text)


def _java_home(environ: Mapping[str, str]) -> Path:
    """Where the Java lies that Spark starts."""
    return Path(environ.get("JAVA_HOME") or Path(shutil.which("java") or "java").resolve().parents[1])


def _certificates(text: str) -> Mapping[bytes, str]:
    return {ssl.PEM_cert_to_DER_cert(found): found for found in _CERTIFICATE.findall(text)}


def _ran(command: Sequence[str], said: str = "") -> str:
    done = subprocess.run(command, input=said, capture_output=True, text=True, check=True, timeout=KEYTOOL_SECONDS)
    return done.stdout
