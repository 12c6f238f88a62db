"""A database that fails over, restarts or is altered under us is waited for; a bug of ours is not."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psycopg
import pytest

from dev.postgres_programs import account, find_programs, run_as
from flows.loading.errors import Infrastructure
from flows.loading.ledger import Ledger
from router.adapters.postgres.database import Database
from router.errors import Transient
from schemas.ledger import frozen
from schemas.ledger.migrate import upgrade
from tests.e2e.site import eventually, free_port

pytestmark = pytest.mark.integration

WRITE = "INSERT INTO note VALUES ('x') RETURNING true"


@dataclass(slots=True)
class Server:
    """A PostgreSQL of its own, that lets everybody in."""

    data: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"postgresql://autoloader@127.0.0.1:{self.port}/postgres"

    def program(self, name: str, *words: str) -> list[str]:
        return [*run_as(account()), str(find_programs(os.environ, self.data).folder / name), *words]

    def start(self) -> None:
        options = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        self.process = subprocess.Popen(
            self.program("postgres", "-D", str(self.data), *words), stderr=subprocess.DEVNULL, cwd="/"
        )
        eventually(self._answers, "PostgreSQL answers", 30)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)  # "immediate"
            self.process.wait(30)
            self.process = None

    def demote(self) -> None:
        """It comes back as a standby, as after a fail-over."""
        self.stop()
        (self.data / "standby.signal").touch()
        self.start()

    def run(self, *statements: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that is restarted and altered, and comes back."""
    made = _made(tmp_path_factory.mktemp("server"))
    yield made
    made.stop()


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[Server]:
    """One that will lose its place."""
    made = _made(tmp_path / "one")
    yield made
    made.stop()


@pytest.fixture
def standby(primary: Server, tmp_path: Path) -> Iterator[Server]:
    """A hot one."""
    primary.stop()
    made = Server(tmp_path / "two", free_port())
    subprocess.run(["cp", "-a", str(primary.data), str(made.data)], check=True)
    (made.data / "standby.signal").touch()
    primary.start()
    made.start()
    yield made
    made.stop()


@pytest.fixture
async def database(server: Server) -> AsyncIterator[Database]:
    database = Database(server.url)
    await _writes(database)
    yield database
    await database.close()


async def test_a_fail_over_is_waited_for(primary: Server, standby: Server) -> None:
    database = Database(_both(primary, standby))
    await _writes(database)

    primary.stop()
    with pytest.raises(Transient):
        await _writes(database)
    standby.run("SELECT pg_promote()")
    primary.demote()

    assert await _writes_at(database) == standby.port
    await database.close()


