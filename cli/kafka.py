"""Send events to Kafka, from a command."""

import asyncio
import time
from collections.abc import Sequence

from router.adapters.kafka.publisher import KafkaPublisher
from router.errors import Transient
from router.rules.outgoing import OutgoingEvent
from router.rules.publication import Acknowledged, Delayed, Refused
from schemas.connections import KafkaConnection

SECONDS = 10
PAUSE_SECONDS = 0.2


async def send(connection: KafkaConnection, events: Sequence[OutgoingEvent]) -> None:
    """Send the events; returns when the broker has them all. Transient when it is away, or does not take one."""
    publisher = KafkaPublisher(connection)
    left, ends = list(events), time.monotonic() + SECONDS
    try:
        while left:
            answers = await publisher.publish(left)
            for answer in answers:
                if isinstance(answer, Refused) or (isinstance(answer, Delayed) and time.monotonic() > ends):
                    raise Transient(answer.reason)
            left = [event for event, answer in zip(left, answers, strict=True) if not isinstance(answer, Acknowledged)]
            if left:
                await asyncio.sleep(PAUSE_SECONDS)
    finally:
        await publisher.close()
