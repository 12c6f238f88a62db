"""Fields of JSON documents, checked as they are taken out: an error names the field and what it should be."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from router.errors import Rejected
from schemas.uris import MAX_SIZE

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)  # no object storage is older: an earlier time is a clock that nobody set
MAX_VERSION_LENGTH = 1024


def json_object(value: bytes) -> Mapping[str, Any]:
    """The JSON object in a record's value."""
    if value[:1] == b"\x00":
        raise Rejected(
            "schema-registry-framing",
            "begins with byte 0, the Confluent wire format; write plain JSON (JsonConverter without schemas)",
        )
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise Rejected("not-json", f"{error}; write one JSON object a record") from error
    if not isinstance(document, dict):
        raise Rejected("unknown-format", f"a JSON {type(document).__name__}, not an object")
    return document


def inner(document: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Take out the object at a path."""
    at: Any = document
    for done, key in enumerate(path, 1):
        at = at.get(key)
        if not isinstance(at, dict):
            raise _wrong(at, ".".join(path[:done]), "an object")
    found: Mapping[str, Any] = at
    return found


def text(document: Mapping[str, Any], key: str) -> str:
    """Take out a string that is not empty."""
    value = document.get(key)
    if not isinstance(value, str) or not value:
        raise _wrong(value, key, "a non-empty string")
    return value


def size(document: Mapping[str, Any], key: str = "size") -> int | None:
    """A number of bytes, if one is told that can be believed.

    Storages say 0 of multipart uploads and copies, whoever passes it on; and nothing is bigger than an object can be.
    """
    value = document.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _wrong(value, key, "a number of bytes")
    return value if 0 < value <= MAX_SIZE else None


def mark(document: Mapping[str, Any], key: str) -> str | None:
    """An eTag without its quotes, if it is told."""
    value = document.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not (value.isascii() and value.isprintable()) or len(value) > MAX_VERSION_LENGTH:
        raise _wrong(value, key, "an eTag")
    return value.removeprefix("W/").strip('"') or None


def moment(document: Mapping[str, Any], key: str, default: datetime) -> datetime:
    """An RFC 3339 time with its zone (UTC when it names none); the default when none is told that can be believed."""
    value = document.get(key)
    if value is None:
        return default
    try:
        told = datetime.fromisoformat(value)
        told = (told if told.tzinfo else told.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:  # in the first hours of the year 1, or the last of 9999
        return default
    except (TypeError, ValueError) as error:
        raise _wrong(value, key, "a time such as 2026-11-24T13:39:09Z") from error
    return told if told >= EARLIEST else default


def _wrong(value: object, field: str, wanted: str) -> Rejected:
    if value is None:
        return Rejected("missing-field", f"{field}: {wanted} is needed")
    return Rejected("bad-field", f"{field}: {shown(value)} is not {wanted}")


def shown(value: object) -> str:
    """A value as it is quoted; of a container, which may be nested a thousand deep, only its kind."""
    return ascii(value)[:100] if isinstance(value, str | int | float) else type(value).__name__
