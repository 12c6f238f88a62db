"""The trace of a file: read from its event, or one of ours, and told when its batch has ended."""

import json
from typing import Any

import pytest

from router.notifications.record import Record
from router.notifications.traces import traceparent
from router.rules.settlement import EndedBatch, settle
from router.rules.traces import ours
from schemas.manifest import ManifestFile
from schemas.report import Closed, Report
from schemas.traces import TraceParent, parsed, trace_ids, written
from tests.builders import A_CSV, NOON, closed, file_event, file_report, manifest, position, report, s3_notification
from tests.builders import record as made

ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACE = f"00-{ID}-{SPAN}-01"
OTHER = f"00-{ID[::-1]}-{SPAN}-00"
B_CSV = "s3://landing/orders/b.csv"


def told(event: bytes, **attributes: Any) -> bytes:
    """The event with these attributes too."""
    return json.dumps({**json.loads(event), **attributes}).encode()


def headed(value: bytes, *headers: tuple[str, bytes]) -> Record:
    return made(value)._replace(headers=headers)


def test_a_structured_event_tells_its_trace_as_an_attribute() -> None:
    assert traceparent(made(told(file_event(), traceparent=TRACE))) == TRACE


def test_a_binary_event_tells_it_in_a_header_and_any_record_in_kafka_s() -> None:
    assert traceparent(headed(b"{}", ("ce_traceparent", TRACE.encode()))) == TRACE
    assert traceparent(headed(s3_notification(), ("traceparent", TRACE.encode()))) == TRACE


def test_the_event_s_own_trace_is_before_that_of_the_way_it_came() -> None:
    event = told(file_event(), traceparent=TRACE)

    assert traceparent(headed(event, ("traceparent", OTHER.encode()))) == TRACE
    assert traceparent(headed(b"{}", ("traceparent", OTHER.encode()), ("ce_traceparent", TRACE.encode()))) == TRACE


@pytest.mark.parametrize(
    "said",
    [
        "",
        "00",
        TRACE.upper(),
        f"ff-{ID}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{ID}-{'0' * 16}-01",
        f"00-{ID}-{SPAN}",
        f"{TRACE}x",
        17,
        None,
        [TRACE],
    ],
)
def test_what_is_no_trace_is_not_taken_for_one(said: object) -> None:
    assert traceparent(made(told(file_event(), traceparent=said))) is None


@pytest.mark.parametrize("value", [None, b"", b'{"traceparent"', b'["traceparent"]', told(b"{}", traceparent=TRACE)])
def test_a_record_that_is_no_event_tells_none(value: bytes | None) -> None:
    assert traceparent(made(value)) is None
    assert traceparent(headed(value or b"", ("traceparent", b"\xff"))) is None


def test_of_a_later_version_we_pass_on_what_we_know() -> None:
    assert traceparent(headed(b"{}", ("traceparent", f"cc-{ID}-{SPAN}-01-what-will-be".encode()))) == TRACE


def test_one_of_ours_is_sampled_and_the_same_however_often_its_record_is_read() -> None:
    first = parsed(ours(position(7)))

    assert first is not None
    assert first.flags == 1
    assert ours(position(7)) == written(first)
    assert ours(position(8)) != ours(position(7))
    assert ours(position(7, partition=1)) != ours(position(7))


def test_a_trace_is_written_as_it_was_read() -> None:
    assert parsed(TRACE) == TraceParent(ID, SPAN, 1)
    assert written(TraceParent(ID, SPAN, 1)) == TRACE


def test_a_log_names_each_trace_once_and_a_hundred_at_most() -> None:
    many = [f"00-{n:032x}-{SPAN}-01" for n in range(1, 300)]

    assert trace_ids([TRACE, TRACE, "nonsense"]) == ID
    assert trace_ids([]) is None
    assert len((trace_ids(many) or "").split()) == 100


def ended(*uris: str, traces: dict[str, str], said: Report | Closed | None = None) -> EndedBatch:
    """A batch of these files, which their run has loaded, or closed."""
    files = [file_report(uri) for uri in uris]
    return EndedBatch(
        id="b-1",
        n=1,
        lane="default",
        manifest=manifest(),
        files=[ManifestFile(uri=uri, version="v1", size=10) for uri in uris],
        landed=NOON,
        last_landed=NOON,
        estimate=10,
        cut=NOON,
        submitted=NOON,
        claimed=NOON,
        reported=NOON,
        run_id="run-1",
        report=said or report(files),
        traces=traces,
    )


def test_a_completion_names_the_trace_of_each_file_that_has_one() -> None:
    event = json.loads(settle(ended(A_CSV, B_CSV, traces={A_CSV: TRACE}), now=NOON, run_url=None).event.value)

    files = {file["uri"]: file for file in event["data"]["files"]}
    assert files[A_CSV]["traceparent"] == TRACE
    assert "traceparent" not in files[B_CSV]
    assert "traceparent" not in event


def test_a_completion_is_of_the_trace_of_all_its_files() -> None:
    traces = {A_CSV: TRACE, B_CSV: TRACE}

    event = json.loads(settle(ended(A_CSV, B_CSV, traces=traces), now=NOON, run_url=None).event.value)

    assert event["traceparent"] == TRACE


def test_a_batch_that_failed_names_them_too() -> None:
    batch = ended(A_CSV, traces={A_CSV: TRACE}, said=closed())

    [file] = json.loads(settle(batch, now=NOON, run_url=None).event.value)["data"]["files"]

    assert (file["outcome"], file["traceparent"]) == ("failed", TRACE)
