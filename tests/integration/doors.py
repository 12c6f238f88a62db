"""Parts that let nobody in but by TLS and a login: Kafka, PostgreSQL, Prefect and an S3 store, all on 127.0.0.1."""

import asyncio
import os
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import psycopg
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from dev import jars, kafka
from dev.java import java
from dev.postgres_programs import account
from dev.stack import Stack
from router.adapters.kafka.connecting import Access
from schemas.connections import kafka_connection
from tests.authority import Authority, Issued
from tests.conftest import ENVIRON, PROJECT
from tests.e2e.site import eventually, free_port
from tests.lakes import S3
from tests.servers import s3

HOST, USER, PASSWORD = "127.0.0.1", "autoloader", "s3cret"
MECHANISM = "SCRAM-SHA-512"
CONFIG = """
version: 1
allow: ["s3://landing/"]
commit_interval: 0s
lanes: {high-memory: {pool: {type: process}}}
sources:
  orders:
    id: orders-v1
    from: {path: "s3://landing/orders/", match: "*.csv"}
    format: {csv: {}}
    into: {table: lake.sales.orders}
"""


@dataclass(frozen=True)
class Doors:
    """The settings with which everything opens, the authority that signed all, another one, and a client's own."""

    settings: Mapping[str, str]
    ca: Path
    other_ca: Path
    client: Issued
    server: Issued
    kafka_ports: Mapping[str, int] = field(default_factory=dict)


@contextmanager
def opened(folder: Path) -> Iterator[Doors]:
    """Start all four at once; end them after."""
    authority = Authority(folder, "ours")
    server, client = authority.issue("server"), authority.issue("client")
    ports = {name: free_port() for name in ("PLAINTEXT", "CONTROLLER", "SSL", "SASL_SSL", "MTLS")}
    with ExitStack() as parts:
        broker = _broker(folder / "kafka", ports, server, authority.ca)
        for program in (broker, prefect := _prefect(folder / "prefect", server), store := _store(folder, server)):
            parts.enter_context(_running(program))
        database_url = _database(folder / "postgres", server, authority.ca, parts)
        settings = {
            "DATABASE_URL": database_url,
            "KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{ports['SASL_SSL']}",
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": MECHANISM,
            "KAFKA_SASL_USERNAME": USER,
            "KAFKA_SASL_PASSWORD": PASSWORD,
            "KAFKA_SSL_CAFILE": str(authority.ca),
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": f"{prefect.url}/api",
            "PREFECT_API_AUTH_STRING": f"{USER}:{PASSWORD}",
            "PREFECT_API_SSL_CERT_FILE": str(authority.ca),
            "AWS_ENDPOINT_URL": store.url,
            "AWS_REGION": S3["AWS_REGION"],
            "AWS_ACCESS_KEY_ID": USER,
            "AWS_SECRET_ACCESS_KEY": PASSWORD,
            "AWS_CA_BUNDLE": str(authority.ca),
            "AUTOLOADER_CONFIG": str(folder / "autoloader.yaml"),
            "AUTOLOADER_HOME": str(folder),
            "AUTOLOADER_HTTP_PORT": str(free_port()),
            "AUTOLOADER_WEBHOOK_SECRET": "s3cret",
        }
        (folder / "autoloader.yaml").write_text(CONFIG)
        trusting = ssl.create_default_context(cafile=authority.ca)
        eventually(lambda: answers(f"{store.url}/health", trusting), "the store answers")
        eventually(lambda: answers(f"{prefect.url}/api/health", trusting), "Prefect answers")
        eventually(lambda: asyncio.run(_topics(settings)), "Kafka has its topics")
        other = Authority(folder, "other").ca
        yield Doors(settings, authority.ca, other, client, server, ports)


