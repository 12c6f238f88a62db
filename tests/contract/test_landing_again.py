"""An object that lands again, or is not what was told: the storage is asked, and what is there is loaded."""

import pytest

from router.ports.discovery import Measurement
from router.rules.looking import not_there
from tests.builders import after, announced, completed_file, file_report, intake, report, settlement, there, unmeasured
from tests.contract.ledgers import Ledger
from tests.contract.scenes import RUN, has_ended, is_claimed, is_cut, looks, outgoing, takes, to_measure


async def test_a_later_landing_of_what_waits_is_remembered(ledger: Ledger) -> None:
    await ledger.intake.record(intake([announced(landed=after(1))]))
    await ledger.intake.record(intake([announced(landed=after(3))]))
    await ledger.intake.record(intake([announced(landed=after(2))]))

    assert [(file.landed, file.outcome) for file in await ledger.files()] == [(after(3), None)]
    assert await to_measure(ledger) == []


async def test_what_lands_while_it_is_measured_is_measured_again(ledger: Ledger) -> None:
    await ledger.intake.record(intake(unmeasured=[unmeasured()]))
    [look] = await ledger.discovery.due_looks(10)
    overwritten = unmeasured(offset=1)
    await ledger.intake.record(intake(unmeasured=[overwritten]))

    await ledger.discovery.save_answers([Measurement(look, there())])

    assert await to_measure(ledger) == [overwritten]


async def test_what_lands_while_it_is_found_missing_is_measured_again(ledger: Ledger) -> None:
    await ledger.intake.record(intake(unmeasured=[unmeasured()]))
    [look] = await ledger.discovery.due_looks(10)
    await ledger.intake.record(intake(unmeasured=[unmeasured(offset=1)]))

    await ledger.discovery.save_answers([Measurement(look, not_there(look))])

    assert await to_measure(ledger) == [unmeasured(offset=1)]


async def test_a_superseded_object_is_looked_at_at_once_and_what_is_there_is_loaded(ledger: Ledger) -> None:
    """Its event told another mark than the storage's, or an overwrite was never told."""
    await is_claimed(ledger)
    await ledger.settlement.settle_batch(settlement([completed_file(outcome="superseded", rows=0, reason="changed")]))

    looked = await looks(ledger, there("v2"))

    assert looked.new == 1
    assert [(file.version, file.outcome) for file in await ledger.files()] == [("v1", "superseded"), ("v2", None)]


async def test_what_a_load_missed_is_looked_at_again(ledger: Ledger) -> None:
    await has_ended(ledger, completed_file(outcome="missing", rows=0, reason="gone"))
    assert await ledger.discovery.due_looks(10) == []

    await ledger.pass_time(11)
    await looks(ledger, there())

    assert [(file.round, file.batch_id, file.outcome) for file in await ledger.files()] == [(2, None, None)]


async def test_what_a_load_missed_and_is_not_there_later_stays_missing_and_is_told_once(ledger: Ledger) -> None:
    await has_ended(ledger, completed_file(outcome="missing", rows=0, reason="gone"))

    for pause in (10, 60, 600):
        await ledger.pass_time(pause + 1)
        await looks(ledger, None)

    await ledger.pass_time(3600)
    assert await ledger.discovery.due_looks(10) == []
    assert [(file.outcome, file.reason) for file in await ledger.files()] == [("missing", "gone")]
    assert await outgoing(ledger) == ["{}"]


async def test_what_is_there_in_the_version_that_was_superseded_is_loaded_after_all(ledger: Ledger) -> None:
    """A replica that lagged told the load of another version."""
    await has_ended(ledger, completed_file(outcome="superseded", rows=0, reason="changed"))

    await looks(ledger, there("v1"))

    assert [(file.version, file.round, file.outcome) for file in await ledger.files()] == [("v1", 2, None)]


async def test_an_object_that_never_stands_still_is_looked_at_later_each_time(ledger: Ledger) -> None:
    await ledger.intake.record(intake([announced(version="v0")]))

    for turn, pause in enumerate((0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 600, 600)):
        await takes(ledger, f"b-{turn}")
        ended = completed_file(version=f"v{turn}", outcome="superseded", rows=0, reason="changed")
        await ledger.settlement.settle_batch(settlement([ended], f"b-{turn}"))
        await ledger.pass_time(pause * 0.9)
        too_early = [] if pause == 0 else await ledger.discovery.due_looks(10)
        await ledger.pass_time(pause * 0.1)
        await looks(ledger, there(f"v{turn + 1}"))

        assert too_early == []


@pytest.mark.parametrize("outcome", ["loaded", "quarantined", "failed"])
async def test_what_has_ended_for_good_is_not_looked_at_again(ledger: Ledger, outcome: str) -> None:
    await has_ended(ledger, completed_file(outcome=outcome, reason="because"))

    await ledger.intake.record(intake([announced(landed=after(3), offset=3)]))

    await ledger.pass_time(3600)
    assert await ledger.discovery.due_looks(10) == []


@pytest.mark.parametrize("told", [0, 3])
async def test_what_lands_again_while_its_load_misses_it_is_found(ledger: Ledger, told: int) -> None:
    await is_cut(ledger)
    await ledger.intake.record(intake([announced(landed=after(told), offset=3)]))
    await ledger.settlement.settle_batch(settlement([completed_file(outcome="missing", rows=0, reason="gone")]))

    await ledger.pass_time(11)
    await looks(ledger, there())

    assert [(file.round, file.batch_id, file.outcome) for file in await ledger.files()] == [(2, None, None)]


async def test_what_follows_from_a_load_is_not_waited_for(ledger: Ledger) -> None:
    """It was told as not loaded: `complete_through` does not wait for it."""
    await has_ended(ledger, completed_file(outcome="missing", rows=0, reason="gone"))
    await is_claimed_of(ledger, "s3://landing/orders/b.csv")

    ended = await ledger.settlement.batch_to_settle("b-2", 1)

    assert ended is not None
    assert ended.context.oldest_open is None


async def test_what_is_looked_for_is_waited_for(ledger: Ledger) -> None:
    await ledger.intake.record(intake(unmeasured=[unmeasured()]))
    await looks(ledger, None)
    await is_claimed_of(ledger, "s3://landing/orders/b.csv")

    ended = await ledger.settlement.batch_to_settle("b-2", 1)

    assert ended is not None
    assert ended.context.oldest_open == after(0)


async def is_claimed_of(ledger: Ledger, uri: str) -> None:
    """A batch of one file has been loaded, and is not settled yet."""
    await is_cut(ledger, [uri], "b-2")
    assert await ledger.claim("b-2", 1, RUN)
    files = [file_report(uri)]
    assert await ledger.stage("b-2", 1, report(files))
    await ledger.publish("b-2", 1, report(files))
