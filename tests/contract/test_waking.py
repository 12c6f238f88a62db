"""A run that is known wakes the workers of its lane. On PostgreSQL alone: the fakes' workers see all at once."""

import psycopg
import pytest

from schemas.ledger.waking import CHANNEL
from tests.contract.ledgers import RealLedger
from tests.contract.scenes import is_submitted

pytestmark = pytest.mark.integration


async def test_a_run_that_is_known_wakes_the_workers_of_its_lane(real_ledger: RealLedger, database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as worker:
        await worker.execute(f"LISTEN {CHANNEL}".encode())

        await is_submitted(real_ledger)

        heard = [notice.payload async for notice in worker.notifies(timeout=5, stop_after=1)]
    assert heard == ["default"]
