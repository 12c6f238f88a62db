"""Our own events: CloudEvents 1.0, structured or binary on Kafka.

    type autoloader.file.landed.v1    data: uri, and where known size (bytes) and etag
    type autoloader.file.removed.v1   data: uri

Source: https://github.com/cloudevents/spec, kafka-protocol-binding.md
"""

from collections.abc import Mapping
from typing import Any, Literal

from router.errors import Rejected
from router.notifications import fields
from router.notifications.record import Arrival, Record

KINDS: Mapping[str, Literal["landed", "removed"]] = {
    "autoloader.file.landed.v1": "landed",
    "autoloader.file.removed.v1": "removed",
}


def binary_attributes(record: Record) -> Mapping[str, Any] | None:
    """The attributes of a binary CloudEvent, taken from its `ce_` headers; None when it has none."""
    if not record.headers:
        return None
    try:
        return {name[3:].lower(): value.decode() for name, value in record.headers if name[:3].lower() == "ce_"} or None
    except UnicodeDecodeError as error:
        raise Rejected("bad-field", f"a ce_ header is not UTF-8: {error}") from error


def arrival(attributes: Mapping[str, Any], content: Mapping[str, Any], record: Record) -> Arrival:
    """The arrival a CloudEvent announces; `content` is its `data`."""
    version = fields.text(attributes, "specversion")
    if not version.startswith("1."):
        raise Rejected("unsupported-version", f"specversion {ascii(version)[:40]}; write CloudEvents 1.0")
    for required in ("id", "source"):
        fields.text(attributes, required)
    kind = fields.text(attributes, "type")
    if kind not in KINDS:
        raise Rejected("unsupported-type", f"type {ascii(kind)[:100]}; known: {', '.join(KINDS)}")
    return Arrival(
        kind=KINDS[kind],
        uri=fields.text(content, "uri"),
        size=fields.size(content),
        version=fields.mark(content, "etag"),
        landed=fields.moment(attributes, "time", record.written),
    )
