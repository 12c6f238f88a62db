"""The outbox: in order, until the broker has what is in it."""

import pytest

from router.ports.lease import LeaseLost
from router.rules.outgoing import OutgoingEvent
from tests.builders import intake, letter, settlement
from tests.contract.ledgers import Ledger
from tests.contract.scenes import is_claimed


async def test_events_come_out_in_the_order_they_went_in(ledger: Ledger) -> None:
    for number in range(5):
        await ledger.intake.record(intake(letters=[letter(str(number))]))

    rows = await ledger.router("one").publication.events_to_publish(3)

    assert [event.value for _, event in rows] == ["0", "1", "2"]


async def test_events_come_out_as_they_went_in(ledger: Ledger) -> None:
    await is_claimed(ledger)
    end = settlement(value='{"text": "ü 漢 \\u0000"}')
    await ledger.settlement.settle_batch(end)

    [(_, event)] = await ledger.router("one").publication.events_to_publish(10)

    assert event == end.event


async def test_events_stay_until_they_are_published(ledger: Ledger) -> None:
    await ledger.intake.record(intake(letters=[letter(str(number)) for number in range(3)]))
    outbox = ledger.router("one").publication
    epoch = await outbox.hold("publication")
    assert epoch is not None
    rows = await outbox.events_to_publish(2)

    again = await outbox.events_to_publish(2)
    await outbox.save_published([row_id for row_id, _ in rows], epoch)

    assert again == rows
    assert [event.value for _, event in await outbox.events_to_publish(10)] == ["2"]


async def test_publishing_twice_harms_nothing(ledger: Ledger) -> None:
    await ledger.intake.record(intake(letters=[letter("1")]))
    outbox = ledger.router("one").publication
    epoch = await outbox.hold("publication")
    assert epoch is not None
    ids = [row_id for row_id, _ in await outbox.events_to_publish(10)]
    await outbox.save_published(ids, epoch)
    await ledger.intake.record(intake(letters=[letter("2")]))

    await outbox.save_published(ids, epoch)

    assert [event.value for _, event in await outbox.events_to_publish(10)] == ["2"]


async def test_what_is_held_stays_out_and_the_rest_comes(ledger: Ledger) -> None:
    keys = [("letters", "a"), ("letters", "b"), ("others", "a"), ("others", "b")]
    events = [OutgoingEvent(topic, key, f"{topic}/{key}") for topic, key in keys]
    await ledger.intake.record(intake(letters=events))

    rows = await ledger.router("one").publication.events_to_publish(
        10, topics_held=["letters"], keys_held=[("others", "b")]
    )

    assert [event.value for _, event in rows] == ["others/a"]


async def test_the_row_that_is_too_much_is_the_last(ledger: Ledger) -> None:
    await ledger.intake.record(intake(letters=[letter("ü" * 50) for _ in range(5)]))

    assert len(await ledger.router("one").publication.events_to_publish(10, max_bytes=101)) == 2
    assert len(await ledger.router("one").publication.events_to_publish(10, max_bytes=1)) == 1
    assert len(await ledger.router("one").publication.events_to_publish(10, max_bytes=10_000)) == 5


async def test_what_was_refused_stays_at_its_place_with_a_shorter_value(ledger: Ledger) -> None:
    await ledger.intake.record(intake(letters=[letter("long"), letter("2"), letter("3")]))
    outbox = ledger.router("one").publication
    epoch = await outbox.hold("publication") or 0
    (first, _), (second, _), _ = await outbox.events_to_publish(10)

    await outbox.save_published([second], epoch, shorter={first: "short"})

    assert [event.value for _, event in await outbox.events_to_publish(10)] == ["short", "3"]


async def test_what_is_set_aside_comes_again_after_ten_minutes(ledger: Ledger) -> None:
    await ledger.intake.record(intake(letters=[letter("poison"), letter("2")]))
    outbox = ledger.router("one").publication
    epoch = await outbox.hold("publication") or 0
    (first, _), _ = await outbox.events_to_publish(10)

    await outbox.save_published([], epoch, set_aside={first: "it is refused"})
    at_once = [event.value for _, event in await outbox.events_to_publish(10)]
    await ledger.pass_time(601)

    assert at_once == ["2"]
    assert [event.value for _, event in await outbox.events_to_publish(10)] == ["poison", "2"]


async def test_nothing_is_shortened_or_set_aside_under_a_lease_that_has_gone(ledger: Ledger) -> None:
    await ledger.intake.record(intake(letters=[letter("1"), letter("2")]))
    outbox = ledger.router("one").publication
    epoch = await outbox.hold("publication") or 0
    (first, _), (second, _) = await outbox.events_to_publish(10)

    with pytest.raises(LeaseLost):
        await outbox.save_published([], epoch + 1, shorter={first: "short"}, set_aside={second: "it is refused"})

    assert [event.value for _, event in await outbox.events_to_publish(10)] == ["1", "2"]
