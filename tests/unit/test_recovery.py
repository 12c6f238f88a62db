"""The decision table, row by row."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.rules.recovery import (
    GONE_AFTER,
    LONGEST_PAUSE,
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
    pause,
)
from tests.builders import open_attempt

CREATED = datetime(2026, 11, 24, tzinfo=UTC)
DEADLINE = timedelta(minutes=15)
ATTEMPT = open_attempt(created=CREATED, claimed=True)
ENDED: list[RunPhase] = ["completed", "failed", "crashed", "gone"]


def decided(attempt: OpenAttempt, run: RunState | None, age: timedelta = GONE_AFTER) -> object:
    return decide(attempt, run, now=CREATED + age, start_deadline=DEADLINE, last_class=1)


@pytest.mark.parametrize("phase", [*ENDED, "running", "scheduled", "cancelled"])
def test_a_published_result_counts_whatever_prefect_says(phase: RunPhase) -> None:
    assert decided(replace(ATTEMPT, result="published"), RunState(phase)) == Loaded()
    assert decided(replace(ATTEMPT, result="closed"), RunState(phase)) == Closed()


def test_a_run_that_works_or_is_not_known_yet_is_waited_for() -> None:
    assert decided(ATTEMPT, None, timedelta(days=1)) == Wait()
    assert decided(ATTEMPT, RunState("running"), timedelta(days=1)) == Wait()


def test_an_attempt_nobody_begins_is_void_after_the_deadline() -> None:
    idle = replace(ATTEMPT, claimed=False)

    assert decided(idle, RunState("pending"), DEADLINE - timedelta(seconds=1)) == Wait()
    assert isinstance(decided(idle, RunState("pending"), DEADLINE), Void)
    assert isinstance(decided(idle, RunState("running"), DEADLINE), Void)
    assert decided(ATTEMPT, RunState("pending"), DEADLINE) == Wait()


def test_a_run_prefect_does_not_know_is_looked_for_a_minute() -> None:
    assert decided(ATTEMPT, RunState("gone"), GONE_AFTER - timedelta(seconds=1)) == Wait()
    assert isinstance(decided(ATTEMPT, RunState("gone"), GONE_AFTER), Again)


def test_the_run_s_own_word_is_the_cause() -> None:
    told = replace(ATTEMPT, cause="infrastructure", reason="the catalog is away")

    decision = decided(told, RunState("failed", "boom"))

    assert isinstance(decision, Again)
    assert (decision.cause, decision.reason) == ("infrastructure", "the catalog is away")


@pytest.mark.parametrize("phase", ENDED)
def test_a_claimed_run_that_ends_without_a_word_crashed(phase: RunPhase) -> None:
    decision = decided(ATTEMPT, RunState(phase, "exit code -9"))

    assert isinstance(decision, Again)
    assert decision.cause == "crash"
    assert "exit code -9" in decision.reason


def test_the_third_crash_closes_the_batch() -> None:
    assert isinstance(decided(replace(ATTEMPT, failures={"crash": 1}), RunState("crashed")), Again)
    assert isinstance(decided(replace(ATTEMPT, failures={"crash": 2}), RunState("crashed")), Close)


def test_out_of_memory_is_tried_once_in_each_size_class() -> None:
    full = replace(ATTEMPT, cause="out-of-memory")

    first = decided(full, RunState("failed"))
    last = decided(replace(full, size_class=1, failures={"out-of-memory": 1}), RunState("failed"))

    assert isinstance(first, Again)
    assert first.size_class == 1
    assert isinstance(last, Close)


def test_other_failures_stay_in_their_size_class() -> None:
    decision = decided(replace(ATTEMPT, size_class=1), RunState("crashed"))

    assert isinstance(decision, Again)
    assert decision.size_class is None


def test_an_attempt_whose_batch_is_given_up_is_closed_while_it_runs() -> None:
    given_up = replace(ATTEMPT, closing="cancelled by request r-1")

    assert decided(given_up, RunState("running")) == Close("cancelled", "cancelled by request r-1")
    assert decided(replace(given_up, result="staged"), RunState("running")) == Wait()
    assert decided(replace(given_up, kind="close"), RunState("running")) == Wait()


def test_a_preview_is_given_up_where_a_load_would_be_closed() -> None:
    preview = replace(ATTEMPT, kind="preview")

    assert decided(preview, RunState("cancelled", "a person")) == GiveUp("cancelled", "a person")
    assert isinstance(decided(replace(preview, failures={"crash": 2}), RunState("crashed")), GiveUp)
    assert isinstance(decided(preview, RunState("crashed")), Again)
    assert decided(replace(preview, result="previewed"), None) == Previewed()


def test_infrastructure_is_tried_without_limit() -> None:
    unlucky = replace(ATTEMPT, cause="infrastructure", failures={"infrastructure": 10_000, "crash": 2})

    assert isinstance(decided(unlucky, RunState("failed")), Again)


def test_a_run_that_never_began_is_the_infrastructure_s_fault() -> None:
    decision = decided(replace(ATTEMPT, claimed=False, failures={"crash": 2}), RunState("crashed"))

    assert isinstance(decision, Again)
    assert decision.cause == "infrastructure"


def test_a_cancelled_run_closes_its_batch() -> None:
    assert isinstance(decided(ATTEMPT, RunState("cancelled")), Close)


@pytest.mark.parametrize("phase", [*ENDED, "cancelled"])
def test_closing_is_tried_until_it_succeeds(phase: RunPhase) -> None:
    closing = replace(ATTEMPT, kind="close", failures={"crash": 99})

    assert isinstance(decided(closing, RunState(phase)), Again)


@given(st.text(), st.integers(1, 10_000), st.integers(1, 10_000))
def test_pauses_grow_up_to_a_cap(batch: str, n: int, tries: int) -> None:
    assert pause(batch, n, 1) >= timedelta(seconds=5)
    assert pause(batch, n, tries) <= LONGEST_PAUSE * 1.25
    assert pause(batch, n, tries) <= pause(batch, n, tries + 1)
