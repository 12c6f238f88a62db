"""A run's connection to the ledger, on a PostgreSQL of its own."""

from collections.abc import Iterator
from threading import Thread
from time import monotonic, sleep

import psycopg
import pytest

from flows.loading.connection import KEPT_SECONDS, KeptConnection
from tests.e2e.site import eventually
from tests.integration.test_database_away import WRITE, Server, server

pytestmark = pytest.mark.integration
__all__ = ["server"]  # a fixture

PID = "SELECT pg_backend_pid()"
NOTES = "SELECT count(*) FROM note"
OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"


@pytest.fixture
def kept(server: Server) -> Iterator[KeptConnection]:
    yield KeptConnection(server.url)
    server.run("DELETE FROM note")


def the_process_of(kept: KeptConnection) -> object:
    with kept.transaction() as connection:
        return connection.execute(PID).fetchone()


def number(server: Server, question: str) -> int:
    with psycopg.connect(server.url) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_a_few_transactions_in_a_row_have_one_connection_and_nothing_is_held_afterwards(
    server: Server, kept: KeptConnection
) -> None:
    before = number(server, OTHERS)
    began = monotonic()
    found = {the_process_of(kept) for _ in range(3)}
    took = monotonic() - began

    assert took > KEPT_SECONDS or len(found) == 1
    eventually(lambda: number(server, OTHERS) <= before, "it is let go of")
    assert the_process_of(kept) not in found


def test_what_is_written_stays_and_what_fails_is_undone(server: Server, kept: KeptConnection) -> None:
    def fail() -> None:
        with kept.transaction() as connection:
            connection.execute(WRITE.encode())
            raise KeyError

    with kept.transaction() as connection:
        connection.execute(WRITE.encode())
    with pytest.raises(KeyError):
        fail()

    assert number(server, NOTES) == 1
    with kept.transaction() as connection:
        connection.execute(WRITE.encode())
    assert number(server, NOTES) == 2


def test_a_connection_that_was_lost_meanwhile_is_made_anew(server: Server, kept: KeptConnection) -> None:
    first = the_process_of(kept)
    server.stop()
    server.start()

    assert the_process_of(kept) != first


def test_threads_have_transactions_of_their_own(server: Server, kept: KeptConnection) -> None:
    found: list[object] = []
    before = number(server, OTHERS)
    with kept.transaction() as connection:
        beside = Thread(target=lambda: found.append(the_process_of(kept)))
        beside.start()
        beside.join()
        assert found != [connection.execute(PID).fetchone()]

    sleep(KEPT_SECONDS)
    eventually(lambda: number(server, OTHERS) <= before, "both are let go of")
