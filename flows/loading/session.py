"""A Spark session of one load alone: `spark.wap.id` is session configuration, and a shared session loses batches.

With `SPARK_CONNECT_URL` on a Spark Connect server, otherwise embedded (configured by `spark-defaults.conf` in
`SPARK_CONF_DIR`). The catalog is part of Spark's configuration. A run of the lane high-memory is always embedded: what
is too big for others must not take them down with it. In Kubernetes such a run has its pod for itself, and a Spark of
the pod's size.

On a Connect server a load goes on after its client is killed. So a session's id is recorded by the claim, and whoever
claims the batch next closes that session: what runs there is interrupted, and whatever still lives there gets
SESSION_CLOSED. Two clients in one session could publish without a wap id: so each claim has an id of its own.
"""

from __future__ import annotations

import logging
import os
import socket
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from flows.loading.errors import Infrastructure, ServerLost
from flows.loading.pinned import pin
from flows.loading.reading import buckets
from flows.loading.translation import named_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from uuid import UUID

    from pyspark.sql import SparkSession
    from pyspark.sql.connect.client import DefaultChannelBuilder
    from pyspark.sql.connect.client.retries import RetryPolicy

    from flows.loading.ledger import Claimed

PREFLIGHT_SECONDS = 3
MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of this container, in bytes; `max` when there is none
HEAP_SHARE = 0.7  # the rest is for what Java keeps beside its heap, and for Python
_RETRIES = 2  # pyspark's own default goes on for ten minutes
_DEFAULT_PORT = 15002
# A server whose machine is gone is noticed. More often than every five minutes a Java server would not stand it: it
# counts the pings, and hangs up (gRPC's permitKeepAliveTime).
_KEEPALIVE = {"grpc.keepalive_time_ms": 330_000, "grpc.keepalive_timeout_ms": 20_000}


@contextmanager
def opened(claimed: Claimed, environ: Mapping[str, str]) -> Iterator[SparkSession]:
    """The session of this claim, closed at the end; the sessions of its rivals are closed at the beginning.

    Raises:
        Infrastructure: no Connect server answers, or its settings cannot be made ours; ServerLost, when it did answer
            and does no more.
    """
    url, alone = environ.get("SPARK_CONNECT_URL"), claimed.lane == "high-memory"
    heap = heap_of_the_pod(environ, MEMORY_LIMIT) if alone else None
    session = _embedded(heap) if alone or not url else _connected(url, claimed.session_id)
    try:
        if url:
            _close_rivals(url, claimed)
        _open_buckets(session, claimed, environ)
        yield session
    finally:
        if url and not alone:
            session.stop()


def _open_buckets(session: SparkSession, claimed: Claimed, environ: Mapping[str, str]) -> None:
    manifest = claimed.manifest
    files = claimed.files if manifest.glance is None else (manifest.glance.file,)
    with named_errors():
        for name, value in buckets.settings((file.uri for file in files), manifest.credentials, environ).items():
            session.conf.set(name, value)


def heap_of_the_pod(environ: Mapping[str, str], limit: Path) -> str | None:
    """The heap for a pod of this memory limit, as Java wants it; None outside of Kubernetes, or without a limit."""
    if "KUBERNETES_SERVICE_HOST" not in environ:
        return None
    text = limit.read_text().strip() if limit.exists() else ""
    return f"{int(int(text) * HEAP_SHARE) // 2**20}m" if text.isdecimal() else None


def _embedded(heap: str | None) -> SparkSession:
    from pyspark.sql import SparkSession  # noqa: PLC0415 - seconds, which `not wanted` need not wait for

    builder = SparkSession.builder.appName("autoloader")
    if heap is not None:
        builder = builder.config("spark.driver.memory", heap)  # Java starts with the first session
    with named_errors():
        session = builder.getOrCreate().newSession()
        pin(session)
    return session


def _connected(url: str, session_id: UUID) -> SparkSession:
    _preflight(url)
    from pyspark.sql.connect.session import SparkSession as ConnectSession  # noqa: PLC0415 - seconds, after the claim alone

    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"  # as pyspark's own builder does, which takes no channel
    # pyspark prints each error with its whole stack; ours say it in a line.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    logging.getLogger("DataFrameQueryContextLogger").setLevel(logging.CRITICAL)
    with _before_its_use(), named_errors():
        connected = ConnectSession.builder.channelBuilder(_channel(url, session_id)).create()
        session, client = cast("SparkSession", connected), connected.client
        client.set_retry_policies([_policy()])
        # Reattaching needs threads, which pyspark 4.1 joins under a lock that they may want (SPARK-55362): loads hung
        # at their end, and when an old session was collected. Without it a plan may be sent twice: no harm here, and
        # never to another server, which would refuse the session.
        client.disable_reattachable_execute()
        pin(session)  # the first call: does the server take us?
    return session


@contextmanager
def _before_its_use() -> Iterator[None]:
    """A server that does not even take us is not away because of what we did there."""
    try:
        yield
    except ServerLost as error:
        raise Infrastructure(str(error), target="connect") from error


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


def _preflight(url: str) -> None:
    at = urlsplit(url.partition("/;")[0])
    try:
        socket.create_connection((at.hostname or "", at.port or _DEFAULT_PORT), PREFLIGHT_SECONDS).close()
    except OSError as error:
        raise Infrastructure(f"no Spark Connect server answers at {at.netloc}: {error}", target="connect") from error


def _close_rivals(url: str, claimed: Claimed) -> None:
    for rival in claimed.rivals:
        with suppress(Exception):  # closed long ago, or a server that has forgotten it: both are what we want
            _close(url, rival)


def _close(url: str, session_id: UUID) -> None:
    """By the client alone: with a session of Connect all of this process's pyspark would be one of Connect."""
    from pyspark.sql.connect.client import SparkConnectClient  # noqa: PLC0415 - seconds, after the claim alone

    _preflight(url)
    client = SparkConnectClient(_channel(url, session_id), use_reattachable_execute=False)
    with closing(client):  # an open one talks to the server once more when the process ends
        client.set_retry_policies([_policy()])
        client.get_configs("spark.sql.caseSensitive")  # makes the session if it is not there yet: now it never will be
        client.interrupt_all()
        client.release_session()
