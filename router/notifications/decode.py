"""Which provider sent a record, by its shape; its arrivals, with the unusable ones as rejections beside the good."""

from collections.abc import Mapping
from typing import Any

from router.errors import Rejected
from router.notifications import cloudevents, fields, s3
from router.notifications.record import Arrival, Record

MAX_RECORD_BYTES = 1024 * 1024
MAX_ENTRIES = 10_000


def decode(record: Record) -> list[Arrival | Rejected]:
    """Everything a record announces, in its order. Never raises: what is wrong is a value too.

    An empty list is an event that announces nothing: a connection test, a tag, a folder marker.
    """
    try:
        return _entries(record)
    except Rejected as rejected:
        return [rejected]


def document_of(record: Record) -> Mapping[str, Any]:
    """The JSON object that is a record's value."""
    if record.unreadable is not None:
        raise Rejected("unreadable", record.unreadable)
    if record.value is None:
        raise Rejected("null-value", "a record without a value announces nothing; write the event as its value")
    if len(record.value) > MAX_RECORD_BYTES:
        raise Rejected("too-large", f"{len(record.value)} bytes; at most {MAX_RECORD_BYTES} are read")
    return fields.json_object(record.value)


def _entries(record: Record) -> list[Arrival | Rejected]:
    document = document_of(record)
    attributes = cloudevents.binary_attributes(record)
    if attributes is not None:
        return [cloudevents.arrival(attributes, document, record)]
    if "specversion" in document:
        return [cloudevents.arrival(document, fields.inner(document, "data"), record)]
    entries = document.get("Records")
    if isinstance(entries, list):
        if len(entries) > MAX_ENTRIES:
            raise Rejected("too-large", f"{len(entries)} Records; at most {MAX_ENTRIES} are read")
        return _each(entries, record)
    if s3.is_test(document):
        return []
    raise Rejected("unknown-format", "neither a CloudEvent (specversion) nor an S3 notification (Records)")


def _each(entries: list[Any], record: Record) -> list[Arrival | Rejected]:
    every: list[Arrival | Rejected] = []
    for index, entry in enumerate(entries):
        try:
            found = s3.arrival(entry, record)
        except Rejected as rejected:
            every.append(Rejected(rejected.reason, f"Records[{index}]: {rejected.detail}"))
        else:
            if found is not None and not found.uri.endswith("/"):
                every.append(found)
    return every
