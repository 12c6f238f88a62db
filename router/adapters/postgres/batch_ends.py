"""How a batch ends, with its attempts, in the transaction in which it is locked and open."""

from router.adapters.postgres.database import Connection
from router.adapters.postgres.fragments import Statement


async def end_batch(connection: Connection, batch: str, outcome: str, reason: str | None, attempts_end: str) -> None:
    """End the batch with its outcome and reason, and the attempts that are still open with theirs."""
    await connection.execute(_END_BATCH, batch, outcome, reason)
    await connection.execute(_END_ATTEMPTS, batch, attempts_end)


# What is sent to PostgreSQL.

# A batch ends.
_END_BATCH = Statement("UPDATE batch SET ended = now(), outcome = $2, reason = $3 WHERE id = $1")

# Its attempts end with it.
_END_ATTEMPTS = Statement("UPDATE attempt SET ended = now(), outcome = $2 WHERE batch_id = $1 AND ended IS NULL")
