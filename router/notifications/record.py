"""What goes in and what comes out.

Named tuples, because one of each is made a record: they cost half of a frozen class, and half of that again when they
are `made` from a tuple of all their fields, without the call of a constructor in Python.
"""

from datetime import datetime
from typing import Literal, NamedTuple

made = tuple.__new__


class Position(NamedTuple):
    """Where a record stands in Kafka."""

    topic: str
    partition: int
    offset: int


class Record(NamedTuple):
    """One Kafka record as it was read; `written` is the broker's or producer's timestamp.

    `unreadable` says why nothing but its position could be read.
    """

    position: Position
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    written: datetime
    unreadable: str | None = None


class Arrival(NamedTuple):
    """An object that landed, or was removed, as an event tells it; what it does not tell is None.

    `uri` as in `schemas.uris`, `size` in bytes, `version` as in `schemas.uris.version_mark`.
    """

    kind: Literal["landed", "removed"]
    uri: str
    size: int | None
    version: str | None
    landed: datetime
