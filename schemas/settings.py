"""Settings are environment variables: each program reads those it needs and no others (docs/settings.md says which)."""

from collections.abc import Mapping
from typing import Literal

Needed = Literal["DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "PREFECT_API_URL", "AUTOLOADER_WEBHOOK_SECRET"]
WHAT_TO_WRITE: Mapping[Needed, str] = {
    "DATABASE_URL": "the ledger's URL, postgresql://user@host/database",
    "KAFKA_BOOTSTRAP_SERVERS": "Kafka's addresses, host:port,host:port",
    "PREFECT_API_URL": "the URL of Prefect's API, http://host:4200/api",
    "AUTOLOADER_WEBHOOK_SECRET": "a secret that router and deploy share, for Prefect's calls",
}


class SettingsError(Exception):
    """A setting is missing or wrong: its name, and what it should be."""


def needed(environ: Mapping[str, str], name: Needed) -> str:
    """Read a setting that has no default.

    Raises:
        SettingsError: it is not set, or empty.
    """
    if not environ.get(name):
        raise SettingsError(f"{name} is not set; set it to {WHAT_TO_WRITE[name]}")
    return environ[name]
