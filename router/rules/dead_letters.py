"""What is said of a record that could not be used, and of an object that is not there."""

from base64 import b64encode
from datetime import datetime

from router.errors import Rejected
from router.notifications.record import Position, Record
from router.rules.outgoing import OutgoingEvent, to_json
from schemas.completions import (
    CloudEvent,
    DeadLetter,
)
from schemas.config.topics import DEAD_LETTERS_TOPIC

MAX_QUOTED_BYTES = 16 * 1024


def dead_letter(record: Record, index: int, rejected: Rejected, *, quotes: bool = True) -> OutgoingEvent:
    """The dead letter of a record, or of its `index`-th entry; with its value, or without."""
    value = record.value
    quoted, encoding = (None, "utf-8") if value is None or not quotes else _quoted(value)
    data = DeadLetter(
        reason=rejected.reason,
        detail=rejected.detail,
        topic=record.position.topic,
        partition=record.position.partition,
        offset=record.position.offset,
        key=None if record.key is None else record.key[:256].decode(errors="replace"),
        value=quoted,
        value_encoding="base64" if encoding == "base64" else "utf-8",
        value_bytes=None if value is None else len(value),
    )
    return _letter(record.position, str(index), record.written, data)


def missing_object(position: Position, source_id: str, uri: str, landed: datetime) -> OutgoingEvent:
    """The dead letter of an arrival whose object is not there."""
    data = DeadLetter(
        reason="missing-object",
        detail=f"{uri} was announced, but is not there; it was removed, or the event names another storage",
        topic=position.topic,
        partition=position.partition,
        offset=position.offset,
        key=None,
        value=None,
        value_encoding="utf-8",
        value_bytes=None,
    )
    return _letter(position, source_id, landed, data)


def _letter(position: Position, entry: str, time: datetime, data: DeadLetter) -> OutgoingEvent:
    place = f"{position.topic}/{position.partition}"
    event = CloudEvent(
        id=f"{place}/{position.offset}/{entry}",
        type="autoloader.dead-letter.v1",
        subject=data.reason,
        time=time,
        data=data,
    )
    return OutgoingEvent(DEAD_LETTERS_TOPIC, place, to_json(event))


def _quoted(value: bytes) -> tuple[str, str]:
    part = value[:MAX_QUOTED_BYTES]
    try:
        return part.decode(), "utf-8"
    except UnicodeDecodeError as error:
        if len(part) < len(value) and error.start > len(part) - 4:
            return part[: error.start].decode(), "utf-8"
        return b64encode(part).decode(), "base64"
