"""What goes in and what comes out. Named tuples: one of each is made a record, at half the cost of a frozen class."""

from datetime import datetime
from typing import Literal, NamedTuple


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
