"""Why there is no TLS with a server is said in one line that names the setting, tried on a server of Python's own."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.settings import SettingsError
from schemas.tls import Trust, distrust, shake_hands, show
from tests.authority import ELSEWHERE, Authority

HOST = "127.0.0.1"
LISTEN_SECONDS = 2.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "ours")


@contextmanager
def listening(context: ssl.SSLContext | None) -> Iterator[int]:
    """A server that takes each connection in TLS, or in plain text, and hangs up; its port."""
    with socket.create_server((HOST, 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection, suppress(OSError):
                        if context is None:
                            connection.sendall(b"HTTP/1.0 400 what?\r\n\r\n")
                        else:
                            context.wrap_socket(connection, server_side=True).close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def said(trust: Trust, port: int) -> str:
    """Why there is no TLS with it; nothing when there is."""
    try:
        shake_hands(HOST, port, trust.context(), listen_seconds=LISTEN_SECONDS)
    except OSError as error:
        return trust.told(error, f"{HOST}:{port}")
    return ""


def test_who_is_signed_by_our_ca_is_trusted(authority: Authority) -> None:
    with listening(authority.issue("server").server_context()) as port:
        assert said(Trust("CA", str(authority.ca)), port) == ""


def test_another_ca_is_named_with_its_setting(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other").ca
    with listening(authority.issue("server").server_context()) as port:
        at = f"the certificate of {HOST}:{port} is not signed by"

        assert said(Trust("SOME_CAFILE", str(other)), port).startswith(f"{at} SOME_CAFILE ({other})")
        assert said(Trust("SOME_CAFILE", None), port).startswith(f"{at} a CA of this system; let SOME_CAFILE")


def test_a_certificate_for_another_name_and_one_that_has_ended_are_told_apart(authority: Authority) -> None:
    trust = Trust("CA", str(authority.ca))
    with listening(authority.issue("named", ELSEWHERE).server_context()) as port:
        assert "is made out to another name" in said(trust, port)
    with listening(authority.issue("old", ends=timedelta(days=-1)).server_context()) as port:
        assert "is not valid now: certificate has expired" in said(trust, port)


def test_a_server_without_tls_and_one_that_is_away_are_told_apart(authority: Authority) -> None:
    trust = Trust("CA", str(authority.ca))
    with listening(None) as port:
        assert said(trust, port) == f"{HOST}:{port} does not speak TLS"
    assert said(trust, port).startswith(f"{HOST}:{port} does not answer: ")


def test_a_server_that_wants_our_certificate_says_so(authority: Authority) -> None:
    server, client = authority.issue("server").server_context(), authority.issue("client")
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(authority.ca)
    trust = Trust("CA", str(authority.ca))
    ours = trust.context()
    show(ours, ("CERT", "KEY"), str(client.certificate), str(client.key))

    with listening(server) as port:
        assert "does not take our certificate, or wants one" in said(trust, port)
        shake_hands(HOST, port, ours, listen_seconds=LISTEN_SECONDS)


def test_a_file_that_is_missing_or_holds_no_certificate_is_named(authority: Authority, tmp_path: Path) -> None:
    missing, empty = tmp_path / "missing.pem", tmp_path / "empty.pem"
    empty.write_text("no certificate")
    issued, context = authority.issue("client"), Trust("CA", None).context()

    with pytest.raises(SettingsError, match=f"CA={missing} cannot be read: No such file"):
        Trust("CA", str(missing)).context()
    with pytest.raises(SettingsError, match=f"CA={empty} does not hold certificates of CAs in PEM"):
        Trust("CA", str(empty)).pem()
    with pytest.raises(SettingsError, match=f"KEY={missing} cannot be read"):
        show(context, ("CERT", "KEY"), str(issued.certificate), str(missing))
    with pytest.raises(SettingsError, match=f"CERT={issued.certificate} does not hold a key"):
        show(context, ("CERT", "KEY"), str(issued.certificate), None)


def test_tls_is_found_among_the_causes() -> None:
    wrapped = RuntimeError("a client's own")
    wrapped.__cause__ = cause = ssl.SSLError("no")

    assert distrust(wrapped) is cause
    assert distrust(RuntimeError()) is None
