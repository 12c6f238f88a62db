"""`autoloader deploy`: what the router and its runs need in PostgreSQL and in Prefect."""

import asyncio

from cli import environment
from router.errors import Transient
from router.settings import http_settings
from schemas.config import ConfigError
from schemas.settings import needed


def deploy() -> None:
    """Bring the ledger's tables, and Prefect's pools, queues, deployments and webhook up to date. Safe to repeat."""
    # Prefect and alembic take three seconds to import, and no other command needs them
    import httpx  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415

    from flows.deploying import deploy as deploy_to_prefect  # noqa: PLC0415
    from flows.deploying.pools import DeployError  # noqa: PLC0415
    from schemas.ledger.migrate import upgrade  # noqa: PLC0415

    environ = environment.environment()
    database_url, secret = needed(environ, "DATABASE_URL"), needed(environ, "AUTOLOADER_WEBHOOK_SECRET")
    needed(environ, "PREFECT_API_URL")  # read by Prefect's own client
    http = http_settings(environ)
    url = environ.get("AUTOLOADER_WEBHOOK_URL", f"http://{http.host}:{http.port}/webhooks/prefect")
    config = environment.config(environ)
    try:
        upgrade(database_url)
    except DBAPIError as error:
        raise Transient(f"PostgreSQL: {error.orig}") from error
    print("ledger: up to date")
    try:
        lines = asyncio.run(deploy_to_prefect(config, webhook_url=url, webhook_secret=secret))
    except DeployError as error:
        raise ConfigError(str(error)) from error
    except httpx.HTTPError as error:
        raise Transient(f"Prefect: {type(error).__name__}: {error}") from error
    print("\n".join(lines))
