"""A Spark session of one load alone: `spark.wap.id` is session configuration, and a shared session loses batches.

With `SPARK_CONNECT_URL` on a Spark Connect server, otherwise embedded (configured by `spark-defaults.conf` in
`SPARK_CONF_DIR`, and by `AUTOLOADER_SPARK_CONF`, a JSON object). The catalog is part of Spark's configuration. A run of
the lane high-memory is embedded: what is too big for others must not take them down with it. `AUTOLOADER_SPARK`,
`embedded` or `connect`, is the lane's own choice. In Kubernetes an embedded Spark has the size of its pod.

On a Connect server a load goes on after its client is killed. So a session's id is recorded by the claim, and whoever
claims the batch next closes that session: what runs there is interrupted, and whatever still lives there gets
SESSION_CLOSED. Two clients in one session could publish without a wap id: so each claim has an id of its own.
"""

from __future__ import annotations

import json
import logging
import os
import socket
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, cast
from uuid import uuid4

from flows.loading import room, trust
from flows.loading.errors import Denied, Infrastructure, LoadError
from flows.loading.pinned import pin
from flows.loading.reading import buckets
from flows.loading.translation import named_errors, reason_in, translated
from schemas.connections import CONNECT_TRUST, connect_address, is_encrypted_connect, spark_connect_url
from schemas.settings import SettingsError
from schemas.tls import shake_hands

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from uuid import UUID

    from pyspark.sql import SparkSession
    from pyspark.sql.connect.client import DefaultChannelBuilder
    from pyspark.sql.connect.client.retries import RetryPolicy

    from flows.loading.ledger import Claimed
    from schemas.config.lanes import Lane
    from schemas.report import Target

PREFLIGHT_SECONDS = 3
_RETRIES = 2  # pyspark's own default goes on for ten minutes
# A server whose machine is gone is noticed. More often than every five minutes a Java server would not stand it: it
# counts the pings, and hangs up (gRPC's permitKeepAliveTime).
_KEEPALIVE = {"grpc.keepalive_time_ms": 330_000, "grpc.keepalive_timeout_ms": 20_000}


@contextmanager
def opened(claimed: Claimed, environ: Mapping[str, str], ahead: SparkSession | None = None) -> Iterator[SparkSession]:
    """The session of this claim, closed at the end; the sessions of its rivals are closed at the beginning.

    `ahead`: it is there already, on the Connect server.

    Raises:
        Infrastructure: the storage or the Connect server does not answer, or is not to be trusted, a Spark of its own
            does not start, or Spark's settings cannot be made ours; ServerLost, when the server did answer and does no
            more; Denied, when nobody says where it is.
        SettingsError: one of them would be talked to in plain text.
    """
    url, alone = spark_connect_url(environ), is_alone(claimed.lane, environ)
    trust.look_at_storage(environ)
    session = embedded(environ) if alone or not url else ahead or connected(url, claimed.session_id)
    try:
        if url:
            _close_rivals(url, claimed)
        _open_buckets(session, claimed, environ)
        yield session
    finally:
        if url and not alone:
            session.stop()


@contextmanager
def looking(url: str) -> Iterator[SparkSession]:
    """A session on the Connect server that loads nothing, closed at the end.

    Raises:
        Infrastructure, Denied: as `opened` does.
    """
    session = connected(url, uuid4())
    try:
        yield session
    finally:
        session.stop()


def _open_buckets(session: SparkSession, claimed: Claimed, environ: Mapping[str, str]) -> None:
    manifest = claimed.manifest
    files = claimed.files if manifest.glance is None else (manifest.glance.file,)
    with named_errors():
        for name, value in buckets.settings((file.uri for file in files), manifest.credentials, environ).items():
            session.conf.set(name, value)


def is_alone(lane: Lane, environ: Mapping[str, str]) -> bool:
    """Whether a run of the lane has a Spark of its own.

    Raises:
        Denied: the lane uses a server, and nobody says where it is.
    """
    chosen = environ.get("AUTOLOADER_SPARK", "")
    if chosen == "connect" and not environ.get("SPARK_CONNECT_URL"):
        raise Denied(f"lane {lane} uses Spark Connect, and SPARK_CONNECT_URL is not set for its runs", target="connect")
    return chosen == "embedded" if chosen else lane == "high-memory"


@contextmanager
def _giving_a_session(target: Target | None) -> Iterator[None]:
    """A Spark that gives no session is away, whatever it says of that: nothing of the load was told to it yet.

    Raises:
        Infrastructure: of this target; Denied, when a setting has to be mended; SettingsError, likewise.
    """
    try:
        yield
    except SettingsError:
        raise
    except Exception as error:
        named = error if isinstance(error, LoadError) else translated(error)
        if isinstance(named, Denied) and named.target == "connect":
            raise Denied(str(named), target=target) from error
        reason = f"{type(error).__name__}: {reason_in(str(error))}"
        raise Infrastructure(f"Spark gives us no session: {reason}", target=target) from error


