"""Bring a ledger to the newest revision. Safe to call at the same time from several processes."""

from pathlib import Path

from alembic import command
from alembic.config import Config

SCRIPTS = Path(__file__).parent / "migrations"


def alembic_config(database_url: str) -> Config:
    """Alembic's configuration without an ini file; `database_url` as in `DATABASE_URL`."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("version_path_separator", "os")
    config.attributes["database_url"] = database_url
    return config


def upgrade(database_url: str) -> None:
    """Run the migrations that are missing, under an advisory lock; none on a ledger of a later release."""
    command.upgrade(alembic_config(database_url), "head")
