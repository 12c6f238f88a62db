"""Several routers and runs at the same instant: PostgreSQL decides between them, so only the real ledger is asked."""

import asyncio
from collections.abc import Iterable

import psycopg
import pytest

from router.errors import Transient
from router.ports.discovery import Measurement
from router.ports.intake import Announced
from router.ports.lease import LeaseLost
from router.rules.looking import not_there
from router.rules.recovery import Again, Void
from tests.builders import AT_ONCE, after, announced, intake, letter, new_batch, report, settlement, there, unmeasured
from tests.contract.ledgers import RealLedger
from tests.contract.scenes import RUN, is_claimed, is_submitted, lands, schedules

pytestmark = pytest.mark.integration

ROUNDS = range(8)
URIS = [f"s3://landing/orders/{number:03}.csv" for number in range(200)]


async def test_a_file_recorded_by_many_routers_is_new_to_one(real_ledger: RealLedger) -> None:
    files = _sorted(map(announced, URIS))

    recorded = await asyncio.gather(*(real_ledger.intake.record(intake(files)) for _ in range(8)))

    assert sum(one.files for one in recorded) == len(URIS)
    assert len(await real_ledger.files()) == len(URIS)


async def test_polls_that_overlap_do_not_deadlock(real_ledger: RealLedger) -> None:
    files = _sorted(map(announced, URIS))
    parts = [files[start::step] for step in (1, 2, 3) for start in range(step)]

    recorded = await asyncio.gather(*(real_ledger.intake.record(intake(part)) for part in parts))

    assert sum(one.files for one in recorded) == len(URIS)


async def test_a_file_that_lands_again_opens_one_round(real_ledger: RealLedger) -> None:
    await real_ledger.intake.record(intake(_sorted(map(announced, URIS))))
    removals = _sorted(announced(uri, "", landed=after(1)) for uri in URIS)
    landings = _sorted(announced(uri, landed=after(2), offset=2) for uri in URIS)

    await asyncio.gather(*(real_ledger.intake.record(intake(removed=removals)) for _ in range(4)))
    given = await real_ledger.discovery.due_looks(1000)
    missed = [Measurement(look, not_there(look)) for look in given]
    removed = await asyncio.gather(*(real_ledger.discovery.save_answers(missed) for _ in range(4)))
    await asyncio.gather(*(real_ledger.intake.record(intake(landings)) for _ in range(4)))
    found = [Measurement(look, there()) for look in await real_ledger.discovery.due_looks(1000)]
    again = await asyncio.gather(*(real_ledger.discovery.save_answers(found) for _ in range(4)))

    assert sum(one.removed for one in removed) == len(URIS)
    assert sum(one.new for one in again) == len(URIS)
    assert {file.round for file in await real_ledger.files()} == {2}


async def test_an_arrival_is_measured_by_one_router(real_ledger: RealLedger) -> None:
    await real_ledger.intake.record(intake(unmeasured=_sorted(map(unmeasured, URIS))))

    given = await asyncio.gather(*(real_ledger.discovery.due_looks(50) for _ in range(8)))

    assert sorted(arrival.uri for part in given for arrival in part) == URIS
    assert max(map(len, given)) <= 50


async def test_the_same_measurements_twice_make_one_file_each(real_ledger: RealLedger) -> None:
    await real_ledger.intake.record(intake(unmeasured=_sorted(map(unmeasured, URIS))))
    arrivals = await real_ledger.discovery.due_looks(1000)
    measurements = [Measurement(arrival, there()) for arrival in arrivals]

    new = await asyncio.gather(
        real_ledger.discovery.save_answers(measurements), real_ledger.discovery.save_answers(measurements[::-1])
    )

    assert sum(looked.new for looked in new) == len(URIS)
    assert len(await real_ledger.files()) == len(URIS)


async def test_one_router_takes_the_lease(real_ledger: RealLedger) -> None:
    routers = [real_ledger.router(str(number)).scheduling for number in range(8)]

    epochs = await asyncio.gather(*(router.hold("scheduling") for router in routers))

    assert sorted(epoch for epoch in epochs if epoch) == [1]


async def test_an_expired_lease_is_taken_by_one_router(real_ledger: RealLedger) -> None:
    routers = [real_ledger.router(str(number)).scheduling for number in range(8)]
    await asyncio.gather(*(router.hold("scheduling") for router in routers))
    await real_ledger.pass_time(11)

    epochs = await asyncio.gather(*(router.hold("scheduling") for router in routers))

    assert [epoch for epoch in epochs if epoch] == [2]


async def test_cuts_at_once_take_each_file_once(real_ledger: RealLedger) -> None:
    await lands(real_ledger, *URIS)
    batches, epoch = await schedules(real_ledger)
    waiting = await batches.waiting("orders-v1", "default", 1000)
    orders = [waiting, waiting[:120], waiting[80:]]

    cuts = await asyncio.gather(
        *(batches.cut(new_batch(files, f"b-{number}"), epoch) for number, files in enumerate(orders))
    )

    of_batch = {file.batch_id for file in await real_ledger.files()}
    assert of_batch == {cut.batch for cut in cuts if cut is not None}
    assert None not in of_batch


