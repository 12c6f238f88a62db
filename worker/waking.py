"""When to ask Prefect for runs: as soon as the router says that there is one, by a NOTIFY in the ledger's database.

Who cannot listen there asks each second, and says so once. A pooler in transaction mode takes a LISTEN and never
delivers: so it is tried out, at first and again and again, by a NOTIFY of our own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import uuid4

import psycopg
from prefect.logging import get_logger
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo

from schemas.connections import postgres_connection
from schemas.ledger.waking import CHANNEL
from schemas.settings import SettingsError

HEARD_SECONDS = 5.0  # a NOTIFY of our own comes back within this, or nothing does
TRY_SECONDS = 60.0  # after so long a silence it is tried out again
DEAF_SECONDS = 1.0  # how often who cannot listen asks
AGAIN_SECONDS = 1.0  # after a connection was lost
# A machine that is gone says nothing: the system asks it, and gives up.
WATCHED = {
    "connect_timeout": 5,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

log = get_logger("workers.process.waking")


class Deaf(Exception):
    """What is sent there does not arrive here."""


@dataclass(slots=True)
class Bell:
    """`lane`: whose runs are waited for."""

    lane: str
    environ: Mapping[str, str]
    _rung: asyncio.Event = field(default_factory=asyncio.Event)
    _listens: bool = False
    _said: str = ""

    async def rings(self) -> AsyncIterator[None]:
        """Each time that it is time to ask, for ever."""
        listening = asyncio.create_task(self._listen(), name="listening")
        try:
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._rung.wait(), None if self._listens else DEAF_SECONDS)
                self._rung.clear()
                yield
        finally:
            listening.cancel()

    async def _listen(self) -> None:
        """As long as it lasts."""
        while True:
            try:
                async with self._listening() as connection:
                    await self._hear(connection)
            except (psycopg.Error, SettingsError, Deaf) as error:
                self._listens = False
                self._rung.set()
                self._say(f"cannot be woken by the router, so it asks Prefect for runs each second: {error}")
                await asyncio.sleep(TRY_SECONDS if isinstance(error, Deaf | SettingsError) else AGAIN_SECONDS)

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[AsyncConnection]:
        url = make_conninfo(postgres_connection(self.environ).url, **WATCHED)
        async with await AsyncConnection.connect(url, autocommit=True) as connection:
            await connection.execute(f"LISTEN {CHANNEL}".encode())
            # From another connection: behind a pooler our own might be lent the one that listens.
            async with await AsyncConnection.connect(url, autocommit=True) as other:
                await _try_out(connection, other)
            yield connection

    async def _hear(self, connection: AsyncConnection) -> None:
        self._listens = True
        self._say("is woken by the router", logging.INFO)
        self._rung.set()  # what came before is lost
        while True:
            heard = await _heard(connection, TRY_SECONDS)
            if not heard:
                await _try_out(connection, connection)
            if not heard or self.lane in heard:
                self._rung.set()

    def _say(self, what: str, level: int = logging.WARNING) -> None:
        """Once, until it is otherwise."""
        if what != self._said:
            log.log(level, what)
        self._said = what


async def _heard(connection: AsyncConnection, seconds: float) -> list[str]:
    """What has come, at the latest after so long; psycopg's own wait wakes ten times a second for nothing."""
    loop, there = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(connection.fileno(), there.set)
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(there.wait(), seconds)
    finally:
        loop.remove_reader(connection.fileno())
    return [notice.payload async for notice in connection.notifies(timeout=0, stop_after=1)]


async def _try_out(listening: AsyncConnection, sending: AsyncConnection) -> None:
    """Raises Deaf."""
    token = str(uuid4())
    await sending.execute("SELECT pg_notify(%s, %s)", (CHANNEL, token))
    async with aclosing(listening.notifies(timeout=HEARD_SECONDS)) as notices:
        async for notice in notices:
            if notice.payload == token:
                return
    raise Deaf("the database takes a LISTEN and delivers nothing: DATABASE_URL leads through a pooler that cannot")
