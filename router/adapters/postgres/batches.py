"""`batch` and `attempt` as they begin: what scheduling reads and writes."""

import json
from collections.abc import Sequence

import asyncpg

from router.adapters.postgres.database import Connection, Database
from router.adapters.postgres.lease import PostgresLease
from router.ports import DueBatch, NewBatch, Submission
from router.rules.identity import Identity
from router.rules.scheduling import Backlog, WaitingFile
from schemas.config import Lane

ROLE = "scheduling"


class PostgresBatches:
    """See `ports.BatchLedger`."""

    def __init__(self, database: Database, lease: PostgresLease) -> None:
        self._database = database
        self._lease = lease
        self.hold = lease.hold

    async def unsubmitted(self, limit: int) -> Sequence[Submission]:
        """Open attempts without a run."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                """
                SELECT a.batch_id, a.n, a.lane, a.kind, a.job_variables, b.source_id
                FROM attempt a JOIN batch b ON b.id = a.batch_id
                WHERE a.ended IS NULL AND a.run_id IS NULL ORDER BY a.created LIMIT $1
                """,
                limit,
            )
        return [_submission(row) for row in rows]

    async def due_batches(self, limit: int) -> Sequence[DueBatch]:
        """Open batches, due, without an open attempt."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                """
                SELECT b.id, a.n + 1 AS n, b.lane, CASE WHEN b.closing IS NULL THEN 'load' ELSE 'close' END AS kind
                FROM batch b CROSS JOIN LATERAL (
                    SELECT max(n) AS n, bool_and(ended IS NOT NULL) AS over FROM attempt WHERE batch_id = b.id) a
                WHERE b.ended IS NULL AND b.due <= now() AND a.over ORDER BY b.due LIMIT $1
                """,
                limit,
            )
        return [DueBatch(row["id"], row["n"], row["lane"], row["kind"]) for row in rows]

    async def in_flight(self, lane: Lane) -> int:
        """Open attempts of the lane."""
        async with self._database.transaction() as connection:
            count: int = await connection.fetchval(
                "SELECT count(*) FROM attempt WHERE ended IS NULL AND lane = $1", lane
            )
        return count

    async def busy_sources(self, lane: Lane) -> frozenset[str]:
        """Sources with an open batch in the lane."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch("SELECT source_id FROM batch WHERE ended IS NULL AND lane = $1", lane)
        return frozenset(row["source_id"] for row in rows)

    async def backlogs(self, source_ids: Sequence[str]) -> Sequence[Backlog]:
        """One index probe a source."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                """
                SELECT s.id, f.accepted FROM unnest($1::text[]) AS s (id) CROSS JOIN LATERAL (
                    SELECT accepted FROM file WHERE source_id = s.id AND batch_id IS NULL AND outcome IS NULL
                    ORDER BY accepted LIMIT 1) f
                """,
                source_ids,
            )
        return [Backlog(row["id"], row["accepted"]) for row in rows]

    async def waiting(self, source_id: str, limit: int) -> Sequence[WaitingFile]:
        """Through the partial index of waiting files."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                """
                SELECT object, version, size, landed FROM file
                WHERE source_id = $1 AND batch_id IS NULL AND outcome IS NULL ORDER BY accepted, object LIMIT $2
                """,
                source_id,
                limit,
            )
        return [
            WaitingFile(Identity(source_id, row["object"], row["version"]), row["size"], row["landed"]) for row in rows
        ]

    async def cut(self, batch: NewBatch, epoch: int) -> Submission | None:
        """The files that still wait make the batch."""
        async with self._database.transaction() as connection:
            await self._lease.check(connection, ROLE, epoch)
            taken = await connection.fetch(
                """
                UPDATE file f SET batch_id = $1
                FROM unnest($3::bytea[], $4::text[]) AS w (object, version)
                WHERE (f.source_id, f.object, f.version) = ($2, w.object, w.version)
                  AND f.batch_id IS NULL AND f.outcome IS NULL
                RETURNING f.size, f.landed
                """,
                batch.id,
                batch.manifest.source_id,
                [file.identity.object for file in batch.files],
                [file.identity.version for file in batch.files],
            )
            if not taken:
                return None
            await connection.execute(
                "INSERT INTO batch (id, source_id, lane, files, bytes, landed, manifest) VALUES ($1,$2,$3,$4,$5,$6,$7)",
                batch.id,
                batch.manifest.source_id,
                batch.lane,
                len(taken),
                sum(row["size"] for row in taken),
                min(row["landed"] for row in taken),
                batch.manifest.model_dump_json(by_alias=True, exclude_unset=True),
            )
            return await _begin(connection, DueBatch(batch.id, 1, batch.lane, "load"), epoch)

    async def attempt(self, due: DueBatch, epoch: int) -> Submission | None:
        """The attempt of that number, once."""
        async with self._database.transaction() as connection:
            await self._lease.check(connection, ROLE, epoch)
            return await _begin(connection, due, epoch)

    async def submitted(self, submission: Submission, run_id: str) -> None:
        """The run is known now; a repetition changes nothing."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE attempt SET run_id = $3, submitted = now() WHERE batch_id = $1 AND n = $2 AND run_id IS NULL",
                submission.batch,
                submission.n,
                run_id,
            )


async def _begin(connection: Connection, due: DueBatch, epoch: int) -> Submission | None:
    row = await connection.fetchrow(
        """
        INSERT INTO attempt AS a (batch_id, n, kind, lane, epoch)
        SELECT b.id, $2, $3, $4, $5 FROM batch b WHERE b.id = $1 AND b.ended IS NULL
        ON CONFLICT DO NOTHING
        RETURNING a.batch_id, a.n, a.lane, a.kind, a.job_variables,
                  (SELECT source_id FROM batch WHERE id = a.batch_id) AS source_id
        """,
        due.id,
        due.n,
        due.kind,
        due.lane,
        epoch,
    )
    return _submission(row) if row is not None else None


def _submission(row: asyncpg.Record) -> Submission:
    variables = json.loads(row["job_variables"])
    return Submission(row["batch_id"], row["n"], row["lane"], row["source_id"], row["kind"], variables)
