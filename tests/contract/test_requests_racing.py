"""Several routers at the same instant, about requests: only the real ledger is asked, and none of them deadlocks."""

import asyncio
from collections.abc import Sequence

import pytest

from router.adapters.postgres.database import Database
from router.adapters.postgres.requests.ledger import PostgresRequests
from router.errors import Transient
from router.ports.requests import CancelToResolve, RetryToResolve
from schemas.events.requests import CancelAsked, LoadAsked, RetryAsked
from tests.builders import (
    A_LISTING,
    announced,
    asked_request,
    completed_file,
    found,
    found_file,
    intake,
    load_asked,
    new_batch,
    request_end,
    settlement,
)
from tests.contract.ledgers import RealLedger
from tests.contract.scenes import (
    at_their_end,
    has_ended,
    is_asked,
    is_found,
    lands,
    outgoing,
    schedules,
    takes,
    to_resolve,
)

pytestmark = pytest.mark.integration

ROUNDS = range(8)
URIS = [f"s3://landing/orders/{number:03}.csv" for number in range(200)]


async def to_cancel(ledger: RealLedger, asked: CancelAsked, request_id: str = "r-9") -> CancelToResolve:
    """A cancel that somebody is about to carry out."""
    await is_asked(ledger, asked, request_id)
    unlisted = await to_resolve(ledger, CancelToResolve)
    assert unlisted.id == request_id
    return unlisted


@pytest.mark.parametrize("nth", ROUNDS)
async def test_the_same_requests_in_another_order_do_not_deadlock(real_ledger: RealLedger, nth: int) -> None:
    asked = [asked_request(load_asked(*URIS[:20]), f"r-{number:02}") for number in range(40)]
    asked += [asked_request(request_id=f"x-{n:02}", refusal=request_end(f"x-{n:02}", "rejected")) for n in range(40)]

    new = await asyncio.gather(
        *(real_ledger.requests.record_requests(order, []) for order in (asked, asked[::-1], asked[40:], asked[:40]))
    )

    assert sum(new) == 80
    assert set(await outgoing(real_ledger)) == {f"x-{n:02} rejected" for n in range(40)}


async def test_a_request_is_listed_by_one_router(real_ledger: RealLedger) -> None:
    for number in range(5):
        await is_asked(real_ledger, request_id=f"r-{number}")

    given = await asyncio.gather(*(real_ledger.requests.request_to_resolve(A_LISTING) for _ in range(8)))

    assert sorted(unlisted.id for unlisted in given if unlisted) == [f"r-{number}" for number in range(5)]


