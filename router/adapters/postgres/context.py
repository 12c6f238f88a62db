"""What stands around a batch when it ends: the requests for its files, and what else is open of its source."""

from datetime import datetime

from router.adapters.postgres.database import Connection
from router.adapters.postgres.fragments import Statement, total
from router.rules.settlement import BatchContext, RequestInBatch
from schemas.completions import MAX_REQUESTS_NAMED, StillWaiting
from schemas.ledger.completeness import OLDEST_OPEN

COUNTED_AT_MOST = 10_000


async def context_of(connection: Connection, source_id: str, batch: str) -> BatchContext:
    """Through indexes, and with a bounded count."""
    state = await connection.fetchrow(_LEARNED, source_id)
    return BatchContext(
        requests=await _asking(connection, batch),
        oldest_open=await _oldest_open(connection, source_id, batch),
        newest_landed=None if state is None else state["newest_landed"],
        waiting=await _waiting(connection, source_id),
        bytes_per_second=None if state is None else state["bytes_per_second"],
    )


async def _asking(connection: Connection, batch: str) -> tuple[RequestInBatch, ...]:
    rows = await connection.fetch(_REQUESTS_IN_BATCH, batch, MAX_REQUESTS_NAMED, COUNTED_AT_MOST)
    return tuple(RequestInBatch(row["id"], row["done"], row["here"], row["total"]) for row in rows)


async def _oldest_open(connection: Connection, source_id: str, batch: str) -> datetime | None:
    oldest: datetime | None = await connection.fetchval(_OLDEST_OPEN, source_id, batch)
    return oldest


async def _waiting(connection: Connection, source_id: str) -> StillWaiting:
    row = await connection.fetchrow(_WAITING, source_id, COUNTED_AT_MOST)
    files: int = row["files"] if row else 0
    return StillWaiting(files=files, bytes=row["bytes"] if row else 0, or_more=files == COUNTED_AT_MOST)


# What is sent to PostgreSQL.

# What earlier loads of a source have taught.
_LEARNED = Statement("SELECT bytes_per_second, newest_landed FROM source_state WHERE source_id = $1")

# The open requests that ask for files of a batch, and how far each is.
_REQUESTS_IN_BATCH = Statement("""
    SELECT a.id, a.here, c.done, CASE WHEN a.listed IS NOT NULL AND c.files <= $3 THEN c.files END AS total
    FROM (
        SELECT r.id, r.listed, count(*) AS here
        FROM file f JOIN request_file q ON (q.object, q.source_id, q.version) = (f.object, f.source_id, f.version)
        JOIN request r ON r.id = q.request_id
        WHERE f.batch_id = $1 AND r.ended IS NULL GROUP BY r.id ORDER BY r.id LIMIT $2) a
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE o.is_done) AS done, count(*) AS files FROM (
            SELECT (q.outcome IS NOT NULL OR f.outcome IS NOT NULL) AND f.batch_id IS DISTINCT FROM $1 AS is_done
            FROM request_file q LEFT JOIN file f USING (source_id, object, version)
            WHERE q.request_id = a.id LIMIT $3 + 1) o) c
    ORDER BY a.id
""")

# The earliest landing of what is open of a source besides a batch.
_OLDEST_OPEN = Statement(f"SELECT {OLDEST_OPEN} FROM (VALUES ($1::text, $2::text)) AS b (source_id, id)")

# How many files of a source wait, and their bytes, counted up to a bound.
_WAITING = Statement(f"""
    SELECT count(*) AS files, {total("size")} AS bytes
    FROM (SELECT size FROM file WHERE source_id = $1 AND batch_id IS NULL AND outcome IS NULL LIMIT $2) f
""")
