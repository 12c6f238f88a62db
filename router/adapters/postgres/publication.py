"""`outbox`: events wait here until the broker has them."""

from collections.abc import Mapping, Sequence

from router.adapters.postgres.database import Connection, Database
from router.adapters.postgres.fragments import Statement
from router.adapters.postgres.lease import PostgresLease
from router.rules.outgoing import OutgoingEvent
from router.rules.publication import SET_ASIDE

ROLE = "publication"


class PostgresPublication:
    """See `ports.publication.PublicationLedger`."""

    def __init__(self, database: Database, lease: PostgresLease) -> None:
        self._database = database
        self._lease = lease
        self.hold = lease.hold
        self.release = lease.release

    async def events_to_publish(
        self,
        limit: int,
        *,
        max_bytes: int | None = None,
        topics_held: Sequence[str] = (),
        keys_held: Sequence[tuple[str, str]] = (),
    ) -> Sequence[tuple[int, OutgoingEvent]]:
        """The oldest rows; the one with which they become too many bytes is the last."""
        topics, keys = [topic for topic, _ in keys_held], [key for _, key in keys_held]
        rows = await self._database.fetch(_WAITING, limit, max_bytes, topics_held, topics, keys)
        return [(row["id"], OutgoingEvent(row["topic"], row["key"], row["value"])) for row in rows]

    async def save_published(
        self,
        ids: Sequence[int],
        epoch: int,
        *,
        shorter: Mapping[int, str] | None = None,
        set_aside: Mapping[int, str] | None = None,
    ) -> None:
        """Delete the rows, and change those that were refused."""
        async with self._database.transaction() as connection:
            await self._lease.check(connection, ROLE, epoch)
            await connection.execute(_DELETE, ids)
            if shorter:
                await connection.execute(_SHORTEN, list(shorter), list(shorter.values()))
            if set_aside:
                await connection.execute(_SET_ASIDE, list(set_aside), list(set_aside.values()), SET_ASIDE)


async def put(connection: Connection, events: Sequence[OutgoingEvent]) -> None:
    """Write events in the transaction of what they tell of."""
    if events:
        await connection.execute(
            _PUT, [event.topic for event in events], [event.key for event in events], [event.value for event in events]
        )


# What is sent to PostgreSQL.

# Events to be published, the oldest first, in all not much more than some bytes; and those set aside long enough.
_WAITING = Statement("""
    WITH back AS (UPDATE outbox SET set_aside = NULL WHERE set_aside <= now() RETURNING id, topic, key, value)
    SELECT id, topic, key, value FROM (
        SELECT *, sum(octet_length(value)) OVER (ORDER BY id) - octet_length(value) AS bytes_before FROM (
            SELECT * FROM (
                SELECT id, topic, key, value FROM outbox WHERE set_aside IS NULL UNION ALL SELECT * FROM back) waiting
            WHERE topic <> ALL($3::text[])
              AND (topic, key) NOT IN (SELECT * FROM unnest($4::text[], $5::text[]))
            ORDER BY id LIMIT $1) oldest) summed
    WHERE $2::bigint IS NULL OR bytes_before < $2 ORDER BY id
""")

# The broker has them.
_DELETE = Statement("DELETE FROM outbox WHERE id = ANY($1)")

# Values to be tried in a shorter form.
_SHORTEN = Statement("""
    UPDATE outbox o SET value = s.value
    FROM unnest($1::bigint[], $2::text[]) AS s (id, value) WHERE o.id = s.id
""")

# What the broker refuses stands back for a while.
_SET_ASIDE = Statement("""
    UPDATE outbox o SET set_aside = now() + $3, refusal = s.reason
    FROM unnest($1::bigint[], $2::text[]) AS s (id, reason) WHERE o.id = s.id
""")

# Events for the broker, in the transaction of what they tell.
_PUT = Statement("INSERT INTO outbox (topic, key, value) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])")
