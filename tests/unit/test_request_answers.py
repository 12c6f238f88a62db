"""Every request is answered: how it ended, what became of its files, in an event that fits Kafka."""

import json
from typing import Any

import pytest

from router.errors import Rejected
from router.rules.answers import FinishedRequest, RequestEnd, answered, previewed, refused
from schemas.completions import SourceName
from schemas.report import MAX_REASON_LETTERS, Preview, PreviewColumn
from tests.builders import after, finished_request, requested_file

NAME = SourceName(id="orders-v1", name="orders")
KAFKA_BYTES = 1024**2
LOADED = requested_file("s3://landing/orders/b.csv")
ALREADY = requested_file("s3://landing/orders/c.csv", outcome="already-loaded", rows=0)
QUARANTINED = requested_file(outcome="quarantined", rows=0, reason="truncated gzip")


def answer(finished: FinishedRequest) -> RequestEnd:
    return answered(finished, NAME, now=after(2))


def told(end: RequestEnd) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(end.event.value)
    return found


@pytest.mark.parametrize(
    ("finished", "outcome", "reason"),
    [
        (finished_request([LOADED]), "loaded", None),
        (finished_request([ALREADY, LOADED]), "loaded", None),
        (finished_request([ALREADY]), "loaded", None),
        (finished_request([QUARANTINED, LOADED]), "partly-loaded", "1 of 2 files not loaded: truncated gzip"),
        (finished_request([QUARANTINED]), "nothing-loaded", "1 of 1 files not loaded: truncated gzip"),
        (finished_request(), "nothing-loaded", "no file was found"),
        (finished_request([LOADED], given_up="enough"), "cancelled", "enough"),
        (
            finished_request([LOADED], expired=True),
            "expired",
            "its deadline has passed; what still waited was given up",
        ),
        (finished_request([LOADED], expired=True, given_up="enough"), "cancelled", "enough"),
        (finished_request([LOADED], kind="retry", source_id=None), "loaded", None),
        (
            finished_request([QUARANTINED, LOADED], kind="cancel"),
            "done",
            "1 files given up, 1 were loaded before that",
        ),
        (finished_request([QUARANTINED], kind="preview"), "failed", "truncated gzip"),
        (finished_request([requested_file(outcome="missing")], kind="preview"), "failed", "the file is not there"),
        (finished_request(kind="preview", given_up="enough"), "failed", "enough"),
    ],
)
def test_the_outcome_says_what_became_of_its_files(finished: FinishedRequest, outcome: str, reason: str | None) -> None:
    end = answer(finished)

    assert (end.id, end.outcome, end.reason) == ("r-1", outcome, reason)
    event = told(end)
    assert event["type"] == f"autoloader.request.{outcome}.v1"
    assert (event["data"]["outcome"], event["data"]["reason"]) == (outcome, reason)


def test_an_answer_is_enough_without_a_second_look_up() -> None:
    end = answer(finished_request([QUARANTINED, ALREADY, LOADED]))

    assert (end.event.topic, end.event.key) == ("ingestion.completions", "r-1")
    event = told(end)
    assert (event["specversion"], event["id"], event["subject"]) == ("1.0", "request/r-1", "r-1")
    data = event["data"]
    assert (data["request"], data["kind"], data["producer"]) == ("r-1", "load", "/tests")
    assert data["source"] == {"id": "orders-v1", "name": "orders"}
    assert data["counts"] == {
        "files": 3,
        "files_loaded": 1,
        "files_already_loaded": 1,
        "files_not_loaded": 1,
        "rows": 5,
    }
    assert [file["outcome"] for file in data["files"]] == ["quarantined", "already-loaded", "loaded"]
    assert data["files_truncated"] is False
    assert data["seconds"] == {"asked_to_done": 2.0}


def test_a_clock_that_goes_back_makes_no_negative_duration() -> None:
    assert told(answer(finished_request(accepted=after(60))))["data"]["seconds"] == {"asked_to_done": 0.0}


def test_the_same_request_is_answered_under_one_id() -> None:
    ends = [
        answer(finished_request([LOADED])),
        answer(finished_request(given_up="enough")),
        refused(finished_request(), Rejected("no-source", "none"), now=after(9)),
        previewed(finished_request(kind="preview"), NAME, Preview(), now=after(9)),
    ]

    assert {told(end)["id"] for end in ends} == {"request/r-1"}


def test_at_most_a_hundred_files_are_named() -> None:
    files = [requested_file(f"s3://landing/orders/{number}.csv") for number in range(101)]

    data = told(answer(finished_request(files)))["data"]

    assert len(data["files"]) == 100
    assert data["files_truncated"] is True
    assert data["counts"]["files"] == 101


def test_a_refused_request_is_told_why() -> None:
    end = refused(finished_request(source_id=None), Rejected("producer-not-allowed", "you may not"), now=after(1))

    assert (end.outcome, end.reason) == ("rejected", "producer-not-allowed: you may not")
    assert told(end)["data"]["source"] is None
    assert told(end)["data"]["files"] == []


def test_a_preview_is_in_its_answer() -> None:
    preview = Preview(columns=(PreviewColumn(name="id", type="bigint"),), rows=(("7",), (None,)))

    end = previewed(finished_request(kind="preview"), NAME, preview, now=after(1))

    assert (end.outcome, end.reason) == ("previewed", None)
    data = told(end)["data"]
    assert data["preview"]["rows"] == [["7"], [None]]
    assert (data["counts"]["files"], data["files"]) == (0, [])


def test_a_preview_that_was_refused_has_failed() -> None:
    end = previewed(finished_request(kind="preview"), NAME, Preview(refused="truncated gzip"), now=after(1))

    assert (end.outcome, end.reason) == ("failed", "truncated gzip")


def test_a_preview_asks_for_no_file_to_be_loaded() -> None:
    data = told(answer(finished_request([requested_file(outcome="missing")], kind="preview")))["data"]

    assert (data["counts"]["files"], data["files"]) == (0, [])


def test_an_answer_fits_a_kafka_record() -> None:
    uri, reason = "s3://landing/" + '"' * 2035, "\u20ac" * MAX_REASON_LETTERS
    files = [requested_file(uri, outcome="failed", version="v" * 1024, reason=reason, batch="b" * 40)] * 101

    end = answer(finished_request(files, id="\u20ac" * 200, producer="\u20ac" * 200, given_up=reason * 100))

    assert len(end.event.value.encode()) < KAFKA_BYTES


def test_a_preview_that_does_not_fit_a_kafka_record_has_failed() -> None:
    preview = Preview(rows=(("\u20ac" * 400_000,),))

    end = previewed(finished_request(kind="preview"), NAME, preview, now=after(1))

    assert (end.outcome, told(end)["data"]["preview"]) == ("failed", None)
    assert "too large" in str(end.reason)


def test_a_refusal_fits_a_kafka_record() -> None:
    rejected = Rejected("unknown-source", ", ".join(f"source-{number}" for number in range(100_000)))

    end = refused(finished_request(), rejected, now=after(1))

    assert len(end.event.value.encode()) < KAFKA_BYTES
    assert end.reason is not None
    assert len(end.reason) <= MAX_REASON_LETTERS
