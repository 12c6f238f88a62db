"""Sums of sizes and of files that are more than a bigint holds stop nobody: they are told as the most there can be."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from router.adapters.postgres.database import Database
from router.adapters.postgres.status import PostgresStatus
from router.errors import Transient
from tests.builders import NOON, ORDERS, after, announced, intake, report
from tests.contract.ledgers import Ledger, RealLedger
from tests.contract.scenes import is_claimed

HUGE = 2**62
MOST = 2**63 - 1


async def lands_hugely(ledger: Ledger, files: int = 3) -> None:
    names = [f"s3://landing/orders/huge-{number}.csv" for number in range(files)]
    rows = [announced(name, size=HUGE, landed=after(n)) for n, name in enumerate(names)]
    await ledger.intake.record(intake(sorted(rows, key=lambda file: file.identity)))


@pytest.fixture
async def reading(database_url: str, real_ledger: RealLedger) -> AsyncIterator[PostgresStatus]:
    database = Database(database_url)
    yield PostgresStatus(database)
    await database.close()


async def test_a_batch_ends_beside_more_bytes_than_there_are(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.stage("b-1", 1, report())
    await ledger.publish("b-1", 1, report())
    await lands_hugely(ledger)

    ended = await ledger.settlement.batch_to_settle("b-1", 1)

    assert ended is not None
    assert (ended.context.waiting.files, ended.context.waiting.bytes) == (3, MOST)


@pytest.mark.integration
async def test_status_and_metrics_tell_of_more_bytes_than_there_are(
    real_ledger: RealLedger, reading: PostgresStatus
) -> None:
    await lands_hugely(real_ledger)

    [status] = await reading.sources([ORDERS])
    [line] = await reading.lines()

    assert (status.waiting_files, status.waiting_bytes, status.hour_bytes) == (3, MOST, 0)
    assert (line.files, line.bytes, line.landed) == (3, MOST, NOON)


@pytest.mark.integration
async def test_counting_what_waits_has_a_patience_of_its_own(
    database_url: str, real_ledger: RealLedger, reading: PostgresStatus
) -> None:
    holder = Database(database_url)
    async with holder.transaction() as connection:
        await connection.execute("LOCK TABLE file IN ACCESS EXCLUSIVE MODE")

        with pytest.raises(Transient, match="statement timeout"):
            await reading.lines(timedelta(milliseconds=50))

    await holder.close()
    assert await reading.lines(timedelta(seconds=10)) == []
