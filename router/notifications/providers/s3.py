"""S3 event notifications, as AWS, MinIO, Ceph and VersityGW send them.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import unquote_plus

from router.errors import Rejected
from router.notifications import fields
from router.notifications.envelope import Envelope
from router.notifications.record import Arrival, Record, made
from schemas.uris import MAX_SIZE

MAJOR_VERSION = "2"
MAX_EVENT_NAME = 64  # letters that are looked at, and remembered
_BARE_MARK = re.compile(r"[0-9a-f-]{1,200}")

Kind = Literal["landed", "removed"]


SHAPE = "an S3 notification (Records)"
ENTRIES = "Records"


def recognises(envelope: Envelope) -> bool:
    """Whether it has `Records`, or is the event by which AWS tries the connection."""
    return isinstance(envelope.content.get("Records"), list) or envelope.content.get("Event") == "s3:TestEvent"


def entries(envelope: Envelope) -> list[Any]:
    """Take out its `Records`; a test of the connection has none."""
    found = envelope.content.get("Records")
    return found if isinstance(found, list) else []


def arrival(entry: Any, record: Record) -> Arrival | None:
    """Read what one of `Records` announces; None for events that bring no file: a tag, a folder marker."""
    found = _usual_arrival(entry) or _any_arrival(entry, record)
    return None if found is None or found.uri.endswith("/") else found


def _usual_arrival(entry: Any) -> Arrival | None:
    """The arrival of an entry as nearly all are, with every field in its plainest form; None for all others."""
    try:
        bucket, told = entry["s3"]["bucket"]["name"], entry["s3"]["object"]
        kind, key, size, mark = _kind(entry["eventName"][:MAX_EVENT_NAME]), told["key"], told["size"], told["eTag"]
        landed = datetime.fromisoformat(entry["eventTime"])
        is_usual = (
            entry["eventVersion"].startswith("2.")
            and type(bucket) is type(key) is str
            and bucket != ""
            and key != ""
            and "%" not in key
            and "+" not in key
            and type(size) is int
            and 0 < size <= MAX_SIZE
            and _BARE_MARK.fullmatch(mark)
            and landed.tzinfo is UTC
            and landed >= fields.EARLIEST
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return made(Arrival, (kind, f"s3://{bucket}/{key}", size, mark, landed)) if kind and is_usual else None


def _any_arrival(entry: Any, record: Record) -> Arrival | None:
    if not isinstance(entry, dict):
        raise Rejected("bad-field", f"{fields.shown(entry)} is not an object")
    version = fields.text(entry, "eventVersion")
    if version.partition(".")[0] != MAJOR_VERSION:
        raise Rejected("unsupported-version", f"eventVersion {ascii(version)[:40]}; {MAJOR_VERSION}.x is known")
    kind = _kind(fields.text(entry, "eventName")[:MAX_EVENT_NAME])
    if kind is None:
        return None
    told, bucket = fields.inner(entry, "s3", "object"), fields.inner(entry, "s3", "bucket")
    name, key = fields.text(bucket, "name"), fields.text(told, "key")
    return Arrival(
        kind=kind,
        uri=f"s3://{name}/{key if _is_raw(entry, bucket) else _decoded(key)}",
        size=fields.size(told),
        version=fields.mark(told, "eTag"),
        landed=fields.moment(entry, "eventTime", record.written),
    )


@lru_cache(64)
def _kind(event_name: str) -> Kind | None:
    match event_name.removeprefix("s3:").partition(":")[0]:
        case "ObjectCreated":
            return "landed"
        case "ObjectRemoved":
            return "removed"
        case _:
            return None


def _is_raw(entry: Mapping[str, Any], bucket: Mapping[str, Any]) -> bool:
    """Ceph and VersityGW send keys as they are, AWS and MinIO form-encode them.

    VersityGW calls itself aws:s3; its bucket ARN, with the key in it, gives it away.
    """
    if entry.get("eventSource") == "ceph:s3":
        return True
    arn = bucket.get("arn")
    return isinstance(arn, str) and arn.startswith("arn:aws:s3:::/")


def _decoded(key: str) -> str:
    if "%" not in key and "+" not in key:
        return key
    try:
        return unquote_plus(key, errors="strict")
    except UnicodeDecodeError as error:
        raise Rejected("bad-uri", f"key {ascii(key)[:200]} is not form-encoded UTF-8") from error
