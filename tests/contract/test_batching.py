"""What waits, and how it becomes a batch with its attempts."""

from datetime import timedelta

from router.rules.recovery import Again, Close
from tests.builders import (
    A_CSV,
    AT_ONCE,
    NOON,
    after,
    announced,
    file_report,
    identity,
    intake,
    new_batch,
    report,
    settlement,
    waiting_file,
)
from tests.contract.ledgers import Ledger
from tests.contract.scenes import (
    OTHER_RUN,
    RUN,
    is_claimed,
    is_cut,
    is_removed,
    is_submitted,
    lands,
    next_attempt,
    schedules,
)

B_CSV, C_CSV = "s3://landing/orders/b.csv", "s3://landing/orders/c.csv"


async def test_there_is_work_while_a_file_waits_or_its_batch_is_open(ledger: Ledger) -> None:
    batches, _ = await schedules(ledger)
    before = await batches.has_work()
    await lands(ledger)
    waiting = await batches.has_work()
    await is_claimed(ledger)
    in_flight = await batches.has_work()
    await ledger.settlement.settle_batch(settlement())

    assert [before, waiting, in_flight, await batches.has_work()] == [False, True, True, False]


async def test_only_sources_with_waiting_files_have_a_backlog(ledger: Ledger) -> None:
    await is_cut(ledger)
    await lands(ledger, source_id="audit-v1")
    batches, _ = await schedules(ledger)

    backlogs = await batches.backlogs()

    assert [(backlog.source_id, backlog.lane) for backlog in backlogs] == [("audit-v1", "default")]


async def test_a_backlog_is_as_old_as_the_file_that_landed_first(ledger: Ledger) -> None:
    await lands(ledger, A_CSV)
    oldest = await ledger.now()
    await ledger.pass_time(60)
    await ledger.intake.record(intake([announced(B_CSV, landed=after(1))]))
    batches, _ = await schedules(ledger)

    [backlog] = await batches.backlogs()

    assert backlog.landed == NOON
    assert 59 < ((await ledger.now()) - backlog.accepted).total_seconds() < 90
    assert backlog.accepted <= oldest


async def test_what_landed_first_comes_first(ledger: Ledger) -> None:
    for seconds, uri in enumerate((C_CSV, A_CSV, B_CSV)):
        await ledger.intake.record(intake([announced(uri, landed=after(seconds))]))
    batches, _ = await schedules(ledger)

    waiting = await batches.waiting("orders-v1", "default", 2)

    assert [file.identity.object for file in waiting] == [
        waiting_file(C_CSV).identity.object,
        waiting_file(A_CSV).identity.object,
    ]


async def test_what_came_together_waits_in_the_order_of_its_keys(ledger: Ledger) -> None:
    await lands(ledger, A_CSV, B_CSV, C_CSV)
    batches, _ = await schedules(ledger)

    waiting = await batches.waiting("orders-v1", "default", 10)

    assert waiting == sorted(map(waiting_file, (A_CSV, B_CSV, C_CSV)), key=lambda file: file.identity)


async def test_a_cut_takes_the_files_and_makes_the_first_attempt(ledger: Ledger) -> None:
    submission = await is_cut(ledger, [A_CSV, B_CSV])

    assert (submission.batch, submission.n, submission.kind) == ("b-1", 1, "load")
    assert (submission.source_id, submission.lane) == ("orders-v1", "default")
    assert submission.job_variables == {}
    assert [file.batch_id for file in await ledger.files()] == ["b-1", "b-1"]


async def test_files_in_a_batch_wait_no_longer(ledger: Ledger) -> None:
    await is_cut(ledger)
    batches, _ = await schedules(ledger)

    assert await batches.waiting("orders-v1", "default", 10) == []
    assert await batches.backlogs() == []


async def test_a_cut_takes_only_files_that_still_wait(ledger: Ledger) -> None:
    await lands(ledger, A_CSV, B_CSV)
    batches, epoch = await schedules(ledger)
    waiting = await batches.waiting("orders-v1", "default", 10)
    await is_removed(ledger)

    await batches.cut(new_batch(waiting), epoch)

    assert [(file.uri, file.batch_id) for file in await ledger.files()] == [(A_CSV, None), (B_CSV, "b-1")]


