"""Ask the ledger something, from a command."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from router.adapters.postgres.database import Database
from router.adapters.postgres.reading import PostgresReading
from router.settings import read_settings

T = TypeVar("T")


def ask(environ: Mapping[str, str], question: Callable[[PostgresReading], Awaitable[T]]) -> T:
    """The answer; Transient when the ledger is away or not deployed."""

    async def answer() -> T:
        database = Database(read_settings(environ).database_url)
        try:
            await database.check()
            return await question(PostgresReading(database))
        finally:
            await database.close()

    return asyncio.run(answer())
