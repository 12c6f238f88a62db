"""Bring the ledger's tables up to date, from a command; alembic takes a second to import."""

from collections.abc import Mapping

from sqlalchemy.exc import DBAPIError

from router.errors import Transient
from schemas.connections import postgres_connection
from schemas.ledger.migrate import upgrade


def migrated(environ: Mapping[str, str]) -> str:
    """Run the migrations that are missing, and say that it is done; Transient when PostgreSQL would not."""
    try:
        upgrade(postgres_connection(environ).url)
    except DBAPIError as error:
        raise Transient(f"PostgreSQL: {error.orig}") from error
    return "ledger: up to date"
