"""Ask the ledger something, from a command."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from router.adapters.postgres.database import Database
from schemas.connections import postgres_connection

T = TypeVar("T")


def with_ledger(environ: Mapping[str, str], work: Callable[[Database], Awaitable[T]]) -> T:
    """Open the ledger, do the work on it, and close it; Transient when it is away or not deployed."""

    async def done() -> T:
        database = Database(postgres_connection(environ).url)
        try:
            await database.check()
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(done())
