"""Arrivals whose event told no size or no version, until the storage has told it."""

from router.ports import Measured, Measurement
from tests.builders import A_CSV, after, announced, intake, letter, unmeasured
from tests.contract.ledgers import Ledger, SeenFile


async def test_an_arrival_to_measure_is_given_to_one_caller(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake(unmeasured=[unmeasured(offset=7)]))

    first = await ledger.arrivals.to_measure(10)
    second = await ledger.arrivals.to_measure(10)

    assert first == [unmeasured(offset=7)]
    assert second == []


async def test_an_arrival_is_given_again_when_nobody_measured_it_for_a_minute(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake(unmeasured=[unmeasured()]))
    await ledger.arrivals.to_measure(10)

    await ledger.pass_time(59)
    too_early = await ledger.arrivals.to_measure(10)
    await ledger.pass_time(2)
    again = await ledger.arrivals.to_measure(10)

    assert too_early == []
    assert again == [unmeasured()]


async def test_not_more_arrivals_are_given_than_asked_for(ledger: Ledger) -> None:
    arrivals = [unmeasured(f"s3://landing/orders/{number}.csv") for number in range(20)]
    await ledger.arrivals.record(intake(unmeasured=sorted(arrivals, key=lambda arrival: arrival.identity)))

    parts = [await ledger.arrivals.to_measure(8) for _ in range(4)]

    assert [len(part) for part in parts] == [8, 8, 4, 0]
    assert {arrival.uri for part in parts for arrival in part} == {arrival.uri for arrival in arrivals}


async def test_a_measured_arrival_is_a_file(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake(unmeasured=[unmeasured(landed=after(4))]))
    [arrival] = await ledger.arrivals.to_measure(10)

    new = await ledger.arrivals.measured([Measurement(arrival, Measured("v3", 30))])

    assert new == 1
    assert await ledger.files() == [SeenFile("orders-v1", A_CSV, "v3", 30, after(4), 1, None, None, None, None)]
    assert await _left(ledger) == 0


async def test_a_measured_arrival_that_is_known_already_is_no_new_file(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake([announced(version="v3")], unmeasured=[unmeasured()]))
    [arrival] = await ledger.arrivals.to_measure(10)

    new = await ledger.arrivals.measured([Measurement(arrival, Measured("v3", 30))])

    assert new == 0
    assert len(await ledger.files()) == 1
    assert await _left(ledger) == 0


async def test_two_arrivals_of_one_object_may_turn_out_to_be_one_file(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake(unmeasured=[unmeasured(version=""), unmeasured(version="v1")]))
    arrivals = await ledger.arrivals.to_measure(10)

    new = await ledger.arrivals.measured([Measurement(arrival, Measured("v1", 30)) for arrival in arrivals])

    assert new == 1
    assert [file.version for file in await ledger.files()] == ["v1"]
    assert await _left(ledger) == 0


async def test_an_announced_version_that_was_overwritten_meanwhile_is_superseded(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake(unmeasured=[unmeasured(version="v1")]))
    [arrival] = await ledger.arrivals.to_measure(10)

    new = await ledger.arrivals.measured([Measurement(arrival, Measured("v2", 30))])

    assert new == 1
    assert [(file.version, file.outcome) for file in await ledger.files()] == [("v1", "superseded"), ("v2", None)]
    assert await _left(ledger) == 0


async def test_what_is_not_there_is_missing_and_has_a_dead_letter(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake(unmeasured=[unmeasured()]))
    [arrival] = await ledger.arrivals.to_measure(10)

    new = await ledger.arrivals.measured([Measurement(arrival, letter=letter("not there"))])

    assert new == 0
    assert [file.outcome for file in await ledger.files()] == ["missing"]
    assert [event.value for _, event in await ledger.router("one").outbox.outbox(10)] == ["not there"]
    assert await _left(ledger) == 0


async def test_a_missing_file_that_lands_later_is_a_new_round(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake(unmeasured=[unmeasured(version="v1")]))
    [arrival] = await ledger.arrivals.to_measure(10)
    await ledger.arrivals.measured([Measurement(arrival, letter=letter())])

    recorded = await ledger.arrivals.record(intake([announced(landed=after(5))]))

    assert recorded.files == 1
    assert [(file.round, file.outcome) for file in await ledger.files()] == [(2, None)]


async def test_when_the_storage_does_not_answer_the_pause_grows(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake(unmeasured=[unmeasured()]))
    given: list[tuple[int, int]] = []

    for pause in (2, 4, 8, 16):
        [arrival] = await ledger.arrivals.to_measure(10)
        await ledger.arrivals.measured([Measurement(arrival, trouble="away")])
        await ledger.pass_time(pause / 2)
        given.append((pause, len(await ledger.arrivals.to_measure(10))))
        await ledger.pass_time(pause / 2)

    assert given == [(2, 0), (4, 0), (8, 0), (16, 0)]
    assert await ledger.arrivals.to_measure(10) == [arrival]
    assert await ledger.files() == []


async def test_some_may_be_found_others_missing_others_in_trouble(ledger: Ledger) -> None:
    uris = [f"s3://landing/orders/{name}.csv" for name in "abc"]
    arrivals = sorted((unmeasured(uri) for uri in uris), key=lambda arrival: arrival.identity)
    await ledger.arrivals.record(intake(unmeasured=arrivals))
    by_uri = {arrival.uri: arrival for arrival in await ledger.arrivals.to_measure(10)}

    new = await ledger.arrivals.measured(
        [
            Measurement(by_uri[uris[0]], Measured("v1", 1)),
            Measurement(by_uri[uris[1]], letter=letter()),
            Measurement(by_uri[uris[2]], trouble="away"),
        ]
    )

    assert new == 1
    assert [(file.uri, file.outcome) for file in await ledger.files()] == [(uris[0], None), (uris[1], "missing")]
    assert await _left(ledger) == 1


async def _left(ledger: Ledger) -> int:
    await ledger.pass_time(3600)
    return len(await ledger.arrivals.to_measure(100))
