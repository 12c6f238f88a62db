"""`attempt`, `result` and `batch` as they end: what settlement reads and writes."""

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TypeVar

import asyncpg
from pydantic import BaseModel, ValidationError

from router.adapters.postgres import breakers, traces
from router.adapters.postgres.batch_ends import end_batch
from router.adapters.postgres.context import context_of
from router.adapters.postgres.database import Connection, Database
from router.adapters.postgres.discovery import follow
from router.adapters.postgres.failing import fail
from router.adapters.postgres.fragments import SAME, Statement, locked
from router.adapters.postgres.halves import halve
from router.adapters.postgres.publication import put
from router.adapters.postgres.requests.ending import end_request
from router.errors import Transient
from router.ports.settlement import EndedPreview
from router.rules.answers import FinishedRequest, RequestEnd
from router.rules.breaker import Breaker
from router.rules.identity import object_key
from router.rules.recovery import Again, Close, OpenAttempt, Void
from router.rules.settlement import BatchContext, EndedBatch, Settlement
from router.rules.splitting import Split
from schemas.manifest import Manifest, ManifestFile
from schemas.report import Closed, Preview, Report

M = TypeVar("M", bound=BaseModel)
_OUTCOMES = """
    (SELECT b.source_id, t.*
     FROM batch b, unnest($2::bytea[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[])
         AS t (object, version, outcome, rows, rows_bad, reason) WHERE b.id = $1) t
"""


class PostgresSettlement:
    """See `ports.settlement.SettlementLedger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open_attempts(self, run_ids: Sequence[str] | None = None) -> Sequence[OpenAttempt]:
        """With their results, and the earlier failures of their batches."""
        rows = await self._database.fetch(_OPEN_ATTEMPTS, run_ids)
        return [_open_attempt(row) for row in rows]

    async def batch_to_settle(self, batch: str, n: int) -> EndedBatch | None:
        """The batch with its files and its run's report."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(_REPORTED, batch, n)
            if row is None:
                return None
            files = await connection.fetch(_FILES, batch)
            ended = _ended_batch(row, files, await context_of(connection, row["source_id"], batch))
            if not ended.manifest.traces:
                return ended
            return replace(ended, traces=await traces.of_batch(connection, batch))

    async def settle_batch(self, settlement: Settlement) -> bool:
        """Batch, attempts, files, looks that follow from them, and event in one transaction."""
        async with self._database.transaction() as connection:
            if not await _lock_open(connection, settlement.batch):
                return False
            attempts_end = "closed" if settlement.outcome == "failed" else "loaded"
            await end_batch(connection, settlement.batch, settlement.outcome, settlement.reason, attempts_end)
            await connection.execute(
                _END_FILES,
                settlement.batch,
                [object_key(file.uri) for file in settlement.files],
                [file.version for file in settlement.files],
                [file.outcome for file in settlement.files],
                [file.rows for file in settlement.files],
                [file.rows_bad for file in settlement.files],
                [file.reason for file in settlement.files],
            )
            await follow(connection, settlement.batch)
            await connection.execute(
                _LEARN, settlement.source_id, settlement.bytes_per_second, settlement.newest_landed
            )
            if (schema := settlement.schema) is not None:
                columns, changes = _json(schema.columns), _json(schema.changes)
                values = (settlement.source_id, schema.table, columns, changes, settlement.batch)
                await connection.execute(_KEEP_SCHEMA, *values)
            await put(connection, [settlement.event])
        return True

    async def split_batch(self, split: Split) -> bool:
        """Batch, attempts, halves and event in one transaction."""
        async with self._database.transaction() as connection:
            if not await _lock_open(connection, split.batch):
                return False
            await halve(connection, split)
            await put(connection, [split.event])
        return True

    async def count_failure(self, target: str, reason: str) -> Breaker | None:
        """Count a failure of a target, whether it had failed before or not."""
        async with self._database.transaction() as connection:
            return await breakers.away(connection, target, reason)

    async def close_breakers(self, targets: Collection[str]) -> Sequence[Breaker]:
        """Forget what was counted of these targets; say what that was."""
        return await breakers.answered(self._database, targets)

    async def preview_to_answer(self, batch: str, n: int) -> EndedPreview | None:
        """The preview's request, with what its run saw; nothing as long as it has not reported."""
        rows = await self._database.fetch(_PREVIEWED, batch, n)
        if not rows:
            return None
        [row] = rows
        request = FinishedRequest(row["id"], row["kind"], row["producer"], row["source_id"], row["accepted"])
        return EndedPreview(batch, n, request, _read(Preview, row, "report"))

    async def end_preview(self, batch: str, n: int, end: RequestEnd) -> bool:
        """Batch, attempts, request and event in one transaction. A request that has ended is not answered again."""
        outcome = "previewed" if end.outcome == "previewed" else "failed"
        async with self._database.transaction() as connection:
            if not await _lock_open(connection, batch):
                return False
            await end_batch(connection, batch, outcome, end.reason, outcome)
            return await end_request(connection, end)

    async def queue(self, batch: str, n: int, *, is_queued: bool) -> None:
        """Keep since when it waits."""
        await self._database.fetch(_QUEUE, batch, n, is_queued)

    async def fail_attempt(self, batch: str, n: int, decision: Again | Close | Void) -> bool:
        """Under the lock that a run takes before it stages: what it has reported meanwhile counts first."""
        async with self._database.transaction() as connection:
            if not await _lock_open(connection, batch):
                return False
            return await fail(connection, batch, n, decision)


async def _lock_open(connection: Connection, batch: str) -> bool:
    return bool(await connection.fetchval(_LOCK_OPEN, batch))


