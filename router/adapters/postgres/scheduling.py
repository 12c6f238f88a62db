"""`batch` and `attempt` as they begin: what scheduling reads and writes."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

import asyncpg

from router.adapters.postgres import breakers
from router.adapters.postgres.database import Connection, Database
from router.adapters.postgres.files import fail_waiting
from router.adapters.postgres.fragments import LINES, SAME, WAITS, Statement, later, locked
from router.adapters.postgres.halves import unbegun
from router.adapters.postgres.lease import PostgresLease
from router.adapters.postgres.slots import taken
from router.ports.runs import Submission
from router.ports.scheduling import DueBatch, DuePreview, NewBatch
from router.rules.breaker import Breaker
from router.rules.identity import Identity
from router.rules.scheduling import Backlog, WaitingFile
from schemas.config.lanes import Lane
from schemas.config.sizes import JobVariables
from schemas.ledger.waking import CHANNEL
from schemas.manifest import AttemptKind, ManifestFile
from schemas.report import readable

ROLE = "scheduling"
_LONGEST_PAUSE = timedelta(seconds=30)
_NAMED = "unnest($2::text[], $3::bytea[], $4::text[]) AS t (source_id, object, version)"


class PostgresScheduling:
    """See `ports.scheduling.SchedulingLedger`."""

    def __init__(self, database: Database, lease: PostgresLease) -> None:
        self._database = database
        self._lease = lease
        self.hold = lease.hold
        self.release = lease.release

    async def has_work(self) -> bool:
        """Each by the first entry of an index."""
        return bool((await self._database.fetch(_HAS_WORK))[0]["has_work"])

    async def unsubmitted(self, limit: int) -> Sequence[Submission]:
        """Open attempts without a run: one that Prefect did not take stands behind those that are due before it."""
        rows = await self._database.fetch(_UNSUBMITTED, limit)
        return [_submission(row) for row in rows]

    async def due_batches(self, lane: Lane, limit: int, without: Collection[str] = ()) -> Sequence[DueBatch]:
        """Open batches, due, without an open attempt."""
        rows = await self._database.fetch(_DUE, lane, limit, list(without))
        return [DueBatch(**dict(row)) for row in rows]

    async def breakers(self) -> Sequence[Breaker]:
        """Read all breakers."""
        return await breakers.breakers(self._database)

    async def hold_back(self, targets: Collection[str]) -> None:
        """Let nobody else try these targets until one batch has."""
        async with self._database.transaction() as connection:
            await breakers.probed(connection, targets)

    async def halves(self) -> Sequence[DueBatch]:
        """Read the halves of split batches that have no attempt yet."""
        return await unbegun(self._database)

    async def in_flight(self) -> Mapping[Lane, int]:
        """Count the open attempts of each lane."""
        return await taken(self._database)

    async def busy(self) -> frozenset[tuple[str, Lane]]:
        """Open batches that load and have an attempt; one that is staged leaves room for another."""
        rows = await self._database.fetch(_BUSY)
        return frozenset((row["source_id"], row["lane"]) for row in rows)

    async def backlogs(self) -> Sequence[Backlog]:
        """From line to line through the index of waiting files: two probes for each that is not empty."""
        rows = await self._database.fetch(_BACKLOGS)
        return [Backlog(**dict(row)) for row in rows]

    async def waiting(self, source_id: str, lane: Lane, limit: int) -> Sequence[WaitingFile]:
        """Through the partial index of waiting files."""
        rows = await self._database.fetch(_FIRST_OF_LINE, source_id, lane, limit)
        return [
            WaitingFile(
                Identity(source_id, row["object"], row["version"]),
                row["uri"],
                row["size"],
                row["landed"],
                row["estimate"],
            )
            for row in rows
        ]

    async def fail_waiting(self, refusals: Sequence[tuple[Identity, str]], epoch: int) -> int:
        """Fail those of them that still wait."""
        async with self._database.transaction() as connection:
            await self._lease.check(connection, ROLE, epoch)
            return await fail_waiting(connection, refusals)

    async def previews(self, source_ids: Collection[str], limit: int) -> Sequence[DuePreview]:
        """Requests whose file is there and that no batch stands for."""
        rows = await self._database.fetch(_PREVIEWS, limit, list(source_ids))
        return [
            DuePreview(
                row["id"],
                row["source_id"],
                ManifestFile(uri=row["uri"], version=row["version"], size=row["size"]),
                row["rows"],
            )
            for row in rows
        ]

    async def cut(self, batch: NewBatch, epoch: int) -> Submission | None:
        """The files that still wait make the batch; a preview has none, and one batch at most."""
        async with self._database.transaction() as connection:
            await self._lease.check(connection, ROLE, epoch)
            files = await _take(connection, batch)
            if not files and batch.request_id is None:
                return None
            kind: AttemptKind = "load" if batch.request_id is None else "preview"
            made = await connection.fetchval(
                _CUT,
                batch.id,
                batch.manifest.source_id,
                batch.lane,
                kind,
                batch.size_class,
                batch.request_id,
                len(files),
                sum(row["size"] for row in files),
                sum(row["estimate"] for row in files),
                min((row["landed"] for row in files), default=None),
                batch.manifest.model_dump_json(by_alias=True, exclude_unset=True),
            )
            due = DueBatch(batch.id, 1, batch.lane, batch.manifest.source_id, batch.size_class, kind)
            return await _begin(connection, due, batch.job_variables, epoch) if made else None

    async def begin_attempt(self, due: DueBatch, job_variables: JobVariables, epoch: int) -> Submission | None:
        """The attempt of that number, once."""
        async with self._database.transaction() as connection:
            await self._lease.check(connection, ROLE, epoch)
            return await _begin(connection, due, job_variables, epoch)

    async def save_run(self, submission: Submission, run_id: str) -> None:
        """The run is known now, and its lane's workers are woken; a repetition changes nothing."""
        async with self._database.transaction() as connection:
            await connection.execute(_SUBMITTED, submission.batch, submission.n, run_id)
            await connection.execute(_WAKE, CHANNEL, submission.lane)

    async def put_off(self, submission: Submission, trouble: str) -> None:
        """Put the creation of its run off, twice as long each time."""
        await self._database.fetch(_PUT_OFF, submission.batch, submission.n, readable(trouble), _LONGEST_PAUSE)


