"""Completion events and dead letters."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from router.errors import Rejected
from router.notifications.record import Position, Record
from router.rules.dead_letters import dead_letter
from router.rules.settlement import EndedBatch, settle
from schemas.formats import Format
from schemas.manifest import Manifest, ManifestFile
from schemas.report import Closed, FileReport, Report, Snapshot

LANDED = datetime(2026, 11, 24, 12, tzinfo=UTC)
FILES = [ManifestFile(uri=f"s3://b/{n}", version="v", size=10) for n in range(3)]


def ended(report: Report | Closed, files: list[ManifestFile] = FILES) -> EndedBatch:
    return EndedBatch(
        id="b-1",
        n=2,
        lane="default",
        manifest=Manifest(source_id="s-v1", source_name="s", table="l.a.b", format=Format.model_validate("csv")),
        files=files,
        landed=LANDED,
        last_landed=LANDED,
        estimate=30,
        cut=LANDED + timedelta(seconds=1),
        submitted=LANDED + timedelta(seconds=1.5),
        claimed=LANDED + timedelta(seconds=3),
        reported=LANDED + timedelta(seconds=8),
        run_id="run-1",
        report=report,
    )


def report(*outcomes: str) -> Report:
    files = [
        FileReport.model_validate(
            {"uri": f"s3://b/{n}", "version": "v", "outcome": outcome, "rows": 5 * (outcome == "loaded")}
        )
        for n, outcome in enumerate(outcomes)
    ]
    committed = Snapshot(id="9007199254740993", committed_at=LANDED + timedelta(seconds=7))
    return Report(files=tuple(files), rows=5 * outcomes.count("loaded"), snapshot=committed, seconds={"stage": 1.25})


def test_a_loaded_batch_says_so_with_its_counts_and_times() -> None:
    end = settle(ended(report("loaded", "loaded", "loaded")), now=LANDED, run_url="http://p/r")

    event = json.loads(end.event.value)
    assert (end.outcome, event["id"], event["type"]) == ("loaded", "b-1/2/loaded", "autoloader.batch.loaded.v1")
    counts = {name: count for name, count in event["data"]["counts"].items() if count}
    assert counts == {"files_loaded": 3, "rows": 15, "bytes": 30}
    assert event["data"]["complete_through"] == "2026-11-24T12:00:00Z"
    assert event["data"]["snapshot"]["id"] == "9007199254740993"
    assert event["data"]["seconds"] == {
        "landed_to_cut": 1,
        "cut_to_submit": 0.5,
        "event_to_submit": 1.5,
        "submit_to_start": 1.5,
        "load": 5,
        "landed_to_queryable": 7,
        "flow_stage": 1.25,
    }


def test_the_event_of_a_batch_is_the_same_whenever_it_is_made() -> None:
    first, again = (settle(ended(report("loaded")), now=LANDED, run_url=None).event for _ in range(2))

    assert first == again


def test_a_batch_with_a_bad_file_is_partly_loaded() -> None:
    end = settle(ended(report("loaded", "quarantined", "missing")), now=LANDED, run_url=None)

    assert end.outcome == "partly-loaded"
    assert end.reason is not None
    assert end.reason.startswith("1 of 3 files quarantined, 1 of 3 files missing: ")


@pytest.mark.parametrize("outcome", ["quarantined", "missing", "superseded"])
def test_no_file_ends_without_a_reason_when_it_is_not_loaded(outcome: str) -> None:
    """Whatever its run says, also one of an older release."""
    file = settle(ended(report(outcome)), now=LANDED, run_url=None).files[0]

    assert (file.outcome, bool(file.reason)) == (outcome, True)


def test_a_batch_whose_files_were_all_unusable_loaded_nothing() -> None:
    assert settle(ended(report("missing")), now=LANDED, run_url=None).outcome == "nothing-loaded"


def test_a_closed_batch_failed_with_every_file() -> None:
    end = settle(ended(Closed(cause="wrong-data", reason="column x")), now=LANDED, run_url=None)

    assert (end.outcome, end.reason) == ("failed", "column x")
    assert [(file.outcome, file.reason) for file in end.files] == [("failed", "column x")] * 3


def test_at_most_a_hundred_files_are_named_those_not_loaded_first() -> None:
    outcomes = ["loaded"] * 150 + ["quarantined"]

    files = [ManifestFile(uri=f"s3://b/{n}", version="v", size=10) for n in range(len(outcomes))]

    data = json.loads(settle(ended(report(*outcomes), files), now=LANDED, run_url=None).event.value)["data"]

    assert (len(data["files"]), data["files_truncated"]) == (100, True)
    assert data["files"][0]["outcome"] == "quarantined"
    assert data["counts"]["files_loaded"] == 150


def letter(value: bytes | None) -> dict[str, object]:
    record = Record(Position("t", 1, 42), b"k\xff", value, (), LANDED)
    event = dead_letter(record, 0, Rejected("not-json", "why"))
    data: dict[str, object] = json.loads(event.value)["data"]
    return data


def test_a_dead_letter_tells_place_reason_and_value() -> None:
    data = letter(b"{")

    assert (data["topic"], data["partition"], data["offset"]) == ("t", 1, 42)
    assert (data["reason"], data["detail"], data["value"], data["value_encoding"]) == ("not-json", "why", "{", "utf-8")
    assert data["key"] == "k\ufffd"


def test_a_value_that_is_not_text_is_base64() -> None:
    assert (letter(b"\xff\x00")["value"], letter(b"\xff\x00")["value_encoding"]) == ("/wA=", "base64")


def test_a_long_value_is_cut_between_characters() -> None:
    data = letter("ü".encode() * 10_000 + b"x")

    assert data["value_encoding"] == "utf-8"
    assert data["value_bytes"] == 20_001
    assert len(str(data["value"]).encode()) <= 16 * 1024


def test_a_null_value_is_told_as_such() -> None:
    assert (letter(None)["value"], letter(None)["value_bytes"]) == (None, None)


def test_a_file_that_its_run_did_not_report_has_an_outcome_all_the_same() -> None:
    end = settle(ended(report("loaded", "loaded")), now=LANDED, run_url=None)

    assert [file.outcome for file in end.files] == ["loaded", "loaded", "failed"]
    assert end.outcome == "partly-loaded"


def test_an_event_stays_below_kafka_s_limit_whatever_the_reasons_are() -> None:
    files = [ManifestFile(uri="s3://b/" + "ü" * 1000 + str(n), version="v" * 1024, size=10) for n in range(200)]
    closed = Closed(cause="wrong-data", reason='"\\ü' * 10_000)

    event = settle(ended(closed, files), now=LANDED, run_url=None).event

    assert len(event.value.encode()) < 1_000_000


def test_reasons_hold_nothing_that_cannot_be_stored() -> None:
    assert Closed(cause="crash", reason='For input string: "12\x00"\n\tat x').reason == 'For input string: "12 " at x'
