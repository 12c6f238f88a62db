"""The halves of a batch that is split: how they are made, which of them is to be begun, and whose they are."""

from collections.abc import Sequence

from router.adapters.postgres.batch_ends import end_batch
from router.adapters.postgres.database import Connection, Database
from router.adapters.postgres.fragments import SAME, Statement, locked
from router.ports.scheduling import DueBatch
from router.rules.identity import object_key
from router.rules.splitting import Half, Split

_NAMED = """
    (SELECT b.source_id, t.* FROM batch b, unnest($3::bytea[], $4::text[]) AS t (object, version) WHERE b.id = $1) t
"""


async def halve(connection: Connection, split: Split) -> None:
    """In the transaction in which the batch is locked and open."""
    await end_batch(connection, split.batch, "split", split.reason, "closed")
    for half in split.halves:
        await _make(connection, split.batch, half)


async def _make(connection: Connection, batch: str, half: Half) -> None:
    await connection.execute(
        _MAKE_HALF, batch, half.id, [object_key(file.uri) for file in half.files], [file.version for file in half.files]
    )


async def unbegun(database: Database) -> Sequence[DueBatch]:
    """One of each source at a time: a batch of poison must not take all the slots of its lane."""
    rows = await database.fetch(_UNBEGUN)
    return [DueBatch(**dict(row)) for row in rows]


# What is sent to PostgreSQL.

# Some of a batch's files move into a batch of their own.
_MAKE_HALF = Statement(f"""
    WITH moved AS (
        UPDATE file f SET batch_id = $2 FROM ({locked(_NAMED, "k.batch_id = $1")}) n
        WHERE {SAME}
        RETURNING f.size, f.estimate, f.landed)
    INSERT INTO batch (id, split_from, source_id, lane, size_class, manifest, files, bytes, estimate, landed)
    SELECT $2, b.id, b.source_id, b.lane, b.size_class, b.manifest, m.* FROM batch b, (
        SELECT count(*), coalesce(sum(size), 0), coalesce(sum(estimate), 0), min(landed) FROM moved) m
    WHERE b.id = $1
""")

# Halves without an attempt: of each source the first in each lane.
_UNBEGUN = Statement("""
    SELECT DISTINCT ON (b.source_id, b.lane) b.id, 1 AS n, b.lane, b.source_id, b.size_class, b.estimate,
           CASE WHEN b.closing IS NULL THEN b.kind ELSE 'close' END AS kind
    FROM batch b
    WHERE b.ended IS NULL AND b.split_from IS NOT NULL
      AND NOT EXISTS (SELECT FROM attempt WHERE batch_id = b.id)
    ORDER BY b.source_id, b.lane, b.cut, b.id
""")
