"""A flood on the real ledger: 100,000 files wait in one source, and there is one slot."""

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest

from router.facts import AttemptSubmitted
from router.ports.discovery import Measurement
from router.rules.looking import not_there
from router.wiring import Wiring
from tests.builders import NOON, announced, config, intake, settlement
from tests.contract.ledgers import RealLedger
from tests.fakes.clock import FakeClock
from tests.fakes.runs import FakeRuns

pytestmark = pytest.mark.integration

FLOOD, A_POLL, A_BATCH = 100_000, 5000, 1000
CONFIG = config(
    """
version: 1
allow: ["s3://landing/"]
commit_interval: 0s
lanes: {default: {slots_per_worker: 1}}
sources:
  flood: {id: flood, from: {path: "s3://landing/flood/"}, format: csv, into: {table: lake.a.flood}}
  lonely: {id: lonely, from: {path: "s3://landing/lonely/"}, format: csv, into: {table: lake.a.lonely}}
"""
)


async def lands(ledger: RealLedger, source_id: str, first: int, count: int) -> None:
    uris = [f"s3://landing/{source_id}/{number:06}.csv" for number in range(first, first + count)]
    files = [announced(uri, source_id=source_id) for uri in uris]
    await ledger.intake.record(intake(sorted(files, key=lambda file: file.identity)))


class Slot:
    """Batch after batch goes through the one slot."""

    def __init__(self, ledger: RealLedger) -> None:
        self._ledger = ledger
        wiring, runs, clock = Wiring(CONFIG), FakeRuns(FakeClock(NOON)), FakeClock(NOON)
        self._stage = wiring.scheduling(ledger.router("one").scheduling, runs, clock, wiring.slots(runs))
        self._now = NOON

    async def submitted(self) -> dict[str, str]:
        """The batches that a step submits, by source."""
        self._now += timedelta(seconds=5)
        step = await self._stage.step(self._now)
        assert step.trouble is None
        return {one.source: one.batch for one in step.facts if isinstance(one, AttemptSubmitted)}

    async def ends(self, batch: str) -> None:
        await self._ledger.settlement.settle_batch(settlement([], batch))


@pytest.fixture
def blind(database_url: str) -> Iterator[None]:
    """PostgreSQL has its statistics from before the flood: of a table in which nothing waits."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for table in ("file", "arrival"):
            connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        yield
        for table in ("file", "arrival"):
            connection.execute(f"ALTER TABLE {table} RESET (autovacuum_enabled)")


@pytest.mark.usefixtures("blind")
async def test_a_flood_of_100_000_files_delays_a_lonely_file_by_the_run_in_flight(real_ledger: RealLedger) -> None:
    for first in range(0, FLOOD, A_POLL):
        await lands(real_ledger, "flood", first, A_POLL)
    slot = Slot(real_ledger)
    await slot.ends((await slot.submitted())["flood"])

    in_flight = await slot.submitted()
    await lands(real_ledger, "lonely", 0, 1)
    meanwhile = await slot.submitted()
    await slot.ends(in_flight["flood"])

    assert (set(in_flight), meanwhile) == ({"flood"}, {})
    assert set(await slot.submitted()) == {"lonely"}
    assert sum(file.batch_id is None for file in await real_ledger.files()) == FLOOD - 2 * A_BATCH


@pytest.mark.usefixtures("blind")
async def test_in_a_flood_of_100_000_files_what_is_removed_is_found_by_its_key(real_ledger: RealLedger) -> None:
    """And its looks among 100,000 looks."""
    for first in range(0, FLOOD, A_POLL):
        await lands(real_ledger, "flood", first, A_POLL)
    doubted = 0
    for first in range(0, FLOOD, A_POLL):
        uris = [f"s3://landing/flood/{number:06}.csv" for number in range(first, first + A_POLL)]
        removals = [announced(uri, "", source_id="flood") for uri in uris]
        recorded = await real_ledger.intake.record(
            intake(removed=sorted(removals, key=lambda removal: removal.identity))
        )
        doubted += recorded.doubted

    missed = [Measurement(look, not_there(look)) for look in await real_ledger.discovery.due_looks(A_POLL)]
    looked = await real_ledger.discovery.save_answers(missed)

    assert (doubted, looked.removed) == (FLOOD, A_POLL)