async def test_there_is_no_batch_without_files(ledger: Ledger) -> None:
    await is_cut(ledger)
    batches, epoch = await schedules(ledger)

    again = await batches.cut(new_batch([waiting_file()], "b-2"), epoch)

    assert again is None
    assert await ledger.batch("b-2") is None


async def test_a_source_is_busy_in_its_lane_while_its_batch_is_open(ledger: Ledger) -> None:
    await is_claimed(ledger)
    batches, _ = await schedules(ledger)

    before = await batches.busy()
    await ledger.settlement.settle_batch(settlement())

    assert before == {("orders-v1", "default")}
    assert await batches.busy() == frozenset()


async def test_while_a_batch_is_published_its_line_has_room_for_one_more(ledger: Ledger) -> None:
    await is_claimed(ledger)
    batches, _ = await schedules(ledger)
    await ledger.stage("b-1", 1, report([file_report()]))

    staged = await batches.busy()
    await is_cut(ledger, [B_CSV], "b-2")
    one_more = await batches.busy()
    assert await ledger.claim("b-2", 1, OTHER_RUN)
    await ledger.stage("b-2", 1, report([file_report(B_CSV)]))

    assert staged == frozenset()
    assert one_more == {("orders-v1", "default")}
    assert await batches.busy() == {("orders-v1", "default")}


