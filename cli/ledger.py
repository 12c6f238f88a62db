"""Ask the ledger something, from a command."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from router.adapters.postgres.database import Database
from router.adapters.postgres.reading import PostgresReading
from router.settings import read_settings

T = TypeVar("T")


def with_ledger(environ: Mapping[str, str], work: Callable[[Database], Awaitable[T]]) -> T:
    """What the work on the ledger gave; Transient when that is away or not deployed."""

    async def done() -> T:
        database = Database(read_settings(environ).database_url)
        try:
            await database.check()
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(done())


def ask(environ: Mapping[str, str], question: Callable[[PostgresReading], Awaitable[T]]) -> T:
    """The answer, of one who reads only."""
    return with_ledger(environ, lambda database: question(PostgresReading(database)))
