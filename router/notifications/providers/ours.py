"""Our own events, as CloudEvents 1.0.

type autoloader.file.landed.v1    data: uri, and where known size (bytes) and etag
type autoloader.file.removed.v1   data: uri
"""

from collections.abc import Mapping
from typing import Literal

from router.errors import Rejected
from router.notifications import fields
from router.notifications.envelope import Envelope
from router.notifications.record import Arrival, Record

KINDS: Mapping[str, Literal["landed", "removed"]] = {
    "autoloader.file.landed.v1": "landed",
    "autoloader.file.removed.v1": "removed",
}


SHAPE = "a CloudEvent (specversion)"
ENTRIES = ""


def recognises(envelope: Envelope) -> bool:
    """Whether it is a CloudEvent: of one whose type nobody knows it is said which types are ours."""
    return envelope.attributes is not None


def entries(envelope: Envelope) -> list[Envelope]:
    """Take the event as its one entry."""
    return [envelope]


def arrival(entry: Envelope, record: Record) -> Arrival:
    """Read the arrival that one of our events announces."""
    attributes, content = entry.attributes or {}, entry.content
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
