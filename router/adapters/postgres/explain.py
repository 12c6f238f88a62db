"""What `explain` asks of the ledger. It reads only, and through indexes."""

from collections.abc import Sequence
from dataclasses import replace

import asyncpg

from router.adapters.postgres import breakers
from router.adapters.postgres.database import Connection, Database
from router.adapters.postgres.files import NEWEST
from router.adapters.postgres.fragments import TAKES_A_SLOT, Statement
from router.rules.breaker import Breaker
from router.rules.explanation.known import KnownAttempt, KnownBatch, KnownFile, KnownRequest, Surroundings
from router.rules.identity import object_key
from schemas.config.lanes import Lane
from schemas.ledger.tracing import JOIN_TRACE
from schemas.manifest import Manifest


class PostgresExplain:
    """Tells what is known of a file, a batch and a request, and what stands around them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def files(self, uri: str) -> Sequence[KnownFile]:
        """Every version of an object in every source, the newest first; `NEWEST` says what that is."""
        key = object_key(uri)
        async with self._database.transaction() as connection:
            files = await connection.fetch(_VERSIONS, key)
            arrivals = await connection.fetch(_LOOKS, key)
            batches = {row["batch_id"]: await _batch(connection, row["batch_id"]) for row in files if row["batch_id"]}
            requests = await connection.fetch(_REQUESTS_FOR, key)
        asked = [row["id"] for row in requests]
        looks = {row["source_id"]: row["due"] for row in arrivals if row["quiet"]}
        known = [_known(row, batches.get(row["batch_id"]), asked) for row in files]
        return [
            *(_known(row) for row in arrivals if not row["quiet"]),
            *(replace(file, due=looks.get(file.source_id)) for file in known),
        ]

    async def batch(self, batch_id: str) -> KnownBatch | None:
        """Read a batch with its attempts and its halves."""
        async with self._database.transaction() as connection:
            return await _batch(connection, batch_id)

    async def request(self, request_id: str) -> KnownRequest | None:
        """A request, with how many of its files have ended."""
        rows = await self._database.fetch(_REQUEST, request_id)
        return _request(rows[0]) if rows else None

    async def breakers(self) -> Sequence[Breaker]:
        """Read all breakers, also of what has not failed often enough to be away."""
        return await breakers.breakers(self._database)

    async def around(self, source_id: str, lane: Lane) -> Surroundings:
        """What a waiting file of the source waits for, as far as the ledger knows."""
        [row] = await self._database.fetch(_SURROUNDINGS, source_id, lane)
        return Surroundings(source=source_id, **dict(row))


def _request(row: asyncpg.Record) -> KnownRequest:
    return KnownRequest(
        id=row["id"],
        kind=row["kind"],
        producer=row["producer"],
        source_id=row["source_id"],
        position=_place(row),
        accepted=row["accepted"],
        deadline=row["deadline"],
        trouble=row["trouble"],
        listed=row["listed"],
        ended=row["ended"],
        outcome=row["outcome"],
        reason=row["reason"],
        files_done=row["done"],
        files_total=row["total"],
        oldest_open=row["oldest_open"],
    )


async def _batch(connection: Connection, batch_id: str) -> KnownBatch | None:
    row = await connection.fetchrow(_BATCH, batch_id)
    if row is None:
        return None
    attempts = await connection.fetch(_ATTEMPTS, batch_id)
    halves = await connection.fetch(_HALVES, batch_id)
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
        splitting=row["splitting"],
        split_from=row["split_from"],
        source_id=row["source_id"],
        halves=[half for one in halves if (half := await _batch(connection, one["id"])) is not None],
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
        host=row["claimed_on"],
        trouble=row["trouble"],
        queued=row["queued"],
    )


def _known(row: asyncpg.Record, batch: KnownBatch | None = None, requests: Sequence[str] = ()) -> KnownFile:
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
        lane=row.get("lane") or "default",
        requests=requests,
        misses=row.get("misses") or 0,
        trace=row.get("traceparent"),
    )


def _position(row: asyncpg.Record) -> str | None:
    return _place(row) if row["topic"] else None


def _place(row: asyncpg.Record) -> str:
    return f"{row['topic']}/{row['partition']}/{row['offset']}"


# What is sent to PostgreSQL.

# Every version of an object, the newest first, with its trace.
_VERSIONS = Statement(f"SELECT f.*, t.traceparent FROM file f {JOIN_TRACE} WHERE f.object = $1 ORDER BY {NEWEST}")

# The looks at an object that are due.
_LOOKS = Statement("SELECT * FROM arrival WHERE object = $1")

# The open requests that ask for an object.
_REQUESTS_FOR = Statement("""
    SELECT r.id FROM request_file q JOIN request r ON r.id = q.request_id
    WHERE q.object = $1 AND r.ended IS NULL ORDER BY r.accepted LIMIT 10
""")

# A request, and how far its files are.
_REQUEST = Statement("""
    SELECT r.*, f.done, f.total, f.oldest_open FROM request r CROSS JOIN LATERAL (
        SELECT count(*) AS total, count(*) FILTER (WHERE o.is_done) AS done,
               (array_agg(o.uri ORDER BY o.landed) FILTER (WHERE NOT o.is_done))[1] AS oldest_open
        FROM (SELECT q.uri, f.landed, q.outcome IS NOT NULL OR f.outcome IS NOT NULL AS is_done
              FROM request_file q LEFT JOIN file f USING (source_id, object, version)
              WHERE q.request_id = r.id) o) f
    WHERE r.id = $1
""")

# What else decides when a waiting file goes.
_SURROUNDINGS = Statement(f"""
    SELECT (SELECT id FROM batch WHERE source_id = $1 AND lane = $2 AND ended IS NULL AND kind = 'load'
            ORDER BY cut DESC LIMIT 1) AS in_flight,
           EXISTS (SELECT FROM lease WHERE role = 'scheduling' AND expires > now()) AS router_alive,
           (SELECT count(*) FROM attempt WHERE lane = $2 AND {TAKES_A_SLOT})::int AS taken,
           (SELECT paused FROM source_state WHERE source_id = $1) AS paused,
           (SELECT paused_by FROM source_state WHERE source_id = $1) AS paused_by
""")

# A batch.
_BATCH = Statement("SELECT * FROM batch WHERE id = $1")

# Its attempts.
_ATTEMPTS = Statement("SELECT * FROM attempt WHERE batch_id = $1 ORDER BY n")

# Its halves, when it was split.
_HALVES = Statement("SELECT id FROM batch WHERE split_from = $1 ORDER BY id")
