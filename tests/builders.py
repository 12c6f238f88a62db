"""Values for tests, each by a small function with defaults: a test names only what it is about."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from router.notifications.record import Position, Record
from router.notifications.requests import Request
from router.ports.intake import Announced, Intake
from router.ports.requests import AskedRequest, Found, FoundFile
from router.ports.scheduling import NewBatch
from router.rules.answers import FinishedRequest, RequestEnd
from router.rules.identity import Identity, object_key
from router.rules.looking import There
from router.rules.outgoing import OutgoingEvent
from router.rules.recovery import OpenAttempt
from router.rules.scheduling import WaitingFile
from router.rules.settlement import Settlement
from router.rules.sizing import Place
from router.rules.status import Standing
from schemas.completions import CompletedFile, RequestCounts, RequestedFile, RequestOutcome
from schemas.config import Config, parse_config
from schemas.config.lanes import Lane
from schemas.config.topics import ARRIVALS_TOPIC, COMPLETIONS_TOPIC, DEAD_LETTERS_TOPIC, REQUESTS_TOPIC
from schemas.events.arrivals import FileData, FileEvent
from schemas.events.requests import Asked, LoadAsked, RequestEvent, RequestKind, request_type
from schemas.formats import Format
from schemas.manifest import Manifest
from schemas.report import Closed, FileOutcome, FileReport, Report, Snapshot

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
AT_ONCE = timedelta(0)  # the pause before an attempt that is due now
ORDERS = "orders-v1"
A_CSV = "s3://landing/orders/a.csv"

CONFIG_TEXT = """
version: 1
allow: ["s3://landing/"]
topics: {storage.events: {}}
sources:
  orders:
    id: orders-v1
    from: {path: "s3://landing/orders/", match: "**/*.csv"}
    format: {csv: {}}
    into: {table: lake.sales.orders}
    batch: {max_files: 3}
  audit:
    id: audit-v1
    from: {path: "s3://landing/", match: "**/*.csv"}
    format: {csv: {}}
    into: {table: lake.sales.audit}
"""

A_LISTING = 1000  # files of a request that are given out together


def after(seconds: float) -> datetime:
    """So long after noon."""
    return NOON + timedelta(seconds=seconds)


def config(text: str = CONFIG_TEXT) -> Config:
    return parse_config(text, {})


def position(offset: int = 0, *, topic: str = ARRIVALS_TOPIC, partition: int = 0) -> Position:
    return Position(topic, partition, offset)


def record(value: bytes | None, at: Position | None = None, *, written: datetime = NOON) -> Record:
    return Record(at or position(), None, value, (), written)


def file_event(
    uri: str = A_CSV, *, removed: bool = False, size: int | None = 10, etag: str | None = "v1", at: datetime = NOON
) -> bytes:
    """Our own event as its record's value."""
    event = FileEvent(
        id="event",
        source="/tests",
        type="autoloader.file.removed.v1" if removed else "autoloader.file.landed.v1",
        time=at,
        data=FileData(uri=uri, size=size, etag=etag),
    )
    return event.to_json().encode()


def request_event(asked: Asked, request_id: str = "r-1", at: datetime = NOON, *, producer: str = "/tests") -> bytes:
    """A request as its record's value."""
    event = RequestEvent(id=request_id, source=producer, type=request_type(asked), time=at, data=asked)
    return event.to_json().encode()


