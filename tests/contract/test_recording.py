"""Recording what intake took, removals included: what is known already is left alone."""

from collections.abc import Sequence

import pytest

from router.ports.intake import Announced
from router.rules.identity import Identity
from tests.builders import A_CSV, after, announced, intake, letter, there, unmeasured
from tests.contract.ledgers import Ledger, SeenFile
from tests.contract.scenes import has_ended, is_cut, is_removed, lands, looks


async def test_a_file_is_recorded_once_however_often_it_is_announced(ledger: Ledger) -> None:
    first = await ledger.intake.record(intake([announced()]))
    later = [await ledger.intake.record(intake([announced(offset=offset)])) for offset in range(1, 50)]

    assert first.files == 1
    assert sum(recorded.files for recorded in later) == 0
    assert len(await ledger.files()) == 1


async def test_one_poll_may_announce_many_files(ledger: Ledger) -> None:
    files = [announced(f"s3://landing/orders/{number}.csv") for number in range(500)]

    recorded = await ledger.intake.record(intake(sorted(files, key=_identity)))

    assert recorded.files == 500
    assert {file.uri for file in await ledger.files()} == {file.uri for file in files}


async def test_of_a_poll_that_repeats_some_files_the_others_are_recorded(ledger: Ledger) -> None:
    known, new = announced("s3://landing/orders/a.csv"), announced("s3://landing/orders/b.csv")
    await ledger.intake.record(intake([known], letters=[letter("1")]))

    recorded = await ledger.intake.record(intake(sorted([known, new], key=_identity), letters=[letter("2")]))
    later = await ledger.intake.record(intake([announced("s3://landing/orders/c.csv")], letters=[letter("3")]))

    assert (recorded.files, later.files) == (1, 1)
    assert len(await ledger.files()) == 3
    assert [event.value for _, event in await ledger.router("one").publication.events_to_publish(10)] == ["1", "2", "3"]


async def test_what_is_told_of_a_file_is_kept(ledger: Ledger) -> None:
    await ledger.intake.record(intake([announced(version="v7", size=70, landed=after(3))]))

    assert await ledger.files() == [
        SeenFile("orders-v1", A_CSV, "v7", 70, after(3), 1, None, None, None, None),
    ]


async def test_each_source_has_the_file_for_itself(ledger: Ledger) -> None:
    both = [announced(source_id="audit-v1"), announced(source_id="orders-v1")]

    recorded = await ledger.intake.record(intake(both))

    assert recorded.files == 2
    assert [file.source_id for file in await ledger.files()] == ["audit-v1", "orders-v1"]


async def test_another_version_of_an_object_is_another_file(ledger: Ledger) -> None:
    await ledger.intake.record(intake([announced(version="v1")]))

    recorded = await ledger.intake.record(intake([announced(version="v2")]))

    assert recorded.files == 1
    assert [file.version for file in await ledger.files()] == ["v1", "v2"]


async def test_what_has_no_size_or_version_waits_to_be_measured(ledger: Ledger) -> None:
    first = await ledger.intake.record(intake(unmeasured=[unmeasured()]))
    again = await ledger.intake.record(intake(unmeasured=[unmeasured(offset=1)]))

    assert (first.files, first.unmeasured) == (0, 1)
    assert again.unmeasured == 0
    assert await ledger.files() == []


async def test_dead_letters_are_in_the_outbox_with_what_was_recorded(ledger: Ledger) -> None:
    await ledger.intake.record(intake([announced()], letters=[letter("1"), letter("2")]))

    rows = await ledger.router("one").publication.events_to_publish(10)

    assert [event.value for _, event in rows] == ["1", "2"]


async def test_nothing_is_recorded_of_nothing(ledger: Ledger) -> None:
    recorded = await ledger.intake.record(intake())

    assert (recorded.files, recorded.unmeasured, recorded.doubted) == (0, 0, 0)


@pytest.mark.parametrize("told", [-3600, 0, 3600])
async def test_a_removal_ends_what_waits_once_the_storage_confirms_whenever_it_says_it_was(
    ledger: Ledger, told: int
) -> None:
    await ledger.intake.record(intake([announced()]))

    recorded = await ledger.intake.record(intake(removed=[announced(version="", landed=after(told))]))
    before = await ledger.files()
    looked = await looks(ledger, None)

    [file] = await ledger.files()
    assert (recorded.doubted, looked.removed) == (1, 1)
    assert _outcomes(before) == [None]
    assert (file.outcome, file.reason) == (
        "removed",
        "its removal was told before its load began, and it is not there",
    )


@pytest.mark.parametrize("told", [-3600, 0, 3600])
async def test_a_removal_ends_nothing_of_an_object_that_is_there(ledger: Ledger, told: int) -> None:
    await ledger.intake.record(intake([announced()]))

    await ledger.intake.record(intake(removed=[announced(version="", landed=after(told))]))
    looked = await looks(ledger, there())

    assert (looked.new, looked.removed) == (0, 0)
    assert _outcomes(await ledger.files()) == [None]
    await ledger.pass_time(3600)
    assert await ledger.discovery.due_looks(10) == []