async def test_a_batch_that_is_to_be_staged_anew_has_its_line_for_itself(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.stage("b-1", 1, report([file_report()]))
    batches, _ = await schedules(ledger)

    await ledger.settlement.fail_attempt("b-1", 1, Again("infrastructure", "away", AT_ONCE))
    failed = await batches.busy()
    await next_attempt(ledger)

    assert failed == {("orders-v1", "default")}
    assert await batches.busy() == {("orders-v1", "default")}


async def test_open_attempts_take_the_slots_of_their_lane(ledger: Ledger) -> None:
    await is_cut(ledger)
    await is_cut(ledger, batch="b-2", lane="priority", source_id="audit-v1")
    batches, _ = await schedules(ledger)

    before = await batches.in_flight()
    await ledger.settlement.fail_attempt("b-1", 1, Again("infrastructure", "away", AT_ONCE))

    assert before == {"default": 1, "priority": 1}
    assert (await batches.in_flight()).get("default", 0) == 0


async def test_an_attempt_without_a_run_is_to_be_submitted(ledger: Ledger) -> None:
    submission = await is_cut(ledger)
    batches, _ = await schedules(ledger)

    assert await batches.unsubmitted(10) == [submission]


async def test_a_submitted_attempt_is_not_submitted_again(ledger: Ledger) -> None:
    await is_submitted(ledger)
    batches, _ = await schedules(ledger)

    assert await batches.unsubmitted(10) == []
    assert [attempt.run_id for attempt in await ledger.settlement.open_attempts()] == [RUN]


async def test_the_first_run_of_an_attempt_counts(ledger: Ledger) -> None:
    submission = await is_submitted(ledger)
    batches, _ = await schedules(ledger)

    await batches.save_run(submission, OTHER_RUN)

    assert [attempt.run_id for attempt in await ledger.settlement.open_attempts()] == [RUN]


async def test_an_ended_attempt_is_not_submitted(ledger: Ledger) -> None:
    await is_cut(ledger)
    batches, _ = await schedules(ledger)

    await ledger.settlement.fail_attempt("b-1", 1, Again("infrastructure", "away", AT_ONCE))

    assert await batches.unsubmitted(10) == []


async def test_not_more_is_submitted_than_asked_for(ledger: Ledger) -> None:
    first = await is_cut(ledger)
    await ledger.pass_time(1)
    await is_cut(ledger, batch="b-2", source_id="audit-v1")
    batches, _ = await schedules(ledger)

    assert await batches.unsubmitted(1) == [first]


async def test_a_batch_with_an_open_attempt_is_not_due(ledger: Ledger) -> None:
    await is_cut(ledger)
    await ledger.pass_time(3600)
    batches, _ = await schedules(ledger)

    assert await batches.due_batches("default", 10) == []


async def test_a_batch_is_due_when_the_pause_after_its_failure_is_over(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.settlement.fail_attempt("b-1", 1, Again("crash", "it broke", timedelta(seconds=30)))
    batches, _ = await schedules(ledger)

    too_early = await batches.due_batches("default", 10)
    await ledger.pass_time(31)
    [due] = await batches.due_batches("default", 10)

    assert too_early == []
    assert (due.id, due.n, due.lane, due.kind) == ("b-1", 2, "default", "load")


async def test_a_batch_that_is_closing_is_due_at_once_to_be_closed(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.settlement.fail_attempt("b-1", 1, Close("wrong-data", "no column fits"))
    batches, _ = await schedules(ledger)

    [due] = await batches.due_batches("default", 10)

    assert (due.id, due.n, due.kind) == ("b-1", 2, "close")


async def test_a_closing_batch_is_never_loaded_again(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.settlement.fail_attempt("b-1", 1, Close("wrong-data", "no column fits"))

    await next_attempt(ledger)
    await ledger.settlement.fail_attempt("b-1", 2, Again("infrastructure", "the catalog is away", AT_ONCE))
    third = await next_attempt(ledger)

    assert (third.n, third.kind) == (3, "close")


async def test_an_ended_batch_is_not_due(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.settlement.settle_batch(settlement())
    batches, _ = await schedules(ledger)

    assert await batches.due_batches("default", 10) == []


async def test_an_attempt_is_made_once(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.settlement.fail_attempt("b-1", 1, Again("crash", "it broke", AT_ONCE))
    batches, epoch = await schedules(ledger)
    [due] = await batches.due_batches("default", 10)

    first = await batches.begin_attempt(due, {}, epoch)
    second = await batches.begin_attempt(due, {}, epoch)

    assert first is not None
    assert (first.n, first.kind, first.source_id) == (2, "load", "orders-v1")
    assert second is None


async def test_an_ended_batch_has_no_further_attempt(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.settlement.fail_attempt("b-1", 1, Again("crash", "it broke", AT_ONCE))
    batches, epoch = await schedules(ledger)
    [due] = await batches.due_batches("default", 10)
    await ledger.settlement.settle_batch(settlement())

    assert await batches.begin_attempt(due, {}, epoch) is None


async def test_a_run_that_could_not_be_created_waits_behind_the_others(ledger: Ledger) -> None:
    stuck = await is_cut(ledger)
    await ledger.pass_time(1)
    other = await is_cut(ledger, [B_CSV], "b-2")
    batches, _ = await schedules(ledger)

    await batches.put_off(stuck, "no deployment")
    at_once = await batches.unsubmitted(10)
    await ledger.pass_time(1.5)
    later = await batches.unsubmitted(10)

    assert at_once == [other]
    assert later == [other, stuck]


async def test_the_pause_before_a_run_is_created_grows_to_half_a_minute(ledger: Ledger) -> None:
    stuck = await is_cut(ledger)
    batches, _ = await schedules(ledger)

    for pause in (1, 2, 4, 8, 16, 30, 30):
        await batches.put_off(stuck, "no deployment")
        await ledger.pass_time(pause * 0.75)
        assert await batches.unsubmitted(10) == []
        await ledger.pass_time(pause * 0.5)
        assert await batches.unsubmitted(10) == [stuck]


async def test_a_run_that_was_created_after_all_is_not_put_off(ledger: Ledger) -> None:
    submission = await is_submitted(ledger)
    batches, _ = await schedules(ledger)

    await batches.put_off(submission, "its answer was lost")

    assert [attempt.run_id for attempt in await ledger.settlement.open_attempts()] == [RUN]


async def test_what_waits_is_refused_for_its_reason_and_what_is_in_flight_goes_on(ledger: Ledger) -> None:
    b_csv = "s3://landing/orders/b.csv"
    await is_cut(ledger)
    await lands(ledger, b_csv)
    batches, epoch = await schedules(ledger)
    refusals = [(identity(uri), "not-configured-any-more: moved") for uri in (A_CSV, b_csv)]

    refused = await batches.fail_waiting(refusals, epoch)

    assert refused == 1
    assert [(file.outcome, file.reason) for file in await ledger.files()] == [
        (None, None),
        ("failed", "not-configured-any-more: moved"),
    ]


async def test_why_a_run_could_not_be_created_is_told_with_its_attempt(ledger: Ledger) -> None:
    stuck = await is_cut(ledger)
    batches, _ = await schedules(ledger)

    await batches.put_off(stuck, "no deployment")

    assert [attempt.trouble for attempt in await ledger.settlement.open_attempts()] == ["no deployment"]
