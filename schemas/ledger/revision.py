"""Which revision of the ledger this code needs; told without alembic, which takes a second to import."""

from pathlib import Path


def newest_revision() -> str:
    """The number of the last migration, e.g. `0001`: their files are numbered in their order."""
    return max(path.stem.partition("_")[0] for path in (Path(__file__).parent / "migrations/versions").glob("*.py"))
