"""Objects that are looked at: what no event told, until the storage has told it."""

import pytest

from router.ports.discovery import Looked, Measurement
from router.rules.looking import NoAnswer, NotAsked, StorageAnswer, There, not_there
from tests.builders import A_CSV, after, announced, intake, there, unmeasured
from tests.contract.ledgers import Ledger, SeenFile
from tests.contract.scenes import looks, to_measure

PAUSES = (10, 60, 600)


async def test_an_arrival_to_measure_is_given_to_one_caller(ledger: Ledger) -> None:
    await ledger.intake.record(intake(unmeasured=[unmeasured(offset=7)]))

    first = await to_measure(ledger)
    second = await to_measure(ledger)

    assert first == [unmeasured(offset=7)]
    assert second == []


async def test_an_arrival_is_given_again_when_nobody_measured_it_for_a_minute(ledger: Ledger) -> None:
    await ledger.intake.record(intake(unmeasured=[unmeasured()]))
    await to_measure(ledger)

    await ledger.pass_time(59)
    too_early = await to_measure(ledger)
    await ledger.pass_time(2)
    again = await to_measure(ledger)

    assert too_early == []
    assert again == [unmeasured()]


async def test_not_more_arrivals_are_given_than_asked_for(ledger: Ledger) -> None:
    arrivals = [unmeasured(f"s3://landing/orders/{number}.csv") for number in range(20)]
    await ledger.intake.record(intake(unmeasured=sorted(arrivals, key=lambda arrival: arrival.identity)))

    parts = [await ledger.discovery.due_looks(8) for _ in range(4)]

    assert [len(part) for part in parts] == [8, 8, 4, 0]
    assert {look.uri for part in parts for look in part} == {arrival.uri for arrival in arrivals}


async def test_a_measured_arrival_is_a_file(ledger: Ledger) -> None:
    await ledger.intake.record(intake(unmeasured=[unmeasured(landed=after(4))]))

    looked = await looks(ledger, there("v3", 30))

    assert looked == Looked(new=1, removed=0)
    assert await ledger.files() == [SeenFile("orders-v1", A_CSV, "v3", 30, after(4), 1, None, None, None, None)]
    assert await _left(ledger) == 0


async def test_a_measured_arrival_that_is_known_already_is_no_new_file(ledger: Ledger) -> None:
    await ledger.intake.record(intake([announced(version="v3")], unmeasured=[unmeasured()]))

    looked = await looks(ledger, there("v3", 30))

    assert looked.new == 0
    assert len(await ledger.files()) == 1
    assert await _left(ledger) == 0


@pytest.mark.parametrize("late", [0, 1])
async def test_two_arrivals_of_one_object_are_one_file_that_landed_last(ledger: Ledger, late: int) -> None:
    """Whichever of them is answered first."""
    told = [unmeasured(version="", landed=after(9 * late)), unmeasured(version="v1", landed=after(9 - 9 * late))]
    await ledger.intake.record(intake(unmeasured=told))
    given = sorted(await ledger.discovery.due_looks(10), key=lambda look: look.identity)

    looked = await ledger.discovery.save_answers([Measurement(look, there()) for look in given])

    assert looked.new == 1
    assert [(file.version, file.landed) for file in await ledger.files()] == [("v1", after(9))]
    assert await _left(ledger) == 0


async def test_an_announced_version_that_was_overwritten_meanwhile_is_superseded(ledger: Ledger) -> None:
    await ledger.intake.record(intake(unmeasured=[unmeasured(version="v1")]))

    looked = await looks(ledger, there("v2"))

    assert looked.new == 1
    assert [(file.version, file.outcome, file.reason) for file in await ledger.files()] == [
        ("v1", "superseded", "its event told the version v1, the storage has v2: that one is loaded instead"),
        ("v2", None, None),
    ]
    assert await _left(ledger) == 0


async def test_what_is_not_there_is_looked_for_again_before_it_is_missing(ledger: Ledger) -> None:
    await ledger.intake.record(intake(unmeasured=[unmeasured()]))

    await looks(ledger, None)
    for pause in PAUSES:
        await ledger.pass_time(pause - 1)
        assert await ledger.discovery.due_looks(10) == []
        assert await ledger.files() == []
        await ledger.pass_time(2)
        await looks(ledger, None)

    [missing] = await ledger.files()
    assert missing.outcome == "missing"
    assert missing.reason == "it was announced, but was not there when it was looked for, 4 times in 11 minutes"
    assert [event.key for _, event in await ledger.router("one").publication.events_to_publish(10)] == [
        "ingestion.file-arrivals/0"
    ]
    assert await _left(ledger) == 0


