"""`breaker`: what failed since its last success, and until when it is not to be tried."""

from collections.abc import Collection, Sequence

from router.adapters.postgres.database import Connection
from router.rules.breaker import Breaker, pause


async def away(connection: Connection, target: str, reason: str) -> Breaker | None:
    """Count a failure; None while it is known: of many runs that fail together one counts."""
    known = await connection.fetchrow(
        "SELECT failures, until > now() AS is_open FROM breaker WHERE target = $1 FOR UPDATE", target
    )
    if known is not None and known["is_open"]:
        return None
    failures = 1 if known is None else known["failures"] + 1
    await connection.execute(
        """
        INSERT INTO breaker (target, failures, until, reason) VALUES ($1, $2, now() + $3, $4)
        ON CONFLICT (target) DO UPDATE SET failures = $2, until = now() + $3, reason = $4
        """,
        target,
        failures,
        pause(failures),
        reason,
    )
    return Breaker(target, failures, pause(failures), reason)


async def answered(connection: Connection, targets: Collection[str]) -> Sequence[Breaker]:
    """They are not away: what their breakers were."""
    rows = await connection.fetch(
        "DELETE FROM breaker WHERE target = ANY($1) RETURNING target, failures, until - now() AS pause, reason",
        list(targets),
    )
    return [Breaker(**dict(row)) for row in rows]


async def breakers(connection: Connection) -> Sequence[Breaker]:
    """All that failed since they last answered."""
    rows = await connection.fetch(
        "SELECT target, failures, until - now() AS pause, reason FROM breaker ORDER BY target"
    )
    return [Breaker(**dict(row)) for row in rows]


async def probed(connection: Connection, targets: Collection[str]) -> None:
    """One tries them: until it succeeds that counts as a failure, so that nobody else does meanwhile."""
    for target in sorted(targets):
        failures = await connection.fetchval("SELECT failures FROM breaker WHERE target = $1 FOR UPDATE", target)
        if failures is not None:
            await connection.execute(
                "UPDATE breaker SET failures = $2, until = now() + $3 WHERE target = $1",
                target,
                failures + 1,
                pause(failures + 1),
            )