def _open_attempt(row: asyncpg.Record) -> OpenAttempt:
    return OpenAttempt(
        batch=row["batch_id"],
        n=row["n"],
        source_id=row["source_id"],
        lane=row["lane"],
        kind=row["kind"],
        size_class=row["size_class"],
        age=row["age"],
        run_id=row["claimed_by"] or (str(row["run_id"]) if row["run_id"] else None),
        claimed_for=row["claimed_for"],
        silent=row["silent"],
        closing=row["closing"],
        result=row["state"],
        cause=row["cause"],
        reason=row["reason"],
        failures=json.loads(row["failures"]),
        files=row["files"],
        split_from=row["split_from"],
        target=row["target"],
        trouble=row["trouble"],
        is_queued=row["queued"] is not None,
    )


def _json(models: Sequence[BaseModel]) -> str:
    return json.dumps([model.model_dump(mode="json") for model in models])


def _read(model: type[M], row: asyncpg.Record, column: str) -> M:
    """What a run or a router wrote: one of a newer version may say what this one does not understand."""
    try:
        return model.model_validate_json(row[column] or "{}")
    except ValidationError as error:
        what = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:3])
        raise Transient(
            f"the {column} of {row['id']} is not understood, by a newer router it may be: {what}"
        ) from error


def _ended_batch(row: asyncpg.Record, files: Sequence[asyncpg.Record], surroundings: BatchContext) -> EndedBatch:
    report = _read(Report, row, "report") if row["state"] == "published" else _read(Closed, row, "report")
    return EndedBatch(
        id=row["id"],
        n=row["n"],
        lane=row["lane"],
        manifest=_read(Manifest, row, "manifest"),
        files=[ManifestFile(uri=file["uri"], version=file["version"], size=file["size"]) for file in files],
        landed=row["landed"],
        last_landed=max((file["landed"] for file in files), default=row["landed"]),
        estimate=row["estimate"],
        cut=row["cut"],
        submitted=row["submitted"],
        claimed=row["claimed"],
        reported=row["reported"],
        run_id=str(row["run_id"]) if row["run_id"] else None,
        report=report,
        given_up=row["given_up"],
        context=surroundings,
    )


# What is sent to PostgreSQL.

# Open attempts, with their results and the earlier failures of their batches.
_OPEN_ATTEMPTS = Statement("""
    SELECT a.*, b.source_id, b.closing, b.files, b.split_from, r.state,
        now() - coalesce(a.submitted, a.created) AS age,
        now() - a.claimed AS claimed_for, now() - a.touched AS silent, (
        SELECT coalesce(jsonb_object_agg(cause, times), '{}') FROM (
            SELECT cause, count(*) AS times FROM attempt
            WHERE batch_id = a.batch_id AND kind = a.kind AND ended IS NOT NULL AND cause IS NOT NULL
            GROUP BY cause) c) AS failures
    FROM attempt a JOIN batch b ON b.id = a.batch_id LEFT JOIN result r USING (batch_id, n)
    WHERE a.ended IS NULL AND ($1::text[] IS NULL OR a.run_id::text = ANY($1) OR a.claimed_by = ANY($1))
    ORDER BY a.created
""")

# An open batch whose run has reported.
_REPORTED = Statement("""
    SELECT b.id, a.n, a.lane, b.source_id, b.manifest, b.landed, b.estimate, b.cut, a.submitted, a.claimed,
           a.run_id, r.ended AS reported, r.state, r.report,
           b.closing IS NOT NULL AND NOT b.splitting AS given_up
    FROM batch b JOIN attempt a ON a.batch_id = b.id JOIN result r USING (batch_id, n)
    WHERE b.id = $1 AND a.n = $2 AND b.ended IS NULL AND r.state IN ('published', 'closed')
""")

# Its files.
_FILES = Statement("SELECT uri, version, size, landed FROM file WHERE batch_id = $1")

# Its files end, each in its own way.
_END_FILES = Statement(f"""
    UPDATE file f SET rows = n.rows, rows_bad = n.rows_bad, reason = n.reason, outcome = n.outcome
    FROM ({locked(_OUTCOMES, "k.batch_id = $1")}) n
    WHERE {SAME}
""")

# What was learned of its source.
_LEARN = Statement("""
    INSERT INTO source_state AS s (source_id, bytes_per_second, newest_landed) VALUES ($1, $2, $3)
    ON CONFLICT (source_id) DO UPDATE
    SET bytes_per_second = $2, newest_landed = greatest(s.newest_landed, $3)
""")

# The columns of its table, in one more version.
_KEEP_SCHEMA = Statement("""
    INSERT INTO schema_version (source_id, version, table_name, columns, changes, batch_id)
    SELECT $1, coalesce(max(version), 0) + 1, $2, $3::jsonb, $4::jsonb, $5 FROM schema_version WHERE source_id = $1
""")

# The request of a preview, with what its run saw.
_PREVIEWED = Statement("""
    SELECT q.id, q.kind, q.producer, q.source_id, q.accepted, r.report
    FROM batch b JOIN request q ON q.id = b.request_id
    LEFT JOIN result r ON r.batch_id = b.id AND r.n = $2 AND r.state = 'previewed'
    WHERE b.id = $1 AND b.ended IS NULL
""")

# An open attempt waits for its quota, or does not any more.
_QUEUE = Statement("""
    UPDATE attempt SET queued = CASE WHEN $3::bool THEN coalesce(queued, now()) END,
        admitted = CASE WHEN NOT $3 THEN now() END
    WHERE batch_id = $1 AND n = $2 AND ended IS NULL
""")

# A batch that is open, locked.
_LOCK_OPEN = Statement("SELECT true FROM batch WHERE id = $1 AND ended IS NULL FOR UPDATE")
