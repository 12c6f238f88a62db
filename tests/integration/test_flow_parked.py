"""A Spark session that was opened before its run: it is the run's own, and what became of it meanwhile does no harm."""

from collections.abc import Iterator

import psutil
import pytest

from flows.loading import parked, session
from flows.loading.parked import PARKED, Parked, park
from tests.e2e.site import eventually
from tests.integration.flow_site import Lake, a_table
from worker import child

pytestmark = pytest.mark.integration

DAYS = round(2 * 24 * 60 * 60 / child.RENEW_SECONDS)  # two of them, in looks
# What others in this process may take meanwhile; something left behind by each look would be hundreds.
MORE, MORE_BYTES = 10, 16 * 1024**2


@pytest.fixture
def ahead(lake: Lake) -> Iterator[Parked]:
    found = park(lake.settings["SPARK_CONNECT_URL"])
    token = PARKED.set(found)
    yield found
    PARKED.reset(token)
    found.close()


def test_the_run_works_in_it_and_the_ledger_names_it(lake: Lake, ahead: Parked) -> None:
    table = a_table()
    batch = lake.batch(table, [lake.land("a.csv", "a\n1\n2\n")])

    lake.published(batch)

    assert lake.session_of(batch, 1) == ahead.session_id
    assert lake.count(table, batch) == 2
    assert not ahead.lives()  # a session is of one load alone


@pytest.mark.parametrize(("size", "generates"), [(100, "false"), (5_000_000, "true")])
def test_code_is_generated_only_for_many_rows(lake: Lake, ahead: Parked, size: int, generates: str) -> None:
    table, found = a_table(), []
    batch = lake.batch(table, [lake.land("a.csv", "a\n" + "1234567\n" * (size // 8))])

    def watch(step: str) -> None:
        if step == "session":
            found.append(ahead.session.conf.get("spark.sql.codegen.wholeStage"))

    lake.published(batch, watch=watch)

    assert found == [generates]


def test_postgresql_ends_its_idle_connection_and_its_first_look_makes_another(lake: Lake, ahead: Parked) -> None:
    table, before = a_table(), lake.connections("iceberg")  # others may be used all the time
    batch = lake.batch(table, [lake.land("a.csv", "a\n1\n2\n")])
    later = park(ahead.url)
    opened = lake.connections("iceberg") - before
    assert opened
    eventually(lambda: not opened & lake.connections("iceberg"), "what was opened later is ended", seconds=60)
    later.close()

    lake.published(batch)

    assert lake.session_of(batch, 1) == ahead.session_id
    assert lake.count(table, batch) == 2


@pytest.mark.soak  # each look asks the catalog that is away as well, and waits for it
@pytest.mark.timeout(3600)
def test_it_waits_for_days_in_fast_motion(lake: Lake, ahead: Parked) -> None:
    table, process, held = a_table(), psutil.Process(), []
    batch = lake.batch(table, [lake.land("a.csv", "a\n1\n2\n")])

    for at in range(DAYS):
        assert child._have_session(ahead.url) == child.RENEW_SECONDS  # as a child does every four minutes
        if at in {DAYS // 2, DAYS - 1}:
            held.append((process.num_fds(), process.num_threads(), process.memory_info().rss))
    (files, threads, memory), (files_later, threads_later, memory_later) = held
    lake.published(batch)

    assert files_later < files + MORE
    assert threads_later < threads + MORE
    assert memory_later < memory + MORE_BYTES
    assert lake.session_of(batch, 1) == ahead.session_id
    assert lake.count(table, batch) == 2


def test_one_that_its_server_has_forgotten_is_replaced(lake: Lake, ahead: Parked) -> None:
    table = a_table()
    batch = lake.batch(table, [lake.land("a.csv", "a\n1\n")])
    session._close(ahead.url, ahead.session_id)

    lake.published(batch)

    assert lake.session_of(batch, 1) not in {None, ahead.session_id}
    assert lake.count(table, batch) == 1


def test_one_on_another_server_is_left_alone(lake: Lake, ahead: Parked) -> None:
    assert parked.ready(lake.settings) is ahead
    assert parked.ready({**lake.settings, "SPARK_CONNECT_URL": "sc://127.0.0.1:9"}) is None
    assert parked.ready({}) is None


def test_where_each_run_has_a_spark_of_its_own_none_is_opened_ahead() -> None:
    environ = {"SPARK_CONNECT_URL": "sc://127.0.0.1:9"}

    assert parked.url_of("default", environ) == "sc://127.0.0.1:9"
    assert parked.url_of("high-memory", environ) is None
    assert parked.url_of("default", {**environ, "AUTOLOADER_SPARK": "embedded"}) is None
    assert parked.url_of("default", {}) is None


def test_the_next_claim_closes_it(lake: Lake, ahead: Parked) -> None:
    table = a_table()
    batch = lake.batch(table, [lake.land("a.csv", "a\n1\n")])
    lake.ledger.claim(batch, 1, "the-first", ahead.session_id)
    PARKED.set(None)

    lake.attempt(batch, 2)
    lake.published(batch, 2)

    assert not ahead.lives()
    assert lake.count(table, batch) == 1
