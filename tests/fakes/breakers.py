"""`breaker`, as `adapters.postgres.breakers` keeps it."""

from collections.abc import Collection, Sequence

from router.rules.breaker import Breaker, pause
from tests.fakes.database import BreakerRow, FakeDatabase


def away(database: FakeDatabase, target: str, reason: str) -> Breaker | None:
    now, known = database.begin(), database.breakers.get(target)
    if known is not None and known.until > now:
        return None
    failures = 1 if known is None else known.failures + 1
    database.breakers[target] = BreakerRow(failures, now + pause(failures), reason)
    return Breaker(target, failures, pause(failures), reason)


def answered(database: FakeDatabase, targets: Collection[str]) -> Sequence[Breaker]:
    was = [breaker for breaker in breakers(database) if breaker.target in targets]
    for breaker in was:
        del database.breakers[breaker.target]
    return was


def breakers(database: FakeDatabase) -> Sequence[Breaker]:
    now = database.begin()
    rows = sorted(database.breakers.items())
    return [Breaker(target, row.failures, row.until - now, row.reason) for target, row in rows]


def probed(database: FakeDatabase, targets: Collection[str]) -> None:
    now = database.begin()
    for target in targets:
        if row := database.breakers.get(target):
            row.failures += 1
            row.until = now + pause(row.failures)
