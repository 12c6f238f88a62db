"""Kafka for what goes out, as `adapters.kafka` writes it."""

from collections.abc import Sequence

from router.errors import Transient
from router.rules.completion import OutgoingEvent


class FakePublisher:
    """See `ports.Publisher`. `written` is what consumers read, repetitions included."""

    def __init__(self) -> None:
        self.away = False
        self.loses_acknowledgements = False
        self.written: list[OutgoingEvent] = []

    async def publish(self, events: Sequence[OutgoingEvent]) -> None:
        if self.away:
            raise Transient("Kafka: away")
        self.written += events
        if self.loses_acknowledgements:
            raise Transient("Kafka: the acknowledgement was lost")
