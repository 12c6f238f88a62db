"""Deploy to the ledger and to Prefect, whose clients take seconds to import."""

import asyncio
from collections.abc import Iterator, Mapping

import httpx
from sqlalchemy.exc import DBAPIError

from cli import environment
from cli.errors import CommandError
from flows.deploying import deploy
from flows.deploying.pools import DeployError
from router.errors import Transient
from router.settings import http_settings
from schemas.connections import postgres_connection, prefect_connection
from schemas.ledger.migrate import upgrade
from schemas.settings import needed


def deployed(environ: Mapping[str, str]) -> Iterator[str]:
    """Bring all of it up to date; a line for each thing, as soon as it is."""
    database_url, secret = postgres_connection(environ).url, needed(environ, "AUTOLOADER_WEBHOOK_SECRET")
    prefect_connection(environ).trust.context()  # Prefect's own client reads both by itself, and names no file
    http, config = http_settings(environ), environment.config(environ)
    url = environ.get("AUTOLOADER_WEBHOOK_URL", f"http://{http.host}:{http.port}/webhooks/prefect")
    try:
        upgrade(database_url)
    except DBAPIError as error:
        raise Transient(f"PostgreSQL: {error.orig}") from error
    yield "ledger: up to date"
    try:
        yield from asyncio.run(deploy(config, webhook_url=url, webhook_secret=secret))
    except DeployError as error:
        raise CommandError(str(error)) from error
    except httpx.HTTPError as error:
        raise Transient(f"Prefect: {type(error).__name__}: {error}") from error
