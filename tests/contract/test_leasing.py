"""One router schedules, one publishes; what a router writes after its lease has gone changes nothing."""

import pytest

from router.ports.lease import LeaseLost
from router.ports.scheduling import DueBatch
from tests.builders import A_CSV, intake, letter, new_batch
from tests.contract.ledgers import Ledger
from tests.contract.scenes import is_cut, lands, schedules


async def test_the_first_to_ask_holds_the_lease(ledger: Ledger) -> None:
    one, two = ledger.router("one").scheduling, ledger.router("two").scheduling

    held, refused = await one.hold("scheduling"), await two.hold("scheduling")

    assert held == 1
    assert refused is None


async def test_who_holds_it_keeps_it_in_the_same_epoch(ledger: Ledger) -> None:
    batches = ledger.router("one").scheduling
    epochs = []

    for _ in range(4):
        epochs.append(await batches.hold("scheduling"))
        await ledger.pass_time(8)

    assert epochs == [1, 1, 1, 1]


async def test_an_expired_lease_goes_to_the_next_in_a_new_epoch(ledger: Ledger) -> None:
    one, two = ledger.router("one").scheduling, ledger.router("two").scheduling
    await one.hold("scheduling")

    await ledger.pass_time(11)

    assert await two.hold("scheduling") == 2
    assert await one.hold("scheduling") is None


async def test_who_lost_it_and_takes_it_again_has_a_new_epoch(ledger: Ledger) -> None:
    batches = ledger.router("one").scheduling
    await batches.hold("scheduling")

    await ledger.pass_time(11)

    assert await batches.hold("scheduling") == 2


async def test_roles_are_leased_apart(ledger: Ledger) -> None:
    one, two = ledger.router("one"), ledger.router("two")

    assert await one.scheduling.hold("scheduling") == 1
    assert await two.publication.hold("publication") == 1


async def test_a_released_lease_is_free_at_once(ledger: Ledger) -> None:
    one, two = ledger.router("one"), ledger.router("two")
    await one.scheduling.hold("scheduling")

    await one.lease.release()

    assert await two.scheduling.hold("scheduling") == 2


async def test_one_role_is_released_alone(ledger: Ledger) -> None:
    one, two = ledger.router("one"), ledger.router("two")
    await one.scheduling.hold("scheduling")
    await one.publication.hold("publication")

    await one.scheduling.release("scheduling")

    assert await two.scheduling.hold("scheduling") == 2
    assert await two.publication.hold("publication") is None


async def test_releasing_leaves_the_leases_of_others_alone(ledger: Ledger) -> None:
    one, two = ledger.router("one"), ledger.router("two")
    await one.scheduling.hold("scheduling")

    await two.lease.release()

    assert await two.scheduling.hold("scheduling") is None


async def test_a_late_cut_changes_nothing(ledger: Ledger) -> None:
    await lands(ledger)
    late, epoch = await schedules(ledger, "one")
    waiting = await late.waiting("orders-v1", "default", 10)
    await ledger.pass_time(11)
    await schedules(ledger, "two")

    with pytest.raises(LeaseLost):
        await late.cut(new_batch(waiting), epoch)

    assert await ledger.batch("b-1") is None
    assert [file.batch_id for file in await ledger.files()] == [None]


async def test_a_late_attempt_changes_nothing(ledger: Ledger) -> None:
    await is_cut(ledger)
    late, epoch = await schedules(ledger, "one")
    await ledger.pass_time(11)
    await schedules(ledger, "two")

    with pytest.raises(LeaseLost):
        await late.begin_attempt(DueBatch("b-1", 2, "default", "orders-v1", 0, "load"), {}, epoch)

    assert len(await ledger.settlement.open_attempts()) == 1


async def test_a_late_deletion_changes_nothing(ledger: Ledger) -> None:
    await ledger.intake.record(intake(letters=[letter()]))
    late = ledger.router("one").publication
    epoch = await late.hold("publication")
    assert epoch is not None
    rows = await late.events_to_publish(10)
    await ledger.pass_time(11)
    await ledger.router("two").publication.hold("publication")

    with pytest.raises(LeaseLost):
        await late.save_published([row_id for row_id, _ in rows], epoch)

    assert await late.events_to_publish(10) == rows


async def test_an_old_epoch_of_the_same_router_is_late_too(ledger: Ledger) -> None:
    await lands(ledger, A_CSV)
    batches, old = await schedules(ledger, "one")
    waiting = await batches.waiting("orders-v1", "default", 10)
    await ledger.pass_time(11)
    await schedules(ledger, "one")

    with pytest.raises(LeaseLost):
        await batches.cut(new_batch(waiting), old)