async def test_a_request_that_takes_too_long_to_look_at_keeps_no_other_waiting(
    database_url: str, real_ledger: RealLedger
) -> None:
    await is_asked(real_ledger, RetryAsked(files=(URIS[0],)), "r-1")
    await is_asked(real_ledger, request_id="r-2")
    holder, hasty = Database(database_url), Database(f"{database_url}?statement_timeout=200")
    requests = PostgresRequests(hasty)

    async with holder.transaction() as connection:
        await connection.execute("LOCK TABLE file IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Transient, match="statement timeout"):
            await requests.request_to_resolve(A_LISTING)
        given = await requests.request_to_resolve(A_LISTING)

    for database in (holder, hasty):
        await database.close()
    assert given is not None
    assert given.id == "r-2"


@pytest.mark.parametrize("nth", ROUNDS)
async def test_what_many_find_at_once_is_reloaded_once(real_ledger: RealLedger, nth: int) -> None:
    await has_ended(real_ledger, *map(completed_file, URIS))
    await is_asked(real_ledger, LoadAsked(source="orders", prefix="s3://landing/orders/", if_loaded="reload"))
    page = found(*map(found_file, URIS), more=True)

    opened = await asyncio.gather(*(real_ledger.requests.save_found(page, reload=True) for _ in range(4)))

    assert sorted(opened) == [0, 0, 0, len(URIS)]
    assert {file.round for file in await real_ledger.files()} == {2}


@pytest.mark.parametrize("nth", ROUNDS)
async def test_two_requests_for_the_same_files_do_not_deadlock(real_ledger: RealLedger, nth: int) -> None:
    await has_ended(real_ledger, *(completed_file(uri, outcome="failed", rows=0) for uri in URIS))
    await lands(real_ledger, *(f"{uri}.csv" for uri in URIS))
    files = [found_file(uri) for one in URIS for uri in (one, f"{one}.csv")]
    for request_id in ("r-1", "r-2"):
        await is_asked(real_ledger, LoadAsked(source="orders", prefix="s3://landing/orders/"), request_id)

    opened = await asyncio.gather(
        real_ledger.requests.save_found(found(*files, request_id="r-1"), reload=False),
        real_ledger.requests.save_found(found(*files[::-1], request_id="r-2"), reload=False),
    )

    assert [*opened] == [len(files), len(files)]
    assert {file.round for file in await real_ledger.files()} == {1, 2}


@pytest.mark.parametrize("nth", ROUNDS)
async def test_a_file_is_asked_for_while_it_is_cut(real_ledger: RealLedger, nth: int) -> None:
    await lands(real_ledger, *URIS)
    batches, epoch = await schedules(real_ledger)
    waiting = await batches.waiting("orders-v1", "default", 1000)
    await is_asked(real_ledger, load_asked(*URIS))

    cut, opened = await asyncio.gather(
        batches.cut(new_batch(waiting[::-1]), epoch),
        real_ledger.requests.save_found(found(*map(found_file, URIS)), reload=True),
    )

    assert cut is not None
    assert opened in {0, len(URIS)}
    assert {(file.batch_id, file.round) for file in await real_ledger.files()} == {("b-1", 1)}
    assert await at_their_end(real_ledger) == []


@pytest.mark.parametrize("nth", ROUNDS)
async def test_a_file_is_asked_for_while_it_lands(real_ledger: RealLedger, nth: int) -> None:
    landing = sorted((announced(uri) for uri in URIS), key=lambda file: file.identity)
    await is_asked(real_ledger, load_asked(*URIS))

    recorded, opened = await asyncio.gather(
        real_ledger.intake.record(intake(landing)),
        real_ledger.requests.save_found(found(*map(found_file, URIS[::-1])), reload=False),
    )

    assert opened == len(URIS)
    assert recorded.files in {0, len(URIS)}
    assert {(place.lane, place.rank) for place in await real_ledger.places()} == {("priority", 0)}


@pytest.mark.parametrize("nth", ROUNDS)
async def test_a_file_is_either_cut_or_cancelled(real_ledger: RealLedger, nth: int) -> None:
    await lands(real_ledger, *URIS)
    batches, epoch = await schedules(real_ledger)
    waiting = await batches.waiting("orders-v1", "default", 1000)
    unlisted = await to_cancel(real_ledger, CancelAsked(files=tuple(URIS[::-2])))

    _, given_up = await asyncio.gather(
        batches.cut(new_batch(waiting), epoch), real_ledger.requests.cancel_files(unlisted, "enough")
    )

    files = await real_ledger.files()
    assert all((file.outcome == "failed") != (file.batch_id == "b-1") for file in files)
    assert sum(file.outcome == "failed" for file in files) == given_up


@pytest.mark.parametrize("nth", ROUNDS)
async def test_what_is_found_when_its_request_ends_is_given_up(real_ledger: RealLedger, nth: int) -> None:
    await is_asked(real_ledger, load_asked(*URIS))

    ended, opened = await asyncio.gather(
        real_ledger.requests.end_request(request_end()),
        real_ledger.requests.save_found(found(*map(found_file, URIS)), reload=False),
    )

    assert ended
    files = await real_ledger.files()
    assert len(files) == opened
    assert {file.outcome for file in files} <= {"failed"}


@pytest.mark.parametrize("nth", ROUNDS)
async def test_a_request_is_cancelled_while_it_ends(real_ledger: RealLedger, nth: int) -> None:
    await is_found(real_ledger, *URIS)
    unlisted = await to_cancel(real_ledger, CancelAsked(request="r-1"))

    ended, _ = await asyncio.gather(
        real_ledger.requests.end_request(request_end("r-1", "expired", "too late")),
        real_ledger.requests.cancel_files(unlisted, "enough"),
    )

    assert ended
    assert {file.outcome for file in await real_ledger.files()} == {"failed"}
    assert [finished.id for finished in await at_their_end(real_ledger)] == ["r-9"]


@pytest.mark.parametrize("nth", ROUNDS)
async def test_a_batch_is_either_settled_or_closing(real_ledger: RealLedger, nth: int) -> None:
    await lands(real_ledger, *URIS)
    await takes(real_ledger)
    unlisted = await to_cancel(real_ledger, CancelAsked(batch="b-1"))

    settled, given_up = await asyncio.gather(
        real_ledger.settlement.settle_batch(settlement([completed_file(uri) for uri in URIS])),
        real_ledger.requests.cancel_files(unlisted, "enough"),
    )

    assert (settled, given_up) == (True, 0)
    [finished] = await at_their_end(real_ledger)
    assert finished.counts.files_loaded == len(URIS)


@pytest.mark.parametrize("nth", ROUNDS)
async def test_files_are_asked_for_while_their_batch_is_settled(real_ledger: RealLedger, nth: int) -> None:
    await lands(real_ledger, *URIS)
    await takes(real_ledger)
    await is_asked(real_ledger, load_asked(*URIS))
    ends: Sequence[str] = ["failed", "loaded"]

    settled, opened = await asyncio.gather(
        real_ledger.settlement.settle_batch(
            settlement([completed_file(uri, outcome=ends[n % 2]) for n, uri in enumerate(reversed(URIS))])
        ),
        real_ledger.requests.save_found(found(*map(found_file, URIS)), reload=False),
    )

    assert settled
    assert opened in {0, len(URIS) // 2}


@pytest.mark.parametrize("nth", ROUNDS)
async def test_two_retries_open_one_round(real_ledger: RealLedger, nth: int) -> None:
    await has_ended(real_ledger, *(completed_file(uri, outcome="failed", rows=0) for uri in URIS))
    await is_asked(real_ledger, RetryAsked(batch="b-1"))
    first = await to_resolve(real_ledger, RetryToResolve)
    await is_asked(real_ledger, RetryAsked(files=tuple(URIS[::-1])), "r-2")
    second = await to_resolve(real_ledger, RetryToResolve)

    opened = await asyncio.gather(
        *(real_ledger.requests.retry_files(unlisted, []) for unlisted in (first, second, first, second))
    )

    assert sorted(opened) == [0, 0, 0, len(URIS)]
    assert {file.round for file in await real_ledger.files()} == {2}
