"""What publication asks of the world: the outbox, and Kafka for what goes out."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from router.ports.lease import Lease
from router.rules.outgoing import OutgoingEvent
from router.rules.publication import Answer


class PublicationLedger(Lease, Protocol):
    """The ledger of publication: events that wait for the broker."""

    async def events_to_publish(
        self,
        limit: int,
        *,
        max_bytes: int | None = None,
        topics_held: Sequence[str] = (),
        keys_held: Sequence[tuple[str, str]] = (),
    ) -> Sequence[tuple[int, OutgoingEvent]]:
        """Events to be published, the oldest first, each with its row's id: in all not much more than `max_bytes`.

        Without those of topics, and of topics and keys, that are held, and what is set aside for the time being.
        """

    async def save_published(
        self,
        ids: Sequence[int],
        epoch: int,
        *,
        shorter: Mapping[int, str] | None = None,
        set_aside: Mapping[int, str] | None = None,
    ) -> None:
        """The broker has them; others are to be tried with a shorter value, or set aside for a while with a reason.

        Raises LeaseLost.
        """


class Publisher(Protocol):
    """Kafka, as far as events go out to it."""

    async def publish(self, events: Sequence[OutgoingEvent]) -> Sequence[Answer]:
        """What the broker says of each, within seconds. Those of one key keep their order, whatever becomes of them."""
