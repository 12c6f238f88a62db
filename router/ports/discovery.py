"""What discovery asks of the world: the storage, and the looks at it that the ledger says are due."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from router.rules.looking import Look, StorageAnswer


@dataclass(frozen=True, slots=True)
class Measurement:
    """A look at an object, and what the storage answered."""

    look: Look
    answer: StorageAnswer


@dataclass(frozen=True, slots=True)
class Looked:
    """What answers have changed: files that now wait to be loaded, files that are removed."""

    new: int
    removed: int


class DiscoveryLedger(Protocol):
    """The ledger of discovery: looks that are due, and what the storage answered."""

    async def due_looks(self, limit: int) -> Sequence[Look]:
        """Give out looks that are due; each to one caller for a minute."""

    async def save_answers(self, measurements: Sequence[Measurement]) -> Looked:
        """Turn what is there into files, end what is not, and say when the storage is asked again.

        Only what is there counts when the object was given out, or told of, once more since the look was given.
        """
