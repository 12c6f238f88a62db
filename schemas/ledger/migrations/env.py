"""Alembic's entry: one connection, one advisory lock, one transaction."""

from alembic import context
from sqlalchemy import create_engine, make_url, text

MIGRATION_LOCK = 0x6175746F  # "auto": whoever holds it migrates, the others wait and find nothing to do

url = make_url(context.config.attributes["database_url"]).set(drivername="postgresql+psycopg")
engine = create_engine(url)
with engine.begin() as connection:
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
    context.configure(connection=connection)
    context.run_migrations()
engine.dispose()
