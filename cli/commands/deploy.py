"""`autoloader deploy`: what the router and its runs need in PostgreSQL and in Prefect."""

from typing import Annotated

import typer

from cli import environment


def deploy(
    *, migrate: Annotated[bool, typer.Option(help="The ledger too; without it, only Prefect is touched.")] = True
) -> None:
    """Bring the ledger's tables, and Prefect's pools, queues, deployments and webhook up to date. Safe to repeat."""
    from cli.deploying import deployed  # noqa: PLC0415 - Prefect and alembic: three seconds that no other command needs

    for line in deployed(environment.environment(), migrate=migrate):
        print(line)
