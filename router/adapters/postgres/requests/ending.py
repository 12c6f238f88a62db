"""How a request ends, in the transaction of whoever ends it."""

from router.adapters.postgres.database import Connection
from router.adapters.postgres.fragments import SAME, WAITS, Statement, locked
from router.adapters.postgres.publication import put
from router.rules.answers import RequestEnd

# Another open request than $1 that asks for the file `k` to be loaded.
HEIR = """(
    SELECT min(o.id) FROM request_file a JOIN request o ON o.id = a.request_id
    WHERE (a.source_id, a.object, a.version) = (k.source_id, k.object, k.version)
      AND o.id <> $1 AND o.ended IS NULL AND o.kind IN ('load', 'retry'))"""
_OPENED = "(SELECT source_id, object, version FROM file WHERE request_id = $1 AND outcome IS NULL) t"


async def end_request(connection: Connection, end: RequestEnd) -> bool:
    """Once: False when it has ended. What waits because of it is given up, or is another's who asks for it too."""
    ended = await connection.fetchval(_END, end.id, end.outcome, end.reason, end.event.value)
    if not ended:
        return False
    await connection.execute(_GIVE_UP_WAITING, end.id, end.reason or "its request has ended")
    await put(connection, [end.event])
    return True


# What is sent to PostgreSQL.

# A request ends, once.
_END = Statement("""
    UPDATE request SET ended = now(), outcome = $2, reason = $3, event = $4
    WHERE id = $1 AND ended IS NULL RETURNING true
""")

# What waits because of it is given up, or is another's who asks for it too.
_GIVE_UP_WAITING = Statement(f"""
    UPDATE file f SET request_id = coalesce(n.heir, f.request_id),
        outcome = CASE WHEN n.heir IS NULL THEN 'failed' END, reason = CASE WHEN n.heir IS NULL THEN $2 END
    FROM ({locked(_OPENED, f"k.request_id = $1 AND {WAITS}", more=f", {HEIR} AS heir")}) n
    WHERE {SAME}
""")
