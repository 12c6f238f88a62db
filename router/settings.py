"""The router's settings: environment variables, checked when it starts."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from os import getpid
from pathlib import Path
from secrets import token_hex

DEFAULT_HTTP_PORT = 8710


class SettingsError(Exception):
    """A setting is missing or wrong: its name, and what it should be."""


@dataclass(frozen=True, slots=True)
class Settings:
    """See docs/settings.md for each variable."""

    config: Path
    database_url: str
    kafka_bootstrap_servers: str
    prefect_api_url: str
    prefect_ui_url: str
    prefect_headers: Mapping[str, str]
    http_host: str
    http_port: int
    webhook_secret: str
    holder: str


def read_settings(environ: Mapping[str, str]) -> Settings:
    """All of them.

    Raises:
        SettingsError: for the first one that is missing or wrong.
    """
    api_url = _needed(environ, "PREFECT_API_URL")
    return Settings(
        config=Path(environ.get("AUTOLOADER_CONFIG", "autoloader.yaml")),
        database_url=_needed(environ, "DATABASE_URL"),
        kafka_bootstrap_servers=_needed(environ, "KAFKA_BOOTSTRAP_SERVERS"),
        prefect_api_url=api_url,
        prefect_ui_url=environ.get("PREFECT_UI_URL") or api_url.rstrip("/").removesuffix("/api"),
        prefect_headers=_prefect_headers(environ),
        http_host=environ.get("AUTOLOADER_HTTP_HOST", "127.0.0.1"),
        http_port=_port(environ, "AUTOLOADER_HTTP_PORT", DEFAULT_HTTP_PORT),
        webhook_secret=_needed(environ, "AUTOLOADER_WEBHOOK_SECRET"),
        # two containers may share a host's name, and both run as pid 1
        holder=f"{socket.gethostname()}/{getpid()}/{token_hex(4)}",
    )


def _needed(environ: Mapping[str, str], name: str) -> str:
    if not environ.get(name):
        raise SettingsError(f"{name} is not set; `autoloader doctor` shows all settings and what they should be")
    return environ[name]


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name, str(default))
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise SettingsError(f"{name}={value!r} is not a port; write a number from 1 to 65535")
    return int(value)


def _prefect_headers(environ: Mapping[str, str]) -> Mapping[str, str]:
    if key := environ.get("PREFECT_API_KEY"):
        return {"Authorization": f"Bearer {key}"}
    return {}
