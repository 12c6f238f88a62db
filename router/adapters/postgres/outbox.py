"""`outbox`: events wait here until the broker has them."""

from collections.abc import Sequence

from router.adapters.postgres.database import Connection, Database
from router.adapters.postgres.lease import PostgresLease
from router.rules.completion import OutgoingEvent

ROLE = "publication"


class PostgresOutbox:
    """See `ports.OutboxLedger`."""

    def __init__(self, database: Database, lease: PostgresLease) -> None:
        self._database = database
        self._lease = lease
        self.hold = lease.hold
        self.release = lease.release

    async def outbox(self, limit: int) -> Sequence[tuple[int, OutgoingEvent]]:
        """The oldest rows."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch("SELECT id, topic, key, value FROM outbox ORDER BY id LIMIT $1", limit)
        return [(row["id"], OutgoingEvent(row["topic"], row["key"], row["value"])) for row in rows]

    async def published(self, ids: Sequence[int], epoch: int) -> None:
        """Delete the rows."""
        async with self._database.transaction() as connection:
            await self._lease.check(connection, ROLE, epoch)
            await connection.execute("DELETE FROM outbox WHERE id = ANY($1)", ids)


async def put(connection: Connection, events: Sequence[OutgoingEvent]) -> None:
    """Write events in the transaction of what they tell of."""
    if events:
        await connection.execute(
            "INSERT INTO outbox (topic, key, value) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])",
            [event.topic for event in events],
            [event.key for event in events],
            [event.value for event in events],
        )
