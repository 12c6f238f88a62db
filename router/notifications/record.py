"""What goes in and what comes out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class Position:
    """Where a record stands in Kafka."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record as it was read; `written` is the broker's or producer's timestamp.

    `unreadable` says why nothing but its position could be read.
    """

    position: Position
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    written: datetime
    unreadable: str | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """An object that landed, or was removed, as an event tells it; what it does not tell is None.

    `uri` as in `schemas.uris`, `size` in bytes, `version` as in `schemas.uris.version_mark`.
    """

    kind: Literal["landed", "removed"]
    uri: str
    size: int | None
    version: str | None
    landed: datetime
