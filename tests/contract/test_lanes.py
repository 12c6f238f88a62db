"""Lines of lanes, paused sources, what is learned of a source, and what stands around a batch when it ends."""

from dataclasses import replace
from datetime import timedelta

import pytest

from router.ports.scheduling import DueBatch
from router.rules.recovery import Again, Void
from router.rules.settlement import BatchContext, RequestInBatch
from router.rules.sizing import Place
from schemas.completions import StillWaiting
from schemas.config.lanes import LANES, Lane
from schemas.events.requests import LoadAsked
from tests.builders import (
    A_CSV,
    AT_ONCE,
    NOON,
    after,
    announced,
    completed_file,
    file_report,
    found,
    found_file,
    identity,
    intake,
    report,
    request_end,
    settlement,
    unmeasured,
)
from tests.contract.ledgers import Ledger
from tests.contract.scenes import (
    OTHER_RUN,
    RUN,
    at_their_end,
    is_asked,
    is_claimed,
    is_cut,
    is_found,
    lands,
    schedules,
    takes,
)

B_CSV, C_CSV, D_CSV = (f"s3://landing/orders/{name}.csv" for name in "bcd")
ONE_LOADED = (Again("out-of-memory", "the heap is full", AT_ONCE, 1), Again("out-of-memory", "once more", AT_ONCE, 2))


async def lands_in(ledger: Ledger, lane: Lane, uri: str = A_CSV, *, seconds: float = 0, estimate: int = 10) -> None:
    file = announced(uri, landed=after(seconds))._replace(place=Place(lane, 1, estimate))
    await ledger.intake.record(intake([file]))


async def around(ledger: Ledger, batch: str = "b-1", run: str = RUN) -> BatchContext:
    """What stands around a batch whose run has just published."""
    if not any(
        attempt.batch == batch and attempt.claimed_for is not None
        for attempt in await ledger.settlement.open_attempts()
    ):
        assert await ledger.claim(batch, 1, run)
    assert await ledger.stage(batch, 1, report([file_report()]))
    await ledger.publish(batch, 1, report([file_report()]))
    ended = await ledger.settlement.batch_to_settle(batch, 1)
    assert ended is not None
    return ended.context


@pytest.mark.parametrize("lane", LANES)
async def test_a_file_waits_in_the_line_of_its_lane(ledger: Ledger, lane: Lane) -> None:
    await lands_in(ledger, lane, estimate=77)
    batches, _ = await schedules(ledger)

    [backlog] = await batches.backlogs()
    waiting = {of: await batches.waiting("orders-v1", of, 10) for of in LANES}

    assert (backlog.source_id, backlog.lane, backlog.landed) == ("orders-v1", lane, NOON)
    assert {of: [file.estimate for file in files] for of, files in waiting.items()} == {
        of: [77] if of == lane else [] for of in LANES
    }


async def test_each_line_of_a_source_has_its_own_backlog(ledger: Ledger) -> None:
    for seconds, lane in enumerate(LANES):
        await lands_in(ledger, lane, f"s3://landing/orders/{lane}.csv", seconds=seconds)
    await lands(ledger, source_id="audit-v1")
    batches, _ = await schedules(ledger)

    backlogs = await batches.backlogs()

    assert sorted((one.source_id, one.lane, one.landed) for one in backlogs) == [
        ("audit-v1", "default", NOON),
        ("orders-v1", "default", after(0)),
        ("orders-v1", "high-memory", after(1)),
        ("orders-v1", "priority", after(2)),
    ]


async def test_what_a_person_asked_for_is_first_in_line(ledger: Ledger) -> None:
    await lands_in(ledger, "high-memory", B_CSV, seconds=0)
    await lands_in(ledger, "high-memory", C_CSV, seconds=1)
    await ledger.pass_time(60)
    await is_asked(ledger)
    big = found_file(lane="high-memory")
    await ledger.requests.save_found(found(big, found_file(C_CSV, lane="high-memory")), reload=False)
    batches, _ = await schedules(ledger)

    waiting = await batches.waiting("orders-v1", "high-memory", 10)
    [backlog] = await batches.backlogs()

    objects = [file.identity.object for file in waiting]
    assert objects == [identity(uri).object for uri in (C_CSV, A_CSV, B_CSV)]
    assert backlog.landed == after(1)


async def test_nothing_of_a_paused_source_is_in_a_backlog(ledger: Ledger) -> None:
    for lane in LANES:
        await lands_in(ledger, lane, f"s3://landing/orders/{lane}.csv")
    await lands(ledger, source_id="audit-v1")
    batches, _ = await schedules(ledger)

    await ledger.pause("orders-v1")
    paused = await batches.backlogs()
    await ledger.resume("orders-v1")
    resumed = await batches.backlogs()

    assert [backlog.source_id for backlog in paused] == ["audit-v1"]
    assert len(resumed) == 4


