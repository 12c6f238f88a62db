"""How a request ends, in the transaction of whoever ends it."""

from router.adapters.postgres.database import LOCKED, Connection
from router.adapters.postgres.outbox import put
from router.rules.requests import RequestEnd

# Another open request than $1 that asks for the file `k` to be loaded.
HEIR = """(
    SELECT min(o.id) FROM request_file a JOIN request o ON o.id = a.request_id
    WHERE (a.source_id, a.object, a.version) = (k.source_id, k.object, k.version)
      AND o.id <> $1 AND o.ended IS NULL AND o.kind IN ('load', 'retry'))"""


async def end_request(connection: Connection, end: RequestEnd) -> bool:
    """Once: False when it has ended. What waits because of it is given up, or is another's who asks for it too."""
    ended = await connection.fetchval(
        """
        UPDATE request SET ended = now(), outcome = $2, reason = $3, event = $4
        WHERE id = $1 AND ended IS NULL RETURNING true
        """,
        end.id,
        end.outcome,
        end.reason,
        end.event.value,
    )
    if not ended:
        return False
    await connection.execute(
        f"""
        UPDATE file f SET request_id = coalesce(w.heir, f.request_id),
            outcome = CASE WHEN w.heir IS NULL THEN 'failed' END, reason = CASE WHEN w.heir IS NULL THEN $2 END
        FROM (SELECT k.source_id, k.object, k.version, {HEIR} AS heir FROM file k
              WHERE k.request_id = $1 AND k.outcome IS NULL AND k.batch_id IS NULL {LOCKED}) w
        WHERE (f.source_id, f.object, f.version) = (w.source_id, w.object, w.version)
          AND f.request_id = $1 AND f.outcome IS NULL AND f.batch_id IS NULL
        """,  # noqa: S608 - a constant of this module
        end.id,
        end.reason or "its request has ended",
    )
    await put(connection, [end.event])
    return True
