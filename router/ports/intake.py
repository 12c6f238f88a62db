"""What intake asks of the world: records of a topic, and a ledger that takes in what they tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from router.notifications.record import Position, Record
from router.ports.discovery import Looked, Measurement
from router.rules.identity import Identity
from router.rules.looking import Look
from router.rules.outgoing import OutgoingEvent
from router.rules.sizing import Place


class Announced(NamedTuple):
    """An arrival of one source; what its event did not tell is None, and so is then its place."""

    identity: Identity
    uri: str
    size: int | None
    landed: datetime
    position: Position
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Intake:
    """What one poll brought: files known well enough, files to be measured first, removals, dead letters."""

    files: Sequence[Announced]
    unmeasured: Sequence[Announced]
    removed: Sequence[Announced]
    letters: Sequence[OutgoingEvent]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the ledger did not know before: new files, new arrivals to be measured.

    `doubted`: objects told to be removed of which something is not loaded yet: they are looked at.
    """

    files: int
    unmeasured: int
    doubted: int


class Source(Protocol):
    """Records of a consumer group."""

    async def poll(self) -> Sequence[Record]:
        """Those after the last commit, or none after a moment."""

    async def poll_ahead(self) -> Sequence[Record]:
        """Those after the last poll, as far as they are here already; it takes a commit of its own."""

    async def commit(self) -> None:
        """All that the oldest poll not committed yet has returned is taken care of."""


class IntakeLedger(Protocol):
    """The ledger of intake and discovery: `file` and `arrival`."""

    async def record(self, intake: Intake) -> Recorded:
        """Take in what a poll brought; what is known already is left alone.

        An object is looked at when something of it is told to be removed before it was loaded, and when a version is
        told again that had ended without a load.
        """

    async def to_measure(self, limit: int) -> Sequence[Look]:
        """Looks that are due; each is given to one caller for a minute."""

    async def measured(self, measurements: Sequence[Measurement]) -> Looked:
        """Turn what is there into files, end what is not, and say when the storage is asked again.

        Only what is there counts when the object was given out, or told of, once more since the look was given.
        """
