"""The router's settings: environment variables, checked when it starts."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from os import getpid
from secrets import token_hex

from schemas.connections import (
    KafkaConnection,
    PostgresConnection,
    PrefectConnection,
    kafka_connection,
    postgres_connection,
    prefect_connection,
    s3_connection,
)
from schemas.settings import SettingsError, needed

DEFAULT_HTTP_PORT = 8710


@dataclass(frozen=True, slots=True)
class PrefectSettings:
    """How to reach Prefect, and the address at which people look at runs."""

    connection: PrefectConnection
    ui_url: str


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """The address and port at which the router listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the router needs; `holder` is its name in the leases."""

    database: PostgresConnection
    kafka: KafkaConnection
    prefect: PrefectSettings
    http: HttpSettings
    webhook_secret: str
    holder: str


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the router's settings.

    Raises:
        SettingsError: for the first one that is missing or wrong.
    """
    s3_connection(environ)  # the storage reads it by itself, when it is first needed
    return Settings(
        database=postgres_connection(environ),
        kafka=kafka_connection(environ),
        prefect=prefect_settings(environ),
        http=http_settings(environ),
        webhook_secret=needed(environ, "AUTOLOADER_WEBHOOK_SECRET"),
        # two containers may share a host's name, and both run as pid 1
        holder=f"{socket.gethostname()}/{getpid()}/{token_hex(4)}",
    )


def prefect_settings(environ: Mapping[str, str]) -> PrefectSettings:
    """Read where Prefect is. Raises SettingsError."""
    connection = prefect_connection(environ)
    ui_url = environ.get("PREFECT_UI_URL") or connection.api_url.rstrip("/").removesuffix("/api")
    return PrefectSettings(connection, ui_url)


def http_settings(environ: Mapping[str, str]) -> HttpSettings:
    """Read where the router listens. Raises SettingsError."""
    host = environ.get("AUTOLOADER_HTTP_HOST", "127.0.0.1")
    return HttpSettings(host, _port(environ, "AUTOLOADER_HTTP_PORT", DEFAULT_HTTP_PORT))


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name, str(default))
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise SettingsError(f"{name}={value!r} is not a port; write a number from 1 to 65535")
    return int(value)