def s3_notification(
    uri: str = A_CSV, *, removed: bool = False, size: int = 10, etag: str = "v1", at: datetime = NOON
) -> bytes:
    """What a storage system says of an object; removals tell neither size nor eTag."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    told: dict[str, Any] = {"key": key} if removed else {"key": key, "size": size, "eTag": f'"{etag}"'}
    entry = {
        "eventVersion": "2.1",
        "eventSource": "ceph:s3",
        "eventName": "ObjectRemoved:Delete" if removed else "ObjectCreated:Put",
        "eventTime": at.isoformat(),
        "s3": {"bucket": {"name": bucket}, "object": told},
    }
    return json.dumps({"Records": [entry]}).encode()


def identity(uri: str = A_CSV, version: str = "v1", source_id: str = ORDERS) -> Identity:
    return Identity(source_id, object_key(uri), version)


def announced(
    uri: str = A_CSV,
    version: str = "v1",
    *,
    source_id: str = ORDERS,
    size: int | None = 10,
    landed: datetime = NOON,
    offset: int = 0,
) -> Announced:
    place = None if size is None else Place("default", 1, size)
    return Announced(identity(uri, version, source_id), uri, size, landed, position(offset), place)


def unmeasured(uri: str = A_CSV, version: str = "", *, landed: datetime = NOON, offset: int = 0) -> Announced:
    return announced(uri, version, size=None, landed=landed, offset=offset)


def there(version: str = "v1", size: int = 10) -> There:
    """What the storage says of an object."""
    return There(version, size, Place("default", 1, size))


def intake(
    files: Sequence[Announced] = (),
    *,
    unmeasured: Sequence[Announced] = (),
    removed: Sequence[Announced] = (),
    letters: Sequence[OutgoingEvent] = (),
) -> Intake:
    return Intake(files, unmeasured, removed, letters)


def letter(value: str = "{}") -> OutgoingEvent:
    return OutgoingEvent(DEAD_LETTERS_TOPIC, "ingestion.file-arrivals/0", value)


def manifest(source_id: str = ORDERS) -> Manifest:
    name = source_id.partition("-")[0]
    return Manifest(
        source_id=source_id, source_name=name, table=f"lake.sales.{name}", format=Format.model_validate("csv")
    )


def new_batch(
    files: Sequence[WaitingFile], batch: str = "b-1", *, lane: Lane = "default", source_id: str = ORDERS
) -> NewBatch:
    return NewBatch(batch, lane, 0, {}, manifest(source_id), files)


def waiting_file(
    uri: str = A_CSV, version: str = "v1", *, size: int = 10, landed: datetime = NOON, source_id: str = ORDERS
) -> WaitingFile:
    return WaitingFile(identity(uri, version, source_id), uri, size, landed, size)


def file_report(
    uri: str = A_CSV, version: str = "v1", outcome: FileOutcome = "loaded", *, rows: int = 5, reason: str | None = None
) -> FileReport:
    return FileReport(uri=uri, version=version, outcome=outcome, rows=rows if outcome == "loaded" else 0, reason=reason)


def report(files: Sequence[FileReport] | None = None, *, snapshot_id: int = 1) -> Report:
    files = [file_report()] if files is None else files
    return Report(files=tuple(files), rows=sum(file.rows for file in files), snapshot=Snapshot(id=str(snapshot_id)))


def closed(reason: str = "wrong data", *, split: bool = False) -> Closed:
    return Closed(cause="wrong-data", reason=reason, split=split)


def open_attempt(**changes: Any) -> OpenAttempt:
    """A submitted attempt to load that nobody has begun yet."""
    values: Mapping[str, Any] = {
        "batch": "b-1",
        "n": 1,
        "source_id": ORDERS,
        "lane": "default",
        "kind": "load",
        "size_class": 0,
        "age": timedelta(0),
        "run_id": "run-1",
        "claimed_for": None,
        "silent": None,
        "closing": None,
        "result": None,
        "cause": None,
        "reason": None,
        "failures": {},
        "files": 1,
        "split_from": None,
    }
    return OpenAttempt(**{**values, **changes})


def settlement(
    files: Sequence[CompletedFile] | None = None, batch: str = "b-1", n: int = 1, *, value: str = "{}"
) -> Settlement:
    """By default one loaded file."""
    if files is None:
        files = [completed_file()]
    event = OutgoingEvent(COMPLETIONS_TOPIC, "lake.sales.orders", value)
    outcome = "failed" if any(file.outcome == "failed" for file in files) else "loaded"
    return Settlement(
        batch=batch,
        n=n,
        source_id=ORDERS,
        outcome="failed" if outcome == "failed" else "loaded",
        reason=None,
        files=files,
        bytes_per_second=None,
        newest_landed=NOON,
        seconds={},
        event=event,
    )


def completed_file(uri: str = A_CSV, version: str = "v1", **changes: Any) -> CompletedFile:
    return CompletedFile(**{"uri": uri, "version": version, "outcome": "loaded", "rows": 5, **changes})


def load_asked(*files: str, **changes: Any) -> LoadAsked:
    """By default one file of the source `orders`."""
    values: Mapping[str, Any] = {"source": "orders", "files": files or (A_CSV,), **changes}
    return LoadAsked(**values)


def request(asked: Asked | None = None, request_id: str = "r-1", *, producer: str = "/tests") -> Request:
    asked = asked or load_asked()
    return Request(request_id, _kind(asked), producer, asked, None, NOON, position(topic=REQUESTS_TOPIC))


def asked_request(
    asked: Asked | None = None,
    request_id: str = "r-1",
    *,
    producer: str = "/tests",
    source_id: str | None = ORDERS,
    refusal: RequestEnd | None = None,
) -> AskedRequest:
    """A retry or a cancel names no source."""
    made = request(asked, request_id, producer=producer)
    if made.kind in {"retry", "cancel"}:
        source_id = None
    return AskedRequest(made, letter(f"{request_id} is taken"), source_id, refusal)


def request_end(
    request_id: str = "r-1", outcome: RequestOutcome = "cancelled", reason: str | None = "enough"
) -> RequestEnd:
    return RequestEnd(
        request_id, outcome, reason, OutgoingEvent(COMPLETIONS_TOPIC, request_id, f"{request_id} {outcome}")
    )


def found_file(
    uri: str = A_CSV, version: str = "v1", *, size: int = 10, lane: Lane = "priority", source_id: str = ORDERS
) -> FoundFile:
    return FoundFile(identity(uri, version, source_id), uri, size, Place(lane, 0, size))


def found(
    *files: FoundFile,
    request_id: str = "r-1",
    missing: Sequence[str] = (),
    refused: Mapping[str, str] | None = None,
    cursor: str | None = None,
    more: bool = False,
) -> Found:
    """By default all there is to find."""
    return Found(request_id, files, missing, refused or {}, cursor, is_all=not more)


def finished_request(files: Sequence[RequestedFile] = (), **changes: Any) -> FinishedRequest:
    """A load request with the counts of its files."""
    loaded = sum(file.outcome == "loaded" for file in files)
    already = sum(file.outcome == "already-loaded" for file in files)
    counts = RequestCounts(
        files=len(files),
        files_loaded=loaded,
        files_already_loaded=already,
        files_not_loaded=len(files) - loaded - already,
        rows=sum(file.rows for file in files),
    )
    values: Mapping[str, Any] = {
        "id": "r-1",
        "kind": "load",
        "producer": "/tests",
        "source_id": ORDERS,
        "accepted": NOON,
        "counts": counts,
        "files": files,
    }
    return FinishedRequest(**{**values, **changes})


def requested_file(uri: str = A_CSV, **changes: Any) -> RequestedFile:
    return RequestedFile(**{"uri": uri, "version": "v1", "outcome": "loaded", "rows": 5, **changes})


def standing(**changes: Any) -> Standing:
    """By default a ledger with nothing in it, and a server that nobody else uses."""
    values: Mapping[str, Any] = {
        "in_flight": {},
        "waiting": {},
        "in_flight_files": {},
        "to_measure_files": {},
        "paused": (),
        "roles": (),
        "outbox_events": 0,
        "outbox_since": None,
        "connections": 1,
        "connections_limit": 100,
        "bytes": 8_000_000,
    }
    return Standing(**{**values, **changes})


def _kind(asked: Asked) -> RequestKind:
    kinds: Mapping[str, RequestKind] = {
        "LoadAsked": "load",
        "PreviewAsked": "preview",
        "RetryAsked": "retry",
        "CancelAsked": "cancel",
    }
    return kinds[type(asked).__name__]
