"""Where is my file? State, why, what next, what you can do, history."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from router.errors import Rejected
from router.rules.explanation.batch import explain_batch
from router.rules.explanation.file import explain, explain_unknown
from router.rules.explanation.known import KnownAttempt, KnownBatch, KnownFile, KnownRequest, Surroundings
from router.rules.explanation.request import explain_request

LANDED = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOW = LANDED + timedelta(minutes=5)
ATTEMPT = KnownAttempt(1, "load", LANDED, None, None, None, None, None, None, None)
BATCH = KnownBatch("b-1", "default", "l.a.t", 2, LANDED, LANDED, None, None, None, None, [ATTEMPT])
FILE = KnownFile("s-v1", "s3://b/k", "v", 10, LANDED, LANDED, "t/0/5", None, None, None, None, None)
IDLE = Surroundings("orders", in_flight=None, router_alive=True)


def why(file: KnownFile, around: Surroundings = IDLE) -> tuple[str, str]:
    explanation = explain(file, around, now=NOW)
    return explanation.standing, explanation.why


def test_a_loaded_file_names_its_table_and_rows() -> None:
    loaded = replace(FILE, outcome="loaded", rows=7, batch=replace(BATCH, ended=NOW))

    assert why(loaded) == ("loaded", "7 rows are in l.a.t (batch b-1)")


@pytest.mark.parametrize(
    ("file", "around", "said"),
    [
        (FILE, IDLE, "it came just now"),
        (FILE, replace(IDLE, in_flight="b-9"), "batch b-9 in flight"),
        (FILE, replace(IDLE, router_alive=False), "no router holds the lease"),
        (FILE, replace(IDLE, paused=LANDED, paused_by="eve"), "its source orders is paused by eve for 5 min"),
        (FILE, replace(IDLE, slots=0), "no worker of lane default is online"),
        (FILE, replace(IDLE, taken=3, slots=3), "3 of 3 slots of its lane are taken"),
        (FILE, replace(IDLE, min_wait=timedelta(hours=1)), "waits 60 min for company"),
        (replace(FILE, size=None, reason="storage: away"), IDLE, "storage: away"),
        (replace(FILE, batch=BATCH), IDLE, "Prefect has not created its run"),
        (
            replace(FILE, batch=replace(BATCH, attempts=[replace(ATTEMPT, trouble="no deployment")])),
            IDLE,
            "no deployment",
        ),
        (
            replace(FILE, batch=replace(BATCH, attempts=[replace(ATTEMPT, ended=NOW, outcome="failed")])),
            replace(IDLE, away="catalog lake: refused"),
            "attempt 1 failed; away is catalog lake: refused",
        ),
        (replace(FILE, batch=replace(BATCH, attempts=[replace(ATTEMPT, run_id="r")])), IDLE, "waits for a worker"),
        (
            replace(FILE, batch=replace(BATCH, attempts=[replace(ATTEMPT, run_id="r", queued=LANDED)])),
            IDLE,
            "has waited for its quota in Kueue for 5 min",
        ),
        (
            replace(FILE, batch=replace(BATCH, attempts=[replace(ATTEMPT, run_id="r", queued=LANDED, claimed=NOW)])),
            IDLE,
            "is loading it",
        ),
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


@pytest.mark.parametrize(
    ("misses", "following"),
    [(1, "asked again in 60 s, then 2 times more"), (3, "asked again in 60 s, for the last time")],
)
def test_what_is_not_there_yet_says_how_often_it_was_looked_for_and_when_next(misses: int, following: str) -> None:
    late = replace(FILE, version="", size=None, misses=misses, due=NOW + timedelta(minutes=1))

    explanation = explain(late, IDLE, now=NOW)

    assert explanation.standing == "waiting"
    assert explanation.why == f"it was announced, but is not there: looked for {misses} times"
    assert explanation.next == following


@pytest.mark.parametrize("outcome", ["missing", "removed", "superseded"])
def test_what_is_looked_at_once_more_says_when(outcome: str) -> None:
    ended = replace(FILE, outcome=outcome, reason="because", due=NOW + timedelta(minutes=1))

    explanation = explain(ended, IDLE, now=NOW)

    assert (explanation.standing, explanation.why) == ("waiting", "because")
    assert explanation.next == "its object is looked at in 60 s, and what is there then is loaded"


def test_the_history_is_in_order_of_time() -> None:
    attempt = replace(
        ATTEMPT, submitted=LANDED + timedelta(seconds=2), run_id="r", claimed=LANDED + timedelta(seconds=3)
    )
    batch = replace(BATCH, attempts=[attempt], cut=LANDED + timedelta(seconds=1), ended=NOW)

    history = explain(replace(FILE, batch=batch, outcome="loaded"), IDLE, now=NOW).history

    assert [moment.at for moment in history] == sorted(moment.at for moment in history)
    assert "t/0/5" in history[1].what


def test_the_history_names_the_trace_where_there_is_one() -> None:
    recorded = [explain(file, IDLE, now=NOW).history[1].what for file in (FILE, replace(FILE, trace="00-1-2-01"))]

    assert recorded == ["recorded for source s-v1, from t/0/5", "recorded for source s-v1, from t/0/5, trace 00-1-2-01"]


def test_a_batch_is_explained_too() -> None:
    failed = replace(BATCH, ended=NOW, outcome="failed", reason="column x")

    assert explain_batch(failed, now=NOW).why == "column x"
    assert explain_batch(BATCH, now=NOW).standing == "waiting"


def test_an_unknown_file_has_the_nearest_reason() -> None:
    assert "not-allowed: outside" in explain_unknown("u", Rejected("not-allowed", "outside"), exists=None).why
    assert "no event for it has come" in explain_unknown("u", None, exists=True).why
    assert "does not exist" in explain_unknown("u", None, exists=False).why


REQUEST = KnownRequest(
    id="r-1",
    kind="load",
    producer="/p",
    source_id="s-v1",
    position="t/0/5",
    accepted=LANDED,
    deadline=None,
    trouble=None,
    listed=LANDED,
    ended=None,
    outcome=None,
    reason=None,
    files_done=2,
    files_total=3,
    oldest_open="s3://b/k",
)


@pytest.mark.parametrize(
    ("request_", "standing", "said"),
    [
        (REQUEST, "waiting", "2 of 3 files have ended"),
        (replace(REQUEST, listed=None), "waiting", "its files are being listed"),
        (replace(REQUEST, listed=None, trouble="storage: away"), "waiting", "not listed yet: storage: away"),
        (replace(REQUEST, kind="preview"), "waiting", "has not been looked at yet"),
        (replace(REQUEST, ended=NOW, outcome="loaded"), "loaded", "2 of 3 files have ended"),
        (replace(REQUEST, ended=NOW, outcome="rejected", reason="unknown-source"), "needs a person", "unknown-source"),
    ],
)
def test_a_request_says_how_far_it_is(request_: KnownRequest, standing: str, said: str) -> None:
    explanation = explain_request(request_, now=NOW)

    assert explanation.standing == standing
    assert said in explanation.why


def test_an_open_request_names_what_it_waits_for_and_how_to_give_it_up() -> None:
    explanation = explain_request(replace(REQUEST, deadline=NOW + timedelta(minutes=3)), now=NOW)

    assert explanation.you_can == ["autoloader explain s3://b/k", "autoloader cancel r-1"]
    assert explanation.next == "answered when all have, given up in 3 min"


def test_a_paused_source_s_file_is_set_free_by_the_command_that_is_named() -> None:
    explanation = explain(FILE, replace(IDLE, paused=LANDED, paused_by="eve"), now=NOW)

    assert explanation.you_can == ["autoloader resume orders"]


def test_a_file_that_is_asked_for_holds_up_its_request() -> None:
    assert explain(replace(FILE, requests=["r-1"]), IDLE, now=NOW).held_up == ["request r-1"]


def test_a_file_of_a_source_that_loads_only_on_request_names_the_command() -> None:
    explanation = explain_unknown("s3://b/k", None, exists=True, only_requested="asked")

    assert explanation.why == "asked loads only what is requested"
    assert explanation.you_can == ["autoloader request asked s3://b/k"]


def test_a_split_batch_stands_where_the_worst_of_its_halves_stands() -> None:
    loaded = replace(BATCH, id="b-1-1", split_from="b-1", ended=NOW, outcome="loaded")
    waits = replace(BATCH, id="b-1-2", split_from="b-1", attempts=[])
    failed = replace(waits, ended=NOW, outcome="failed", reason="it kills")
    parent = replace(BATCH, ended=NOW, outcome="split", reason="3 crashes", halves=[loaded, waits])

    open_still = explain_batch(parent, now=NOW)
    ended = explain_batch(replace(parent, halves=[loaded, failed]), now=NOW)

    assert (open_still.standing, open_still.you_can) == ("waiting", ["autoloader explain b-1-2"])
    assert open_still.next == "its files go on in b-1-1 and b-1-2"
    assert ended.standing == "needs a person"
    assert ended.you_can[0] == "autoloader explain b-1-2"
    assert "split, so that one file does not fail all: 3 crashes" in ended.why


def test_a_file_in_a_half_waits_for_its_turn() -> None:
    half = replace(BATCH, id="b-1-2", split_from="b-1", attempts=[])

    explanation = explain(replace(FILE, batch=half), IDLE, now=NOW)

    assert explanation.why == "batch b-1 was split, and this half of it has not begun"
    assert "split into batch b-1-2 of 2 files" in [moment.what.partition(",")[0] for moment in explanation.history]
