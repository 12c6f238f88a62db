"""Connections, transactions, and which of PostgreSQL's errors pass by themselves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg

from router.adapters.postgres.fragments import Statement
from router.errors import Transient
from schemas.ledger.frozen import lets_go
from schemas.ledger.passing import passes
from schemas.ledger.revision import REVISION, lacking

# quoted: asyncpg's classes are generic in its stubs only
Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

COMMAND_SECONDS = 30
# Besides what `schemas.ledger.passing` knows.
PASSING = (
    asyncpg.InterfaceError,  # the connection was closed under a statement
    asyncpg.InternalClientError,  # the server is not of the kind that was asked for, or what we knew of it is outdated
    asyncpg.InvalidCachedStatementError,  # a migration changed a table under a prepared statement
    asyncpg.InvalidSQLStatementNameError,  # somebody dropped what this session had prepared
    OSError,
    TimeoutError,
)
# After these the pool's other connections are no better.
FORGETTING = (asyncpg.ReadOnlySQLTransactionError, asyncpg.InvalidSQLStatementNameError)


class Database:
    """A pool that connects when it is first needed, and again after every loss."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: Pool | None = None
        self._is_migrated = False

    async def fetch(self, statement: Statement, *values: object) -> "list[asyncpg.Record]":
        """The rows of a statement that is a transaction by itself: one trip, of which `transaction` makes three.

        Raises:
            Transient: as `transaction` does.
        """
        async with self._connection() as connection:
            return await connection.fetch(statement, *values)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection in a transaction.

        Raises:
            Transient: when PostgreSQL is away, or asks for a repetition, or the ledger's tables are still to be made.
        """
        async with self._connection() as connection:
            try:
                # In one trip, of which asyncpg's own transaction would make two.
                await _send(connection, Statement(f"BEGIN; {lets_go()}"))
                yield connection
            except BaseException:
                await _send(connection, Statement("ROLLBACK"))
                raise
            await _send(connection, Statement("COMMIT"))

    async def check(self) -> None:
        """The ledger is there, in a revision that serves this code; Transient says what to do else."""
        async with self.transaction():
            pass

    async def close(self) -> None:
        """Close what is open, without waiting for a lost server."""
        if self._pool is not None:
            self._pool.terminate()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        try:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._url, min_size=0, max_size=8, timeout=5, command_timeout=COMMAND_SECONDS, reset=_as_it_is
                )
            async with self._pool.acquire(timeout=10) as connection:
                if not self._is_migrated:
                    await _await_migration(connection)
                    self._is_migrated = True
                yield connection
        except (asyncpg.PostgresError, *PASSING) as error:
            if isinstance(error, FORGETTING) and self._pool is not None:
                await self._pool.expire_connections()
            if not _passes(error):
                raise
            raise Transient(f"PostgreSQL: {type(error).__name__}: {error}") from error


async def _send(connection: Connection, statement: Statement) -> None:
    await connection.execute(statement)


async def _as_it_is(_: "asyncpg.Connection[asyncpg.Record]") -> None:
    """A connection that is given back: nothing was set in its session, so PostgreSQL need not be told to forget it."""


async def _await_migration(connection: Connection) -> None:
    has_tables = await connection.fetchval(_HAS_TABLES)
    found = await connection.fetchval(_REVISION) if has_tables else None
    if (what := lacking(found)) is not None:
        raise Transient(f"PostgreSQL: {what}")


def _passes(error: Exception) -> bool:
    return isinstance(error, PASSING) or (isinstance(error, asyncpg.PostgresError) and passes(error.sqlstate))


# What is sent to PostgreSQL.

# Whether the ledger was ever made.
_HAS_TABLES = Statement("SELECT to_regclass('alembic_version') IS NOT NULL")

# The revision of the ledger's tables.
_REVISION = Statement(REVISION)
