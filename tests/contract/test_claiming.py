"""A run's side: one run has an attempt, and nothing of an attempt that is over is published."""

import asyncio
from datetime import timedelta

import pytest

from router.rules.recovery import Again, Close
from tests.builders import AT_ONCE, closed, report, settlement
from tests.contract.ledgers import Ledger, RealLedger
from tests.contract.scenes import OTHER_RUN, RUN, is_claimed, is_cut, is_submitted, next_attempt


async def test_an_attempt_is_claimed_by_one_run(ledger: Ledger) -> None:
    await is_submitted(ledger)

    claims = [await ledger.claim("b-1", 1, RUN), await ledger.claim("b-1", 1, OTHER_RUN)]

    assert claims == [True, False]


async def test_another_process_of_a_run_that_is_heard_of_is_not_wanted(ledger: Ledger) -> None:
    await is_claimed(ledger)

    assert not await ledger.claim("b-1", 1, RUN)

    [attempt] = await ledger.settlement.open_attempts()
    assert attempt.cause is None


async def test_another_process_of_a_silent_run_leaves_the_batch_to_the_next_attempt(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.pass_time(61)

    assert not await ledger.claim("b-1", 1, RUN)

    [attempt] = await ledger.settlement.open_attempts()
    assert attempt.cause == "infrastructure"
    assert attempt.reason is not None
    assert "a second time" in attempt.reason


async def test_another_process_of_a_run_that_has_reported_says_nothing(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.publish("b-1", 1, report())

    assert not await ledger.claim("b-1", 1, RUN)

    [attempt] = await ledger.settlement.open_attempts()
    assert (attempt.result, attempt.cause) == ("published", None)


async def test_another_run_says_nothing(ledger: Ledger) -> None:
    await is_claimed(ledger)

    assert not await ledger.claim("b-1", 1, OTHER_RUN)

    [attempt] = await ledger.settlement.open_attempts()
    assert attempt.cause is None


async def test_a_run_that_lives_says_so(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.pass_time(100)

    [silent] = await ledger.settlement.open_attempts()
    assert await ledger.touch("b-1", 1)
    [heard] = await ledger.settlement.open_attempts()

    assert silent.silent is not None
    assert silent.silent >= timedelta(seconds=100)
    assert heard.silent is not None
    assert heard.silent < timedelta(seconds=60)
    assert heard.claimed_for is not None
    assert heard.claimed_for >= timedelta(seconds=100)


async def test_a_run_that_says_that_it_lives_at_the_last_moment_goes_on(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.pass_time(200)
    [found] = await ledger.settlement.open_attempts()
    silent = Again("silent", "nothing was heard of it", AT_ONCE, silent=found.silent)
    await ledger.touch("b-1", 1)

    too_late = await ledger.settlement.fail_attempt("b-1", 1, silent)
    await ledger.pass_time(300)

    assert not too_late
    assert await ledger.settlement.fail_attempt("b-1", 1, silent)


async def test_a_run_whose_attempt_is_over_is_not_wanted_any_more(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.settlement.fail_attempt("b-1", 1, Again("silent", "nothing was heard of it", AT_ONCE))

    assert not await ledger.touch("b-1", 1)
    await next_attempt(ledger)
    assert not await ledger.touch("b-1", 1)


@pytest.mark.integration
async def test_the_next_attempt_knows_the_sessions_of_those_before(real_ledger: RealLedger) -> None:
    await is_claimed(real_ledger)
    first = real_ledger.claimed("b-1", 1)
    await real_ledger.settlement.fail_attempt("b-1", 1, Again("silent", "nothing was heard of it", AT_ONCE))
    await next_attempt(real_ledger)
    assert await real_ledger.claim("b-1", 2, RUN)

    second = real_ledger.claimed("b-1", 2)

    assert second.rivals == (first.session_id,)
    assert second.session_id != first.session_id


async def test_a_run_may_claim_before_the_ledger_knows_it(ledger: Ledger) -> None:
    await is_cut(ledger)

    assert await ledger.claim("b-1", 1, RUN)


async def test_nobody_claims_what_does_not_exist_or_has_ended(ledger: Ledger) -> None:
    await is_submitted(ledger)
    await ledger.settlement.settle_batch(settlement())

    assert not await ledger.claim("b-1", 1, RUN)
    assert not await ledger.claim("b-1", 2, RUN)
    assert not await ledger.claim("b-9", 1, RUN)


async def test_an_attempt_that_has_failed_passes_no_fence(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.settlement.fail_attempt("b-1", 1, Again("crash", "the heartbeats stopped", AT_ONCE))

    assert not await ledger.stage("b-1", 1, report())


async def test_a_zombie_passes_no_fence_while_its_batch_is_closed(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.settlement.fail_attempt("b-1", 1, Close("crash", "three times"))
    await next_attempt(ledger)

    assert not await ledger.stage("b-1", 1, report())


async def test_a_run_may_stage_again(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.stage("b-1", 1, report([]))

    assert await ledger.stage("b-1", 1, report())
    await ledger.publish("b-1", 1, report())
    ended = await ledger.settlement.batch_to_settle("b-1", 1)
    assert ended is not None
    assert ended.report == report()


async def test_what_was_reported_stays_as_it_was(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.publish("b-1", 1, report())

    await ledger.close("b-1", 1, closed())

    ended = await ledger.settlement.batch_to_settle("b-1", 1)
    assert ended is not None
    assert ended.report == report()


async def test_the_word_of_a_run_whose_attempt_has_ended_is_not_heard(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.settlement.fail_attempt("b-1", 1, Again("crash", "the heartbeats stopped", AT_ONCE))
    await ledger.give_up("b-1", 1, "out-of-memory", "the heap is full")

    await next_attempt(ledger)

    [attempt] = await ledger.settlement.open_attempts()
    assert dict(attempt.failures) == {"crash": 1}


@pytest.mark.integration
async def test_of_many_runs_at_once_one_claims(real_ledger: RealLedger) -> None:
    await is_submitted(real_ledger)
    runs = [f"00000000-0000-0000-0000-{number:012}" for number in range(8)]

    claims = await asyncio.gather(*(real_ledger.claim("b-1", 1, run) for run in runs))

    assert claims.count(True) == 1
