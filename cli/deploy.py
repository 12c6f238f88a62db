"""`autoloader deploy`: what the router and its runs need in PostgreSQL and in Prefect."""

import asyncio

from cli import environment
from router.settings import read_settings


def deploy() -> None:
    """Bring the ledger's tables, and Prefect's pools, queues, deployments and webhook up to date. Safe to repeat."""
    from flows.deploy import deploy as deploy_to_prefect  # noqa: PLC0415 - Prefect and alembic take three seconds to import,
    from schemas.ledger.migrate import upgrade  # noqa: PLC0415 - and no other command needs them

    environ = environment.environment()
    settings = read_settings(environ)
    config = environment.config(environ)
    upgrade(settings.database_url)
    print("ledger: up to date")
    url = environ.get("AUTOLOADER_WEBHOOK_URL", f"http://{settings.http_host}:{settings.http_port}/webhooks/prefect")
    for line in asyncio.run(deploy_to_prefect(config, webhook_url=url, webhook_secret=settings.webhook_secret)):
        print(line)
