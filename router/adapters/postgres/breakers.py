"""`breaker`: what failed since its last success, and until when it is not to be tried."""

from collections.abc import Collection, Sequence

from router.adapters.postgres.database import Connection, Database
from router.adapters.postgres.fragments import Statement
from router.rules.breaker import Breaker, pause


async def away(connection: Connection, target: str, reason: str) -> Breaker | None:
    """Count a failure; None while it is known: of many runs that fail together one counts."""
    known = await connection.fetchrow(_LOCK, target)
    if known is not None and known["is_open"]:
        return None
    failures = 1 if known is None else known["failures"] + 1
    await connection.execute(_COUNT_FAILURE, target, failures, pause(failures), reason)
    return Breaker(target, failures, pause(failures), reason)


async def answered(database: Database, targets: Collection[str]) -> Sequence[Breaker]:
    """They are not away: what their breakers were."""
    rows = await database.fetch(_CLOSE, list(targets))
    return [Breaker(**dict(row)) for row in rows]


async def breakers(database: Database) -> Sequence[Breaker]:
    """All that failed since they last answered."""
    rows = await database.fetch(_ALL)
    return [Breaker(**dict(row)) for row in rows]


async def probed(connection: Connection, targets: Collection[str]) -> None:
    """One tries them: until it succeeds that counts as a failure, so that nobody else does meanwhile."""
    for target in sorted(targets):
        failures = await connection.fetchval(_LOCK_TRIED, target)
        if failures is not None:
            await connection.execute(_HOLD_BACK, target, failures + 1, pause(failures + 1))


# What is sent to PostgreSQL.

# A breaker, locked, before a failure is counted.
_LOCK = Statement("SELECT failures, until > now() AS is_open FROM breaker WHERE target = $1 FOR UPDATE")

# One failure more, and nobody is let through for a while.
_COUNT_FAILURE = Statement("""
    INSERT INTO breaker (target, failures, until, reason) VALUES ($1, $2, now() + $3, $4)
    ON CONFLICT (target) DO UPDATE SET failures = $2, until = now() + $3, reason = $4
""")

# What answered has no breaker; says what they were.
_CLOSE = Statement(
    "DELETE FROM breaker WHERE target = ANY($1) RETURNING target, failures, until - now() AS pause, reason"
)

# Every breaker, and for how long it still holds.
_ALL = Statement("SELECT target, failures, until - now() AS pause, reason FROM breaker ORDER BY target")

# A breaker, locked, before a batch tries its target.
_LOCK_TRIED = Statement("SELECT failures FROM breaker WHERE target = $1 FOR UPDATE")

# While one batch tries nobody else does.
_HOLD_BACK = Statement("UPDATE breaker SET failures = $2, until = now() + $3 WHERE target = $1")
