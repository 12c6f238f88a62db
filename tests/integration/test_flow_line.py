"""A run's connection to the ledger, on a PostgreSQL of its own."""

from collections.abc import Iterator
from threading import Thread
from time import monotonic, sleep

import psycopg
import pytest

from flows.loading.line import KEPT_SECONDS, Line
from tests.e2e.site import eventually
from tests.integration.test_database_away import WRITE, Server, server

pytestmark = pytest.mark.integration
__all__ = ["server"]  # a fixture

PID = "SELECT pg_backend_pid()"
OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"


@pytest.fixture
def line(server: Server) -> Iterator[Line]:
    yield Line(server.url)
    server.run("DELETE FROM note")


def the_process_of(line: Line) -> object:
    with line.transaction() as connection:
        return connection.execute(PID).fetchone()


def others(server: Server) -> int:
    with psycopg.connect(server.url) as connection:
        wanted = (
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        row = connection.execute(wanted).fetchone()
    assert row is not None
    return int(row[0])


def notes(server: Server) -> int:
    with psycopg.connect(server.url) as connection:
        row = connection.execute("SELECT count(*) FROM note").fetchone()
    assert row is not None
    return int(row[0])


def test_a_few_transactions_in_a_row_have_one_connection_and_nothing_is_held_afterwards(
    server: Server, line: Line
) -> None:
    before = others(server)
    began = monotonic()
    found = {the_process_of(line) for _ in range(3)}
    took = monotonic() - began

    assert took > KEPT_SECONDS or len(found) == 1
    eventually(lambda: others(server) <= before, "it is let go of")
    assert the_process_of(line) not in found


def test_what_is_written_stays_and_what_fails_is_undone(server: Server, line: Line) -> None:
    def fail() -> None:
        with line.transaction() as connection:
            connection.execute(WRITE.encode())
            raise KeyError

    with line.transaction() as connection:
        connection.execute(WRITE.encode())
    with pytest.raises(KeyError):
        fail()

    assert notes(server) == 1
    with line.transaction() as connection:
        connection.execute(WRITE.encode())
    assert notes(server) == 2


def test_a_connection_that_was_lost_meanwhile_is_made_anew(server: Server, line: Line) -> None:
    first = the_process_of(line)
    server.stop()
    server.start()

    assert the_process_of(line) != first


def test_threads_have_transactions_of_their_own(server: Server, line: Line) -> None:
    found: list[object] = []
    before = others(server)
    with line.transaction() as connection:
        beside = Thread(target=lambda: found.append(the_process_of(line)))
        beside.start()
        beside.join()
        assert found != [connection.execute(PID).fetchone()]

    sleep(KEPT_SECONDS)
    eventually(lambda: others(server) <= before, "both are let go of")
