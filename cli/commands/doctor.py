"""`autoloader doctor`: are all parts here, and what to do about those that are not."""

import asyncio
import json
import platform
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import httpx
import typer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from cli import environment
from cli.exits import Exit, ended
from flows.loading.errors import Infrastructure, LoadError
from flows.loading.session import looking, preflight
from flows.loading.trust import look_at_storage
from flows.loading.writing import differences
from router.adapters.kafka.connecting import Access
from router.adapters.postgres.database import Database
from router.adapters.prefect.runs import PrefectRuns
from router.adapters.storage import ObjectStore
from router.errors import Transient
from router.settings import PrefectSettings, http_settings, prefect_settings
from schemas.config import ConfigError
from schemas.config.topics import COMPLETIONS_TOPIC, DEAD_LETTERS_TOPIC, REQUESTS_TOPIC
from schemas.connections import (
    KafkaConnection,
    PostgresConnection,
    kafka_connection,
    postgres_connection,
    spark_connect_url,
)
from schemas.report import readable
from schemas.settings import SettingsError, needed
from schemas.tls import distrust
from storage import credentials

SECONDS = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: `advice` is empty when it is well."""

    part: str
    found: str
    advice: str = ""


def doctor(*, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Look at versions, settings and every part, and say what to do. Exit code 1 when something is wrong."""
    findings = list(_findings(environment.environment()))
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            mark = "✗" if finding.advice else "✓"
            print(
                f"{mark} {finding.part:<14} {finding.found}" + (f"\n    → {finding.advice}" if finding.advice else "")
            )
    raise ended(Exit.TROUBLE if any(finding.advice for finding in findings) else Exit.DONE)


def _findings(environ: Mapping[str, str]) -> Iterator[Finding]:
    yield Finding("python", platform.python_version())
    yield Finding("packages", ", ".join(f"{name} {version(name)}" for name in ("prefect", "pyspark", "aiokafka")))
    yield _java(environ)
    yield _config(environ)
    yield _asked("ledger", lambda: asyncio.run(_ledger(postgres_connection(environ))))
    yield _asked("kafka", lambda: asyncio.run(_topics(kafka_connection(environ), environ)))
    yield _asked("prefect", lambda: asyncio.run(_prefect(prefect_settings(environ))))
    yield _asked("storage", lambda: asyncio.run(_storage(environ)))
    yield _asked("spark-connect", lambda: _spark_connect(spark_connect_url(environ)))
    yield _tables(environ)
    yield _asked("router", lambda: _router(environ))


def _java(environ: Mapping[str, str]) -> Finding:
    java = str(Path(environ["JAVA_HOME"], "bin", "java")) if environ.get("JAVA_HOME") else "java"
    try:
        told = subprocess.run([java, "-version"], capture_output=True, text=True, check=True, timeout=30).stderr
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("java", str(error), "install Java 17, or set JAVA_HOME")
    return Finding("java", told.splitlines()[0])


def _config(environ: Mapping[str, str]) -> Finding:
    path = environment.config_path(environ)
    try:
        config = environment.config(environ)
        for name in config.credentials.values():
            credentials.environment(name, environ)
    except ConfigError as error:
        return Finding("config", str(error), f"mend {path}")
    except PermissionError as error:
        return Finding("config", f"{path}: {error}", "here, and where the router and the runs are")
    return Finding("config", f"{path}: {len(config.sources)} sources")


def _asked(part: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(part, look())
    except SettingsError as error:
        return Finding(part, str(error), "set it, or start the local stack: autoloader up")
    except (ConfigError, Infrastructure, Transient, OSError, httpx.HTTPError, ValueError) as error:
        return Finding(part, str(error) or type(error).__name__, "start it, or mend its setting; here: autoloader up")


async def _ledger(connection: PostgresConnection) -> str:
    connection.trust.context()
    database = Database(connection.url)
    try:
        await database.check()
    except Transient as trouble:
        if (cause := distrust(trouble)) is not None:
            raise Transient(connection.trust.told(cause, "PostgreSQL")) from trouble
        raise
    finally:
        await database.close()
    return "reached, its tables are up to date"


async def _prefect(prefect: PrefectSettings) -> str:
    runs = PrefectRuns(prefect)
    try:
        await runs.check()
    finally:
        await runs.close()
    return f"{prefect.connection.api_url}, all deployments are there"


async def _topics(connection: KafkaConnection, environ: Mapping[str, str]) -> str:
    access = Access(connection)
    admin = AIOKafkaAdminClient(**access.options, request_timeout_ms=SECONDS * 1000)
    try:
        await access.start(admin)
        there = set(await admin.list_topics())
    except KafkaError as error:
        raise Transient(f"{type(error).__name__}: {error}") from error
    finally:
        await admin.close()
    wanted = {REQUESTS_TOPIC, COMPLETIONS_TOPIC, DEAD_LETTERS_TOPIC, *environment.config(environ).arrival_topics}
    if missing := sorted(wanted - there):
        raise Transient(f"{connection.bootstrap_servers} answers, but has no topic {', '.join(missing)}; create them")
    return f"{connection.bootstrap_servers}, all topics are there"


async def _storage(environ: Mapping[str, str]) -> str:
    look_at_storage(environ)
    config = environment.config(environ)
    paths = (source.from_.path for source in config.sources.values())
    buckets = {path.split("/")[2]: path for path in paths if path.startswith("s3://")}
    for path in buckets.values():
        await ObjectStore(config.allow, config.credentials).measure(f"{path}autoloader-doctor")  # it need not be there
    return f"buckets answer: {', '.join(sorted(buckets))}" if buckets else "no source is in a bucket"


def _spark_connect(url: str | None) -> str:
    if url is None:
        return "SPARK_CONNECT_URL is not set: every run has a Spark of its own"
    preflight(url)
    return f"{url.partition('/;')[0]} answers"


def _tables(environ: Mapping[str, str]) -> Finding:
    """What differs from the configuration in the tables that are there, or will lose what a load must find there."""
    part = "tables"
    try:
        if (url := spark_connect_url(environ)) is None:
            return Finding(part, "not looked at: SPARK_CONNECT_URL is not set")
        config = environment.config(environ)
        with looking(url) as session:
            differing = [f"{name}: {what}" for name, what in differences.of_sources(session, config)]
    except (ConfigError, SettingsError, LoadError) as error:
        return Finding(part, str(error), "mend what is said above first")
    if differing:
        return Finding(part, "; ".join(differing), "the table counts: change it, or the configuration")
    return Finding(part, "those that are there are as configured, and keep their snapshots for long enough")


def _router(environ: Mapping[str, str]) -> str:
    needed(environ, "AUTOLOADER_WEBHOOK_SECRET")
    http = http_settings(environ)
    answer = httpx.get(f"http://{http.host}:{http.port}/readyz", timeout=SECONDS)
    with suppress(ValueError):
        match answer.is_success, answer.json():
            case True, {"ok": True}:
                return f"ready at {http.host}:{http.port}"
            case False, {"trouble": dict() as troubles}:
                raise Transient("; ".join(f"{stage}: {trouble}" for stage, trouble in troubles.items()))
    said = f"{answer.status_code} {readable(answer.text[:100])!r}"
    raise Transient(f"what answers at {http.host}:{http.port} is no router that is well: {said}")
