"""Kafka by aiokafka: a consumer group's records, and a publisher that waits for all replicas."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from router.errors import Transient
from router.notifications.record import Position, Record, made
from router.rules.completion import OutgoingEvent

KAFKA_TROUBLE = (KafkaError, OSError, TimeoutError)
POLL_MS = 500
IDLE_POLLS = 20
CHECK_SECONDS = 10
ACKNOWLEDGE_SECONDS = 10
STOP_SECONDS = 5
START_SECONDS = 60  # a group may take its time to form
SESSION_MS = 6000  # a router that was killed holds up the others so long; the least that brokers allow by default

T = TypeVar("T")
Polled: TypeAlias = dict[TopicPartition, tuple[int, int]]  # first polled, next to poll
RECORDS_A_POLL = 5000
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
        self._uncommitted: deque[Polled] = deque()
        self._read: dict[TopicPartition, int] = {}
        self._idle_polls = 0
        self._careful = False

    async def poll(self) -> Sequence[Record]:
        """Up to 5,000 records, or none after half a second; first those again that were polled and not committed."""
        async with self._beginning_anew_after_trouble():
            consumer = self._consumer or await self._start()
            self._rewind(consumer)
            if self._careful:
                return await self._poll_carefully(consumer)
            found = await _within(CHECK_SECONDS, consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_A_POLL))
            self._idle_polls = 0 if found else self._idle_polls + 1
            if self._idle_polls == IDLE_POLLS:
                await self._check(consumer)
        return self._taken(found)

    async def poll_ahead(self) -> Sequence[Record]:
        """The same, of what aiokafka has fetched already."""
        if self._consumer is None or self._careful:
            return []
        async with self._beginning_anew_after_trouble():
            found = await _within(CHECK_SECONDS, self._consumer.getmany(max_records=RECORDS_A_POLL))
        return self._taken(found)

    @asynccontextmanager
    async def _beginning_anew_after_trouble(self) -> AsyncIterator[None]:
        try:
            yield
        except UnicodeDecodeError as error:
            await self.close()
            self._careful = True
            raise Transient(f"Kafka: a record's headers are not UTF-8: {error}; it is looked for one by one") from error
        except KAFKA_TROUBLE as error:
            await self.close()
            raise Transient(f"Kafka: {type(error).__name__}: {error}") from error

    async def commit(self) -> None:
        """What another consumer owns by now is not committed: it reads those records again, which changes nothing."""
        if self._consumer is None or not self._uncommitted:
            return
        owned = self._consumer.assignment()
        offsets = {partition: end for partition, (_, end) in self._uncommitted[0].items() if partition in owned}
        try:
            if offsets:
                await _within(CHECK_SECONDS, self._consumer.commit(offsets))
        except (CommitFailedError, IllegalStateError):
            pass  # the group has been dealt anew: whoever owns the partitions begins at the last commit
        except KAFKA_TROUBLE as error:
            raise Transient(f"Kafka: {type(error).__name__}: {error}") from error
        self._uncommitted.popleft()

    async def close(self) -> None:
        """Leave the group. What was polled and not committed is read again."""
        consumer, self._consumer = self._consumer, None
        self._uncommitted.clear()
        self._read.clear()
        self._idle_polls = 0
        if consumer is not None:
            await _stopped(consumer)

    def lag(self) -> Mapping[str, int]:
        """Records that are not polled yet, by topic; of partitions of which something was polled."""
        lags = dict.fromkeys(self._topics, 0)
        for partition in self._consumer.assignment() if self._consumer is not None else ():
            end = self._consumer.highwater(partition) if self._consumer is not None else None
            if end is not None and partition in self._read:
                lags[partition.topic] += max(0, end - self._read[partition])
        return lags

    async def _start(self) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            *self._topics,
            bootstrap_servers=self._servers,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=SESSION_MS // 3,
            max_partition_fetch_bytes=FETCH_BYTES,
        )
        try:
            await _within(START_SECONDS, consumer.start())
        except BaseException:
            await _stopped(consumer)
            raise
        self._consumer = consumer
        return consumer

    async def _poll_carefully(self, consumer: AIOKafkaConsumer) -> Sequence[Record]:
        """One record of one partition, until the one is found that aiokafka cannot read: then only its position."""
        for partition in sorted(consumer.assignment()):
            try:
                found = await _within(CHECK_SECONDS, consumer.getmany(partition, timeout_ms=POLL_MS, max_records=1))
            except UnicodeDecodeError as error:
                offset = await consumer.position(partition)
                consumer.seek(partition, offset + 1)
                self._uncommitted.append({partition: (offset, offset + 1)})
                self._careful = False
                position = Position(partition.topic, partition.partition, offset)
                return [Record(position, None, None, (), datetime.now(UTC), unreadable=f"its headers: {error}")]
            if found:
                return self._taken(found)
        return []

    def _taken(self, found: "Mapping[TopicPartition, Sequence[ConsumerRecord[Any, Any]]]") -> Sequence[Record]:
        if found:
            ends = {partition: (records[0].offset, records[-1].offset + 1) for partition, records in found.items()}
            self._uncommitted.append(ends)
            self._read.update({partition: end for partition, (_, end) in ends.items()})
        return [_record(record) for records in found.values() for record in records]

    def _rewind(self, consumer: AIOKafkaConsumer) -> None:
        """What was polled and not committed was not recorded either: the next commit must not skip it."""
        owned = consumer.assignment()
        while self._uncommitted:  # the newest first: where the oldest began is where to go on
            for partition, (first, _) in self._uncommitted.pop().items():
                if partition in owned:
                    consumer.seek(partition, first)

    async def _check(self, consumer: AIOKafkaConsumer) -> None:
        """A silent consumer: is the broker there, and is there really nothing?

        aiokafka says nothing of a broker that is away, and may hang alive (aiokafka#1154).
        """
        self._idle_polls = 0
        ends = await _within(CHECK_SECONDS, consumer.end_offsets(consumer.assignment()))
        for partition, end in ends.items():
            position = await _within(CHECK_SECONDS, consumer.position(partition))
            if position < end:
                raise TimeoutError(f"{partition.topic}/{partition.partition} has {end - position} records, none came")


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
                sent = [await _within(ACKNOWLEDGE_SECONDS, _send(producer, event)) for event in events]
                self._under_way = (events, sent)
            await self._acknowledged()
        except KAFKA_TROUBLE as error:
            raise Transient(f"Kafka: {type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Give up what is not acknowledged: it is in the outbox still."""
        producer, self._producer = self._producer, None
        self._under_way = ((), ())
        if producer is not None:
            await _stopped(producer)

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
            bootstrap_servers=self._servers, acks="all", enable_idempotence=True, max_request_size=FETCH_BYTES
        )
        try:
            await _within(START_SECONDS, producer.start())
        except BaseException:
            await _stopped(producer)
            raise
        self._producer = producer
        return producer


