"""Which slots are taken: attempts that have not ended, but for those that wait for their quota, by lane."""

from collections.abc import Mapping

from router.adapters.postgres.database import Connection, Database
from router.adapters.postgres.fragments import TAKES_A_SLOT, Statement
from schemas.config.lanes import Lane


async def taken(ledger: "Connection | Database") -> Mapping[Lane, int]:
    """A lane without any is left out."""
    rows = await ledger.fetch(_TAKEN)
    return {row["lane"]: row["count"] for row in rows}


# What is sent to PostgreSQL.

# Attempts that take one, by lane.
_TAKEN = Statement(f"SELECT lane, count(*) FROM attempt WHERE {TAKES_A_SLOT} GROUP BY lane")
