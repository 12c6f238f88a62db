"""`autoloader deploy`: what the router and its runs need in PostgreSQL and in Prefect."""

from cli import environment


def deploy() -> None:
    """Bring the ledger's tables, and Prefect's pools, queues, deployments and webhook up to date. Safe to repeat."""
    from cli.deploying import deployed  # noqa: PLC0415 - Prefect and alembic: three seconds that no other command needs

    for line in deployed(environment.environment()):
        print(line)
