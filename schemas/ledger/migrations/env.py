"""Alembic's entry: one connection, one advisory lock, one transaction."""

import psycopg
from alembic import context
from sqlalchemy import create_engine, text

from schemas.ledger.revision import lacking

MIGRATION_LOCK = 0x6175746F  # "auto": whoever holds it migrates, the others wait and find nothing to do

database_url = context.config.attributes["database_url"]
# connected by psycopg itself: it may name several hosts, which SQLAlchemy does not understand
engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(database_url))
with engine.begin() as connection:
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
    context.configure(connection=connection)
    # after a rollback of the code the ledger is at a revision that this code does not know
    if lacking(context.get_context().get_current_revision()) is not None:
        context.run_migrations()
engine.dispose()
