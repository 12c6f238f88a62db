"""An attempt that comes to nothing, and what becomes of its batch."""

from typing import assert_never

from router.adapters.postgres.database import Connection
from router.adapters.postgres.fragments import Statement
from router.rules.recovery import Again, Close, Void
from schemas.report import Closed


async def fail(connection: Connection, batch: str, n: int, decision: Again | Close | Void) -> bool:
    """End the attempt of a batch that is locked, and say how that goes on; False when its run was faster."""
    if await connection.fetchval(_HAS_REPORTED, batch, n):
        return False
    if await _closed_by_fence(connection, batch, n, decision):
        return True
    if not await _end_attempt(connection, batch, n, decision):
        return False
    match decision:
        case Again():
            await connection.execute(_TRY_AGAIN, batch, decision.pause, decision.size_class)
        case Close():
            await connection.execute(_CLOSE, batch, decision.reason, decision.split)
        case Void():
            await connection.execute(_GO_ON, batch)
        case _:
            assert_never(decision)
    return True


async def _closed_by_fence(connection: Connection, batch: str, n: int, decision: Again | Close | Void) -> bool:
    """What is to be closed and was never claimed needs no run for that: nothing of it is staged, and nothing will be.

    The attempt stays open, with the result with which settlement ends it.
    """
    asked = (decision.reason, decision.split) if isinstance(decision, Close) else (None, False)
    row = await connection.fetchrow(_UNCLAIMED, batch, *asked)
    if row is None or row["closing"] is None:
        return False
    cause = "infrastructure" if isinstance(decision, Void) else decision.cause
    told = decision.cause if isinstance(decision, Close) else "crash"
    closed = Closed(cause=told, reason=row["closing"], split=row["splitting"])
    if not await connection.fetchval(_END_UNCLAIMED, batch, n, cause, decision.reason, closed.model_dump_json()):
        return False
    if isinstance(decision, Close):
        await connection.execute(_CLOSE, batch, *asked)
    return True


async def _end_attempt(connection: Connection, batch: str, n: int, decision: Again | Close | Void) -> bool:
    """A void attempt must not have been claimed, a silent one not been heard of: this update excludes both."""
    outcome, cause = ("void", "infrastructure") if isinstance(decision, Void) else ("failed", decision.cause)
    ended = await connection.fetchval(
        _FAIL_ATTEMPT,
        batch,
        n,
        outcome,
        cause,
        decision.reason,
        decision.silent if isinstance(decision, Again) else None,
    )
    return bool(ended)


# What is sent to PostgreSQL.

# Whether a run has reported more than that it staged.
_HAS_REPORTED = Statement("SELECT true FROM result WHERE batch_id = $1 AND n = $2 AND state <> 'staged'")

# An attempt ends, unless it was claimed or heard of meanwhile.
_FAIL_ATTEMPT = Statement("""
    UPDATE attempt SET ended = now(), outcome = $3, cause = $4, reason = $5
    WHERE batch_id = $1 AND n = $2 AND ended IS NULL AND ($3 <> 'void' OR claimed_by IS NULL)
      AND ($6::interval IS NULL OR touched <= now() - $6) RETURNING true
""")

# Its batch goes on after a pause, perhaps in a bigger class.
_TRY_AGAIN = Statement("""
    UPDATE batch SET due = now() + $2::interval, size_class = coalesce($3, size_class),
        lane = CASE WHEN $3::int IS NULL THEN lane ELSE 'high-memory' END
    WHERE id = $1
""")

# Its batch is to be closed now.
_CLOSE = Statement("""
    UPDATE batch SET due = now(), closing = coalesce(closing, $2),
        splitting = CASE WHEN closing IS NULL THEN $3 ELSE splitting END
    WHERE id = $1
""")

# Why a batch is closed, or is to be closed, that no run has ever claimed.
_UNCLAIMED = Statement("""
    SELECT coalesce(closing, $2) AS closing, CASE WHEN closing IS NULL THEN $3 ELSE splitting END AS splitting
    FROM batch WHERE id = $1 AND NOT EXISTS (SELECT FROM attempt WHERE batch_id = $1 AND claimed_by IS NOT NULL)
""")

# The result of an open attempt whose batch is closed by the fence.
_END_UNCLAIMED = Statement("""
    WITH ended AS (
        UPDATE attempt SET cause = $3, reason = $4 WHERE batch_id = $1 AND n = $2 AND ended IS NULL RETURNING n
    )
    INSERT INTO result (batch_id, n, state, report, ended) SELECT $1, n, 'closed', $5::jsonb, now() FROM ended
    RETURNING true
""")

# Its batch goes on now.
_GO_ON = Statement("UPDATE batch SET due = now() WHERE id = $1")
