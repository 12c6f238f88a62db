"""Kafka by aiokafka: a consumer group's records, and a publisher that waits for all replicas."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from router.errors import Transient
from router.notifications.record import Position, Record
from router.rules.completion import OutgoingEvent

POLL_MS = 500
RECORDS_A_POLL = 2000
# More than any record the broker takes by default: a bigger one is still fetched, alone.
FETCH_BYTES = 8 * 1024 * 1024
CLOCK_LIMIT_MS = 253_402_300_799_000  # the year 9999


class KafkaSource:
    """See `ports.Source`. Connects at the first poll; after trouble it begins anew at the last commit."""

    def __init__(self, bootstrap_servers: str, group: str, topics: Sequence[str]) -> None:
        self._servers = bootstrap_servers
        self._group = group
        self._topics = topics
        self._consumer: AIOKafkaConsumer | None = None
        self._next: dict[TopicPartition, int] = {}

    async def poll(self) -> Sequence[Record]:
        """Up to 2,000 records, or none after half a second."""
        try:
            consumer = self._consumer or await self._start()
            found = await consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_A_POLL)
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise Transient(f"Kafka: {type(error).__name__}: {error}") from error
        for partition, records in found.items():
            self._next[partition] = records[-1].offset + 1
        return [_record(record) for records in found.values() for record in records]

    async def commit(self) -> None:
        """What another consumer owns by now is not committed: it reads those records again, which changes nothing."""
        if self._consumer is None or not self._next:
            return
        owned = self._consumer.assignment()
        offsets = {partition: offset for partition, offset in self._next.items() if partition in owned}
        self._next.clear()
        try:
            if offsets:
                await self._consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError):
            return
        except (KafkaError, OSError, TimeoutError) as error:
            raise Transient(f"Kafka: {type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Leave the group. What was polled and not committed is read again."""
        consumer, self._consumer = self._consumer, None
        self._next.clear()
        if consumer is not None:
            await consumer.stop()

    async def _start(self) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            *self._topics,
            bootstrap_servers=self._servers,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_partition_fetch_bytes=FETCH_BYTES,
        )
        try:
            await consumer.start()
        except (KafkaError, OSError, TimeoutError):
            await consumer.stop()
            raise
        self._consumer = consumer
        return consumer


class KafkaPublisher:
    """See `ports.Publisher`. acks=all, idempotent."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._servers = bootstrap_servers
        self._producer: AIOKafkaProducer | None = None

    async def publish(self, events: Sequence[OutgoingEvent]) -> None:
        """Send all, then wait for all."""
        try:
            producer = self._producer or await self._start()
            headers = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
            sent = [
                await producer.send(event.topic, event.value.encode(), key=event.key.encode(), headers=headers)
                for event in events
            ]
            for acknowledged in sent:
                await acknowledged
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise Transient(f"Kafka: {type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Give up what is not acknowledged: it is in the outbox still."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _start(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._servers, acks="all", enable_idempotence=True, max_request_size=FETCH_BYTES
        )
        try:
            await producer.start()
        except (KafkaError, OSError, TimeoutError):
            await producer.stop()
            raise
        self._producer = producer
        return producer


def _record(record: "ConsumerRecord[Any, Any]") -> Record:
    return Record(
        position=Position(record.topic, record.partition, record.offset),
        key=record.key,
        value=record.value,
        headers=tuple((name, value or b"") for name, value in record.headers),
        written=_moment(record.timestamp),
    )


def _moment(timestamp_ms: int) -> datetime:
    """A producer may have written any number there."""
    return datetime.fromtimestamp(min(max(timestamp_ms, 0), CLOCK_LIMIT_MS) / 1000, UTC)
