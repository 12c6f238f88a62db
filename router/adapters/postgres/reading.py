"""What people ask of the ledger: `status` and `explain`. Reads only, through indexes, with bounded counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from router.adapters.postgres.database import Connection, Database
from router.rules.explanation import KnownAttempt, KnownBatch, KnownFile, Surroundings
from router.rules.identity import object_key
from schemas.manifest import Manifest

COUNTED_AT_MOST = 100_000


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How a source stands; `waiting_files` is counted up to 100,000, `waiting_bytes` of those."""

    source_id: str
    waiting_files: int
    waiting_bytes: int
    oldest: datetime | None
    to_measure: int
    in_flight: str | None
    last_batch: str | None
    last_outcome: str | None
    last_reason: str | None
    last_ended: datetime | None


class PostgresReading:
    """Answers for people."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def status(self, source_ids: Sequence[str]) -> Sequence[SourceStatus]:
        """One row a source, in the order asked."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                """
                SELECT s.id AS source_id, w.files AS waiting_files, w.bytes AS waiting_bytes, w.oldest,
                       (SELECT count(*) FROM arrival a WHERE a.source_id = s.id) AS to_measure,
                       (SELECT id FROM batch b WHERE b.source_id = s.id AND ended IS NULL LIMIT 1) AS in_flight,
                       l.id AS last_batch, l.outcome AS last_outcome, l.reason AS last_reason, l.ended AS last_ended
                FROM unnest($1::text[]) WITH ORDINALITY AS s (id, place)
                CROSS JOIN LATERAL (
                    SELECT count(*) AS files, coalesce(sum(size), 0)::bigint AS bytes, min(accepted) AS oldest
                    FROM (SELECT size, accepted FROM file
                          WHERE source_id = s.id AND batch_id IS NULL AND outcome IS NULL LIMIT $2) f) w
                LEFT JOIN LATERAL (
                    SELECT id, outcome, reason, ended FROM batch
                    WHERE source_id = s.id AND ended IS NOT NULL ORDER BY cut DESC LIMIT 1) l ON true
                ORDER BY s.place
                """,
                source_ids,
                COUNTED_AT_MOST,
            )
        return [SourceStatus(**dict(row)) for row in rows]

    async def files(self, uri: str) -> Sequence[KnownFile]:
        """Every version of an object in every source, the newest first."""
        key = object_key(uri)
        async with self._database.transaction() as connection:
            files = await connection.fetch("SELECT * FROM file WHERE object = $1 ORDER BY landed DESC", key)
            arrivals = await connection.fetch("SELECT * FROM arrival WHERE object = $1", key)
            batches = {row["batch_id"]: await _batch(connection, row["batch_id"]) for row in files if row["batch_id"]}
        known = [_known(row, batches.get(row["batch_id"])) for row in files]
        return [*(_known(row) for row in arrivals), *known]

    async def batch(self, batch_id: str) -> KnownBatch | None:
        """A batch with its attempts."""
        async with self._database.transaction() as connection:
            return await _batch(connection, batch_id)

    async def around(self, source_id: str) -> Surroundings:
        """What a waiting file of the source waits for."""
        async with self._database.transaction() as connection:
            in_flight = await connection.fetchval(
                "SELECT id FROM batch WHERE source_id = $1 AND ended IS NULL LIMIT 1", source_id
            )
            alive = await connection.fetchval("SELECT true FROM lease WHERE role = 'scheduling' AND expires > now()")
        return Surroundings(in_flight, bool(alive))


async def _batch(connection: Connection, batch_id: str) -> KnownBatch | None:
    row = await connection.fetchrow("SELECT * FROM batch WHERE id = $1", batch_id)
    if row is None:
        return None
    attempts = await connection.fetch("SELECT * FROM attempt WHERE batch_id = $1 ORDER BY n", batch_id)
    return KnownBatch(
        id=row["id"],
        lane=row["lane"],
        table=Manifest.model_validate_json(row["manifest"]).table,
        files=row["files"],
        cut=row["cut"],
        due=row["due"],
        closing=row["closing"],
        ended=row["ended"],
        outcome=row["outcome"],
        reason=row["reason"],
        attempts=[_attempt(attempt) for attempt in attempts],
    )


def _attempt(row: asyncpg.Record) -> KnownAttempt:
    return KnownAttempt(
        n=row["n"],
        kind=row["kind"],
        created=row["created"],
        submitted=row["submitted"],
        claimed=row["claimed"],
        ended=row["ended"],
        outcome=row["outcome"],
        cause=row["cause"],
        reason=row["reason"],
        run_id=str(row["run_id"]) if row["run_id"] else None,
    )


def _known(row: asyncpg.Record, batch: KnownBatch | None = None) -> KnownFile:
    """Of a row of `file`, or of `arrival`, which has no size, outcome and rows yet."""
    return KnownFile(
        source_id=row["source_id"],
        uri=row["uri"],
        version=row["version"],
        size=row.get("size"),
        landed=row["landed"],
        accepted=row["accepted"],
        position=_position(row),
        outcome=row.get("outcome"),
        rows=row.get("rows"),
        reason=row["reason"],
        due=row.get("due"),
        batch=batch,
    )


def _position(row: asyncpg.Record) -> str | None:
    return f"{row['topic']}/{row['partition']}/{row['offset']}" if row["topic"] else None
