"""Alembic's entry: one connection, one advisory lock, one transaction."""

import psycopg
from alembic import context
from sqlalchemy import create_engine, text

MIGRATION_LOCK = 0x6175746F  # "auto": whoever holds it migrates, the others wait and find nothing to do

database_url = context.config.attributes["database_url"]
# connected by psycopg itself: it may name several hosts, which SQLAlchemy does not understand
engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(database_url))
with engine.begin() as connection:
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
    context.configure(connection=connection)
    context.run_migrations()
engine.dispose()
