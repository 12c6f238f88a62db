"""Kafka by aiokafka: a consumer group's records."""

from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from router.adapters.kafka.patience import CHECK_SECONDS, KAFKA_TROUBLE, START_SECONDS, stopped, within
from router.adapters.kafka.reading import Unreadable
from router.errors import Transient
from router.notifications.record import Position, Record, made

POLL_MS = 500
IDLE_POLLS = 20
SESSION_MS = 6000  # a router that was killed holds up the others so long; the least that brokers allow by default

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

    async def poll(self) -> Sequence[Record]:
        """Up to 5,000 records, or none after half a second; first those again that were polled and not committed."""
        async with self._beginning_anew_after_trouble():
            consumer = self._consumer or await self._start()
            self._rewind(consumer)
            found = await within(CHECK_SECONDS, consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_A_POLL))
            self._idle_polls = 0 if found else self._idle_polls + 1
            if self._idle_polls == IDLE_POLLS:
                await self._check(consumer)
        return self._taken(found)

    async def poll_ahead(self) -> Sequence[Record]:
        """The same, of what aiokafka has fetched already."""
        if self._consumer is None:
            return []
        async with self._beginning_anew_after_trouble():
            found = await within(CHECK_SECONDS, self._consumer.getmany(max_records=RECORDS_A_POLL))
        return self._taken(found)

    @asynccontextmanager
    async def _beginning_anew_after_trouble(self) -> AsyncIterator[None]:
        try:
            yield
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
                await within(CHECK_SECONDS, self._consumer.commit(offsets))
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
            await stopped(consumer)

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
            await within(START_SECONDS, consumer.start())
        except BaseException:
            await stopped(consumer)
            raise
        self._consumer = consumer
        return consumer

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
        ends = await within(CHECK_SECONDS, consumer.end_offsets(consumer.assignment()))
        for partition, end in ends.items():
            position = await within(CHECK_SECONDS, consumer.position(partition))
            if position < end:
                raise TimeoutError(f"{partition.topic}/{partition.partition} has {end - position} records, none came")


def _record(record: "ConsumerRecord[Any, Any]") -> Record:
    if type(record.checksum) is Unreadable:
        return _unreadable(record, record.checksum)
    position = made(Position, (record.topic, record.partition, record.offset))
    headers = tuple((name, value or b"") for name, value in record.headers) if record.headers else ()
    return made(Record, (position, record.key, record.value, headers, _moment(record.timestamp), None))


def _unreadable(record: "ConsumerRecord[Any, Any]", batch: Unreadable) -> Record:
    reason = f"nothing can be read of the offsets {batch.first} to {record.offset}: {batch.reason}"
    position = Position(record.topic, record.partition, batch.first)
    return Record(position, None, None, (), _moment(record.timestamp), unreadable=reason)


@lru_cache(1024)
def _moment(timestamp_ms: int) -> datetime:
    """A producer may have written any number there."""
    return datetime.fromtimestamp(min(max(timestamp_ms, 0), CLOCK_LIMIT_MS) / 1000, UTC)
