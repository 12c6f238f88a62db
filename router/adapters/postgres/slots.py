"""Which slots are taken: attempts that have not ended, by lane."""

from collections.abc import Mapping

from router.adapters.postgres.database import Connection
from router.adapters.postgres.fragments import Statement
from schemas.config.lanes import Lane


async def taken(connection: Connection) -> Mapping[Lane, int]:
    """A lane without any is left out."""
    rows = await connection.fetch(_TAKEN)
    return {row["lane"]: row["count"] for row in rows}


# What is sent to PostgreSQL.

# Open attempts by lane.
_TAKEN = Statement("SELECT lane, count(*) FROM attempt WHERE ended IS NULL GROUP BY lane")
