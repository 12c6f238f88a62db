"""A breaker counts what fails together once, lets one try at a time, and is gone with the first success."""

from datetime import timedelta

from router.rules.breaker import OPENS_AT, pause
from router.rules.recovery import Again
from tests.builders import ORDERS
from tests.contract.ledgers import Ledger
from tests.contract.scenes import is_claimed, next_attempt, schedules

LAKE, BUCKET = "catalog lake", "storage s3://landing"


async def opens(ledger: Ledger, target: str = LAKE) -> None:
    for _ in range(OPENS_AT):
        assert await ledger.settlement.count_failure(target, "it does not answer") is not None


async def test_an_attempt_tells_what_its_run_found_away(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.give_up("b-1", 1, "infrastructure", "it does not answer", "catalog")

    [attempt] = await ledger.settlement.open_attempts()

    assert attempt.target == "catalog"


async def test_failures_below_the_third_open_nothing(ledger: Ledger) -> None:
    first = await ledger.settlement.count_failure(LAKE, "once")
    second = await ledger.settlement.count_failure(LAKE, "twice")

    batches, _ = await schedules(ledger)
    [known] = await batches.breakers()

    assert first is not None
    assert second is not None
    assert (known.target, known.failures, known.reason) == (LAKE, 2, "twice")
    assert not known.is_open
    assert not known.is_half_open


async def test_what_fails_while_it_is_open_counts_no_more(ledger: Ledger) -> None:
    await opens(ledger)

    assert await ledger.settlement.count_failure(LAKE, "one more") is None

    batches, _ = await schedules(ledger)
    [known] = await batches.breakers()
    assert known.is_open
    assert (known.failures, known.reason) == (OPENS_AT, "it does not answer")
    assert timedelta(0) < known.pause <= pause(OPENS_AT)


async def test_after_its_pause_one_may_try(ledger: Ledger) -> None:
    await opens(ledger)
    await ledger.pass_time(pause(OPENS_AT).total_seconds())
    batches, _ = await schedules(ledger)
    [before] = await batches.breakers()

    await batches.hold_back([LAKE])
    [while_it_tries] = await batches.breakers()
    await ledger.pass_time(pause(OPENS_AT).total_seconds())
    [later] = await batches.breakers()

    assert before.is_half_open
    assert while_it_tries.is_open
    assert later.is_open


async def test_an_answer_closes_it_and_leaves_the_others(ledger: Ledger) -> None:
    await opens(ledger)
    await opens(ledger, BUCKET)

    there = await ledger.settlement.close_breakers({LAKE, "Spark Connect"})
    again = await ledger.settlement.close_breakers({LAKE})

    batches, _ = await schedules(ledger)
    assert [(breaker.target, breaker.failures) for breaker in there] == [(LAKE, OPENS_AT)]
    assert again == []
    assert [breaker.target for breaker in await batches.breakers()] == [BUCKET]


async def test_batches_of_a_source_that_is_held_up_are_not_due(ledger: Ledger) -> None:
    await is_claimed(ledger)
    assert await ledger.settlement.fail_attempt("b-1", 1, Again("infrastructure", "away", timedelta(0)))
    batches, _ = await schedules(ledger)

    held_up = await batches.due_batches("default", 10, [ORDERS])
    await next_attempt(ledger)

    assert held_up == []
