"""Bytes and headers → requests: what is understood, what is refused with an answer, what is a dead letter."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from router.errors import Rejected
from router.notifications.record import Record
from router.notifications.requests import MAX_NAME_LETTERS, Request, request
from schemas.config.topics import REQUESTS_TOPIC
from schemas.events.requests import MAX_FILES_ASKED, Asked, CancelAsked, LoadAsked, PreviewAsked, RetryAsked
from tests.builders import A_CSV, NOON, after, load_asked, position, record, request_event

EVERY_KIND = [
    (load_asked(A_CSV), "load"),
    (LoadAsked(source="orders-v1", prefix="s3://landing/orders/", if_loaded="reload", deadline=after(60)), "load"),
    (PreviewAsked(source="orders", file=A_CSV, rows=7), "preview"),
    (RetryAsked(batch="b-1"), "retry"),
    (RetryAsked(files=(A_CSV,)), "retry"),
    (CancelAsked(request="r-0"), "cancel"),
]
HEADERS = {
    "ce_specversion": b"1.0",
    "ce_id": b"r-1",
    "ce_source": b"/tests",
    "ce_type": b"autoloader.load.requested.v1",
    "ce_time": b"2026-11-24T12:00:01Z",
}
LOAD = {"source": "orders", "files": [A_CSV]}


def event(**changes: Any) -> Record:
    """A load request; what is changed to None is left out."""
    document = json.loads(request_event(load_asked())) | changes
    return record(json.dumps({key: value for key, value in document.items() if value is not None}).encode())


def binary(data: object = LOAD, **changes: bytes | None) -> Record:
    headers = {**HEADERS, **changes}
    told = tuple((name, value) for name, value in headers.items() if value is not None)
    return record(json.dumps(data).encode())._replace(headers=told)


def asking(**data: Any) -> Request:
    """The request whose data is this."""
    return request(event(data=data))


def refused(**data: Any) -> str:
    """Why the request whose data is this is refused."""
    made = asking(**data)
    assert made.asked is None
    assert made.refused
    return made.refused


@pytest.mark.parametrize(("asked", "kind"), EVERY_KIND)
def test_a_request_is_read_as_it_was_asked(asked: Asked, kind: str) -> None:
    at = position(7, topic=REQUESTS_TOPIC)

    made = request(record(request_event(asked, "r-9", after(3), producer="/reports"), at))

    assert (made.id, made.kind, made.producer) == ("r-9", kind, "/reports")
    assert (made.asked, made.refused) == (asked, None)
    assert (made.time, made.position) == (after(3), at)


def test_a_binary_request_has_its_attributes_in_headers() -> None:
    made = request(binary())

    assert (made.id, made.kind, made.producer, made.time) == ("r-1", "load", "/tests", after(1))
    assert made.asked == load_asked()


def test_a_request_without_a_time_is_of_the_time_it_was_written() -> None:
    assert request(event(time=None)).time == NOON
    assert request(binary(ce_time=None)).time == NOON


@pytest.mark.parametrize("attribute", ["specversion", "id", "source", "type"])
def test_what_does_not_name_itself_has_nobody_to_be_answered(attribute: str) -> None:
    for made in (event(**{attribute: None}), event(**{attribute: ""}), binary(**{f"ce_{attribute}": None})):
        with pytest.raises(Rejected) as rejected:
            request(made)

        assert rejected.value.reason == "missing-field" or "non-empty" in rejected.value.detail
        assert attribute in rejected.value.detail


@pytest.mark.parametrize("attribute", ["id", "source"])
@pytest.mark.parametrize("name", ["x" * (MAX_NAME_LETTERS + 1), "a\nb", "a\0b", "\x1b[2J"])
def test_a_name_is_short_and_can_be_printed(attribute: str, name: str) -> None:
    with pytest.raises(Rejected) as rejected:
        request(event(**{attribute: name}))

    assert rejected.value.reason == "bad-field"
    assert rejected.value.detail.startswith(attribute)
    assert rejected.value.detail.isprintable()


@pytest.mark.parametrize("attribute", ["id", "source"])
def test_a_name_may_be_as_long_as_that(attribute: str) -> None:
    request(event(**{attribute: "ü" * MAX_NAME_LETTERS}))


@pytest.mark.parametrize("kind", ["autoloader.file.landed.v1", "autoloader.load.requested.v2", "x" * 10_000])
def test_another_type_of_event_is_told_what_there_is(kind: str) -> None:
    with pytest.raises(Rejected) as rejected:
        request(event(type=kind))

    assert rejected.value.reason == "unsupported-type"
    assert "autoloader.cancel.requested.v1" in rejected.value.detail
    assert len(rejected.value.detail) < 400


def test_another_version_of_cloudevents_is_not_read() -> None:
    with pytest.raises(Rejected, match="specversion"):
        request(event(specversion="2.0"))


@pytest.mark.parametrize("value", [None, b"", b"nonsense", b"[]", b"\x00\x00\x00\x00\x01{}"])
def test_what_is_no_json_object_is_a_dead_letter(value: bytes | None) -> None:
    with pytest.raises(Rejected):
        request(record(value))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"source": "orders"}, "either files"),
        ({"source": "orders", "files": []}, "either files"),
        ({**LOAD, "prefix": "s3://landing/orders/"}, "either files"),
        ({"files": [A_CSV]}, "source: Field required"),
        ({**LOAD, "files": [7]}, "files.0"),
        ({**LOAD, "files": ["s3://b/k"] * (MAX_FILES_ASKED + 1)}, "at most 10000"),
        ({**LOAD, "if_loaded": "again"}, "'skip' or 'reload'"),
        ({**LOAD, "deadline": "soon"}, "deadline"),
        ({**LOAD, "file": A_CSV}, "did you mean 'files'?"),
        ({**LOAD, "xyz": 1}, "known keys: deadline, files"),
    ],
)
def test_wrong_data_is_refused_with_an_answer(data: dict[str, Any], why: str) -> None:
    assert why in refused(**data)


@pytest.mark.parametrize("data", [None, 3, [], "text"])
def test_data_that_is_no_object_is_refused_with_an_answer(data: object) -> None:
    made = request(event(data=data))

    assert made.asked is None
    assert made.refused is not None
    assert "dictionary" in made.refused or "object" in made.refused


def test_wrong_data_of_a_binary_request_is_refused_with_an_answer() -> None:
    made = request(binary({"sauce": "orders"}))

    assert made.refused is not None
    assert "did you mean 'source'?" in made.refused


@pytest.mark.parametrize("kind", ["retry", "cancel"])
def test_a_retry_or_cancel_is_about_one_thing(kind: str) -> None:
    for data in ({}, {"batch": "b-1", "request": "r-0"}, {"files": [A_CSV], "batch": "b-1"}):
        made = request(event(type=f"autoloader.{kind}.requested.v1", data=data))

        assert made.refused is not None
        assert "write one of files" in made.refused


@pytest.mark.parametrize("rows", [0, 101, "many"])
def test_a_preview_shows_some_rows(rows: object) -> None:
    data = {"source": "orders", "file": A_CSV, "rows": rows}

    made = request(event(type="autoloader.preview.requested.v1", data=data))

    assert made.refused is not None
    assert made.refused.startswith("rows")


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("2026-11-24T13:00:00+01:00", NOON),
        ("2026-11-24T12:00:00Z", NOON),
        ("2026-11-24T12:00:00", NOON),  # as with the time of an event
    ],
)
def test_a_deadline_is_a_moment_in_utc(told: str, meant: datetime) -> None:
    made = asking(**LOAD, deadline=told)

    assert isinstance(made.asked, LoadAsked)
    assert made.asked.deadline == meant
    assert made.asked.deadline.tzinfo is UTC


@pytest.mark.parametrize("told", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_deadline_outside_of_time_is_refused(told: str) -> None:
    assert refused(**LOAD, deadline=told).startswith("deadline")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("load", {"source": "a\0b", "files": [A_CSV]}),
        ("load", {"source": "orders", "files": ["s3://landing/\0.csv"]}),
        ("load", {"source": "orders", "prefix": "s3://landing/\0/"}),
        ("preview", {"source": "orders", "file": "\0"}),
        ("retry", {"batch": "\0"}),
        ("cancel", {"request": "\0"}),
        ("cancel", {"files": ["\0"]}),
    ],
)
def test_what_the_ledger_cannot_keep_is_refused(kind: str, data: dict[str, Any]) -> None:
    made = request(event(type=f"autoloader.{kind}.requested.v1", data=data))

    assert made.refused is not None
    assert "NUL" in made.refused


def test_an_unknown_key_is_quoted_in_part() -> None:
    assert len(refused(**LOAD, **{"k" * 900_000: 1})) <= 1000
