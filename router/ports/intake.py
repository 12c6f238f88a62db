"""What intake asks of the world: records of a topic, and a ledger that takes in what they tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from router.notifications.record import Position, Record
from router.rules.identity import Identity
from router.rules.outgoing import OutgoingEvent
from router.rules.sizing import Place


class Announced(NamedTuple):
    """An arrival of one source; `size` and `place` are None until the object is measured."""

    identity: Identity
    uri: str
    size: int | None
    landed: datetime
    position: Position
    place: Place | None = None


class Trace(NamedTuple):
    """The trace to which an arrival belongs: W3C's `traceparent`."""

    identity: Identity
    traceparent: str


@dataclass(frozen=True, slots=True)
class Intake:
    """What one poll brought: files known well enough, files to be measured first, removals, dead letters, traces."""

    files: Sequence[Announced]
    unmeasured: Sequence[Announced]
    removed: Sequence[Announced]
    letters: Sequence[OutgoingEvent]
    traces: Sequence[Trace] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the ledger did not know before: new files, new arrivals to be measured.

    `doubted`: objects told to be removed of which something is not loaded yet: they are looked at.
    """

    files: int
    unmeasured: int
    doubted: int


class Source(Protocol):
    """The records of some topics, as a consumer group reads them."""

    async def poll(self) -> Sequence[Record]:
        """Fetch the records after the last commit; none when none come within a moment."""

    async def poll_ahead(self) -> Sequence[Record]:
        """Take the records that come right behind those of the last poll: it waits for a moment of milliseconds.

        Each poll is committed by itself, the oldest first.
        """

    async def commit(self) -> None:
        """Commit the oldest uncommitted poll: all that it returned is taken care of."""


class IntakeLedger(Protocol):
    """The ledger of intake: it takes in what polls bring."""

    async def record(self, intake: Intake) -> Recorded:
        """Take in what a poll brought; what is known already is left alone.

        An object is looked at when something of it is told to be removed before it was loaded, and when a version is
        told again that had ended without a load.
        """
