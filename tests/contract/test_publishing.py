"""The outbox: in order, until the broker has what is in it."""

from tests.builders import intake, letter, settlement
from tests.contract.ledgers import Ledger
from tests.contract.scenes import is_claimed


async def test_events_come_out_in_the_order_they_went_in(ledger: Ledger) -> None:
    for number in range(5):
        await ledger.arrivals.record(intake(letters=[letter(str(number))]))

    rows = await ledger.router("one").outbox.outbox(3)

    assert [event.value for _, event in rows] == ["0", "1", "2"]


async def test_events_come_out_as_they_went_in(ledger: Ledger) -> None:
    await is_claimed(ledger)
    end = settlement(value='{"text": "ü 漢 \\u0000"}')
    await ledger.attempts.settle(end)

    [(_, event)] = await ledger.router("one").outbox.outbox(10)

    assert event == end.event


async def test_events_stay_until_they_are_published(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake(letters=[letter(str(number)) for number in range(3)]))
    outbox = ledger.router("one").outbox
    epoch = await outbox.hold("publication")
    assert epoch is not None
    rows = await outbox.outbox(2)

    again = await outbox.outbox(2)
    await outbox.published([row_id for row_id, _ in rows], epoch)

    assert again == rows
    assert [event.value for _, event in await outbox.outbox(10)] == ["2"]


async def test_publishing_twice_harms_nothing(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake(letters=[letter("1")]))
    outbox = ledger.router("one").outbox
    epoch = await outbox.hold("publication")
    assert epoch is not None
    ids = [row_id for row_id, _ in await outbox.outbox(10)]
    await outbox.published(ids, epoch)
    await ledger.arrivals.record(intake(letters=[letter("2")]))

    await outbox.published(ids, epoch)

    assert [event.value for _, event in await outbox.outbox(10)] == ["2"]
