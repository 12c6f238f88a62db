"""Send events to Kafka, from a command."""

from collections.abc import Sequence

from router.adapters.kafka.publisher import KafkaPublisher
from router.rules.completion import OutgoingEvent


async def send(bootstrap_servers: str, events: Sequence[OutgoingEvent]) -> None:
    """Returns when the broker has them all; Transient when it is away."""
    publisher = KafkaPublisher(bootstrap_servers)
    try:
        await publisher.publish(events)
    finally:
        await publisher.close()
