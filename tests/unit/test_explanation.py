"""Where is my file? State, why, what next, what you can do, history."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from router.errors import Rejected
from router.rules.explanation import (
    KnownAttempt,
    KnownBatch,
    KnownFile,
    Surroundings,
    explain,
    explain_batch,
    explain_unknown,
)

LANDED = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOW = LANDED + timedelta(minutes=5)
ATTEMPT = KnownAttempt(1, "load", LANDED, None, None, None, None, None, None, None)
BATCH = KnownBatch("b-1", "default", "l.a.t", 2, LANDED, LANDED, None, None, None, None, [ATTEMPT])
FILE = KnownFile("s-v1", "s3://b/k", "v", 10, LANDED, LANDED, "t/0/5", None, None, None, None, None)
IDLE = Surroundings(in_flight=None, router_alive=True)


def why(file: KnownFile, around: Surroundings = IDLE) -> tuple[str, str]:
    explanation = explain(file, around, now=NOW)
    return explanation.standing, explanation.why


def test_a_loaded_file_names_its_table_and_rows() -> None:
    loaded = replace(FILE, outcome="loaded", rows=7, batch=replace(BATCH, ended=NOW))

    assert why(loaded) == ("loaded", "7 rows are in l.a.t (batch b-1)")


@pytest.mark.parametrize(
    ("file", "around", "said"),
    [
        (FILE, IDLE, "its lane has no free slot"),
        (FILE, Surroundings("b-9", router_alive=True), "batch b-9 in flight"),
        (FILE, Surroundings(None, router_alive=False), "no router holds the lease"),
        (replace(FILE, size=None, reason="storage: away"), IDLE, "storage: away"),
        (replace(FILE, batch=BATCH), IDLE, "Prefect has not created its run"),
        (replace(FILE, batch=replace(BATCH, attempts=[replace(ATTEMPT, run_id="r")])), IDLE, "waits for a worker"),
        (
            replace(FILE, batch=replace(BATCH, attempts=[replace(ATTEMPT, run_id="r", claimed=NOW)])),
            IDLE,
            "is loading it",
        ),
        (replace(FILE, batch=replace(BATCH, closing="3 crashes")), IDLE, "being closed: 3 crashes"),
        (
            replace(
                FILE, batch=replace(BATCH, attempts=[replace(ATTEMPT, ended=NOW, outcome="failed", reason="boom")])
            ),
            IDLE,
            "attempt 1 failed: boom",
        ),
    ],
)
def test_a_waiting_file_says_what_it_waits_for(file: KnownFile, around: Surroundings, said: str) -> None:
    standing, told = why(file, around)

    assert standing == "waiting"
    assert said in told


@pytest.mark.parametrize("outcome", ["quarantined", "failed", "missing", "removed", "superseded"])
def test_what_ended_badly_needs_a_person_and_says_what_to_do(outcome: str) -> None:
    explanation = explain(replace(FILE, outcome=outcome, reason="because"), IDLE, now=NOW)

    assert (explanation.standing, explanation.why) == ("needs a person", "because")
    assert explanation.you_can


def test_the_history_is_in_order_of_time() -> None:
    attempt = replace(
        ATTEMPT, submitted=LANDED + timedelta(seconds=2), run_id="r", claimed=LANDED + timedelta(seconds=3)
    )
    batch = replace(BATCH, attempts=[attempt], cut=LANDED + timedelta(seconds=1), ended=NOW)

    history = explain(replace(FILE, batch=batch, outcome="loaded"), IDLE, now=NOW).history

    assert [moment.at for moment in history] == sorted(moment.at for moment in history)
    assert "t/0/5" in history[1].what


def test_a_batch_is_explained_too() -> None:
    failed = replace(BATCH, ended=NOW, outcome="failed", reason="column x")

    assert explain_batch(failed, now=NOW).why == "column x"
    assert explain_batch(BATCH, now=NOW).standing == "waiting"


def test_an_unknown_file_has_the_nearest_reason() -> None:
    assert "not-allowed: outside" in explain_unknown("u", Rejected("not-allowed", "outside"), exists=None).why
    assert "no event for it has come" in explain_unknown("u", None, exists=True).why
    assert "does not exist" in explain_unknown("u", None, exists=False).why