async def test_a_demoted_primary_is_forgotten(primary: Server, standby: Server) -> None:
    """What the pool still has open leads to a server that reads only."""
    database = Database(_both(primary, standby))
    await _writes(database)
    standby.run("SELECT pg_promote()")

    primary.run("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    eventually(lambda: _is_read_only(primary), "the old primary reads only", 10)
    with pytest.raises(Transient, match="ReadOnly"):
        await _writes(database)

    assert await _writes_at(database) == standby.port
    await database.close()


async def test_a_standby_alone_is_not_taken_for_the_database(primary: Server, standby: Server) -> None:
    database = Database(f"{standby.url}?target_session_attrs=read-write")

    with pytest.raises(Transient, match="TargetServerAttributeNotMatched"):
        await _writes(database)
    standby.run("SELECT pg_promote()")

    await _eventually_writes(database)
    await database.close()


def test_the_ledger_is_migrated_where_it_can_be_written(primary: Server, standby: Server) -> None:
    upgrade(_both(standby, primary))

    primary.run("SELECT FROM alembic_version")


def test_a_run_waits_for_a_ledger_that_reads_only(server: Server) -> None:
    server.run("CREATE DATABASE read_only")
    url = server.url.replace("/postgres", "/read_only")
    upgrade(url)
    ledger = Ledger(url)

    server.run("ALTER DATABASE read_only SET default_transaction_read_only = on")
    with pytest.raises(Infrastructure, match="read-only"):
        ledger.claim("b-1", 1, "run")
    server.run("ALTER DATABASE read_only RESET default_transaction_read_only")

    assert ledger.claim("b-1", 1, "run") is None


async def test_a_restart_is_waited_for(server: Server, database: Database) -> None:
    server.stop()
    with pytest.raises(Transient):
        await _writes(database)

    server.start()

    await _eventually_writes(database)


async def test_a_session_that_is_terminated_is_replaced(server: Server, database: Database) -> None:
    with pytest.raises(Transient):
        await _does(database, "SELECT pg_terminate_backend(pg_backend_pid())")

    await _writes(database)


async def test_statements_that_somebody_dropped_are_prepared_anew(server: Server, database: Database) -> None:
    await _does(database, "DEALLOCATE ALL")
    with pytest.raises(Transient):
        await _writes(database)

    await _writes(database)


async def test_a_table_that_changed_under_a_statement_is_read_anew(server: Server, database: Database) -> None:
    async with database.transaction() as connection:
        await connection.fetch("SELECT * FROM note")
    server.run("ALTER TABLE note ADD more int")
    with pytest.raises(Transient):
        async with database.transaction() as connection:
            await connection.fetch("SELECT * FROM note")

    async with database.transaction() as connection:
        assert len((await connection.fetch("SELECT * FROM note"))[0]) == 2


async def test_a_lock_that_is_not_to_be_had_is_waited_for(server: Server, database: Database) -> None:
    with psycopg.connect(server.url) as other:
        other.execute("LOCK TABLE note")
        with pytest.raises(Transient):
            await _does(database, "SET LOCAL lock_timeout = '10ms'", WRITE)

    await _writes(database)


async def test_a_router_that_is_frozen_in_a_transaction_keeps_no_lock(
    server: Server, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stand_still() -> None:
        async with database.transaction() as connection:
            await connection.execute("LOCK TABLE note")
            server.run(WRITE)

    monkeypatch.setattr(frozen, "LETS_GO_AFTER_SECONDS", 0.1)

    with pytest.raises(Transient):
        await stand_still()


def test_a_run_that_is_frozen_in_a_transaction_keeps_no_lock(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def stand_still() -> None:
        with Ledger(server.url)._transaction() as connection:
            connection.execute("LOCK TABLE note")
            server.run(WRITE)
            connection.execute("SELECT")

    monkeypatch.setattr(frozen, "LETS_GO_AFTER_SECONDS", 0.1)

    with pytest.raises(Infrastructure, match="idle-in-transaction"):
        stand_still()


async def test_a_role_that_is_not_let_in_for_a_moment_is_waited_for(server: Server) -> None:
    server.run("CREATE ROLE us LOGIN PASSWORD 'new'", "GRANT ALL ON note TO us")
    _write_hba(server, "scram-sha-256", "us")
    database = Database(server.url.replace("autoloader@", "us:old@"))
    with pytest.raises(Transient, match="InvalidPassword"):
        await _writes(database)

    server.run("ALTER ROLE us PASSWORD 'old'")

    await _writes(database)
    await database.close()


async def test_a_database_that_is_being_restored_is_waited_for(server: Server) -> None:
    database = Database(server.url.replace("/postgres", "/ledger"))
    with pytest.raises(Transient):
        await _writes(database)

    server.run("CREATE DATABASE ledger TEMPLATE postgres")

    await _writes(database)
    await database.close()


@pytest.mark.parametrize(
    "sqlstate",
    [
        "08006",
        "25006",
        "25P03",
        "28000",
        "28P01",
        "3D000",
        "40001",
        "40P01",
        "53100",
        "53300",
        "55P03",
        "57014",
        "57P01",
        "57P03",
        "58030",
        "XX000",
        "XX001",
    ],
)
async def test_what_passes_by_itself_is_known_by_its_class(database: Database, sqlstate: str) -> None:
    with pytest.raises(Transient):
        await _does(database, _raising(sqlstate))

    await _writes(database)


@pytest.mark.parametrize("sqlstate", ["22003", "22012", "23505", "42601", "42703", "P0001"])
async def test_a_bug_is_not_waited_for(database: Database, sqlstate: str) -> None:
    with pytest.raises(asyncpg.PostgresError) as bug:
        await _does(database, _raising(sqlstate))

    assert bug.value.sqlstate == sqlstate


def _made(folder: Path) -> Server:
    folder.mkdir(mode=0o700, exist_ok=True)
    if (who := account()) is not None:
        os.chown(folder, who.uid, who.gid)
        os.chown(folder.parent, who.uid, who.gid)
    made = Server(folder, free_port())
    words = made.program("initdb", "-D", str(folder), "-U", "autoloader", "--auth=trust", "--no-sync")
    subprocess.run(words, check=True, capture_output=True, cwd="/")
    made.start()
    made.run("CREATE TABLE note (word text)")
    return made


def _both(*servers: Server) -> str:
    hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers)
    return f"postgresql://autoloader@{hosts}/postgres?target_session_attrs=read-write"


def _write_hba(server: Server, method: str, role: str) -> None:
    hba = server.data / "pg_hba.conf"
    hba.write_text(f"host all {role} 127.0.0.1/32 {method}\n{hba.read_text()}")
    server.run("SELECT pg_reload_conf()")


def _is_read_only(server: Server) -> bool:
    with psycopg.connect(server.url) as connection:
        return connection.execute("SHOW default_transaction_read_only").fetchone() == ("on",)


def _raising(sqlstate: str) -> str:
    return f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{sqlstate}'; END $$"


async def _does(database: Database, *statements: str) -> None:
    async with database.transaction() as connection:
        for statement in statements:
            await connection.execute(statement)


async def _writes(database: Database) -> None:
    async with database.transaction() as connection:
        assert await connection.fetchval(WRITE)


async def _writes_at(database: Database) -> int:
    await _eventually_writes(database)
    async with database.transaction() as connection:
        port: int = await connection.fetchval("SELECT inet_server_port()")
    return port


async def _eventually_writes(database: Database) -> None:
    """As a stage does it: again after each trouble."""
    async with asyncio.timeout(30):
        while True:
            with suppress(Transient):
                await _writes(database)
                return
            await asyncio.sleep(0.1)  # between two tries
