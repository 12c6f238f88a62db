"""What a record holds, before anybody asks who sent it: a JSON document, or a CloudEvent's attributes and data."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from router.errors import Rejected
from router.notifications import fields
from router.notifications.record import Record, made

MAX_RECORD_BYTES = 1024 * 1024


class Envelope(NamedTuple):
    """The attributes of a CloudEvent with its data as `content`; or no attributes, and the whole document."""

    attributes: Mapping[str, Any] | None
    content: Mapping[str, Any]


def opened(record: Record) -> Envelope:
    """Open a record. A CloudEvent is binary (attributes in `ce_` headers) or structured (all in the document).

    Source: https://github.com/cloudevents/spec, kafka-protocol-binding.md

    Raises:
        Rejected: no JSON object, or a CloudEvent without an object as its data.
    """
    document = document_of(record)
    attributes = binary_attributes(record)
    if attributes is not None:
        return Envelope(attributes, document)
    if "specversion" in document:
        return Envelope(document, fields.inner(document, "data"))
    return made(Envelope, (None, document))


def document_of(record: Record) -> Mapping[str, Any]:
    """Read the JSON object that is a record's value."""
    if record.unreadable is not None:
        raise Rejected("unreadable", record.unreadable)
    if record.value is None:
        raise Rejected("null-value", "a record without a value announces nothing; write the event as its value")
    if len(record.value) > MAX_RECORD_BYTES:
        raise Rejected("too-large", f"{len(record.value)} bytes; at most {MAX_RECORD_BYTES} are read")
    return fields.json_object(record.value)


def binary_attributes(record: Record) -> Mapping[str, Any] | None:
    """Take the attributes of a binary CloudEvent from its `ce_` headers; None when it has none."""
    if not record.headers:
        return None
    try:
        return {name[3:].lower(): value.decode() for name, value in record.headers if name[:3].lower() == "ce_"} or None
    except UnicodeDecodeError as error:
        raise Rejected("bad-field", f"a ce_ header is not UTF-8: {error}") from error
