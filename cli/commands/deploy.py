"""`autoloader deploy`: what the router and its runs need in PostgreSQL and in Prefect."""

import asyncio

from cli import environment
from router.errors import Transient
from router.settings import read_settings
from schemas.config import ConfigError


def deploy() -> None:
    """Bring the ledger's tables, and Prefect's pools, queues, deployments and webhook up to date. Safe to repeat."""
    # Prefect and alembic take three seconds to import, and no other command needs them
    import httpx  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415

    from flows.deploying import deploy as deploy_to_prefect  # noqa: PLC0415
    from flows.deploying.pools import DeployError  # noqa: PLC0415
    from schemas.ledger.migrate import upgrade  # noqa: PLC0415

    environ = environment.environment()
    settings = read_settings(environ)
    config = environment.config(environ)
    try:
        upgrade(settings.database_url)
    except DBAPIError as error:
        raise Transient(f"PostgreSQL: {error.orig}") from error
    print("ledger: up to date")
    url = environ.get("AUTOLOADER_WEBHOOK_URL", f"http://{settings.http_host}:{settings.http_port}/webhooks/prefect")
    try:
        lines = asyncio.run(deploy_to_prefect(config, webhook_url=url, webhook_secret=settings.webhook_secret))
    except DeployError as error:
        raise ConfigError(str(error)) from error
    except httpx.HTTPError as error:
        raise Transient(f"Prefect: {type(error).__name__}: {error}") from error
    print("\n".join(lines))