async def _take(connection: Connection, batch: NewBatch) -> Sequence[asyncpg.Record]:
    return await connection.fetch(
        _TAKE,
        batch.id,
        [file.identity.source_id for file in batch.files],
        [file.identity.object for file in batch.files],
        [file.identity.version for file in batch.files],
    )


async def _begin(connection: Connection, due: DueBatch, job_variables: JobVariables, epoch: int) -> Submission | None:
    row = await connection.fetchrow(
        _BEGIN, due.id, due.n, due.kind, due.lane, due.size_class, json.dumps(dict(job_variables)), epoch
    )
    return _submission(row) if row is not None else None


def _submission(row: asyncpg.Record) -> Submission:
    variables = json.loads(row["job_variables"])
    return Submission(row["batch_id"], row["n"], row["lane"], row["source_id"], row["kind"], variables)


# What is sent to PostgreSQL.

# Whether a file waits, or a batch or a preview has not ended. In order, so that no guess of how many there are has
# PostgreSQL go over a table instead of an index.
_HAS_WORK = Statement(f"""
    SELECT coalesce(
        (SELECT true FROM file k WHERE {WAITS} ORDER BY source_id, lane LIMIT 1),
        (SELECT true FROM batch WHERE ended IS NULL ORDER BY source_id, lane LIMIT 1),
        (SELECT true FROM request WHERE ended IS NULL AND kind = 'preview' ORDER BY accepted LIMIT 1),
        false) AS has_work
""")

# Open attempts without a run, the longest due first.
_UNSUBMITTED = Statement("""
    SELECT a.batch_id, a.n, a.lane, a.kind, a.job_variables, b.source_id
    FROM attempt a JOIN batch b ON b.id = a.batch_id
    WHERE a.ended IS NULL AND a.run_id IS NULL AND a.due <= now() ORDER BY a.due LIMIT $1
""")

