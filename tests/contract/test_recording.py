"""Recording what intake took, removals included: what is known already is left alone."""

from collections.abc import Sequence

from router.ports import Announced
from router.rules.identity import Identity
from tests.builders import A_CSV, after, announced, intake, letter, new_batch, unmeasured, waiting_file
from tests.contract.ledgers import Ledger, SeenFile


async def test_a_file_is_recorded_once_however_often_it_is_announced(ledger: Ledger) -> None:
    first = await ledger.arrivals.record(intake([announced()]))
    later = [await ledger.arrivals.record(intake([announced(offset=offset)])) for offset in range(1, 50)]

    assert first.files == 1
    assert sum(recorded.files for recorded in later) == 0
    assert len(await ledger.files()) == 1


async def test_one_poll_may_announce_many_files(ledger: Ledger) -> None:
    files = [announced(f"s3://landing/orders/{number}.csv") for number in range(500)]

    recorded = await ledger.arrivals.record(intake(sorted(files, key=_identity)))

    assert recorded.files == 500
    assert {file.uri for file in await ledger.files()} == {file.uri for file in files}


async def test_of_a_poll_that_repeats_some_files_the_others_are_recorded(ledger: Ledger) -> None:
    known, new = announced("s3://landing/orders/a.csv"), announced("s3://landing/orders/b.csv")
    await ledger.arrivals.record(intake([known], letters=[letter("1")]))

    recorded = await ledger.arrivals.record(intake(sorted([known, new], key=_identity), letters=[letter("2")]))
    later = await ledger.arrivals.record(intake([announced("s3://landing/orders/c.csv")], letters=[letter("3")]))

    assert (recorded.files, later.files) == (1, 1)
    assert len(await ledger.files()) == 3
    assert [event.value for _, event in await ledger.router("one").outbox.outbox(10)] == ["1", "2", "3"]


async def test_what_is_told_of_a_file_is_kept(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake([announced(version="v7", size=70, landed=after(3))]))

    assert await ledger.files() == [
        SeenFile("orders-v1", A_CSV, "v7", 70, after(3), 1, None, None, None, None),
    ]


async def test_each_source_has_the_file_for_itself(ledger: Ledger) -> None:
    both = [announced(source_id="audit-v1"), announced(source_id="orders-v1")]

    recorded = await ledger.arrivals.record(intake(both))

    assert recorded.files == 2
    assert [file.source_id for file in await ledger.files()] == ["audit-v1", "orders-v1"]


async def test_another_version_of_an_object_is_another_file(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake([announced(version="v1")]))

    recorded = await ledger.arrivals.record(intake([announced(version="v2")]))

    assert recorded.files == 1
    assert [file.version for file in await ledger.files()] == ["v1", "v2"]


async def test_what_has_no_size_or_version_waits_to_be_measured(ledger: Ledger) -> None:
    first = await ledger.arrivals.record(intake(unmeasured=[unmeasured()]))
    again = await ledger.arrivals.record(intake(unmeasured=[unmeasured(offset=1)]))

    assert (first.files, first.unmeasured) == (0, 1)
    assert again.unmeasured == 0
    assert await ledger.files() == []


async def test_dead_letters_are_in_the_outbox_with_what_was_recorded(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake([announced()], letters=[letter("1"), letter("2")]))

    rows = await ledger.router("one").outbox.outbox(10)

    assert [event.value for _, event in rows] == ["1", "2"]


async def test_nothing_is_recorded_of_nothing(ledger: Ledger) -> None:
    recorded = await ledger.arrivals.record(intake())

    assert (recorded.files, recorded.unmeasured, recorded.removed) == (0, 0, 0)


async def test_a_removal_cancels_what_waits(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake([announced()]))

    recorded = await ledger.arrivals.record(intake(removed=[announced(version="", landed=after(1))]))

    assert recorded.removed == 1
    assert _outcomes(await ledger.files()) == ["removed"]


async def test_a_removal_cancels_every_older_version_in_every_source_it_names(ledger: Ledger) -> None:
    older = [announced(version="v1"), announced(version="v2", landed=after(1))]
    await ledger.arrivals.record(intake(older))
    await ledger.arrivals.record(intake([announced(version="v3", landed=after(5))]))

    recorded = await ledger.arrivals.record(intake(removed=[announced(version="", landed=after(2))]))

    assert recorded.removed == 2
    assert _outcomes(await ledger.files()) == ["removed", "removed", None]


async def test_a_removal_of_another_source_or_object_changes_nothing(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake([announced()]))
    other_source = announced(version="", source_id="audit-v1", landed=after(1))
    other_object = announced("s3://landing/orders/b.csv", "", landed=after(1))

    recorded = await ledger.arrivals.record(intake(removed=[other_source, other_object]))

    assert recorded.removed == 0
    assert _outcomes(await ledger.files()) == [None]


async def test_a_removal_older_than_the_landing_changes_nothing(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake([announced(landed=after(10))]))

    recorded = await ledger.arrivals.record(intake(removed=[announced(version="", landed=after(9))]))

    assert recorded.removed == 0
    assert _outcomes(await ledger.files()) == [None]


async def test_a_removal_comes_too_late_for_a_file_in_a_batch(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake([announced()]))
    await _cut(ledger)

    recorded = await ledger.arrivals.record(intake(removed=[announced(version="", landed=after(1))]))

    assert recorded.removed == 0
    assert _outcomes(await ledger.files()) == [None]


async def test_a_removal_in_the_same_poll_cancels_too(ledger: Ledger) -> None:
    recorded = await ledger.arrivals.record(
        intake([announced()], unmeasured=[unmeasured()], removed=[announced(version="", landed=after(1))])
    )

    assert recorded.removed == 2
    assert _outcomes(await ledger.files()) == ["removed", "removed"]
    assert await ledger.arrivals.to_measure(10) == []


async def test_what_was_removed_before_it_was_measured_is_not_measured(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake(unmeasured=[unmeasured(), unmeasured(version="v1")]))

    await ledger.arrivals.record(intake(removed=[announced(version="", landed=after(1))]))

    assert await ledger.arrivals.to_measure(10) == []


async def test_a_file_that_landed_again_after_its_removal_is_a_new_round(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake([announced()]))
    await ledger.arrivals.record(intake(removed=[announced(version="", landed=after(1))]))

    recorded = await ledger.arrivals.record(intake([announced(landed=after(2), size=20)]))

    assert recorded.files == 1
    assert await ledger.files() == [SeenFile("orders-v1", A_CSV, "v1", 20, after(2), 2, None, None, None, None)]


async def test_a_repeated_announcement_does_not_undo_a_removal(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake([announced()]))
    await ledger.arrivals.record(intake(removed=[announced(version="", landed=after(1))]))

    recorded = await ledger.arrivals.record(intake([announced(offset=2)]))

    assert recorded.files == 0
    assert _outcomes(await ledger.files()) == ["removed"]


async def _cut(ledger: Ledger) -> None:
    batches = ledger.router("one").batches
    epoch = await batches.hold("scheduling")
    assert epoch is not None
    assert await batches.cut(new_batch([waiting_file()]), epoch) is not None


def _identity(file: Announced) -> Identity:
    return file.identity


def _outcomes(files: Sequence[SeenFile]) -> list[str | None]:
    return [file.outcome for file in files]
