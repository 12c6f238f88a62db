"""How attempts and batches end: once, and what was reported meanwhile counts first."""

from datetime import timedelta

import pytest

from router.rules.recovery import Again, Close, Void
from schemas.completions import CompletedFile
from schemas.report import Cause, Closed
from tests.builders import (
    A_CSV,
    AT_ONCE,
    NOON,
    after,
    announced,
    closed,
    completed_file,
    file_report,
    intake,
    report,
    settlement,
    there,
)
from tests.contract.ledgers import Ledger, SeenBatch, end_of_close
from tests.contract.scenes import OTHER_RUN, RUN, is_claimed, is_cut, is_submitted, looks, next_attempt, schedules

B_CSV = "s3://landing/orders/b.csv"
AGAIN = Again("crash", "it broke", AT_ONCE)


async def test_an_open_attempt_tells_how_far_it_has_come(ledger: Ledger) -> None:
    await is_cut(ledger)

    [attempt] = await ledger.settlement.open_attempts()

    assert (attempt.batch, attempt.n, attempt.kind) == ("b-1", 1, "load")
    assert (attempt.run_id, attempt.claimed_for, attempt.silent, attempt.result) == (None, None, None, None)
    assert (attempt.cause, attempt.reason, dict(attempt.failures)) == (None, None, {})
    assert attempt.age < timedelta(seconds=60)


async def test_the_ledger_measures_how_old_an_attempt_is_and_how_long_it_is_claimed(ledger: Ledger) -> None:
    await is_submitted(ledger)
    await ledger.pass_time(50)
    assert await ledger.claim("b-1", 1, RUN)
    await ledger.pass_time(30)

    [attempt] = await ledger.settlement.open_attempts()

    assert timedelta(seconds=80) <= attempt.age < timedelta(seconds=140)
    assert attempt.claimed_for is not None
    assert timedelta(seconds=30) <= attempt.claimed_for < timedelta(seconds=50)


async def test_a_claimed_attempt_tells_its_run_and_what_it_staged(ledger: Ledger) -> None:
    await is_claimed(ledger)
    assert await ledger.stage("b-1", 1, report())

    [attempt] = await ledger.settlement.open_attempts()

    assert attempt.claimed_for is not None
    assert (attempt.run_id, attempt.result) == (RUN, "staged")