async def _send(producer: AIOKafkaProducer, event: OutgoingEvent) -> "asyncio.Future[Any]":
    headers = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
    sent: asyncio.Future[Any] = await producer.send(
        event.topic, event.value.encode(), key=event.key.encode(), headers=headers
    )
    return sent


async def _within(seconds: float, call: Coroutine[Any, Any, T]) -> T:
    """`wait_for`, except that it neither waits for what ignores its cancellation nor is cancelled from within.

    aiokafka's calls do both while a broker is away: `stop` lets the cancellation of its own tasks out.
    """
    task = asyncio.ensure_future(call)
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    finally:
        task.cancel()
    if not done or task.cancelled():
        raise TimeoutError(f"no answer within {seconds} s")
    return task.result()


async def _stopped(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Stop it, but wait only so long for a broker that may be away."""
    with suppress(KafkaError, OSError, TimeoutError):
        await _within(STOP_SECONDS, client.stop())


def _record(record: "ConsumerRecord[Any, Any]") -> Record:
    position = made(Position, (record.topic, record.partition, record.offset))
    headers = tuple((name, value or b"") for name, value in record.headers) if record.headers else ()
    return made(Record, (position, record.key, record.value, headers, _moment(record.timestamp), None))


@lru_cache(1024)
def _moment(timestamp_ms: int) -> datetime:
    """A producer may have written any number there."""
    return datetime.fromtimestamp(min(max(timestamp_ms, 0), CLOCK_LIMIT_MS) / 1000, UTC)