@_giving_a_session(None)
def embedded(environ: Mapping[str, str]) -> SparkSession:
    """A session of this process's own Spark.

    Raises:
        Infrastructure: Java or Spark does not start; Denied, when the session cannot have the settings it needs.
        SettingsError: there is no certificate in the file of AWS_CA_BUNDLE.
    """
    trust.give_to_java(environ)
    _quieten()
    from pyspark.sql import SparkSession  # noqa: PLC0415 - seconds, which `not wanted` need not wait for

    builder = SparkSession.builder.appName("autoloader")
    conf: Mapping[str, str] = json.loads(environ.get("AUTOLOADER_SPARK_CONF") or "{}")
    for name, value in {**room.settings(environ), **conf}.items():
        builder = builder.config(name, value)  # Java starts with the first session
    session = builder.getOrCreate().newSession()
    pin(session)
    return session


def _quieten() -> None:
    """Let pyspark not print each error with its whole stack; ours say it in a line."""
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger", "pyspark.sql.connect.logging"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def connected(url: str, session_id: UUID) -> SparkSession:
    """A session on a Connect server. Raises Infrastructure; Denied when its settings cannot be made ours."""
    preflight(url)
    from pyspark.sql.connect.session import SparkSession as ConnectSession  # noqa: PLC0415 - seconds, after the claim alone

    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"  # as pyspark's own builder does, which takes no channel
    _quieten()
    with _giving_a_session("connect"):
        connected = ConnectSession.builder.channelBuilder(_channel(url, session_id)).create()
        session, client = cast("SparkSession", connected), connected.client
        client.set_retry_policies([_policy()])
        # Reattaching needs threads, which pyspark 4.1 joins under a lock that they may want (SPARK-55362): loads hung
        # at their end, and when an old session was collected. Without it a plan may be sent twice: no harm here, and
        # never to another server, which would refuse the session.
        client.disable_reattachable_execute()
        pin(session)  # the first call: does the server take us?
    return session


def _channel(url: str, session_id: UUID) -> DefaultChannelBuilder:
    from pyspark.sql.connect.client import DefaultChannelBuilder  # noqa: PLC0415 - seconds, after the claim alone

    return DefaultChannelBuilder(with_parameters(url, session_id), channelOptions=list(_KEEPALIVE.items()))


def _policy() -> RetryPolicy:
    from pyspark.sql.connect.client.retries import DefaultPolicy  # noqa: PLC0415 - seconds, after the claim alone

    return DefaultPolicy(max_retries=_RETRIES)


def with_parameters(url: str, session_id: UUID) -> str:
    """The Connect URL with our session id; one user for all, because a session belongs to its user."""
    base, _, given = url.partition("/;")
    parameters = [part for part in given.split(";") if part]
    if not any(part.startswith("user_id=") for part in parameters):
        parameters.append("user_id=autoloader")
    return f"{base.rstrip('/')}/;{';'.join([*parameters, f'session_id={session_id}'])}"


def preflight(url: str) -> None:
    """Look whether a Connect server answers, and whether its certificate fits. Raises Infrastructure."""
    host, port = connect_address(url)
    roots = CONNECT_TRUST.read(os.environ)
    try:
        if is_encrypted_connect(url):
            shake_hands(host, port, roots.context())
        else:
            socket.create_connection((host, port), PREFLIGHT_SECONDS).close()
    except OSError as error:
        raise Infrastructure(f"Spark Connect: {roots.told(error, f'{host}:{port}')}", target="connect") from error


def _close_rivals(url: str, claimed: Claimed) -> None:
    for rival in claimed.rivals:
        with suppress(Exception):  # closed long ago, or a server that has forgotten it: both are what we want
            _close(url, rival)


def _close(url: str, session_id: UUID) -> None:
    """By the client alone: with a session of Connect all of this process's pyspark would be one of Connect."""
    from pyspark.sql.connect.client import SparkConnectClient  # noqa: PLC0415 - seconds, after the claim alone

    preflight(url)
    client = SparkConnectClient(_channel(url, session_id), use_reattachable_execute=False)
    with closing(client):  # an open one talks to the server once more when the process ends
        client.set_retry_policies([_policy()])
        client.get_configs("spark.sql.caseSensitive")  # makes the session if it is not there yet: now it never will be
        client.interrupt_all()
        client.release_session()