@pytest.mark.parametrize("misses", range(1, 4))
async def test_what_comes_later_than_its_event_is_loaded_once_it_is_there(ledger: Ledger, misses: int) -> None:
    await ledger.intake.record(intake(unmeasured=[unmeasured()]))
    for pause in PAUSES[:misses]:
        await looks(ledger, None)
        await ledger.pass_time(pause + 1)

    await looks(ledger, there("v1"))

    assert [(file.version, file.outcome) for file in await ledger.files()] == [("v1", None)]
    assert await ledger.router("one").publication.events_to_publish(10) == []
    assert await _left(ledger) == 0


async def test_when_the_storage_does_not_answer_the_pause_grows(ledger: Ledger) -> None:
    await ledger.intake.record(intake(unmeasured=[unmeasured()]))
    given: list[tuple[int, int]] = []

    for pause in (2, 4, 8, 16):
        await looks(ledger, NoAnswer("away"))
        await ledger.pass_time(pause / 2)
        given.append((pause, len(await to_measure(ledger))))
        await ledger.pass_time(pause / 2)

    assert given == [(2, 0), (4, 0), (8, 0), (16, 0)]
    assert await to_measure(ledger) == [unmeasured()]
    assert await ledger.files() == []


async def test_what_is_not_answered_is_no_miss(ledger: Ledger) -> None:
    await ledger.intake.record(intake(unmeasured=[unmeasured()]))
    for _ in range(8):
        await looks(ledger, NoAnswer("away"))
        await ledger.pass_time(601)

    await looks(ledger, None)

    assert await ledger.files() == []
    assert await _left(ledger) == 1


async def test_what_its_source_does_not_take_any_more_has_failed(ledger: Ledger) -> None:
    await ledger.intake.record(intake(unmeasured=[unmeasured()]))

    await looks(ledger, NotAsked("not-configured-any-more: moved"))

    assert [(file.outcome, file.reason) for file in await ledger.files()] == [
        ("failed", "not-configured-any-more: moved")
    ]
    assert await _left(ledger) == 0


async def test_some_may_be_found_others_missing_others_in_trouble(ledger: Ledger) -> None:
    uris = [f"s3://landing/orders/{name}.csv" for name in "abcd"]
    arrivals = sorted((unmeasured(uri) for uri in uris), key=lambda arrival: arrival.identity)
    await ledger.intake.record(intake(unmeasured=arrivals))
    answers: dict[str, StorageAnswer | None] = dict(
        zip(uris, (there(), None, NoAnswer("away"), NotAsked("moved")), strict=True)
    )
    given = await ledger.discovery.due_looks(10)

    looked = await ledger.discovery.save_answers(
        [Measurement(look, answers[look.uri] or not_there(look)) for look in given]
    )

    assert looked.new == 1
    assert [(file.uri, file.outcome) for file in await ledger.files()] == [(uris[0], None), (uris[3], "failed")]
    assert await _left(ledger) == 2


@pytest.mark.parametrize("answer", [None, NoAnswer("away"), NotAsked("moved"), there()])
async def test_of_a_look_that_came_late_only_what_is_there_counts(ledger: Ledger, answer: StorageAnswer | None) -> None:
    """Another has the object by now: its answer ends it."""
    await ledger.intake.record(intake(unmeasured=[unmeasured()]))
    [late] = await ledger.discovery.due_looks(10)
    await ledger.pass_time(61)
    [newer] = await ledger.discovery.due_looks(10)

    await ledger.discovery.save_answers([Measurement(late, answer or not_there(late))])

    assert len(await ledger.files()) == isinstance(answer, There)
    await ledger.pass_time(61)
    assert [look.misses for look in await ledger.discovery.due_looks(10)] == [newer.misses]


async def _left(ledger: Ledger) -> int:
    await ledger.pass_time(3600)
    return len(await ledger.discovery.due_looks(100))
