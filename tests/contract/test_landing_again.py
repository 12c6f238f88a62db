"""An object that lands again under an identity that is known already: every landing counts, not only the first."""

import pytest

from router.ports import Measured, Measurement
from tests.builders import A_CSV, after, announced, completed_file, intake, letter, settlement, unmeasured
from tests.contract.ledgers import Ledger
from tests.contract.scenes import is_claimed, is_cut

REMOVAL = announced(version="", landed=after(2))


async def test_a_late_removal_does_not_cancel_what_landed_after_it(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake([announced(landed=after(1))]))
    await ledger.arrivals.record(intake([announced(landed=after(3))]))

    recorded = await ledger.arrivals.record(intake(removed=[REMOVAL]))

    assert recorded.removed == 0
    assert [file.outcome for file in await ledger.files()] == [None]


async def test_a_removal_and_a_later_landing_may_come_in_one_poll(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake([announced(landed=after(1))]))

    await ledger.arrivals.record(intake([announced(landed=after(3))], removed=[REMOVAL]))

    assert [file.outcome for file in await ledger.files()] == [None]


async def test_a_late_removal_does_not_cancel_measuring_what_landed_after_it(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake(unmeasured=[unmeasured(landed=after(1))]))
    await ledger.arrivals.record(intake(unmeasured=[unmeasured(landed=after(3))]))

    await ledger.arrivals.record(intake(removed=[REMOVAL]))

    assert len(await ledger.arrivals.to_measure(10)) == 1


async def test_what_lands_while_it_is_measured_is_measured_again(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake(unmeasured=[unmeasured(landed=after(1))]))
    [arrival] = await ledger.arrivals.to_measure(10)
    overwritten = unmeasured(landed=after(3), offset=1)
    await ledger.arrivals.record(intake(unmeasured=[overwritten]))

    await ledger.arrivals.measured([Measurement(arrival, Measured("v1", 10))])
    await ledger.pass_time(61)

    assert await ledger.arrivals.to_measure(10) == [overwritten]


async def test_what_lands_while_it_is_found_missing_is_measured_again(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake(unmeasured=[unmeasured(landed=after(1))]))
    [arrival] = await ledger.arrivals.to_measure(10)
    await ledger.arrivals.record(intake(unmeasured=[unmeasured(landed=after(3), offset=1)]))

    await ledger.arrivals.measured([Measurement(arrival, letter=letter())])
    await ledger.pass_time(61)

    assert len(await ledger.arrivals.to_measure(10)) == 1


async def test_a_superseded_version_that_lands_again_is_a_new_round(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.attempts.settle(settlement([completed_file(outcome="superseded", rows=0)]))

    recorded = await ledger.arrivals.record(intake([announced(landed=after(3))]))

    assert recorded.files == 1
    assert [(file.round, file.outcome) for file in await ledger.files()] == [(2, None)]


@pytest.mark.parametrize("outcome", ["missing", "superseded"])
async def test_what_lands_again_while_its_load_misses_it_is_a_new_round(ledger: Ledger, outcome: str) -> None:
    await is_cut(ledger)
    await ledger.arrivals.record(intake([announced(landed=after(3))]))

    await ledger.attempts.settle(settlement([completed_file(outcome=outcome, rows=0)]))

    assert [(file.round, file.batch_id, file.outcome) for file in await ledger.files()] == [(2, None, None)]


async def test_what_was_removed_before_it_was_measured_has_an_outcome(ledger: Ledger) -> None:
    await ledger.arrivals.record(intake(unmeasured=[unmeasured(landed=after(1))]))

    await ledger.arrivals.record(intake(removed=[REMOVAL]))

    assert [(file.uri, file.outcome) for file in await ledger.files()] == [(A_CSV, "removed")]
