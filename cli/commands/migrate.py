"""`autoloader migrate`: the ledger's tables, and nothing of Prefect."""

from cli import environment


def migrate() -> None:
    """Bring the ledger's tables up to date. Safe to repeat."""
    from cli.migrating import migrated  # noqa: PLC0415 - alembic: a second that no other command needs

    print(migrated(environment.environment()))