async def test_a_cut_and_a_change_of_the_lease_exclude_each_other(real_ledger: RealLedger) -> None:
    await lands(real_ledger, *URIS)
    late, epoch = await schedules(real_ledger, "one")
    other = real_ledger.router("two").scheduling
    waiting = await late.waiting("orders-v1", "default", 1000)
    await real_ledger.pass_time(11)

    cut, taken = await asyncio.gather(
        late.cut(new_batch(waiting), epoch), other.hold("scheduling"), return_exceptions=True
    )

    assert taken == 2
    was_cut = {file.batch_id for file in await real_ledger.files()} == {"b-1"}
    assert was_cut != isinstance(cut, LeaseLost)


async def test_a_file_is_either_removed_or_cut(real_ledger: RealLedger) -> None:
    await lands(real_ledger, *URIS)
    batches, epoch = await schedules(real_ledger)
    waiting = await batches.waiting("orders-v1", "default", 1000)
    removals = _sorted(announced(uri, "", landed=after(1)) for uri in URIS[::2])

    await real_ledger.intake.record(intake(removed=removals))
    missed = [Measurement(look, not_there(look)) for look in await real_ledger.discovery.due_looks(1000)]

    looked, _ = await asyncio.gather(real_ledger.discovery.save_answers(missed), batches.cut(new_batch(waiting), epoch))

    files = await real_ledger.files()
    assert all((file.outcome == "removed") != (file.batch_id == "b-1") for file in files)
    assert sum(file.outcome == "removed" for file in files) == looked.removed


async def test_an_attempt_is_made_by_one_of_many(real_ledger: RealLedger) -> None:
    await is_claimed(real_ledger)
    await real_ledger.settlement.fail_attempt("b-1", 1, Again("crash", "it broke", AT_ONCE))
    batches, epoch = await schedules(real_ledger)
    [due] = await batches.due_batches("default", 10)

    made = await asyncio.gather(*(batches.begin_attempt(due, {}, epoch) for _ in range(8)))

    assert sum(one is not None for one in made) == 1


async def test_a_batch_is_settled_by_one_router(real_ledger: RealLedger) -> None:
    await is_claimed(real_ledger)

    settled = await asyncio.gather(*(real_ledger.settlement.settle_batch(settlement()) for _ in range(8)))

    assert settled.count(True) == 1
    assert len(await real_ledger.router("one").publication.events_to_publish(10)) == 1


@pytest.mark.parametrize("nth", ROUNDS)
async def test_an_attempt_is_either_claimed_or_void(real_ledger: RealLedger, nth: int) -> None:
    await is_submitted(real_ledger)

    voided, claimed = await asyncio.gather(
        real_ledger.settlement.fail_attempt("b-1", 1, Void("no worker")), real_ledger.claim("b-1", 1, RUN)
    )

    assert voided != claimed


@pytest.mark.parametrize("nth", ROUNDS)
async def test_an_attempt_either_fails_or_has_published(real_ledger: RealLedger, nth: int) -> None:
    """Either way the batch goes on: an attempt that failed leaves its result to the next one to adopt."""
    await is_claimed(real_ledger)
    assert await real_ledger.stage("b-1", 1, report())

    failed, _ = await asyncio.gather(
        real_ledger.settlement.fail_attempt("b-1", 1, Again("crash", "it broke", AT_ONCE)),
        real_ledger.publish("b-1", 1, report()),
    )

    still_open = [attempt.result for attempt in await real_ledger.settlement.open_attempts()]
    assert still_open == ([] if failed else ["published"])


@pytest.mark.parametrize("nth", ROUNDS)
async def test_a_batch_is_either_settled_or_its_attempt_fails(real_ledger: RealLedger, nth: int) -> None:
    await is_claimed(real_ledger)

    settled, failed = await asyncio.gather(
        real_ledger.settlement.settle_batch(settlement()),
        real_ledger.settlement.fail_attempt("b-1", 1, Again("crash", "it broke", AT_ONCE)),
    )

    batch = await real_ledger.batch("b-1")
    assert settled
    assert batch is not None
    assert batch.outcome == "loaded"
    assert len(await real_ledger.router("one").publication.events_to_publish(10)) == 1
    assert failed in {True, False}


async def test_no_event_is_lost_when_many_are_put_and_taken_at_once(real_ledger: RealLedger) -> None:
    outbox = real_ledger.router("one").publication
    epoch = await outbox.hold("publication")
    assert epoch is not None
    taken: list[str] = []

    async def put(number: int) -> None:
        for part in range(10):
            await real_ledger.intake.record(intake(letters=[letter(f"{number}-{part}")]))

    async def take() -> None:
        while len(taken) < 40:
            rows = await outbox.events_to_publish(5)
            taken.extend(event.value for _, event in rows)
            await outbox.save_published([row_id for row_id, _ in rows], epoch)

    async with asyncio.timeout(30):
        await asyncio.gather(take(), *(put(number) for number in range(4)))

    assert sorted(taken) == sorted(f"{number}-{part}" for number in range(4) for part in range(10))


def _sorted(arrivals: Iterable[Announced]) -> list[Announced]:
    return sorted(arrivals, key=lambda arrival: arrival.identity)


async def test_a_report_of_a_newer_run_waits_for_a_newer_router(real_ledger: RealLedger, database_url: str) -> None:
    await is_claimed(real_ledger)
    await real_ledger.publish("b-1", 1, report())
    with psycopg.connect(database_url) as connection:
        connection.execute('UPDATE result SET report = report || \'{"files": "of a kind"}\'')

    with pytest.raises(Transient, match=r"the report of b-1 is not understood.*files"):
        await real_ledger.settlement.batch_to_settle("b-1", 1)
