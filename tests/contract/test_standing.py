"""What stands in the ledger beside the lines, as one of its routers tells it to Prometheus."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest

from router.adapters.postgres.database import Database
from router.adapters.postgres.standing import PostgresStanding
from router.errors import Transient
from router.rules.recovery import Again
from router.rules.status import Standing
from schemas.events.requests import PreviewAsked
from tests.builders import A_CSV, ORDERS, announced, intake, letter
from tests.contract.ledgers import RealLedger
from tests.contract.scenes import is_asked, is_cut, lands, schedules, takes

pytestmark = pytest.mark.integration

Reading = Callable[[str], Awaitable[Standing]]
PATIENCE = timedelta(seconds=10)


@pytest.fixture
async def read(database_url: str, real_ledger: RealLedger) -> AsyncIterator[Reading]:
    """What the router of that name tells."""
    database = Database(database_url)
    yield lambda holder: PostgresStanding(database, holder, [ORDERS]).read(PATIENCE)
    await database.close()


async def test_an_empty_ledger_has_nothing_but_its_size_and_its_connections(read: Reading) -> None:
    standing = await read("one")

    assert (standing.in_flight, standing.in_flight_files, standing.to_measure_files) == ({}, {}, {})
    assert (standing.paused, standing.roles) == ([], [])
    assert (standing.outbox_events, standing.outbox_since) == (0, None)
    assert 1 <= standing.connections <= standing.connections_limit
    assert standing.bytes > 1_000_000


async def test_what_is_in_flight_is_told_by_lane_and_by_source(read: Reading, real_ledger: RealLedger) -> None:
    await is_cut(real_ledger, [f"s3://landing/orders/{name}.csv" for name in "abc"])

    standing = await read("one")

    assert (standing.in_flight, standing.in_flight_files) == ({"default": 1}, {ORDERS: 3})


async def test_a_line_could_have_a_run_as_long_as_its_source_has_none(read: Reading, real_ledger: RealLedger) -> None:
    await lands(real_ledger)
    waiting = (await read("one")).waiting

    await takes(real_ledger)
    await lands(real_ledger, "s3://landing/orders/b.csv")

    assert waiting == {"default": 1}
    assert (await read("one")).waiting == {}


async def test_nothing_could_be_cut_of_a_source_that_is_paused_or_not_configured(
    read: Reading, real_ledger: RealLedger
) -> None:
    await lands(real_ledger)
    await lands(real_ledger, "s3://landing/gone/a.csv", source_id="gone-v1")
    await real_ledger.pause(ORDERS)

    assert (await read("one")).waiting == {}


async def test_a_batch_that_is_to_be_tried_again_could_have_a_run(read: Reading, real_ledger: RealLedger) -> None:
    submission = await is_cut(real_ledger)
    again = Again("crash", "it crashed", timedelta(minutes=10))
    await real_ledger.settlement.fail_attempt(submission.batch, submission.n, again)

    standing = await read("one")

    assert (standing.in_flight, standing.waiting) == ({}, {"default": 1})


async def test_a_preview_could_have_a_run_of_priority(read: Reading, real_ledger: RealLedger) -> None:
    await is_asked(real_ledger, PreviewAsked(source="orders", file=A_CSV))

    assert (await read("one")).waiting == {"priority": 1}


async def test_what_is_to_be_measured_is_told_by_source(read: Reading, real_ledger: RealLedger) -> None:
    await real_ledger.intake.record(intake(unmeasured=[announced("s3://landing/orders/a.csv", size=None)]))

    assert (await read("one")).to_measure_files == {ORDERS: 1}


async def test_only_who_holds_a_lease_says_so(read: Reading, real_ledger: RealLedger) -> None:
    await schedules(real_ledger, "one")

    held, other = (await read("one")).roles, (await read("two")).roles
    await real_ledger.pass_time(11)

    assert (held, other) == (["scheduling"], [])
    assert (await read("one")).roles == []


async def test_what_waits_for_publication_is_told_with_its_age(read: Reading, real_ledger: RealLedger) -> None:
    await real_ledger.intake.record(intake(letters=[letter()]))

    standing = await read("one")

    assert standing.outbox_events == 1
    assert standing.outbox_since is not None


async def test_a_paused_source_is_named(read: Reading, real_ledger: RealLedger) -> None:
    await real_ledger.pause(ORDERS)

    assert (await read("one")).paused == [ORDERS]


async def test_no_scrape_waits_for_a_ledger_that_is_locked(database_url: str, real_ledger: RealLedger) -> None:
    database = Database(database_url)
    async with database.transaction() as connection:
        await connection.execute("LOCK TABLE batch IN ACCESS EXCLUSIVE MODE")

        with pytest.raises(Transient, match="statement timeout"):
            await PostgresStanding(database, "one", [ORDERS]).read(timedelta(milliseconds=50))

    await database.close()
