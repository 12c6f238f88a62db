"""The demo's view of Kafka: what it sends, and all that came on a topic since it began."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from cli.demo.account import Event
from cli.kafka import send
from router.adapters.kafka.connecting import Access
from router.rules.outgoing import OutgoingEvent
from schemas.config.topics import COMPLETIONS_TOPIC, DEAD_LETTERS_TOPIC
from schemas.connections import KafkaConnection

WAIT_SECONDS = 240


class Topics:
    """Reads the completions and dead letters that came since this was made."""

    def __init__(self, connection: KafkaConnection) -> None:
        self._connection = connection
        self._begin = asyncio.run(_ends(connection))

    def send(self, events: Sequence[OutgoingEvent]) -> None:
        """Send the events; returns when the broker has them all."""
        asyncio.run(send(self._connection, events))

    def completions(self) -> list[Event]:
        """Every completion event so far, repetitions too."""
        return asyncio.run(self._since(COMPLETIONS_TOPIC))

    def dead_letters(self) -> list[Event]:
        """Every dead letter so far, repetitions too."""
        return asyncio.run(self._since(DEAD_LETTERS_TOPIC))

    async def _since(self, topic: str) -> list[Event]:
        async with _consumer(self._connection, topic) as consumer:
            ends = await consumer.end_offsets(consumer.assignment())
            for partition in ends:
                consumer.seek(partition, self._begin[partition])
            found: list[Event] = []
            while any([await consumer.position(partition) < end for partition, end in ends.items()]):
                found += _values(await consumer.getmany(timeout_ms=500))
            return found


@asynccontextmanager
async def completions(connection: KafkaConnection) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of the completion events from now on."""
    async with _consumer(connection, COMPLETIONS_TOPIC) as consumer:
        await consumer.seek_to_end()
        yield consumer


async def events_of(consumer: AIOKafkaConsumer, uris: set[str]) -> dict[str, Event]:
    """The completion event of each file, as far as they come in time."""
    events: dict[str, Event] = {}
    begun = time.monotonic()
    while len(events) < len(uris) and time.monotonic() - begun < WAIT_SECONDS:
        for event in _values(await consumer.getmany(timeout_ms=500)):
            events |= {file["uri"]: event for file in event["data"]["files"] if file["uri"] in uris}
    return events


@asynccontextmanager
async def _consumer(connection: KafkaConnection, *topics: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(*topics, **Access(connection).options, auto_offset_reset="earliest")
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def _ends(connection: KafkaConnection) -> Mapping[TopicPartition, int]:
    async with _consumer(connection, COMPLETIONS_TOPIC, DEAD_LETTERS_TOPIC) as consumer:
        ends: Mapping[TopicPartition, int] = await consumer.end_offsets(consumer.assignment())
        return ends


def _values(found: Mapping[Any, Iterable[Any]]) -> list[Event]:
    return [json.loads(record.value) for records in found.values() for record in records]
