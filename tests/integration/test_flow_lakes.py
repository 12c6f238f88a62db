"""Killed and raced on every lake: the recipe of exactly once rests on what its catalog and its store promise."""

import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Barrier
from uuid import uuid4

import pytest
from pyspark.sql import SparkSession

from flows.loading.writing import append, history
from flows.loading.writing.append import Published
from flows.loading.writing.tables import Table
from schemas.report import Closed
from tests.integration.flow_site import Lake, a_table, outcomes
from tests.servers.tools import HAS_GO

pytestmark = pytest.mark.integration

ROUNDS = [2, pytest.param(50, marks=pytest.mark.soak)]
STEPS = ["stage", "record", *(pytest.param(step, marks=pytest.mark.soak) for step in ("read", "audit"))]
# Where a Spark of its own is started, which costs half a minute.
SOME_LAKES = [
    pytest.param("lake_rest", marks=HAS_GO),
    *(pytest.param(name, marks=[HAS_GO, pytest.mark.soak]) for name in ("lake", "lake_s3")),
]
LONGEST_SECONDS = 8  # of a load of one row, from the start of its process
CLOSED = Closed(cause="crash", reason="x")


def some_batches(count: int) -> list[str]:
    return [f"b-{uuid4().hex[:12]}" for _ in range(count)]


def a_batch(lake: Lake, table: str) -> str:
    return lake.batch(table, [lake.land("a.csv", "a\n1\n")])


@pytest.mark.parametrize("step", STEPS)
def test_a_load_killed_before_it_is_published_is_loaded_by_the_next_attempt(each_lake: Lake, step: str) -> None:
    table = a_table(each_lake.catalog)
    batch = a_batch(each_lake, table)
    each_lake.process(batch, 1, step).kill()
    each_lake.attempt(batch, 2)

    report = each_lake.published(batch, 2)

    assert outcomes(report) == {"a.csv": ("loaded", 1)}
    assert each_lake.count(table, batch) == 1


def test_a_load_killed_after_it_is_published_is_adopted_by_the_next_attempt(each_lake: Lake) -> None:
    table = a_table(each_lake.catalog)
    batch = each_lake.batch(table, [each_lake.land("a.csv", "a\n1\n"), each_lake.land("bad.csv.gz", b"")])
    each_lake.process(batch, 1, "publish").kill()
    staged = each_lake.result(batch, 1)
    each_lake.attempt(batch, 2)

    report = each_lake.published(batch, 2)

    assert staged is not None
    assert staged[0] == "staged"
    assert report.model_dump(mode="json")["files"] == staged[1]["files"]
    assert report.snapshot is not None
    assert each_lake.count(table, batch) == 1


@pytest.mark.parametrize("each_lake", SOME_LAKES, indirect=True)
def test_an_embedded_load_that_is_late_finds_the_winner_and_reports_that(each_lake: Lake) -> None:
    table = a_table(each_lake.catalog)
    batch = a_batch(each_lake, table)
    embedded = {name: value for name, value in each_lake.settings.items() if name != "SPARK_CONNECT_URL"}
    late = each_lake.process(batch, 1, "record", embedded)
    each_lake.attempt(batch, 2)
    winner = each_lake.published(batch, 2)

    assert late.go_on() == 0

    assert each_lake.count(table, batch) == 1
    assert winner.snapshot is not None
    for n in (1, 2):
        result = each_lake.result(batch, n)
        assert result is not None
        assert result[0] == "published"
        assert result[1]["snapshot"]["id"] == winner.snapshot.id


@pytest.mark.soak
def test_loads_killed_at_any_moment_are_in_the_table_once(each_lake: Lake) -> None:
    table, chance = a_table(each_lake.catalog), random.Random(0)  # noqa: S311 - when to kill, no secret
    batches = [a_batch(each_lake, table) for _ in range(20)]

    for batch in batches:
        begun = each_lake.begun(batch, 1)
        time.sleep(chance.uniform(2, LONGEST_SECONDS))
        begun.kill()
        each_lake.attempt(batch, 2)
        each_lake.published(batch, 2)

    assert [each_lake.count(table, batch) for batch in batches] == [1] * len(batches)


@dataclass(frozen=True)
class Rivals:
    """Two loads of one row each, in step with each other."""

    sessions: list[SparkSession]
    table: Table

    def together(self, *batches: str, closing: Sequence[Closed | None] = (None, None)) -> list[Published]:
        """Stage at once, then publish at once; what each comes to."""
        barrier = Barrier(len(self.sessions), timeout=60)
        with ThreadPoolExecutor(len(self.sessions)) as pool:
            return list(pool.map(partial(self._one, barrier), self.sessions, batches, closing))

    def _one(self, barrier: Barrier, session: SparkSession, batch: str, closing: Closed | None) -> Published:
        try:
            return self._load(barrier, session, batch, closing)
        except BaseException:
            barrier.abort()  # nobody waits for what does not come
            raise

    def _load(self, barrier: Barrier, session: SparkSession, batch: str, closing: Closed | None) -> Published:
        began = history.read(session, self.table)
        frame = session.sql(f"SELECT 1 AS a, 'file:///{batch}.csv' AS _file_uri")
        barrier.wait()
        said = {} if closing is None else history.closing(closing)
        staged = append.stage(session, self.table, frame if closing is None else frame.limit(0), batch, said)
        barrier.wait()
        return append.publish(session, self.table, staged, batch, began.head)


@pytest.fixture
def rivals(each_lake: Lake) -> Iterator[Rivals]:
    """Each with a client of the catalog of its own, and a table that is there."""
    table = Table.named(a_table(each_lake.catalog))
    each_lake.published(a_batch(each_lake, table.name))
    sessions = [SparkSession.builder.remote(each_lake.settings["SPARK_CONNECT_URL"]).create() for _ in range(2)]
    for session in sessions:
        session.client.disable_reattachable_execute()  # see flows.loading.session
    yield Rivals(sessions, table)
    for session in sessions:
        session.stop()


@pytest.mark.parametrize("rounds", ROUNDS)
def test_of_two_loads_of_a_batch_one_is_in_the_table(each_lake: Lake, rivals: Rivals, rounds: int) -> None:
    batches = some_batches(rounds)

    for batch in batches:
        ended = rivals.together(batch, batch)
        assert sorted(one.by_another for one in ended) == [False, True]

    assert [each_lake.count(rivals.table.name, batch) for batch in batches] == [1] * rounds


@pytest.mark.parametrize("rounds", ROUNDS)
def test_of_a_load_and_a_close_of_its_batch_one_is_in_the_table(each_lake: Lake, rivals: Rivals, rounds: int) -> None:
    for batch in some_batches(rounds):
        load, close = rivals.together(batch, batch, closing=(None, CLOSED))

        assert load.by_another is not close.by_another
        assert each_lake.count(rivals.table.name, batch) == (0 if load.by_another else 1)


@pytest.mark.parametrize("rounds", ROUNDS)
def test_two_batches_that_are_loaded_at_once_are_both_in_the_table(
    each_lake: Lake, rivals: Rivals, rounds: int
) -> None:
    pairs = [some_batches(2) for _ in range(rounds)]

    for pair in pairs:
        assert not any(one.by_another for one in rivals.together(*pair))

    assert [each_lake.count(rivals.table.name, batch) for pair in pairs for batch in pair] == [1] * 2 * rounds