# Open batches whose time has come, without an open attempt.
_DUE = Statement("""
    SELECT b.id, a.n + 1 AS n, b.lane, b.source_id, b.size_class,
           CASE WHEN b.closing IS NULL THEN b.kind ELSE 'close' END AS kind
    FROM batch b CROSS JOIN LATERAL (
        SELECT max(n) AS n, bool_and(ended IS NOT NULL) AS over FROM attempt WHERE batch_id = b.id) a
    WHERE b.ended IS NULL AND b.lane = $1 AND b.due <= now() AND a.over AND b.source_id <> ALL($3::text[])
    ORDER BY b.due LIMIT $2
""")

# The lines with a batch in flight that its run has not staged, or with two that it has.
_BUSY = Statement("""
    SELECT source_id, lane FROM batch b CROSS JOIN LATERAL (
        SELECT ended IS NULL AND EXISTS (
            SELECT FROM result r WHERE (r.batch_id, r.n) = (a.batch_id, a.n)) AS is_staged
        FROM attempt a WHERE batch_id = b.id ORDER BY n DESC LIMIT 1) newest
    WHERE ended IS NULL AND kind = 'load'
    GROUP BY source_id, lane HAVING count(*) > 1 OR NOT bool_and(is_staged)
""")

# The lines that have files waiting: two probes of an index for each.
_BACKLOGS = Statement(f"""
    SELECT l.source_id, l.lane, f.landed, f.accepted, s.bytes_per_second
    FROM ({LINES}) l CROSS JOIN LATERAL (
        SELECT landed, accepted FROM file k WHERE source_id = l.source_id AND lane = l.lane AND {WAITS}
        ORDER BY rank, landed, object LIMIT 1) f
    LEFT JOIN source_state s ON s.source_id = l.source_id
    WHERE s.paused IS NULL
""")

# The first files of a line.
_FIRST_OF_LINE = Statement(f"""
    SELECT object, version, uri, size, landed, estimate FROM file k
    WHERE source_id = $1 AND lane = $2 AND {WAITS} ORDER BY rank, landed, object LIMIT $3
""")

# Previews whose file is there and that no batch stands for.
_PREVIEWS = Statement("""
    SELECT r.id, r.source_id, (r.asked ->> 'rows')::int AS rows, f.uri, f.version, f.size
    FROM request r JOIN request_file f ON f.request_id = r.id
    WHERE r.kind = 'preview' AND r.ended IS NULL AND f.version IS NOT NULL
      AND NOT EXISTS (SELECT FROM batch b WHERE b.request_id = r.id) AND r.source_id = ANY($2::text[])
    ORDER BY r.accepted LIMIT $1
""")

# A batch; of a preview one at most.
_CUT = Statement("""
    INSERT INTO batch (id, source_id, lane, kind, size_class, request_id, files, bytes, estimate, landed,
                       manifest)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, coalesce($10, now()), $11)
    ON CONFLICT (request_id) WHERE request_id IS NOT NULL DO NOTHING RETURNING true
""")

# The run of an attempt is known.
_SUBMITTED = Statement(
    "UPDATE attempt SET run_id = $3, submitted = now() WHERE batch_id = $1 AND n = $2 AND run_id IS NULL"
)

# There is a run for the workers of a lane.
_WAKE = Statement("SELECT pg_notify($1, $2)")

# Its run is to be created later, longer each time.
_PUT_OFF = Statement(f"""
    UPDATE attempt SET trouble = $3, tries = tries + 1,
        due = {later("1 second", "tries", "$4")}
    WHERE batch_id = $1 AND n = $2 AND run_id IS NULL
""")

# Those of some files that still wait are in a batch.
_TAKE = Statement(f"""
    UPDATE file f SET batch_id = $1 FROM ({locked(_NAMED, WAITS)}) n
    WHERE {SAME}
    RETURNING f.size, f.landed, f.estimate
""")

# The next attempt of an open batch, once.
_BEGIN = Statement("""
    INSERT INTO attempt AS a (batch_id, n, kind, lane, size_class, job_variables, epoch)
    SELECT b.id, $2, $3, $4, $5, $6, $7 FROM batch b WHERE b.id = $1 AND b.ended IS NULL
    ON CONFLICT DO NOTHING
    RETURNING a.batch_id, a.n, a.lane, a.kind, a.job_variables,
              (SELECT source_id FROM batch WHERE id = a.batch_id) AS source_id
""")
