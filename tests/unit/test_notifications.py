"""Bytes and headers → arrivals, by example and by property."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import Rejected
from router.notifications import providers
from router.notifications.decode import decode
from router.notifications.envelope import MAX_RECORD_BYTES
from router.notifications.providers import s3
from router.notifications.record import Arrival, Position, Record
from schemas.events.arrivals import FileData, FileEvent

WRITTEN = datetime(2026, 11, 24, 12, tzinfo=UTC)
SAMPLES = Path(__file__).parents[1] / "samples"


def record(value: object, headers: tuple[tuple[str, bytes], ...] = ()) -> Record:
    raw = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
    return Record(Position("t", 0, 7), None, raw, headers, WRITTEN)


def sample(name: str) -> Record:
    return record((SAMPLES / name).read_bytes())


def only_arrival(found: list[Arrival | Rejected]) -> Arrival:
    assert len(found) == 1
    assert isinstance(found[0], Arrival), found[0]
    return found[0]


def only_rejection(found: list[Arrival | Rejected]) -> Rejected:
    assert len(found) == 1
    assert isinstance(found[0], Rejected), found[0]
    return found[0]


def event(**changes: Any) -> dict[str, Any]:
    base = FileEvent(
        id="1",
        source="/s",
        type="autoloader.file.landed.v1",
        time=WRITTEN,
        data=FileData(uri="s3://b/k", size=3, etag="e"),
    )
    document: dict[str, Any] = json.loads(base.to_json())
    return document | changes


def test_our_own_event_tells_uri_size_version_and_time() -> None:
    arrival = only_arrival(decode(record(event())))

    assert arrival == Arrival("landed", "s3://b/k", 3, "e", WRITTEN)


def test_what_our_own_event_leaves_out_is_not_known() -> None:
    arrival = only_arrival(decode(record(event(data={"uri": "s3://b/k"}))))

    assert (arrival.size, arrival.version) == (None, None)


def test_a_binary_cloudevent_has_its_attributes_in_headers() -> None:
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", b"1"),
        ("ce_source", b"/s"),
        ("ce_type", b"autoloader.file.removed.v1"),
    )

    arrival = only_arrival(decode(record({"uri": "s3://b/k"}, headers)))

    assert (arrival.kind, arrival.uri, arrival.landed) == ("removed", "s3://b/k", WRITTEN)


def test_aws_form_encodes_keys() -> None:
    arrival = only_arrival(decode(sample("aws_url_encoded_key.json")))

    assert (arrival.uri, arrival.size) == ("s3://sourcebucket/Happy Face.jpg", 1024)


def test_aws_tells_size_and_etag() -> None:
    arrival = only_arrival(decode(sample("aws_put.json")))

    assert arrival.uri == "s3://mybucket/HappyFace.jpg"
    assert (arrival.size, arrival.version) == (1024, "d41d8cd98f00b204e9800998ecf8427e")


def test_minio_prefixes_its_event_names() -> None:
    arrival = only_arrival(decode(sample("minio_put.json")))

    assert (arrival.kind, arrival.uri, arrival.size) == ("landed", "s3://images/myphoto.jpg", 6474)
    assert arrival.version == "430f89010c77aa34fc8760696da62d08-1"


def test_versitygw_sends_keys_raw_and_etags_in_quotes() -> None:
    arrival = only_arrival(decode(sample("versitygw_put.json")))

    assert (arrival.uri, arrival.size) == ("s3://landing/in/2026/a file+ü%.json", 7)
    assert arrival.version == "bb6cb5c68df4652941caf652a366f2d8"


def test_a_size_of_zero_is_not_believed() -> None:
    arrival = only_arrival(decode(sample("versitygw_multipart.json")))

    assert arrival.size is None
    assert arrival.version == "4ea04cd9743ac553ef4249f1851251fd-2"


def s3_entry(time: object = "2026-11-24T12:00:00Z", size: object = 7) -> Record:
    document = json.loads((SAMPLES / "aws_put.json").read_bytes())
    document["Records"][0]["eventTime"] = time
    document["Records"][0]["s3"]["object"]["size"] = size
    return record(document)


def cloudevent(time: object = "2026-11-24T12:00:00Z", size: object = 7) -> Record:
    return record(event(time=time, data={"uri": "s3://b/k", "size": size, "etag": "e"}))


def binary_cloudevent(time: object = "2026-11-24T12:00:00Z", size: object = 7) -> Record:
    told = {"specversion": "1.0", "id": "1", "source": "/s", "type": "autoloader.file.landed.v1", "time": time}
    headers = tuple((f"ce_{name}", str(value).encode()) for name, value in told.items())
    return record({"uri": "s3://b/k", "size": size, "etag": "e"}, headers)


FORMATS = [s3_entry, cloudevent, binary_cloudevent]


@pytest.mark.parametrize("told", FORMATS)
@pytest.mark.parametrize(("size", "believed"), [(None, None), (0, None), (1, 1), (2**46, 2**46), (2**46 + 1, None)])
def test_a_size_that_no_object_has_counts_as_not_told(
    told: Callable[..., Record], size: object, believed: int | None
) -> None:
    arrival = only_arrival(decode(told(size=size)))

    assert (arrival.size, arrival.version is not None) == (believed, True)


@pytest.mark.parametrize("told", FORMATS)
@pytest.mark.parametrize(
    ("time", "believed"),
    [
        ("0001-01-01T00:00:00Z", WRITTEN),  # Go's zero
        ("0001-01-01T00:00:00+14:00", WRITTEN),
        ("9999-12-31T23:59:59-12:00", WRITTEN),
        ("1970-01-01T00:00:00Z", WRITTEN),
        ("1999-12-31T23:59:59Z", WRITTEN),
        ("2000-01-01T00:00:00Z", datetime(2000, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_time_before_there_was_object_storage_counts_as_not_told(
    told: Callable[..., Record], time: str, believed: datetime
) -> None:
    assert only_arrival(decode(told(time=time))).landed == believed


@pytest.mark.parametrize("told", FORMATS)
@pytest.mark.parametrize("time", ["", "never", "NaN", "2026-13-45T00:00:00Z", "2026-11-24T25:00:00Z"])
def test_what_is_no_time_is_refused(told: Callable[..., Record], time: str) -> None:
    assert only_rejection(decode(told(time=time))).reason == "bad-field"


# As MinIO (all but letters encoded), AWS (+ for a space) and Ceph (raw) send the key of an object; the last is encoded
# twice, and names another object.
@pytest.mark.parametrize(
    ("source", "sent", "key"),
    [
        ("minio:s3", "k%2Fa+b%2Bc.csv", "k/a b+c.csv"),
        ("minio:s3", "k%2F100%2525.csv", "k/100%25.csv"),
        ("minio:s3", "k%2Fsub%2Fx+%5B1%5D.csv", "k/sub/x [1].csv"),
        ("aws:s3", "k/a+b%2Bc.csv", "k/a b+c.csv"),
        ("aws:s3", "k/day%3D1/%C3%BC.csv", "k/day=1/ü.csv"),
        ("ceph:s3", "k/raw+plus.csv", "k/raw+plus.csv"),
        ("ceph:s3", "k/100%25.csv", "k/100%25.csv"),
        ("minio:s3", "k%252Fa%252Bb.csv", "k%2Fa%2Bb.csv"),
    ],
)
def test_a_key_is_decoded_as_often_as_its_storage_encodes_it(source: str, sent: str, key: str) -> None:
    document = json.loads((SAMPLES / "aws_put.json").read_bytes())
    document["Records"][0]["eventSource"] = source
    document["Records"][0]["s3"]["bucket"] = {"name": "landing", "arn": "arn:aws:s3:::landing"}
    document["Records"][0]["s3"]["object"]["key"] = sent

    assert only_arrival(decode(record(document))).uri == f"s3://landing/{key}"


def test_deletes_are_removals() -> None:
    assert only_arrival(decode(sample("aws_delete.json"))).kind == "removed"
    assert only_arrival(decode(sample("versitygw_delete.json"))).uri == "s3://landing/in/2026/a file+ü%.json"


def test_a_connection_test_announces_nothing() -> None:
    assert decode(sample("aws_test_event.json")) == []


def test_tags_and_folder_markers_announce_nothing() -> None:
    tagged = json.loads((SAMPLES / "aws_put.json").read_bytes())
    tagged["Records"][0]["eventName"] = "ObjectTagging:Put"
    folder = json.loads((SAMPLES / "aws_put.json").read_bytes())
    folder["Records"][0]["s3"]["object"]["key"] = "in/"

    assert decode(record(tagged)) == []
    assert decode(record(folder)) == []


def test_one_bad_entry_does_not_cost_its_neighbours() -> None:
    document = json.loads((SAMPLES / "aws_put.json").read_bytes())
    document["Records"] = [document["Records"][0], {"eventVersion": "2.1"}, "text"]

    good, bad, worse = decode(record(document))

    assert isinstance(good, Arrival)
    assert isinstance(bad, Rejected)
    assert (bad.reason, bad.detail) == ("missing-field", "Records[1]: eventName: a non-empty string is needed")
    assert isinstance(worse, Rejected)
    assert worse.reason == "bad-field"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "null-value"),
        (b"", "not-json"),
        (b"{", "not-json"),
        (b"\xff\xfe", "not-json"),
        (b"\x00\x00\x00\x00\x01{}", "schema-registry-framing"),
        (b'{"a":"' + b"x" * MAX_RECORD_BYTES + b'"}', "too-large"),
        ([], "unknown-format"),
        ({}, "unknown-format"),
        (event(specversion="0.3"), "unsupported-version"),
        (event(type="com.example.other"), "unsupported-type"),
        (event(id=""), "bad-field"),
        (event(data={}), "missing-field"),
        (event(data={"uri": 5}), "bad-field"),
        (event(data={"uri": "s3://b/k", "size": -1}), "bad-field"),
        (event(data={"uri": "s3://b/k", "size": True}), "bad-field"),
        (event(data={"uri": "s3://b/k", "etag": "a\x00"}), "bad-field"),
        (event(time="yesterday"), "bad-field"),
        (event(data={"uri": "s3://b/k", "etag": "本" * 1024}), "bad-field"),
        (event(data={"uri": "s3://b/k", "size": 2**64}), "bad-field"),
        (event(data={"uri": "s3://b/k", "size": 1.5}), "bad-field"),
        (event(data={"uri": "s3://b/k", "size": "7"}), "bad-field"),
        (event(time=1764000000), "bad-field"),
        (event(time="1764000000"), "bad-field"),
        (b'{"Records":[' + b"0," * 10_000 + b"0]}", "too-large"),
        (b'{"Records":[' + b"[" * 1000 + b"]" * 1000 + b"]}", "bad-field"),
        (b'{"specversion":"1.0","data":' + b"[" * 1000 + b"]" * 1000 + b"}", "bad-field"),
    ],
)
def test_bad_input_has_a_named_reason(value: object, reason: str) -> None:
    rejected = only_rejection(decode(record(value)))

    assert rejected.reason == reason
    assert rejected.detail


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@given(st.binary() | st.none())
def test_no_bytes_stop_the_decoder(value: bytes | None) -> None:
    assert isinstance(decode(record(value)), list)


@given(st.dictionaries(st.sampled_from(["Records", "specversion", "data", "type", "id", "source", "time"]), JSON))
def test_no_document_stops_the_decoder(document: dict[str, Any]) -> None:
    assert isinstance(decode(record(document)), list)


@given(st.sampled_from(["eventVersion", "eventName", "eventTime", "eventSource", "s3"]), JSON)
def test_no_entry_of_an_s3_notification_stops_the_decoder(field: str, value: object) -> None:
    document = json.loads((SAMPLES / "aws_put.json").read_bytes())
    document["Records"][0][field] = value

    assert isinstance(decode(record(document)), list)


@given(st.sampled_from(["bucket", "object"]), st.sampled_from(["name", "key", "size", "eTag", "arn"]), JSON)
def test_no_field_of_an_s3_object_stops_the_decoder(where: str, field: str, value: object) -> None:
    document = json.loads((SAMPLES / "aws_put.json").read_bytes())
    document["Records"][0]["s3"][where][field] = value

    assert isinstance(decode(record(document)), list)


ODD: dict[str, list[Any]] = {
    "eventVersion": ["2.0", "2", "20", "3.1", "", 2],
    "eventName": ["ObjectRemoved:Delete", "s3:ObjectCreated:Put", "ObjectCreated", "ObjectTagging:Put", "", []],
    "eventTime": ["2026-11-24T12:00:00+01:00", "0001-01-01T00:00:00Z", "2026-11-24", "never", "", 5],
    "eventSource": ["ceph:s3", "minio:s3"],
}
ODD_OBJECT: dict[str, list[Any]] = {
    "key": ["a b", "a+b", "a%20b", "%ff", "ü/", "", 5, ["%"]],
    "size": [0, 1, -1, 2**46, 2**46 + 1, True, 1.0, "1"],
    "eTag": ['"ab"', 'W/"ab"', "ab-2", "", "a\x00", "ü", "a" * 1025, 5],
}


def changes(odd: dict[str, list[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the fields, each with a value of its list, or one that is no value at all."""
    return st.fixed_dictionaries({}, optional={name: st.sampled_from([*values, None]) for name, values in odd.items()})


@given(changes(ODD), changes(ODD_OBJECT), st.sampled_from(["b", "", 5, None]) | st.just("b"))
def test_a_quick_look_at_an_entry_tells_what_a_careful_one_does(
    fields: dict[str, Any], told: dict[str, Any], bucket: object
) -> None:
    entry = json.loads((SAMPLES / "aws_put.json").read_bytes())["Records"][0] | fields
    entry["s3"]["object"] |= told
    entry["s3"]["bucket"]["name"] = bucket

    quick = s3._usual_arrival(entry)

    assert quick is None or quick == s3._any_arrival(entry, record(None))


def test_a_quick_look_is_enough_for_what_the_storages_send() -> None:
    for name in ("aws_put.json", "minio_put.json"):
        entry = json.loads((SAMPLES / name).read_bytes())["Records"][0]
        entry["eventTime"] = "2026-11-24T12:00:00.000Z"  # not the documentation's 1970

        assert s3._usual_arrival(entry) is not None


def test_every_provider_is_asked() -> None:
    modules = {path.stem for path in Path(providers.__file__).parent.glob("*.py")} - {"__init__"}

    assert {name for name in modules if getattr(providers, name, None) in providers.PROVIDERS} == modules
