"""Deploy to the ledger and to Prefect, whose clients take seconds to import."""

import asyncio
from collections.abc import Iterator, Mapping

import httpx

from cli import environment
from cli.errors import CommandError
from cli.migrating import migrated
from flows.deploying import deploy
from flows.deploying.pools import DeployError
from router.errors import Transient
from router.settings import http_settings
from schemas.connections import PrefectConnection, postgres_connection, prefect_connection
from schemas.settings import needed
from schemas.tls import distrust


def deployed(environ: Mapping[str, str], *, migrate: bool = True) -> Iterator[str]:
    """Bring all of it up to date, the ledger unless told otherwise; a line for each thing, as soon as it is."""
    if migrate:
        postgres_connection(environ)  # what is missing is said before anything is done
    secret = needed(environ, "AUTOLOADER_WEBHOOK_SECRET")
    prefect = prefect_connection(environ)  # Prefect's own client reads it by itself
    prefect.trust.context()
    http, config = http_settings(environ), environment.config(environ)
    url = environ.get("AUTOLOADER_WEBHOOK_URL", f"http://{http.host}:{http.port}/webhooks/prefect")
    if migrate:
        yield migrated(environ)
    try:
        yield from asyncio.run(deploy(config, webhook_url=url, webhook_secret=secret))
    except DeployError as error:
        raise CommandError(str(error)) from error
    except httpx.HTTPError as error:
        raise Transient(f"Prefect: {_told(error, prefect)}") from error


def _told(error: httpx.HTTPError, prefect: PrefectConnection) -> str:
    if (cause := distrust(error)) is not None:
        return prefect.trust.told(cause, prefect.api_url)
    if isinstance(error, httpx.HTTPStatusError) and error.response.status_code == httpx.codes.UNAUTHORIZED:
        return "it does not know us; check PREFECT_API_AUTH_STRING or PREFECT_API_KEY"
    return f"{type(error).__name__}: {error}"
