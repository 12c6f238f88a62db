"""A run's side: one run has an attempt, and nothing of an attempt that is over is published."""

import asyncio

import pytest

from router.rules.recovery import Again, Close
from tests.builders import AT_ONCE, closed, report, settlement
from tests.contract.ledgers import Ledger, RealLedger
from tests.contract.scenes import OTHER_RUN, RUN, is_claimed, is_cut, is_submitted, next_attempt


async def test_an_attempt_is_claimed_by_one_run(ledger: Ledger) -> None:
    await is_submitted(ledger)

    claims = [await ledger.claim("b-1", 1, RUN), await ledger.claim("b-1", 1, OTHER_RUN)]

    assert claims == [True, False]


async def test_the_same_run_may_claim_again(ledger: Ledger) -> None:
    await is_claimed(ledger)

    assert await ledger.claim("b-1", 1, RUN)


async def test_a_run_may_claim_before_the_ledger_knows_it(ledger: Ledger) -> None:
    await is_cut(ledger)

    assert await ledger.claim("b-1", 1, RUN)


async def test_nobody_claims_what_does_not_exist_or_has_ended(ledger: Ledger) -> None:
    await is_submitted(ledger)
    await ledger.attempts.settle(settlement())

    assert not await ledger.claim("b-1", 1, RUN)
    assert not await ledger.claim("b-1", 2, RUN)
    assert not await ledger.claim("b-9", 1, RUN)


async def test_an_attempt_that_has_failed_passes_no_fence(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.attempts.failed("b-1", 1, Again("crash", "the heartbeats stopped", AT_ONCE))

    assert not await ledger.stage("b-1", 1, report())


async def test_a_zombie_passes_no_fence_while_its_batch_is_closed(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.attempts.failed("b-1", 1, Close("crash", "three times"))
    await next_attempt(ledger)

    assert not await ledger.stage("b-1", 1, report())


async def test_a_run_may_stage_again(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.stage("b-1", 1, report([]))

    assert await ledger.stage("b-1", 1, report())
    await ledger.publish("b-1", 1, report())
    ended = await ledger.attempts.ended("b-1", 1)
    assert ended is not None
    assert ended.report == report()


async def test_what_was_reported_stays_as_it_was(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.publish("b-1", 1, report())

    await ledger.close("b-1", 1, closed())

    ended = await ledger.attempts.ended("b-1", 1)
    assert ended is not None
    assert ended.report == report()


async def test_the_word_of_a_run_whose_attempt_has_ended_is_not_heard(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.attempts.failed("b-1", 1, Again("crash", "the heartbeats stopped", AT_ONCE))
    await ledger.give_up("b-1", 1, "out-of-memory", "the heap is full")

    await next_attempt(ledger)

    [attempt] = await ledger.attempts.open_attempts()
    assert dict(attempt.failures) == {"crash": 1}


@pytest.mark.integration
async def test_of_many_runs_at_once_one_claims(real_ledger: RealLedger) -> None:
    await is_submitted(real_ledger)
    runs = [f"00000000-0000-0000-0000-{number:012}" for number in range(8)]

    claims = await asyncio.gather(*(real_ledger.claim("b-1", 1, run) for run in runs))

    assert claims.count(True) == 1
