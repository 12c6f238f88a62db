"""Which revision of the ledger this code needs; told without alembic, which takes a second to import."""

from pathlib import Path

REVISION = "SELECT version_num FROM alembic_version"


def newest_revision() -> str:
    """The number of the last migration, e.g. `0001`: their files are numbered in their order."""
    return max(path.stem.partition("_")[0] for path in (Path(__file__).parent / "migrations/versions").glob("*.py"))


def lacking(found: str | None) -> str | None:
    """What to do before this code can use a ledger of this revision (None: it has no tables); None when it can.

    Newer tables serve older code too: what an upgrade adds is there before the routers and workers that need it.
    """
    if found is not None and found >= newest_revision():
        return None
    return f"the ledger is at revision {found}, needed is {newest_revision()}; run `autoloader migrate`"