async def test_a_removal_ends_every_version_that_waits(ledger: Ledger) -> None:
    await ledger.intake.record(intake([announced(version="v1"), announced(version="v2", landed=after(5))]))

    recorded = await ledger.intake.record(intake(removed=[announced(version="", landed=after(2))]))
    looked = await looks(ledger, None)

    assert (recorded.doubted, looked.removed) == (1, 2)
    assert _outcomes(await ledger.files()) == ["removed", "removed"]


async def test_a_removal_of_an_object_that_was_overwritten_finds_the_version_that_nobody_told_of(
    ledger: Ledger,
) -> None:
    await ledger.intake.record(intake([announced(version="v1")]))

    await ledger.intake.record(intake(removed=[announced(version="", landed=after(2))]))
    await looks(ledger, there("v2"))

    assert [(file.version, file.outcome) for file in await ledger.files()] == [("v1", None), ("v2", None)]


async def test_a_removed_object_is_looked_at_again_for_the_storage_may_have_been_wrong(ledger: Ledger) -> None:
    await ledger.intake.record(intake([announced()]))
    await is_removed(ledger)

    await ledger.pass_time(11)
    looked = await looks(ledger, there())

    assert looked.new == 1
    assert [(file.round, file.outcome) for file in await ledger.files()] == [(2, None)]


async def test_what_stays_removed_is_looked_at_so_often_and_told_once(ledger: Ledger) -> None:
    await ledger.intake.record(intake(unmeasured=[unmeasured()]))
    await is_removed(ledger)

    for pause in (10, 60, 600):
        await ledger.pass_time(pause + 1)
        await looks(ledger, None)

    await ledger.pass_time(3600)
    assert await ledger.discovery.due_looks(10) == []
    assert _outcomes(await ledger.files()) == ["removed"]
    assert await ledger.router("one").publication.events_to_publish(10) == []


async def test_a_removal_of_what_is_loaded_in_flight_elsewhere_or_unknown_costs_no_look(ledger: Ledger) -> None:
    await has_ended(ledger)
    await is_cut(ledger, ["s3://landing/orders/b.csv"], "b-2")
    await lands(ledger, "s3://landing/orders/c.csv", source_id="audit-v1")
    removals = [announced(f"s3://landing/orders/{name}.csv", "", landed=after(1)) for name in "abcd"]

    recorded = await ledger.intake.record(intake(removed=sorted(removals, key=_identity)))

    assert recorded.doubted == 0
    assert await ledger.discovery.due_looks(10) == []


async def test_a_removal_in_the_same_poll_counts_too(ledger: Ledger) -> None:
    recorded = await ledger.intake.record(
        intake([announced()], unmeasured=[unmeasured()], removed=[announced(version="", landed=after(1))])
    )
    looked = await looks(ledger, None)

    assert (recorded.doubted, looked.removed) == (1, 1)
    assert _outcomes(await ledger.files()) == ["removed", "removed"]


async def test_what_is_removed_before_it_is_measured_is_told_as_removed(ledger: Ledger) -> None:
    await ledger.intake.record(intake(unmeasured=[unmeasured(), unmeasured(version="v1")]))

    await ledger.intake.record(intake(removed=[announced(version="", landed=after(1))]))
    await looks(ledger, None, None)

    assert _outcomes(await ledger.files()) == ["removed", "removed"]
    assert await ledger.router("one").publication.events_to_publish(10) == []


async def test_a_removal_does_not_wait_for_the_next_look(ledger: Ledger) -> None:
    await ledger.intake.record(intake(unmeasured=[unmeasured()]))
    await looks(ledger, None)

    await ledger.intake.record(intake(removed=[announced(version="", landed=after(1), offset=1)]))
    await looks(ledger, None)

    assert _outcomes(await ledger.files()) == ["removed"]


@pytest.mark.parametrize("told", [-3600, 1, 3600])
async def test_what_lands_again_after_its_removal_is_a_new_round_once_it_is_there(ledger: Ledger, told: int) -> None:
    await ledger.intake.record(intake([announced()]))
    await is_removed(ledger)

    recorded = await ledger.intake.record(intake([announced(landed=after(told), size=20, offset=2)]))
    await looks(ledger, there(size=20))

    [file] = await ledger.files()
    assert recorded.files == 0
    assert (file.size, file.round, file.outcome) == (20, 2, None)


async def test_a_repeated_announcement_does_not_undo_a_removal(ledger: Ledger) -> None:
    await ledger.intake.record(intake([announced()]))
    await is_removed(ledger)

    await ledger.intake.record(intake([announced(offset=2)]))
    await looks(ledger, None)

    assert _outcomes(await ledger.files()) == ["removed"]
    assert await ledger.router("one").publication.events_to_publish(10) == []


async def test_the_same_record_read_again_is_not_looked_at_again(ledger: Ledger) -> None:
    await ledger.intake.record(intake(unmeasured=[unmeasured()]))
    await looks(ledger, None)

    await ledger.intake.record(intake(unmeasured=[unmeasured()]))

    assert await ledger.discovery.due_looks(10) == []


def _identity(file: Announced) -> Identity:
    return file.identity


def _outcomes(files: Sequence[SeenFile]) -> list[str | None]:
    return [file.outcome for file in files]
