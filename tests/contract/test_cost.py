"""How many runs there were, and how long they took, as the ledger has it."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from router.adapters.postgres.cost import PostgresCost
from router.adapters.postgres.database import Database
from router.rules.cost import Spent, Work
from tests.builders import report, settlement
from tests.contract.ledgers import RealLedger
from tests.contract.scenes import RUN, is_claimed, is_cut, is_submitted, schedules

pytestmark = pytest.mark.integration
DAY = timedelta(days=1)
A_MINUTE_LONG = """
    UPDATE batch SET cut = now() - interval '2 hours', ended = now() - interval '1 hour';
    UPDATE attempt SET submitted = now() - interval '3700 s', claimed = now() - interval '3690 s',
        ended = now() - interval '3600 s';
    UPDATE result SET ended = now() - interval '3630 s';
"""
GOES_ON = """
    UPDATE batch SET cut = now() - interval '2 hours';
    UPDATE attempt SET submitted = now() - interval '91 s', claimed = now() - interval '90 s';
"""
ADMITTED = """
    UPDATE batch SET cut = now() - interval '2 hours';
    UPDATE attempt SET submitted = now() - interval '1 hour', claimed = now() - interval '90 s',
        admitted = CASE WHEN admitted IS NOT NULL THEN now() - interval '95 s' END;
"""


@pytest.fixture
async def reading(database_url: str, real_ledger: RealLedger) -> AsyncIterator[PostgresCost]:
    database = Database(database_url)
    yield PostgresCost(database)
    await database.close()


async def is_loaded(ledger: RealLedger) -> None:
    """A run has loaded a file of ten bytes."""
    await is_claimed(ledger)
    await ledger.stage("b-1", 1, report())
    await ledger.publish("b-1", 1, report())
    assert await ledger.settlement.settle_batch(settlement())


async def happened(url: str, when: str) -> None:
    """Write other times into the ledger."""
    connection = await asyncpg.connect(url)
    await connection.execute(when)
    await connection.close()


def only(spent: Spent) -> Work:
    [work] = spent.work
    return work


async def test_a_run_takes_from_its_claim_to_its_result_and_starts_from_its_submission(
    real_ledger: RealLedger, reading: PostgresCost, database_url: str
) -> None:
    await is_loaded(real_ledger)
    await happened(database_url, A_MINUTE_LONG)

    spent = await reading.spent(DAY, 5, 5)

    work = only(spent)
    assert (work.lane, work.source_id, work.size_class, work.runs, work.unbegun) == ("default", "orders-v1", 0, 1, 0)
    assert (work.run_seconds, work.start_seconds) == (60, 10)
    assert spent.hours == pytest.approx(2, abs=0.01)


async def test_what_waited_for_its_quota_starts_from_its_admission(
    real_ledger: RealLedger, reading: PostgresCost, database_url: str
) -> None:
    await is_submitted(real_ledger, run=RUN)
    for is_queued in (True, False):
        await real_ledger.settlement.queue("b-1", 1, is_queued=is_queued)
    assert await real_ledger.claim("b-1", 1, RUN)
    await happened(database_url, ADMITTED)

    work = only(await reading.spent(DAY, 5, 5))

    assert work.start_seconds == pytest.approx(5, abs=1)


async def test_only_what_is_within_the_time_counts(
    real_ledger: RealLedger, reading: PostgresCost, database_url: str
) -> None:
    await is_loaded(real_ledger)
    await happened(database_url, A_MINUTE_LONG)

    half = await reading.spent(timedelta(seconds=3660), 5, 5)
    before = await reading.spent(timedelta(minutes=10), 5, 5)

    assert only(half).run_seconds == pytest.approx(30, abs=5)
    assert only(half).start_seconds == 0
    assert half.hours == pytest.approx(3660 / 3600)
    assert before.work == []


async def test_a_run_that_goes_on_counts_up_to_now(
    real_ledger: RealLedger, reading: PostgresCost, database_url: str
) -> None:
    await is_claimed(real_ledger)
    await happened(database_url, GOES_ON)

    work = only(await reading.spent(DAY, 5, 5))

    assert (work.runs, work.unbegun) == (1, 0)
    assert work.run_seconds == pytest.approx(90, abs=20)


async def test_a_run_that_its_claim_overtook_started_at_once(
    real_ledger: RealLedger, reading: PostgresCost, database_url: str
) -> None:
    await is_loaded(real_ledger)
    await happened(database_url, A_MINUTE_LONG)
    await happened(database_url, "UPDATE attempt SET submitted = claimed + interval '1 s'")

    assert only(await reading.spent(DAY, 5, 5)).start_seconds == 0


async def test_an_attempt_that_nobody_began_is_counted_apart(
    real_ledger: RealLedger, reading: PostgresCost, database_url: str
) -> None:
    await is_submitted(real_ledger, run=RUN)
    await happened(database_url, "UPDATE attempt SET ended = now(), outcome = 'void'")

    work = only(await reading.spent(DAY, 5, 5))

    assert (work.runs, work.run_seconds, work.start_seconds, work.unbegun) == (0, 0, 0, 1)


@pytest.mark.parametrize(("lower", "higher", "is_between"), [(9, 10, True), (10, 20, False), (5, 9, False)])
async def test_the_biggest_file_of_a_batch_is_between_two_thresholds(
    real_ledger: RealLedger, reading: PostgresCost, lower: int, higher: int, is_between: bool
) -> None:
    await is_cut(real_ledger, [f"s3://landing/orders/{name}.csv" for name in "ab"])

    assert only(await reading.spent(DAY, lower, higher)).is_between is is_between


async def test_a_ledger_in_which_nothing_happened_tells_of_no_time(
    real_ledger: RealLedger, reading: PostgresCost
) -> None:
    await schedules(real_ledger)

    spent = await reading.spent(DAY, 5, 6)

    assert (spent.hours, spent.work) == (0, [])
