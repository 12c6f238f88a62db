"""`file_trace`: the traces of files, where there are any."""

from collections.abc import Mapping, Sequence

from router.adapters.postgres.database import Connection
from router.adapters.postgres.fragments import Statement
from router.ports.intake import Trace
from schemas.ledger.tracing import JOIN_TRACE


async def put(connection: Connection, traces: Sequence[Trace]) -> None:
    """Keep them; of a version the first that told of it, of an object without one the last."""
    if not traces:
        return
    await connection.execute(
        _PUT,
        [trace.identity.source_id for trace in traces],
        [trace.identity.object for trace in traces],
        [trace.identity.version for trace in traces],
        [trace.traceparent for trace in traces],
    )


async def of_batch(connection: Connection, batch: str) -> Mapping[str, str]:
    """Those of the files of a batch, by URI."""
    return {row["uri"]: row["traceparent"] for row in await connection.fetch(_OF_BATCH, batch)}


# What is sent to PostgreSQL.

# Traces of files; that of a version does not change any more.
_PUT = Statement("""
    INSERT INTO file_trace AS t (source_id, object, version, traceparent)
    SELECT * FROM unnest($1::text[], $2::bytea[], $3::text[], $4::text[])
    ON CONFLICT (source_id, object, version) DO UPDATE SET traceparent = excluded.traceparent WHERE t.version = ''
""")

# Those of a batch.
_OF_BATCH = Statement(f"""
    SELECT f.uri, t.traceparent FROM file f {JOIN_TRACE}
    WHERE f.batch_id = $1 AND t.traceparent IS NOT NULL
""")
