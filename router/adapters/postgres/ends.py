"""How a request ends, in the transaction of whoever ends it."""

from router.adapters.postgres.database import Connection
from router.adapters.postgres.outbox import put
from router.rules.requests import RequestEnd


async def end_request(connection: Connection, end: RequestEnd) -> bool:
    """Once: False when it has ended. What waits because of it is given up."""
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
        """
        UPDATE file SET outcome = 'failed', reason = $2
        WHERE request_id = $1 AND outcome IS NULL AND batch_id IS NULL
        """,
        end.id,
        end.reason or "its request has ended",
    )
    await put(connection, [end.event])
    return True
