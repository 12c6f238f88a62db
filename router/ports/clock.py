"""What the stages ask of time and chance."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Time, and the chance that is in ids."""

    def now(self) -> datetime:
        """The time, in UTC."""

    def new_batch_id(self) -> str:
        """Never given before, also after the ledger was restored: time and chance, `[a-z0-9-]`."""