async def test_a_failing_run_leaves_its_own_word(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.give_up("b-1", 1, "out-of-memory", "the heap is full")

    [attempt] = await ledger.settlement.open_attempts()

    assert (attempt.cause, attempt.reason) == ("out-of-memory", "the heap is full")


async def test_one_may_ask_for_the_attempts_of_some_runs(ledger: Ledger) -> None:
    await is_submitted(ledger)

    assert await ledger.settlement.open_attempts([OTHER_RUN]) == []
    assert [attempt.batch for attempt in await ledger.settlement.open_attempts([OTHER_RUN, RUN])] == ["b-1"]


async def test_the_run_that_claimed_counts_not_the_one_that_was_submitted(ledger: Ledger) -> None:
    await is_submitted(ledger)
    assert await ledger.claim("b-1", 1, OTHER_RUN)

    [attempt] = await ledger.settlement.open_attempts()
    hinted = await ledger.settlement.open_attempts([OTHER_RUN])

    assert attempt.claimed_for is not None
    assert [one.run_id for one in (attempt, *hinted)] == [OTHER_RUN, OTHER_RUN]


async def test_earlier_failures_are_counted_by_cause(ledger: Ledger) -> None:
    await is_claimed(ledger)
    causes: list[Cause] = ["crash", "infrastructure", "infrastructure"]
    for n, cause in enumerate(causes, 1):
        await ledger.settlement.fail_attempt("b-1", n, Again(cause, "why", AT_ONCE))
        await next_attempt(ledger)

    [attempt] = await ledger.settlement.open_attempts()

    assert attempt.n == 4
    assert dict(attempt.failures) == {"crash": 1, "infrastructure": 2}


async def test_failures_to_load_do_not_count_against_closing(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.settlement.fail_attempt("b-1", 1, Close("crash", "three times"))
    await next_attempt(ledger)
    await ledger.settlement.fail_attempt("b-1", 2, Again("infrastructure", "away", AT_ONCE))
    await next_attempt(ledger)

    [attempt] = await ledger.settlement.open_attempts()

    assert attempt.kind == "close"
    assert dict(attempt.failures) == {"infrastructure": 1}


async def test_a_batch_has_not_ended_before_its_run_has_published(ledger: Ledger) -> None:
    await is_claimed(ledger)
    before = await ledger.settlement.batch_to_settle("b-1", 1)
    assert await ledger.stage("b-1", 1, report())

    assert before is None
    assert await ledger.settlement.batch_to_settle("b-1", 1) is None


async def test_an_ended_batch_tells_all_that_settling_needs(ledger: Ledger) -> None:
    await is_claimed(ledger)
    assert await ledger.stage("b-1", 1, report())
    await ledger.publish("b-1", 1, report())

    ended = await ledger.settlement.batch_to_settle("b-1", 1)

    assert ended is not None
    assert (ended.id, ended.n, ended.lane, ended.run_id) == ("b-1", 1, "default", RUN)
    assert ended.report == report()
    assert ended.manifest.table == "lake.sales.orders"
    assert [(file.uri, file.version, file.size) for file in ended.files] == [(A_CSV, "v1", 10)]
    assert ended.landed == NOON
    assert ended.submitted is not None
    assert ended.claimed is not None
    assert ended.cut <= ended.submitted <= ended.claimed <= ended.reported


async def test_a_closed_batch_tells_why(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.settlement.fail_attempt("b-1", 1, Close("wrong-data", "no column fits"))
    await next_attempt(ledger)
    await end_of_close(ledger, "b-1", 2, OTHER_RUN)

    ended = await ledger.settlement.batch_to_settle("b-1", 2)

    assert ended is not None
    assert ended.report == closed()


async def test_settling_ends_the_batch_its_attempt_and_its_files(ledger: Ledger) -> None:
    await is_claimed(ledger)

    settled = await ledger.settlement.settle_batch(settlement([completed_file(rows=7)]))

    assert settled
    assert await ledger.settlement.open_attempts() == []
    assert await ledger.batch("b-1") == SeenBatch(None, "loaded", None)
    assert [(file.outcome, file.rows, file.batch_id) for file in await ledger.files()] == [("loaded", 7, "b-1")]


async def test_each_file_ends_in_its_own_way(ledger: Ledger) -> None:
    await is_cut(ledger, [A_CSV, B_CSV])
    quarantined = completed_file(B_CSV, outcome="quarantined", rows=0, reason="truncated")

    await ledger.settlement.settle_batch(settlement([completed_file(rows=7), quarantined]))

    files = [(file.outcome, file.rows, file.reason) for file in await ledger.files()]
    assert files == [("loaded", 7, None), ("quarantined", 0, "truncated")]


async def test_settling_twice_ends_it_once(ledger: Ledger) -> None:
    await is_claimed(ledger)

    first = await ledger.settlement.settle_batch(settlement(value="first"))
    second = await ledger.settlement.settle_batch(settlement([completed_file(outcome="failed")], value="second"))

    assert (first, second) == (True, False)
    assert [event.value for _, event in await ledger.router("one").publication.events_to_publish(10)] == ["first"]
    assert [file.outcome for file in await ledger.files()] == ["loaded"]


async def test_what_is_settled_has_ended(ledger: Ledger) -> None:
    await is_claimed(ledger)
    assert await ledger.stage("b-1", 1, report())
    await ledger.publish("b-1", 1, report())
    await ledger.settlement.settle_batch(settlement())

    assert await ledger.settlement.batch_to_settle("b-1", 1) is None


async def test_a_failed_attempt_is_open_no_longer(ledger: Ledger) -> None:
    await is_claimed(ledger)

    failed = await ledger.settlement.fail_attempt("b-1", 1, AGAIN)

    assert failed
    assert await ledger.settlement.open_attempts() == []
    assert await ledger.batch("b-1") == SeenBatch(None, None, None)


async def test_an_attempt_fails_once(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.settlement.fail_attempt("b-1", 1, AGAIN)

    again = await ledger.settlement.fail_attempt("b-1", 1, Close("wrong-data", "no column fits"))

    assert not again
    assert await ledger.batch("b-1") == SeenBatch(None, None, None)


async def test_a_failed_attempt_cannot_be_claimed(ledger: Ledger) -> None:
    await is_submitted(ledger)
    await ledger.settlement.fail_attempt("b-1", 1, AGAIN)

    assert not await ledger.claim("b-1", 1, RUN)


async def test_closing_says_why(ledger: Ledger) -> None:
    await is_claimed(ledger)

    await ledger.settlement.fail_attempt("b-1", 1, Close("wrong-data", "no column fits"))

    assert await ledger.batch("b-1") == SeenBatch("no column fits", None, None)


async def test_what_no_run_ever_claimed_is_closed_without_one(ledger: Ledger) -> None:
    await is_submitted(ledger)
    await ledger.settlement.fail_attempt("b-1", 1, Void("no worker"))
    await next_attempt(ledger)

    closed = await ledger.settlement.fail_attempt("b-1", 2, Close("cancelled", "enough"))

    [attempt] = await ledger.settlement.open_attempts()
    ended = await ledger.settlement.batch_to_settle("b-1", 2)
    assert closed
    assert (attempt.n, attempt.result, attempt.cause) == (2, "closed", "cancelled")
    assert ended is not None
    assert ended.report == Closed(cause="cancelled", reason="enough")
    assert not await ledger.claim("b-1", 2, RUN)


async def test_what_a_run_once_claimed_is_closed_by_another(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.settlement.fail_attempt("b-1", 1, AGAIN)
    await next_attempt(ledger)

    await ledger.settlement.fail_attempt("b-1", 2, Close("cancelled", "enough"))

    assert await ledger.settlement.open_attempts() == []
    assert (await next_attempt(ledger)).kind == "close"


async def test_a_void_attempt_cannot_be_claimed(ledger: Ledger) -> None:
    await is_submitted(ledger)

    voided = await ledger.settlement.fail_attempt("b-1", 1, Void("no worker"))

    assert voided
    assert not await ledger.claim("b-1", 1, RUN)


async def test_voiding_counts_as_infrastructure_and_is_tried_again_at_once(ledger: Ledger) -> None:
    await is_submitted(ledger)
    await ledger.settlement.fail_attempt("b-1", 1, Void("no worker"))

    await next_attempt(ledger)

    [attempt] = await ledger.settlement.open_attempts()
    assert (attempt.n, dict(attempt.failures)) == (2, {"infrastructure": 1})


async def test_voiding_loses_against_a_claim(ledger: Ledger) -> None:
    await is_claimed(ledger)

    voided = await ledger.settlement.fail_attempt("b-1", 1, Void("no worker"))

    assert not voided
    assert len(await ledger.settlement.open_attempts()) == 1


@pytest.mark.parametrize("decision", [AGAIN, Close("crash", "three times")])
async def test_failing_loses_against_a_published_result(ledger: Ledger, decision: Again | Close) -> None:
    await is_claimed(ledger)
    assert await ledger.stage("b-1", 1, report())
    await ledger.publish("b-1", 1, report())

    failed = await ledger.settlement.fail_attempt("b-1", 1, decision)

    assert not failed
    assert await ledger.batch("b-1") == SeenBatch(None, None, None)
    assert [attempt.result for attempt in await ledger.settlement.open_attempts()] == ["published"]


async def test_failing_loses_against_a_closed_result(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.settlement.fail_attempt("b-1", 1, Close("crash", "three times"))
    await next_attempt(ledger)
    await end_of_close(ledger, "b-1", 2, OTHER_RUN)

    assert not await ledger.settlement.fail_attempt("b-1", 2, AGAIN)


async def test_what_is_only_staged_may_fail(ledger: Ledger) -> None:
    await is_claimed(ledger)
    assert await ledger.stage("b-1", 1, report())

    assert await ledger.settlement.fail_attempt("b-1", 1, AGAIN)


async def test_nothing_of_an_ended_batch_fails(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.settlement.settle_batch(settlement())

    assert not await ledger.settlement.fail_attempt("b-1", 1, Close("crash", "three times"))
    assert await ledger.batch("b-1") == SeenBatch(None, "loaded", None)


async def test_what_does_not_exist_does_not_fail(ledger: Ledger) -> None:
    assert not await ledger.settlement.fail_attempt("b-9", 1, AGAIN)


async def test_a_failed_batch_has_failed_files_and_a_closed_attempt(ledger: Ledger) -> None:
    await is_claimed(ledger)
    failed = completed_file(outcome="failed", rows=0, reason="no column fits")

    await ledger.settlement.settle_batch(settlement([failed]))

    assert [(file.outcome, file.reason) for file in await ledger.files()] == [("failed", "no column fits")]
    assert await ledger.settlement.open_attempts() == []


@pytest.mark.parametrize("outcome", ["loaded", "quarantined", "failed"])
async def test_what_ended_in_a_batch_for_good_is_not_taken_again(ledger: Ledger, outcome: str) -> None:
    await is_claimed(ledger)
    await ledger.settlement.settle_batch(settlement([completed_file(outcome=outcome)]))

    recorded = await ledger.intake.record(intake([announced(landed=after(100))]))

    assert recorded.files == 0
    assert [file.outcome for file in await ledger.files()] == [outcome]


async def test_a_file_that_a_load_missed_is_a_new_round_once_it_lies_there_again(ledger: Ledger) -> None:
    await is_claimed(ledger)
    missing = CompletedFile(uri=A_CSV, version="v1", outcome="missing")
    await ledger.settlement.settle_batch(settlement([missing, *map(_completed, [file_report(B_CSV)])]))

    await ledger.intake.record(intake([announced(landed=after(100), offset=1)]))
    await looks(ledger, there())
    batches, _ = await schedules(ledger)

    assert len(await batches.waiting("orders-v1", "default", 10)) == 1
    assert [(file.round, file.batch_id, file.outcome) for file in await ledger.files()] == [(2, None, None)]


def _completed(file: object) -> CompletedFile:
    return CompletedFile.model_validate(file, from_attributes=True)
