"""Kafka by aiokafka: a publisher that waits for all replicas."""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer

from router.adapters.kafka.patience import KAFKA_TROUBLE, START_SECONDS, stopped, within
from router.errors import Transient
from router.rules.completion import OutgoingEvent

ACKNOWLEDGE_SECONDS = 10
REQUEST_BYTES = 8 * 1024 * 1024


class KafkaPublisher:
    """See `ports.Publisher`. acks=all, idempotent.

    The producer of aiokafka tries for ever, and cannot be stopped while it does: what is under way when the patience
    ends stays under way, and is waited for before anything else is sent.
    """

    def __init__(self, bootstrap_servers: str) -> None:
        self._servers = bootstrap_servers
        self._producer: AIOKafkaProducer | None = None
        self._under_way: tuple[Sequence[OutgoingEvent], Sequence[asyncio.Future[Any]]] = ((), ())

    async def publish(self, events: Sequence[OutgoingEvent]) -> None:
        """Send all, then wait for all; the same events once more only wait."""
        try:
            producer = self._producer or await self._start()
            if self._under_way[0] != events:
                await self._acknowledged()
                sent = [await within(ACKNOWLEDGE_SECONDS, _send(producer, event)) for event in events]
                self._under_way = (events, sent)
            await self._acknowledged()
        except KAFKA_TROUBLE as error:
            raise Transient(f"Kafka: {type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Give up what is not acknowledged: it is in the outbox still."""
        producer, self._producer = self._producer, None
        self._under_way = ((), ())
        if producer is not None:
            await stopped(producer)

    async def _acknowledged(self) -> None:
        """All that is under way has been acknowledged; an event that was refused is sent again next time."""
        _, futures = self._under_way
        if futures:
            _, pending = await asyncio.wait(futures, timeout=ACKNOWLEDGE_SECONDS)
            if pending:
                raise TimeoutError(f"{len(pending)} events are not acknowledged")
        self._under_way = ((), ())
        for future in futures:
            future.result()

    async def _start(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._servers, acks="all", enable_idempotence=True, max_request_size=REQUEST_BYTES
        )
        try:
            await within(START_SECONDS, producer.start())
        except BaseException:
            await stopped(producer)
            raise
        self._producer = producer
        return producer


async def _send(producer: AIOKafkaProducer, event: OutgoingEvent) -> "asyncio.Future[Any]":
    headers = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
    sent: asyncio.Future[Any] = await producer.send(
        event.topic, event.value.encode(), key=event.key.encode(), headers=headers
    )
    return sent
