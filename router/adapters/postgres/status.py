"""What `status` and the metrics ask of the ledger. It reads only, through indexes, with bounded counts."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from router.adapters.postgres import breakers
from router.adapters.postgres.database import COMMAND_SECONDS, Connection, Database
from router.adapters.postgres.fragments import LINES, Statement, total
from router.adapters.postgres.slots import taken
from router.rules.breaker import Breaker
from router.rules.status import Failure, LineStatus, SourceStatus
from schemas.config.lanes import Lane

COUNTED_AT_MOST = 100_000
COUNTED_TOGETHER = 1_000_000  # of all lines: each gets its part


class PostgresStatus:
    """Tells how sources, lines and lanes stand."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sources(self, source_ids: Sequence[str]) -> Sequence[SourceStatus]:
        """One row a source, in the order asked."""
        rows = await self._database.fetch(_SOURCES, source_ids, COUNTED_AT_MOST)
        return [SourceStatus(**dict(row)) for row in rows]

    async def lines(self, patience: timedelta = timedelta(seconds=COMMAND_SECONDS)) -> Sequence[LineStatus]:
        """What waits, by source and lane; Transient when counting it takes longer than that."""
        async with self._database.transaction() as connection:
            await be_patient(connection, patience)
            rows = await connection.fetch(_LINES_WAITING, COUNTED_AT_MOST, COUNTED_TOGETHER)
        return [LineStatus(**dict(row)) for row in rows]

    async def in_flight(self) -> Mapping[Lane, int]:
        """Count the open attempts of each lane."""
        return await taken(self._database)

    async def failures(self, limit: int) -> Sequence[Failure]:
        """The last batches of which something was not loaded, the newest first, of the last 1,000 that ended."""
        rows = await self._database.fetch(_FAILURES, limit)
        return [Failure(**dict(row)) for row in rows]

    async def breakers(self) -> Sequence[Breaker]:
        """Read the breakers of what is away."""
        return [breaker for breaker in await breakers.breakers(self._database) if breaker.has_opened]


async def be_patient(connection: Connection, patience: timedelta) -> None:
    """Let no statement of this transaction take longer."""
    await connection.execute(_PATIENCE, str(patience // timedelta(milliseconds=1)))


# What is sent to PostgreSQL.

# How each source stands, in the order asked.
_SOURCES = Statement(f"""
    SELECT s.id AS source_id, t.paused, w.files AS waiting_files, w.bytes AS waiting_bytes, w.landed,
           (SELECT count(*) FROM (SELECT FROM arrival a WHERE a.source_id = s.id LIMIT $2) a) AS to_measure,
           (SELECT id FROM batch b WHERE b.source_id = s.id AND ended IS NULL LIMIT 1) AS in_flight,
           h.files AS hour_files, h.bytes AS hour_bytes,
           l.id AS last_batch, l.outcome AS last_outcome, l.reason AS last_reason, l.ended AS last_ended
    FROM unnest($1::text[]) WITH ORDINALITY AS s (id, place)
    LEFT JOIN source_state t ON t.source_id = s.id
    CROSS JOIN LATERAL (
        SELECT count(*) AS files, {total("size")} AS bytes, min(landed) AS landed
        FROM (SELECT size, landed FROM file
              WHERE source_id = s.id AND batch_id IS NULL AND outcome IS NULL LIMIT $2) f) w
    CROSS JOIN LATERAL (
        SELECT {total("files")} AS files, {total("bytes")} AS bytes FROM batch
        WHERE source_id = s.id AND cut > now() - interval '1 hour' AND ended IS NOT NULL
          AND outcome <> 'split') h
    LEFT JOIN LATERAL (
        SELECT id, outcome, reason, ended FROM batch
        WHERE source_id = s.id AND ended IS NOT NULL ORDER BY cut DESC LIMIT 1) l ON true
    ORDER BY s.place
""")

# How many milliseconds each of the next statements may take.
_PATIENCE = Statement("SELECT set_config('statement_timeout', $1, true)")

# What waits, by source and lane, counted up to a bound.
_LINES_WAITING = Statement(f"""
    WITH lines AS MATERIALIZED ({LINES})
    SELECT l.source_id, l.lane, f.* FROM lines l CROSS JOIN LATERAL (
        SELECT count(*) AS files, {total("size")} AS bytes, min(landed) AS landed
        FROM (SELECT size, landed FROM file
              WHERE source_id = l.source_id AND lane = l.lane AND batch_id IS NULL AND outcome IS NULL
              ORDER BY rank, landed, object
              LIMIT (SELECT least($1, greatest($2 / greatest(count(*), 1), 1)) FROM lines)) w) f
""")

# The last batches that were not loaded whole.
_FAILURES = Statement("""
    SELECT id AS batch, source_id, ended, outcome, reason FROM (
        SELECT * FROM batch WHERE ended IS NOT NULL ORDER BY ended DESC LIMIT 1000) b
    WHERE outcome NOT IN ('loaded', 'previewed', 'split') ORDER BY ended DESC LIMIT $1
""")
