"""Who sends notifications: one module each, asked in this order. docs/add-a-provider.md says how to add one."""

from typing import Any, Protocol

from router.notifications.envelope import Envelope
from router.notifications.providers import ours, s3
from router.notifications.record import Arrival, Record


class Provider(Protocol):
    """What a module of this package offers."""

    @property
    def SHAPE(self) -> str:  # noqa: N802 - a constant of a module
        """How its events are told from others, for the letter to whoever sent something else."""

    @property
    def ENTRIES(self) -> str:  # noqa: N802 - a constant of a module
        """The name of the list of entries in an event; empty where an event is one entry."""

    def recognises(self, envelope: Envelope) -> bool:
        """Whether an event is of this provider."""

    def entries(self, envelope: Envelope) -> list[Any]:
        """Take out the entries of one of its events; none of an event that announces nothing."""

    def arrival(self, entry: Any, record: Record) -> Arrival | None:
        """Read what an entry announces; None for what neither brings nor removes an object.

        Raises:
            Rejected: it cannot be read.
        """


PROVIDERS: tuple[Provider, ...] = (ours, s3)
