"""Which slots are taken: attempts that have not ended, by lane."""

from collections.abc import Mapping

from router.adapters.postgres.database import Connection
from schemas.config.lanes import Lane


async def taken(connection: Connection) -> Mapping[Lane, int]:
    """A lane without any is left out."""
    rows = await connection.fetch("SELECT lane, count(*) FROM attempt WHERE ended IS NULL GROUP BY lane")
    return {row["lane"]: row["count"] for row in rows}
