"""The lease: who schedules and who publishes, by the database's clock."""

from datetime import timedelta

from router.adapters.postgres.database import Connection, Database
from router.adapters.postgres.fragments import Statement
from router.ports.lease import LeaseLost

TERM = timedelta(seconds=10)


class PostgresLease:
    """The lease as one router sees it; `holder` names the router."""

    def __init__(self, database: Database, holder: str) -> None:
        self._database = database
        self._holder = holder

    async def hold(self, role: str) -> int | None:
        """Take it when it is free or expired, keep it when it is ours. A new holder has a new epoch."""
        rows = await self._database.fetch(_TAKE_OR_KEEP, role, self._holder, TERM)
        return rows[0]["epoch"] if rows else None

    async def release(self, role: str | None = None) -> None:
        """Let the next router take over at once, that role or all of them."""
        await self._database.fetch(_GIVE_BACK, self._holder, role)

    async def check(self, connection: Connection, role: str, epoch: int) -> None:
        """In the transaction of a write: it is still ours, and stays so until the commit."""
        held = await connection.fetchval(_STILL_HELD, role, self._holder, epoch)
        if not held:
            raise LeaseLost(f"the lease for {role} has gone to another router")


# What is sent to PostgreSQL.

# The lease of a role, if nobody else holds it; a new holder has a new epoch.
_TAKE_OR_KEEP = Statement("""
    INSERT INTO lease AS l VALUES ($1, $2, 1, now() + $3)
    ON CONFLICT (role) DO UPDATE SET holder = $2, expires = now() + $3,
        epoch = CASE WHEN l.holder = $2 AND l.expires > now() THEN l.epoch ELSE l.epoch + 1 END
    WHERE l.holder = $2 OR l.expires <= now()
    RETURNING epoch
""")

# The holder's lease of a role, or all of them, may be taken at once.
_GIVE_BACK = Statement("UPDATE lease SET expires = now() WHERE holder = $1 AND role = coalesce($2, role)")

# Whether the lease is held under an epoch, kept so until the transaction ends.
_STILL_HELD = Statement("SELECT true FROM lease WHERE role = $1 AND holder = $2 AND epoch = $3 FOR SHARE")
