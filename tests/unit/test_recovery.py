"""The decision table, row by row."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.rules.diagnosis import Diagnosis
from router.rules.patience import LONGEST_PAUSE, Patience, patience_of, pause
from router.rules.recovery import (
    CANCELLED_AFTER,
    GONE_AFTER,
    LISTEN_FIRST,
    MAX_TRIES,
    Again,
    Close,
    Closed,
    GiveUp,
    Loaded,
    OpenAttempt,
    Previewed,
    RunPhase,
    RunState,
    Void,
    Wait,
    decide,
)
from schemas.report import Cause
from tests.builders import config, open_attempt

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
PATIENCE = Patience(scheduled=15 * MINUTE, pending=MINUTE, silent=3 * MINUTE, longest_run=6 * HOUR)
HEARD = open_attempt(age=HOUR, claimed_for=HOUR, silent=20 * SECOND)
SILENT = replace(HEARD, silent=PATIENCE.silent)
UNTOLD = replace(HEARD, silent=None)  # by a run of an older version
CRASHED = RunState("crashed", "boom", "crash")
IDLE = open_attempt(age=10 * SECOND)
LIVING: list[RunPhase] = ["scheduled", "pending", "running"]
ENDED: list[RunPhase] = ["completed", "failed", "crashed"]


def decided(
    attempt: OpenAttempt, phase: RunPhase, cause: Cause | None = None, *, age: timedelta = HOUR, message: str = ""
) -> object:
    return after(attempt, RunState(phase, message, cause, age))


def after(attempt: OpenAttempt, run: RunState | None, *, listening: timedelta = HOUR) -> object:
    return decide(attempt, run, patience=PATIENCE, listening=listening, last_class=1)


@pytest.mark.parametrize("phase", [*ENDED, *LIVING, "gone", "cancelling", "cancelled"])
def test_a_published_result_counts_whatever_prefect_says(phase: RunPhase) -> None:
    assert decided(replace(SILENT, result="published"), phase) == Loaded()
    assert decided(replace(SILENT, result="closed"), phase) == Closed()


@pytest.mark.parametrize("phase", [*ENDED, *LIVING, "gone"])
def test_a_run_that_is_heard_of_is_waited_for_whatever_prefect_believes(phase: RunPhase) -> None:
    assert decided(HEARD, phase, message="no heartbeat") == Wait()


@pytest.mark.parametrize("phase", [*LIVING, *ENDED])
def test_a_run_that_is_not_heard_of_any_more_makes_way_for_the_next_attempt(phase: RunPhase) -> None:
    decision = decided(SILENT, phase)

    assert isinstance(decision, Again)
    assert decision.cause == "silent"
    assert decided(replace(SILENT, silent=PATIENCE.silent - SECOND), phase) == Wait()


def test_a_silence_counts_for_nothing_while_the_ledger_itself_was_away() -> None:
    running = RunState("running")

    assert after(SILENT, running, listening=LISTEN_FIRST - SECOND) == Wait()
    assert isinstance(after(SILENT, running, listening=LISTEN_FIRST), Again)


def test_a_batch_that_takes_ten_machines_along_is_closed() -> None:
    unlucky = replace(SILENT, failures={"silent": MAX_TRIES["silent"] - 1})

    assert isinstance(decided(unlucky, "running"), Close)


@pytest.mark.parametrize("phase", LIVING)
def test_a_run_of_an_older_version_lives_as_long_as_prefect_says_so(phase: RunPhase) -> None:
    assert decided(UNTOLD, phase) == Wait()


@pytest.mark.parametrize("phase", ENDED)
def test_a_run_of_an_older_version_that_ends_without_a_word_crashed(phase: RunPhase) -> None:
    decision = decided(UNTOLD, phase, message="no heartbeat")

    assert isinstance(decision, Again)
    assert decision.cause == "crash"
    assert "no heartbeat" in decision.reason


def test_an_end_that_was_seen_counts_at_once() -> None:
    decision = decided(HEARD, "crashed", "crash", message="Process exited with status code: 1.")

    assert isinstance(decision, Again)
    assert decision.cause == "crash"
    assert "status code: 1" in decision.reason


def test_a_run_that_was_stopped_from_outside_did_not_crash() -> None:
    stopped = replace(HEARD, failures={"crash": 2, "infrastructure": 99})

    decision = decided(stopped, "crashed", "infrastructure")

    assert isinstance(decision, Again)
    assert decision.cause == "infrastructure"


def test_a_killed_run_ran_out_of_memory_as_long_as_there_is_more_to_be_had() -> None:
    decision = decided(HEARD, "crashed", "out-of-memory")
    in_the_biggest = decided(replace(HEARD, size_class=1), "crashed", "out-of-memory")

    assert isinstance(decision, Again)
    assert (decision.cause, decision.size_class) == ("out-of-memory", 1)
    assert isinstance(in_the_biggest, Again)
    assert (in_the_biggest.cause, in_the_biggest.size_class) == ("crash", None)


@pytest.mark.parametrize("phase", [*LIVING, *ENDED, "gone"])
def test_a_run_that_comes_to_no_end_is_given_up_and_counted_as_a_crash(phase: RunPhase) -> None:
    endless = replace(HEARD, claimed_for=PATIENCE.longest_run)

    decision = decided(endless, phase)

    assert isinstance(decision, Again)
    assert decision.cause == "crash"
    assert "6:00:00" in decision.reason
    assert isinstance(decided(replace(endless, failures={"crash": 2}), phase), Close)


def test_an_attempt_without_a_run_waits() -> None:
    assert after(IDLE, None) == Wait()
    assert after(replace(IDLE, age=10 * HOUR), None) == Wait()


def test_an_attempt_no_worker_takes_is_void_after_the_start_deadline() -> None:
    assert decided(replace(IDLE, age=PATIENCE.scheduled - SECOND), "scheduled") == Wait()
    assert isinstance(decided(replace(IDLE, age=PATIENCE.scheduled), "scheduled"), Void)


@pytest.mark.parametrize("phase", ["pending", "running"])
def test_an_attempt_a_worker_took_is_void_when_it_does_not_begin_soon(phase: RunPhase) -> None:
    late = replace(IDLE, age=PATIENCE.scheduled)

    assert decided(late, phase, age=PATIENCE.pending - SECOND) == Wait()
    assert isinstance(decided(late, phase, age=PATIENCE.pending), Void)


def test_a_run_that_begins_again_and_again_is_not_waited_for_for_ever() -> None:
    restless = replace(IDLE, age=PATIENCE.scheduled + PATIENCE.pending)

    assert isinstance(decided(restless, "pending", age=SECOND), Void)


def test_a_machine_out_of_breath_gets_longer_each_time_up_to_the_start_deadline() -> None:
    slow = replace(IDLE, failures={"infrastructure": 2})

    assert decided(slow, "pending", age=4 * PATIENCE.pending - SECOND) == Wait()
    assert isinstance(decided(slow, "pending", age=4 * PATIENCE.pending), Void)
    assert isinstance(decided(replace(slow, failures={"infrastructure": 900}), "pending", age=15 * MINUTE), Void)


def test_a_pod_may_take_as_long_to_start_as_a_run_may_wait_for_a_worker() -> None:
    settings = config()

    assert patience_of(settings, "high-memory").pending == settings.start_deadline
    assert patience_of(settings, "default").pending == MINUTE


def test_a_run_prefect_does_not_know_is_looked_for_a_minute() -> None:
    old = replace(IDLE, age=14 * MINUTE)

    assert decided(old, "gone", age=GONE_AFTER - SECOND) == Wait()
    decision = decided(old, "gone", age=GONE_AFTER)
    assert isinstance(decision, Again)
    assert decision.cause == "infrastructure"


def test_a_run_that_prefect_has_forgotten_did_not_crash() -> None:
    decision = decided(replace(SILENT, failures={"crash": 2}), "gone")

    assert isinstance(decision, Again)
    assert decision.cause == "infrastructure"


@pytest.mark.parametrize("attempt", [HEARD, SILENT, UNTOLD])
def test_the_run_s_own_word_is_the_cause(attempt: OpenAttempt) -> None:
    told = replace(attempt, cause="infrastructure", reason="the catalog is away")

    decision = decided(told, "failed", "crash", message="boom")

    assert isinstance(decision, Again)
    assert (decision.cause, decision.reason) == ("infrastructure", "the catalog is away")
    assert decided(told, "failed") == decision


def test_a_run_that_says_why_it_fails_is_waited_for_until_prefect_says_how_it_ended() -> None:
    told = replace(HEARD, cause="infrastructure", reason="terminated")

    assert decided(told, "running") == Wait()
    assert decided(told, "cancelling", age=SECOND) == Wait()
    assert isinstance(decided(told, "cancelled"), Close)


def test_the_third_crash_closes_the_batch() -> None:
    assert isinstance(decided(replace(HEARD, failures={"crash": 1}), "crashed", "crash"), Again)
    assert isinstance(decided(replace(HEARD, failures={"crash": 2}), "crashed", "crash"), Close)


def test_a_batch_that_crashed_three_times_is_split_while_it_has_more_than_one_file() -> None:
    three = replace(HEARD, failures={"crash": 2})

    assert after(replace(three, files=2), CRASHED) == Close("crash", "the run crashed: boom (3 times)", split=True)
    assert after(three, CRASHED) == Close("crash", "the run crashed: boom (3 times)")


def test_a_half_is_split_again_when_it_crashes_once() -> None:
    half = replace(HEARD, split_from="b-0", files=2)

    assert after(half, CRASHED) == Close("crash", "the run crashed: boom", split=True)


def test_a_file_that_is_alone_crashes_three_times_and_tells_how_it_was_found() -> None:
    alone = replace(HEARD, split_from="b-0", files=1)

    assert isinstance(after(alone, CRASHED), Again)
    assert after(replace(alone, failures={"crash": 2}), CRASHED) == Close(
        "crash", "the run crashed: boom (3 times, found by splitting batch b-0 until this file was alone)"
    )


def test_what_is_too_much_for_the_biggest_class_is_split() -> None:
    full = replace(HEARD, cause="out-of-memory", reason="heap", size_class=1, files=2)

    assert decided(full, "failed") == Close("out-of-memory", "heap", split=True)


def test_a_batch_whose_server_went_away_three_times_goes_on_where_it_is_alone() -> None:
    lost = replace(HEARD, cause="server-lost", reason="gone", files=2)

    second = decided(replace(lost, failures={"server-lost": 1, "infrastructure": 9}), "failed")
    third = decided(replace(lost, failures={"server-lost": 2}), "failed")
    alone = decided(replace(lost, failures={"server-lost": 3}, size_class=1), "failed")

    assert isinstance(second, Again)
    assert second.size_class is None
    assert isinstance(third, Again)
    assert third.size_class == 1
    assert alone == Close("server-lost", "gone (4 times)", split=True)


@pytest.mark.parametrize("cause", ["out-of-memory", "server-lost"])
def test_a_preview_has_no_other_lane_to_go_to(cause: Cause) -> None:
    preview = replace(HEARD, kind="preview", cause=cause, reason="why", failures={cause: 2}, files=0)

    assert isinstance(decided(preview, "failed"), GiveUp)


@pytest.mark.parametrize("cause", ["wrong-data", "cancelled"])
def test_what_says_itself_what_is_wrong_is_not_split(cause: Cause) -> None:
    decision = decided(replace(HEARD, cause=cause, reason="why", files=1000), "failed")

    assert isinstance(decision, Close)
    assert not decision.split


def test_out_of_memory_is_tried_once_in_each_size_class() -> None:
    full = replace(HEARD, cause="out-of-memory", reason="the heap is full")

    first = decided(full, "failed")
    last = decided(replace(full, size_class=1, failures={"out-of-memory": 1}), "failed")

    assert isinstance(first, Again)
    assert first.size_class == 1
    assert isinstance(last, Close)


def test_other_failures_stay_in_their_size_class() -> None:
    decision = decided(replace(HEARD, size_class=1), "crashed", "crash")

    assert isinstance(decision, Again)
    assert decision.size_class is None


def test_an_attempt_whose_batch_is_given_up_is_closed_while_it_runs() -> None:
    given_up = replace(HEARD, closing="cancelled by request r-1")

    assert decided(given_up, "running") == Close("cancelled", "cancelled by request r-1")
    assert decided(replace(given_up, result="staged"), "running") == Wait()
    assert decided(replace(given_up, kind="close"), "running") == Wait()


def test_a_preview_is_given_up_where_a_load_would_be_closed() -> None:
    preview = replace(HEARD, kind="preview")

    assert decided(preview, "cancelled", message="a person") == GiveUp("cancelled", "a person")
    assert isinstance(decided(replace(preview, failures={"crash": 2}), "crashed", "crash"), GiveUp)
    assert isinstance(decided(preview, "crashed", "crash"), Again)
    assert after(replace(preview, result="previewed"), None) == Previewed()


def test_infrastructure_is_tried_without_limit() -> None:
    unlucky = replace(HEARD, failures={"infrastructure": 10_000, "crash": 2})

    assert isinstance(decided(unlucky, "failed", "infrastructure"), Again)


@pytest.mark.parametrize("cause", ["crash", "out-of-memory", None])
def test_a_run_that_never_began_is_the_infrastructure_s_fault(cause: Cause | None) -> None:
    decision = decided(replace(IDLE, failures={"crash": 2}), "crashed", cause)

    assert isinstance(decision, Again)
    assert decision.cause == "infrastructure"


@pytest.mark.parametrize("attempt", [IDLE, HEARD, SILENT, UNTOLD])
def test_a_cancelled_run_closes_its_batch(attempt: OpenAttempt) -> None:
    assert isinstance(decided(attempt, "cancelled"), Close)


@pytest.mark.parametrize("attempt", [IDLE, HEARD, SILENT, UNTOLD])
def test_a_run_that_is_being_cancelled_for_a_minute_counts_as_cancelled(attempt: OpenAttempt) -> None:
    assert isinstance(decided(attempt, "cancelling", age=CANCELLED_AFTER), Close)
    assert decided(HEARD, "cancelling", age=CANCELLED_AFTER - SECOND) == Wait()


@pytest.mark.parametrize("phase", [*ENDED, "cancelled", "gone"])
def test_closing_is_tried_until_it_succeeds(phase: RunPhase) -> None:
    closing = replace(SILENT, kind="close", failures={"crash": 99, "silent": 99})

    assert isinstance(decided(closing, phase, "crash"), Again)


@given(st.text(), st.integers(1, 10_000), st.integers(1, 10_000))
def test_pauses_grow_up_to_a_cap(batch: str, n: int, tries: int) -> None:
    assert pause(batch, n, 1) >= timedelta(seconds=5)
    assert pause(batch, n, tries) <= LONGEST_PAUSE * 1.25
    assert pause(batch, n, tries) <= pause(batch, n, tries + 1)


def test_a_run_that_cannot_be_created_in_time_is_void_and_says_why() -> None:
    late = open_attempt(run_id=None, age=PATIENCE.scheduled, trouble="no deployment")

    assert after(replace(late, age=PATIENCE.scheduled - SECOND), None) == Wait()
    assert after(late, None) == Void("its run could not be created within 0:15:00: no deployment")


OOM, EVICTED = Diagnosis("OOMKilled"), Diagnosis("Evicted")
IN_PODS = replace(PATIENCE, pending=PATIENCE.scheduled, diagnosis=15 * SECOND)


def of_a_pod(attempt: OpenAttempt, run: RunState) -> object:
    return decide(attempt, run, patience=IN_PODS, listening=HOUR, last_class=2)


@pytest.mark.parametrize("attempt", [IDLE, HEARD, replace(HEARD, cause="infrastructure", reason="terminated")])
def test_a_pod_killed_for_its_memory_goes_on_in_the_next_class_whether_it_had_begun_or_not(
    attempt: OpenAttempt,
) -> None:
    decision = of_a_pod(replace(attempt, size_class=1), RunState("crashed", "No active …", "crash", diagnosis=OOM))

    assert isinstance(decision, Again)
    assert (decision.cause, decision.size_class) == ("out-of-memory", 2)
    assert "OOMKilled" in decision.reason


def test_in_the_last_class_it_is_closed() -> None:
    decision = of_a_pod(replace(HEARD, size_class=2), RunState("crashed", diagnosis=OOM))

    assert isinstance(decision, Close)
    assert decision.cause == "out-of-memory"


@pytest.mark.parametrize(
    ("detail", "cause"),
    [
        ("", "infrastructure"),
        ("The node was low on resource: ephemeral-storage.", "infrastructure"),
        ("The node was low on resource: memory. Threshold quantity: 50Mi", "out-of-memory"),
    ],
)
def test_an_evicted_pod_is_tried_again_and_for_memory_in_the_next_class(detail: str, cause: Cause) -> None:
    run = RunState("crashed", "", "crash", diagnosis=replace(EVICTED, detail=detail))

    decision = of_a_pod(replace(HEARD, size_class=1), run)

    assert isinstance(decision, Again)
    assert decision.cause == cause


def test_why_a_pod_is_gone_is_waited_for_a_little() -> None:
    run = RunState("crashed", "No active or succeeded pods found for any job", "crash")

    assert of_a_pod(HEARD, run) == Wait()
    assert isinstance(of_a_pod(HEARD, replace(run, age=IN_PODS.diagnosis)), Again)
    assert isinstance(after(HEARD, run), Again)


def test_what_kubernetes_cannot_begin_is_void_after_its_deadline_with_the_reason() -> None:
    run = RunState("pending", age=IN_PODS.pending, diagnosis=Diagnosis("Unschedulable.InsufficientResources"))
    decision = of_a_pod(replace(IDLE, age=HOUR), run)

    assert of_a_pod(IDLE, replace(run, age=MINUTE)) == Wait()
    assert isinstance(decision, Void)
    assert "no node has so much room" in decision.reason


def test_a_diagnosis_of_a_pod_that_runs_again_says_nothing_of_its_end() -> None:
    assert of_a_pod(HEARD, RunState("running", diagnosis=OOM)) == Wait()


QUEUES = replace(PATIENCE, queues=True)
DAY = timedelta(days=1)


def in_queue(run: RunState, attempt: OpenAttempt = IDLE) -> object:
    return decide(replace(attempt, age=DAY), run, patience=QUEUES, listening=HOUR, last_class=1)


def test_what_waits_for_its_quota_is_waited_for_however_long() -> None:
    assert in_queue(RunState("pending", age=DAY)) == Wait()
    assert isinstance(decided(replace(IDLE, age=DAY), "pending", age=DAY), Void)


def test_the_deadline_of_what_was_admitted_counts_from_then() -> None:
    just_now = RunState("pending", age=QUEUES.pending - SECOND, is_placed=True)

    assert in_queue(just_now) == Wait()
    assert isinstance(in_queue(replace(just_now, age=QUEUES.pending)), Void)


def test_what_no_worker_takes_is_void_whatever_its_quota() -> None:
    assert isinstance(in_queue(RunState("scheduled", age=DAY)), Void)


def test_what_waits_for_its_quota_can_be_given_up() -> None:
    given_up = replace(IDLE, closing="cancelled by a person")

    assert in_queue(RunState("pending", age=DAY), given_up) == Close("cancelled", "cancelled by a person")


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (RunState("pending"), "Quota"),
        (RunState("pending", is_placed=True), None),
        (RunState("pending", diagnosis=Diagnosis("Unschedulable"), is_placed=True), "Unschedulable"),
        (RunState("running", diagnosis=Diagnosis("Unschedulable"), is_placed=True), None),
        (RunState("scheduled"), None),
    ],
)
def test_why_a_run_does_not_begin_is_told_in_a_word(run: RunState, why: str | None) -> None:
    assert run.held_up(QUEUES) == why


def test_without_a_quota_queue_nothing_waits_for_quota() -> None:
    assert RunState("pending").held_up(PATIENCE) is None