async def test_a_paused_source_keeps_what_is_in_flight_going(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.pause("orders-v1")
    await ledger.settlement.fail_attempt("b-1", 1, Again("crash", "it broke", AT_ONCE))
    batches, _ = await schedules(ledger)

    assert [due.id for due in await batches.due_batches("default", 10)] == ["b-1"]


async def test_what_is_learned_of_a_source_is_kept(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.settlement.settle_batch(replace(settlement(), bytes_per_second=1e6))
    await lands(ledger, B_CSV)
    batches, _ = await schedules(ledger)
    first = [backlog.bytes_per_second for backlog in await batches.backlogs()]
    await takes(ledger, "b-2")
    inherited = await around(ledger, "b-2")
    await ledger.settlement.settle_batch(replace(settlement([completed_file(B_CSV)], "b-2"), bytes_per_second=2e6))
    await lands(ledger, C_CSV)
    await lands(ledger, source_id="audit-v1")

    second = {backlog.source_id: backlog.bytes_per_second for backlog in await batches.backlogs()}

    assert first == [1e6]
    assert inherited.bytes_per_second == 1e6
    assert second == {"orders-v1": 2e6, "audit-v1": None}


async def test_learning_does_not_resume_a_source(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.pause("orders-v1")
    await ledger.settlement.settle_batch(replace(settlement(), bytes_per_second=1e6))
    await lands(ledger, B_CSV)
    batches, _ = await schedules(ledger)

    assert await batches.backlogs() == []


async def test_the_newest_landing_of_all_settled_is_kept(ledger: Ledger) -> None:
    for number, seconds in enumerate((30, 10), 1):
        uri = f"s3://landing/orders/{number}.csv"
        await is_cut(ledger, [uri], f"b-{number}")
        end = replace(settlement([completed_file(uri)], f"b-{number}"), newest_landed=after(seconds))
        await ledger.settlement.settle_batch(end)
    await is_cut(ledger, batch="b-3")

    assert (await around(ledger, "b-3")).newest_landed == after(30)


@pytest.mark.parametrize("lane", LANES)
async def test_due_batches_are_those_of_a_lane(ledger: Ledger, lane: Lane) -> None:
    await lands_in(ledger, lane)
    await takes(ledger, line=lane)
    await ledger.settlement.fail_attempt("b-1", 1, Again("crash", "it broke", AT_ONCE))
    batches, _ = await schedules(ledger)

    due = {of: [one.id for one in await batches.due_batches(of, 10)] for of in LANES}

    assert due == {of: ["b-1"] if of == lane else [] for of in LANES}


async def test_what_ran_out_of_memory_goes_on_in_high_memory_in_the_next_size_class(ledger: Ledger) -> None:
    await is_claimed(ledger)
    batches, epoch = await schedules(ledger)
    variables = {"memory_limit": "64Gi"}
    for n, decision in enumerate(ONE_LOADED, 1):
        await ledger.settlement.fail_attempt("b-1", n, decision)

        [due] = await batches.due_batches("high-memory", 10)
        submission = await batches.begin_attempt(due, variables, epoch)

        assert due == DueBatch("b-1", n + 1, "high-memory", "orders-v1", decision.size_class or 0, "load")
        assert submission is not None
        assert (submission.lane, submission.job_variables) == ("high-memory", variables)
        [attempt] = await ledger.settlement.open_attempts()
        assert (attempt.n, attempt.size_class, dict(attempt.failures)) == (n + 1, n, {"out-of-memory": n})
        assert await batches.due_batches("default", 10) == []
    assert await batches.in_flight() == {"high-memory": 1}
    assert await batches.busy() == {("orders-v1", "high-memory")}
    assert await batches.unsubmitted(10) == [submission]


async def test_other_failures_keep_lane_and_size_class(ledger: Ledger) -> None:
    await is_claimed(ledger)
    batches, epoch = await schedules(ledger)
    await ledger.settlement.fail_attempt("b-1", 1, ONE_LOADED[1])
    [due] = await batches.due_batches("high-memory", 10)
    await batches.begin_attempt(due, {}, epoch)

    await ledger.settlement.fail_attempt("b-1", 2, Again("crash", "it broke", AT_ONCE))
    [crashed] = await batches.due_batches("high-memory", 10)
    await batches.begin_attempt(crashed, {}, epoch)
    await ledger.settlement.fail_attempt("b-1", 3, Void("no worker"))
    [void] = await batches.due_batches("high-memory", 10)

    assert [(one.n, one.size_class) for one in (due, crashed, void)] == [(2, 2), (3, 2), (4, 2)]


async def test_around_a_lonely_batch_there_is_nothing(ledger: Ledger) -> None:
    await is_claimed(ledger)

    assert await around(ledger) == BatchContext()


async def test_what_waits_of_the_source_is_counted(ledger: Ledger) -> None:
    await is_claimed(ledger)
    for number, lane in enumerate(LANES):
        await lands_in(ledger, lane, f"s3://landing/orders/{lane}.csv", seconds=number)
    await is_found(ledger, B_CSV)
    await lands(ledger, C_CSV, source_id="audit-v1")

    assert (await around(ledger)).waiting == StillWaiting(files=4, bytes=40, or_more=False)


@pytest.mark.parametrize("lane", LANES)
async def test_the_oldest_that_waits_is_open_in_whichever_lane(ledger: Ledger, lane: Lane) -> None:
    await is_claimed(ledger)
    await lands_in(ledger, lane, C_CSV, seconds=7)
    for of in LANES:
        await lands_in(ledger, of, f"s3://landing/orders/{of}.csv", seconds=9)
    await lands(ledger, D_CSV, source_id="audit-v1")

    assert (await around(ledger)).oldest_open == after(7)


async def test_the_oldest_may_stand_behind_what_a_person_asked_for(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await lands_in(ledger, "priority", B_CSV, seconds=3)
    await ledger.pass_time(60)
    await is_found(ledger, C_CSV)

    assert (await around(ledger)).oldest_open == after(3)


async def test_what_a_person_asked_for_may_be_the_oldest(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await lands_in(ledger, "default", B_CSV, seconds=3)
    await lands_in(ledger, "default", C_CSV, seconds=5)
    await is_found(ledger, B_CSV)

    assert (await around(ledger)).oldest_open == after(3)


@pytest.mark.parametrize("lane", LANES)
async def test_what_is_in_flight_in_other_batches_is_open(ledger: Ledger, lane: Lane) -> None:
    await lands_in(ledger, "high-memory", B_CSV, seconds=2)
    await takes(ledger, "b-2", line="high-memory", lane=lane)
    await is_claimed(ledger)
    await lands_in(ledger, "default", C_CSV, seconds=9)

    assert (await around(ledger)).oldest_open == after(2)


async def test_what_is_not_measured_yet_is_open(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await lands_in(ledger, "default", C_CSV, seconds=9)
    await ledger.intake.record(intake(unmeasured=[unmeasured(B_CSV, landed=after(4))]))

    assert (await around(ledger)).oldest_open == after(4)


async def test_a_request_tells_how_far_it_has_come_with_the_batch(ledger: Ledger) -> None:
    await is_found(ledger, A_CSV, B_CSV)
    await takes(ledger, "b-0", line="priority")
    await ledger.settlement.settle_batch(settlement([completed_file(), completed_file(B_CSV)], "b-0"))
    await is_found(ledger, A_CSV, B_CSV, C_CSV, request_id="r-2")
    await is_asked(ledger, LoadAsked(source="orders", prefix="s3://landing/orders/"), "r-3")
    await ledger.requests.save_found(
        found(found_file(C_CSV), found_file(D_CSV), request_id="r-3", more=True), reload=False
    )
    await is_found(ledger, B_CSV, request_id="r-4")
    await takes(ledger, line="priority")

    requests = (await around(ledger)).requests

    assert requests == (RequestInBatch("r-2", 2, 1, 3), RequestInBatch("r-3", 0, 2, None))


async def test_the_files_of_a_big_request_are_counted_in_part(ledger: Ledger) -> None:
    await is_asked(ledger, LoadAsked(source="orders", prefix="s3://landing/orders/"))
    files = [found_file(f"s3://landing/orders/{number}.csv") for number in range(10_001)]
    await ledger.requests.save_found(found(*files), reload=False)
    await takes(ledger, line="priority")

    assert (await around(ledger)).requests == (RequestInBatch("r-1", 0, 1000, None),)


async def test_an_ended_request_is_not_told_of(ledger: Ledger) -> None:
    await is_found(ledger)
    await takes(ledger, line="priority")
    deadline = await ledger.now() + timedelta(seconds=5)
    await is_asked(ledger, LoadAsked(source="orders", files=(A_CSV,), deadline=deadline), "r-2")
    await ledger.requests.save_found(found(found_file(), request_id="r-2"), reload=False)
    await ledger.pass_time(6)
    [expired] = await at_their_end(ledger)
    await ledger.requests.end_request(request_end(expired.id, "expired"))

    assert [asking.id for asking in (await around(ledger, run=OTHER_RUN)).requests] == ["r-1"]


async def test_what_waits_for_its_quota_holds_no_slot(ledger: Ledger) -> None:
    await is_cut(ledger)
    await ledger.settlement.queue("b-1", 1, is_queued=True)
    batches, _ = await schedules(ledger)

    taken = await batches.in_flight()
    await ledger.settlement.queue("b-1", 1, is_queued=False)

    assert taken.get("default", 0) == 0
    assert await batches.in_flight() == {"default": 1}


async def test_an_attempt_is_known_to_wait_for_its_quota(ledger: Ledger) -> None:
    await is_cut(ledger)
    before = [attempt.is_queued for attempt in await ledger.settlement.open_attempts()]

    await ledger.settlement.queue("b-1", 1, is_queued=True)

    assert before == [False]
    assert [attempt.is_queued for attempt in await ledger.settlement.open_attempts()] == [True]


async def test_what_was_claimed_holds_a_slot_though_it_was_seen_to_wait(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await ledger.settlement.queue("b-1", 1, is_queued=True)
    batches, _ = await schedules(ledger)

    assert await batches.in_flight() == {"default": 1}