@dataclass(frozen=True)
class Program:
    """What to start, and where it answers then."""

    command: Sequence[str]
    url: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def _running(program: Program) -> Iterator[None]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    process = subprocess.Popen(
        program.command, env={**kept, **program.environ}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _broker(folder: Path, ports: Mapping[str, int], server: Issued, ca: Path) -> Program:
    """Kafka with a listener of each kind; that of plain text is for itself."""
    folder.mkdir()
    listeners = ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items())
    lines = {
        "listeners": listeners,
        "advertised.listeners": listeners.replace(f"CONTROLLER://{HOST}:{ports['CONTROLLER']},", ""),
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,MTLS:SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(server.both),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(ca),
        "listener.name.mtls.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": MECHANISM,
        f"listener.name.sasl_ssl.{MECHANISM.lower()}.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
    }
    properties = folder / "server.properties"
    plain = kafka.server_properties(folder / "data", ports["PLAINTEXT"], ports["CONTROLLER"])
    properties.write_text(plain + "".join(f"{name}={value}\n" for name, value in lines.items()))
    class_path = os.pathsep.join(jars.KAFKA.class_path(Path(ENVIRON["AUTOLOADER_JARS"])))
    program = [java(ENVIRON), "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", class_path]
    user = f"{MECHANISM}=[name={USER},password={PASSWORD}]"
    formatting = [*program, "kafka.tools.StorageTool", "format", "-t", "doors", "-c", str(properties)]
    subprocess.run([*formatting, "--add-scram", user], check=True, capture_output=True)
    return Program([*program, "kafka.Kafka", str(properties)])


def _prefect(folder: Path, server: Issued) -> Program:
    folder.mkdir()
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "prefect.server.api.server:create_app"]
    command += ["--host", HOST, "--port", str(port)]
    command += ["--ssl-certfile", str(server.certificate), "--ssl-keyfile", str(server.key)]
    environ = {
        "PREFECT_HOME": str(folder),
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{folder}/prefect.db",
        "PREFECT_SERVER_API_AUTH_STRING": f"{USER}:{PASSWORD}",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": "false",
    }
    return Program(command, f"https://{HOST}:{port}", environ)


def _store(folder: Path, server: Issued) -> Program:
    at = f"{HOST}:{free_port()}"
    (folder / "buckets" / "landing").mkdir(parents=True)
    (folder / "metadata").mkdir()
    command = [str(s3.program()), "--port", at, "--access", USER, "--secret", PASSWORD, "--region", S3["AWS_REGION"]]
    command += ["--cert", str(server.certificate), "--key", str(server.key), "--health", "/health"]
    command += ["posix", "--sidecar", str(folder / "metadata"), str(folder / "buckets")]
    return Program(command, f"https://{at}")


def _database(folder: Path, server: Issued, ca: Path, parts: ExitStack) -> str:
    stack = Stack(folder, PROJECT / "dev" / "autoloader.yaml", parts=("postgres",), progress=print, environ=ENVIRON)
    parts.callback(stack.down)
    stack.up()
    url = stack.settings()["DATABASE_URL"]
    key, who = folder / "data" / "postgres" / "server.key", account()
    shutil.copyfile(server.key, key)
    key.chmod(0o600)
    if who is not None:
        os.chown(key, who.uid, who.gid)
    certificate = shutil.copyfile(server.certificate, key.with_suffix(".crt"))
    certificate.chmod(0o644)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET ssl = on")
        connection.execute("SELECT pg_reload_conf()")
    return f"{url}?sslmode=verify-full&sslrootcert={ca}"


async def _topics(settings: Mapping[str, str]) -> bool:
    access = Access(kafka_connection(settings))
    admin = AIOKafkaAdminClient(**access.options, request_timeout_ms=2000)
    try:
        await access.start(admin)
        await admin.create_topics([NewTopic(name, 1, 1) for name in kafka.TOPICS])
        return {*kafka.TOPICS} <= {*await admin.list_topics()}
    except OSError:
        return False
    finally:
        await admin.close()


def answers(url: str, trusting: ssl.SSLContext | bool = True) -> bool:
    try:
        return httpx.get(url, verify=trusting, trust_env=False).is_success
    except httpx.HTTPError:
        return False


@contextmanager
def encrypted(port: int, server: Issued) -> Iterator[int]:
    """A port at which what comes in TLS is handed on to another one, as a proxy does before a Spark Connect server."""
    context = server.server_context()
    context.set_alpn_protocols(["h2"])
    started: Future[tuple[int, Callable[[], object]]] = Future()

    async def hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, to_behind = await asyncio.open_connection(HOST, port)
        try:
            await asyncio.gather(_copied(reader, to_behind), _copied(behind, writer))
        finally:
            to_behind.transport.abort()
            writer.transport.abort()

    async def serve() -> None:
        ended = asyncio.Event()
        listening = await asyncio.start_server(hand_on, HOST, 0, ssl=context)
        end = partial(asyncio.get_running_loop().call_soon_threadsafe, ended.set)
        started.set_result((listening.sockets[0].getsockname()[1], end))
        await ended.wait()
        listening.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    outside, end = started.result()
    yield outside
    end()
    thread.join()


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(2**16):
            writer.write(piece)
            await writer.drain()
        writer.close()
