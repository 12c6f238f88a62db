"""`source_state`, as people set it: a paused source has no batch cut, in whichever lane, until it is resumed."""

from router.adapters.postgres.database import Database
from router.adapters.postgres.fragments import Statement


class PostgresPausing:
    """Written by commands, read by scheduling."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pause(self, source_id: str, by: str) -> bool:
        """False when it was paused before."""
        return bool(await self._database.fetch(_PAUSE, source_id, by))

    async def resume(self, source_id: str) -> bool:
        """False when it was not paused."""
        return bool(await self._database.fetch(_RESUME, source_id))


# What is sent to PostgreSQL.

# A source is held back; True when it was not.
_PAUSE = Statement("""
    INSERT INTO source_state AS s (source_id, paused, paused_by) VALUES ($1, now(), $2)
    ON CONFLICT (source_id) DO UPDATE SET paused = now(), paused_by = $2 WHERE s.paused IS NULL
    RETURNING true
""")

# A source goes on; True when it was held back.
_RESUME = Statement("""
    UPDATE source_state SET paused = NULL, paused_by = NULL
    WHERE source_id = $1 AND paused IS NOT NULL RETURNING true
""")
