"""`autoloader doctor`: are all parts here, and what to do about those that are not."""

import asyncio
import json
import platform
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import httpx
import typer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from cli import environment
from cli.exits import Exit, ended
from router.adapters.postgres.database import Database
from router.adapters.prefect.runs import PrefectRuns
from router.errors import Transient
from router.settings import read_settings
from schemas.config import ConfigError
from schemas.config.topics import COMPLETIONS_TOPIC, DEAD_LETTERS_TOPIC, REQUESTS_TOPIC
from schemas.settings import SettingsError
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
    try:
        settings = read_settings(environ)
    except SettingsError as error:
        yield Finding("settings", str(error), "set it, or start the local stack: autoloader up")
        return
    yield _asked("ledger", lambda: asyncio.run(_ledger(settings.database_url)))
    yield _asked("kafka", lambda: asyncio.run(_topics(settings.kafka_bootstrap_servers, environ)))
    yield _asked("prefect", lambda: asyncio.run(_prefect(settings.prefect.api_url, settings.prefect.headers)))
    if connect := environ.get("SPARK_CONNECT_URL"):
        yield _asked("spark-connect", lambda: _open_port(urlsplit(connect).netloc))
    else:
        yield Finding("spark-connect", "SPARK_CONNECT_URL is not set: every run has a Spark of its own")
    yield _asked("router", lambda: _router(settings.http.host, settings.http.port))


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
    except (ConfigError, Transient, OSError, httpx.HTTPError, ValueError) as error:
        return Finding(part, str(error) or type(error).__name__, "start it, or mend its setting; here: autoloader up")


async def _ledger(url: str) -> str:
    database = Database(url)
    try:
        await database.check()
    finally:
        await database.close()
    return "reached, its tables are up to date"


async def _prefect(api_url: str, headers: Mapping[str, str]) -> str:
    runs = PrefectRuns(api_url, api_url, headers)
    try:
        await runs.check()
    finally:
        await runs.close()
    return f"{api_url}, all deployments are there"


async def _topics(bootstrap_servers: str, environ: Mapping[str, str]) -> str:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=SECONDS * 1000)
    try:
        await admin.start()
        there = set(await admin.list_topics())
    except KafkaError as error:
        raise Transient(f"{type(error).__name__}: {error}") from error
    finally:
        await admin.close()
    needed = {REQUESTS_TOPIC, COMPLETIONS_TOPIC, DEAD_LETTERS_TOPIC, *environment.config(environ).arrival_topics}
    if missing := sorted(needed - there):
        raise Transient(f"{bootstrap_servers} answers, but has no topic {', '.join(missing)}; create them")
    return f"{bootstrap_servers}, all topics are there"


def _open_port(address: str) -> str:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS):
        return f"{address} answers"


def _router(host: str, port: int) -> str:
    ready = httpx.get(f"http://{host}:{port}/readyz", timeout=SECONDS)
    if ready.is_error:
        raise Transient("; ".join(f"{stage}: {trouble}" for stage, trouble in ready.json()["trouble"].items()))
    return f"ready at {host}:{port}"
