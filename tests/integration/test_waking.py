"""A worker is woken by a real PostgreSQL; where it cannot be, it asks each second until it can."""

import asyncio
import logging
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import psycopg
import pytest

from dev.stack import Stack
from schemas.ledger.waking import CHANNEL
from tests.conftest import ENVIRON, PROJECT
from tests.e2e.site import free_port
from tests.servers.line import Line, line
from worker import waking
from worker.waking import Bell

pytestmark = pytest.mark.integration

# Nobody encrypts on loopback, so that what goes over a line can be read.
PLAIN = "?sslmode=disable&gssencmode=disable"


@pytest.fixture(scope="module")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("postgres")
    stack = Stack(home, PROJECT / "dev" / "autoloader.yaml", parts=("postgres",), progress=print, environ=ENVIRON)
    stack.up()
    yield stack.settings()["DATABASE_URL"].partition("?")[0] + PLAIN
    stack.down()


class Rings:
    """When the bell of the lane default rang."""

    def __init__(self, url: str | None) -> None:
        self._bell = Bell("default", {} if url is None else {"DATABASE_URL": url})
        self.count = 0

    async def run(self) -> None:
        async for _ in self._bell.rings():
            self.count += 1

    async def next(self, seconds: float) -> bool:
        """Whether it rings within so many seconds."""
        before = self.count
        with suppress(TimeoutError):
            await until(lambda: self.count > before, seconds)
        return self.count > before


@asynccontextmanager
async def ringing(url: str | None) -> AsyncIterator[Rings]:
    rings = Rings(url)
    task = asyncio.create_task(rings.run())
    yield rings
    task.cancel()
    await asyncio.wait([task])


async def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - a condition of another task
            await asyncio.sleep(0.01)


def notify(url: str, lane: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, lane))


def said(caplog: pytest.LogCaptureFixture, words: str) -> Callable[[], bool]:
    return lambda: words in caplog.text


@pytest.fixture(autouse=True)
def quiet_ones_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, waking.log.name)


async def test_it_rings_for_its_own_lane_and_is_silent_otherwise(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with ringing(database_url) as rings:
        await until(said(caplog, "is woken by the router"))
        await rings.next(1)  # what came before it listened may be lost

        notify(database_url, "priority")
        assert not await rings.next(3)

        notify(database_url, "default")
        assert await rings.next(1)


async def test_a_connection_that_was_cut_is_made_again(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with ringing(database_url) as rings:
        await until(said(caplog, "is woken by the router"))
        caplog.clear()

        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

        assert await rings.next(5)
        await until(said(caplog, "asks Prefect for runs each second"))
        await until(said(caplog, "is woken by the router"))
        await rings.next(1)
        notify(database_url, "default")
        assert await rings.next(1)


async def test_behind_a_pooler_that_delivers_nothing_it_asks_each_second_and_says_so_once(
    database_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waking, "HEARD_SECONDS", 0.5)
    monkeypatch.setattr(waking, "TRY_SECONDS", 1)
    at, port = urlsplit(database_url), free_port()
    behind = at._replace(netloc=at.netloc.replace(f":{at.port}", f":{port}")).geturl()
    with line(port, (at.hostname or "", at.port or 0), Pooler):
        async with ringing(behind) as rings:
            await until(said(caplog, "delivers nothing"))

            assert [await rings.next(2) for _ in range(4)] == [True] * 4

    assert caplog.text.count("each second") == 1


async def test_without_a_ledger_it_asks_each_second(caplog: pytest.LogCaptureFixture) -> None:
    async with ringing(None) as rings:
        assert [await rings.next(2) for _ in range(3)] == [True] * 3

    assert "DATABASE_URL is not set" in caplog.text


class Pooler(Line):
    """What a pooler in transaction mode does to who listens: it takes the LISTEN, and hands on no notification."""

    def _answers(self, server: socket.socket, client: socket.socket, is_lost: threading.Event) -> None:
        with suppress(OSError), server.makefile("rb") as answers:
            while head := answers.read(5):
                rest = answers.read(int.from_bytes(head[1:]) - 4)
                if head[:1] != b"A":
                    client.sendall(head + rest)
        client.close()
