"""What the metrics ask of the ledger beside the lines: what is in flight, who holds a lease, how much it bears."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from router.adapters.postgres.database import Connection, Database
from router.adapters.postgres.fragments import LINES, Statement, total
from router.adapters.postgres.slots import taken
from router.adapters.postgres.status import COUNTED_AT_MOST, be_patient
from router.rules.status import Standing


class PostgresStanding:
    """Tells what stands, to the router that `holder` names: of sources that are not configured nothing could run."""

    def __init__(self, database: Database, holder: str, source_ids: Iterable[str]) -> None:
        self._database = database
        self._holder = holder
        self._source_ids = sorted(source_ids)

    async def read(self, patience: timedelta) -> Standing:
        """Look up all of it in one transaction; Transient when a count takes longer than that."""
        async with self._database.transaction() as connection:
            await be_patient(connection, patience)
            paused = [row["source_id"] for row in await connection.fetch(_PAUSED)]
            roles = [row["role"] for row in await connection.fetch(_ROLES, self._holder)]
            return Standing(
                in_flight=await taken(connection),
                waiting={row["lane"]: row["runs"] for row in await connection.fetch(_WAITING, self._source_ids)},
                in_flight_files=await _by_source(connection, _IN_FLIGHT_FILES),
                to_measure_files=await _by_source(connection, _TO_MEASURE_FILES, COUNTED_AT_MOST),
                paused=paused,
                roles=roles,
                **dict(await connection.fetchrow(_OUTBOX, COUNTED_AT_MOST) or {}),
                **dict(await connection.fetchrow(_SERVER) or {}),
            )


async def _by_source(connection: Connection, statement: Statement, *values: object) -> Mapping[str, int]:
    return {row["source_id"]: row["files"] for row in await connection.fetch(statement, *values)}


# What is sent to PostgreSQL.

# By lane: lines of which a batch could be cut, batches without an attempt, and previews without a batch.
_WAITING = Statement(f"""
    SELECT lane, count(*) AS runs FROM (
        SELECT l.lane FROM ({LINES}) l
        WHERE l.source_id = ANY($1::text[])
          AND NOT EXISTS (SELECT FROM source_state s WHERE s.source_id = l.source_id AND s.paused IS NOT NULL)
          AND NOT EXISTS (SELECT FROM batch b WHERE b.source_id = l.source_id AND b.lane = l.lane
                          AND b.ended IS NULL AND b.kind = 'load')
        UNION ALL
        SELECT b.lane FROM batch b
        WHERE b.ended IS NULL AND NOT EXISTS (SELECT FROM attempt a WHERE a.batch_id = b.id AND a.ended IS NULL)
        UNION ALL
        SELECT 'priority' FROM request r
        WHERE r.kind = 'preview' AND r.ended IS NULL AND r.source_id = ANY($1::text[])
          AND NOT EXISTS (SELECT FROM batch b WHERE b.request_id = r.id)
    ) w GROUP BY lane
""")

# Files of open batches, by source.
_IN_FLIGHT_FILES = Statement(f"""
    SELECT source_id, {total("files")} AS files FROM batch WHERE ended IS NULL GROUP BY source_id
""")

# What is to be looked at before it waits in a line, by source.
_TO_MEASURE_FILES = Statement("""
    SELECT source_id, count(*) AS files FROM (SELECT source_id FROM arrival WHERE NOT quiet LIMIT $1) a
    GROUP BY source_id
""")

# Sources of which nothing is cut.
_PAUSED = Statement("SELECT source_id FROM source_state WHERE paused IS NOT NULL")

# The roles of one holder, by the database's clock.
_ROLES = Statement("SELECT role FROM lease WHERE holder = $1 AND expires > now()")

# What is not published yet.
_OUTBOX = Statement("""
    SELECT count(*) AS outbox_events, min(created) AS outbox_since FROM (
        SELECT created FROM outbox ORDER BY id LIMIT $1) o
""")

# What the server and the ledger on it have to bear; both are told to everybody.
_SERVER = Statement("""
    SELECT (SELECT sum(numbackends) FROM pg_stat_database)::int AS connections,
           current_setting('max_connections')::int AS connections_limit,
           pg_database_size(current_database()) AS bytes
""")
