"""Kafka by aiokafka: a consumer group's records."""

from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
    for_code,
)

from router.adapters.kafka.connecting import Access
from router.adapters.kafka.patience import CHECK_SECONDS, KAFKA_TROUBLE, stopped, within
from router.adapters.kafka.reading import Unreadable
from router.adapters.kafka.watching import Watch
from router.errors import Transient
from router.notifications.record import Position, Record, made
from schemas.connections import KafkaConnection

POLL_MS = 1000
FETCH_MS = 2000  # a broker that has none answers then; with records it answers at once
LULL_MS = 20  # the records of a burst come no farther apart
SESSION_MS = 6000  # a router that was killed holds up the others so long; the least that brokers allow by default

RECORDS_A_POLL = 5000
BYTES_A_POLL = 8 * 1024 * 1024
# Of all partitions together, as compressed as they are: each has its part. A bigger batch is still fetched, alone.
FETCH_BYTES = 16 * 1024 * 1024
LEAST_FETCH_BYTES = 64 * 1024
CLOCK_LIMIT_MS = 253_402_300_799_000  # the year 9999


class Span(NamedTuple):
    """What was polled of a partition: the first offset and when it was written, and the next to poll."""

    first: int
    end: int
    written: datetime


Polled: TypeAlias = dict[TopicPartition, Span]


class KafkaSource:
    """See `ports.intake.Source`. Connects at the first poll; after trouble it begins anew at the last commit."""

    def __init__(self, connection: KafkaConnection, group: str, topics: Sequence[str]) -> None:
        self._access = Access(connection)
        self._group = group
        self._topics = topics
        self._consumer: AIOKafkaConsumer | None = None
        self._uncommitted: deque[Polled] = deque()
        self._read: dict[TopicPartition, int] = {}
        self._written: dict[TopicPartition, datetime] = {}
        self._watch = Watch()
        self._left_out: Sequence[str] = ()
        self._denied: set[str] = set()
        self._records_a_poll = RECORDS_A_POLL

    async def poll(self) -> Sequence[Record]:
        """Up to 5,000 records, or none after a second; first those again that were polled and not committed."""
        async with self._beginning_anew_after_trouble():
            consumer = self._consumer or await self._start()
            self._rewind(consumer)
            return await self._polled(consumer, POLL_MS)

    async def poll_ahead(self) -> Sequence[Record]:
        """The same, of what comes before a lull."""
        if self._consumer is None:
            return []
        async with self._beginning_anew_after_trouble():
            return await self._polled(self._consumer, LULL_MS)

    async def _polled(self, consumer: AIOKafkaConsumer, timeout_ms: int) -> Sequence[Record]:
        self._watch.look(consumer, self._left_out)
        try:
            if self._watch.suspects and (found := await self._found(consumer, *self._watch.suspects)):
                return self._taken(found)
            return self._taken(await self._found(consumer, timeout_ms=timeout_ms))
        except NoOffsetForPartitionError as error:  # nobody of the group has read it before
            await within(CHECK_SECONDS, consumer.seek_to_beginning(error.args[0]))
        except OffsetOutOfRangeError as error:
            return [await self._jumped(consumer, *lost) for lost in error.args[0].items()]
        except TopicAuthorizationFailedError as error:
            self._denied |= {str(topic) for topic in error.args}
            raise
        return []

    async def _found(
        self, consumer: AIOKafkaConsumer, *partitions: TopicPartition, timeout_ms: int = 0
    ) -> "Mapping[TopicPartition, Sequence[ConsumerRecord[Any, Any]]]":
        call = consumer.getmany(*partitions, timeout_ms=timeout_ms, max_records=self._records_a_poll)
        return await within(CHECK_SECONDS, call)

    async def _jumped(self, consumer: AIOKafkaConsumer, partition: TopicPartition, lost: int) -> Record:
        """The log does not hold what comes next: it goes on where the log begins, and that is told."""
        begin = (await within(CHECK_SECONDS, consumer.beginning_offsets([partition])))[partition]
        consumer.seek(partition, begin)
        self._uncommitted.append({partition: Span(lost, begin, datetime.now(UTC))})
        if lost < begin:
            reason = f"the offsets {lost} to {begin - 1} were deleted before they were read; list what they announced"
        else:
            reason = f"the log ends before offset {lost}: it was made anew, or lost its end; it is read from {begin} on"
        return _unreadable(Position(partition.topic, partition.partition, lost), datetime.now(UTC), reason)

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
        offsets = {partition: span.end for partition, span in self._uncommitted[0].items() if partition in owned}
        try:
            if offsets:
                await within(CHECK_SECONDS, self._consumer.commit(offsets))
        except (CommitFailedError, IllegalStateError):
            pass  # the group has been dealt anew: whoever owns the partitions begins at the last commit
        except KAFKA_TROUBLE as error:
            raise Transient(f"Kafka: {type(error).__name__}: {error}") from error
        self._uncommitted.popleft()
        self._records_a_poll = min(self._records_a_poll * 2, RECORDS_A_POLL)

    async def close(self) -> None:
        """Leave the group. What was polled and not committed is read again."""
        consumer, self._consumer = self._consumer, None
        self._uncommitted.clear()
        self._read.clear()
        self._written.clear()
        self._watch.end()
        if consumer is not None:
            await stopped(consumer)

    def lag(self) -> Mapping[str, int]:
        """Records that are not polled yet, by topic; of partitions of which something was polled."""
        lags = dict.fromkeys(self._topics, 0)
        for partition, records in self._unread():
            lags[partition.topic] += records
        return lags

    def behind_since(self) -> Mapping[str, datetime]:
        """When the first record not committed was written, by topic; of what is not polled yet, the last before it."""
        written = [(tp, span.written) for polled in self._uncommitted for tp, span in polled.items()]
        written += [(tp, self._written[tp]) for tp, records in self._unread() if records]
        moments: dict[str, datetime] = {}
        for partition, moment in written:
            moments[partition.topic] = min(moments.get(partition.topic, moment), moment)
        return moments

    def _unread(self) -> Iterator[tuple[TopicPartition, int]]:
        for partition in self._consumer.assignment() if self._consumer is not None else ():
            end = self._consumer.highwater(partition) if self._consumer is not None else None
            if end is not None and partition in self._read:
                yield partition, max(0, end - self._read[partition])

    async def _start(self) -> AIOKafkaConsumer:
        partitions = await self._partitions()
        consumer = AIOKafkaConsumer(
            *partitions,
            **self._access.options,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=SESSION_MS // 3,
            fetch_max_wait_ms=FETCH_MS,
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=max(LEAST_FETCH_BYTES, FETCH_BYTES // sum(partitions.values())),
        )
        try:
            await self._access.start(consumer)
        except BaseException:
            await stopped(consumer)
            raise
        self._consumer = consumer
        self._watch.begin()
        return consumer

    async def _partitions(self) -> Mapping[str, int]:
        """How many each topic has; those that are not there, or that we may not read, must not hold up the others."""
        admin = AIOKafkaAdminClient(**self._access.options)
        try:
            await self._access.start(admin)
            described = await within(CHECK_SECONDS, admin.describe_topics(list(self._topics)))
        finally:
            await admin.close()
        errors = {found["topic"]: for_code(found["error_code"]).__name__ for found in described if found["error_code"]}
        denied, self._denied = dict.fromkeys(self._denied, TopicAuthorizationFailedError.__name__), set()
        self._left_out = [f"{topic} is left out: {error}" for topic, error in (errors | denied).items()]
        partitions = {found["topic"]: len(found["partitions"]) for found in described}
        there = {topic: count for topic, count in partitions.items() if topic not in errors | denied}
        if not there:
            raise TimeoutError("; ".join(self._left_out))
        return there

    def _taken(self, found: "Mapping[TopicPartition, Sequence[ConsumerRecord[Any, Any]]]") -> Sequence[Record]:
        if found:
            spans = {partition: _span(records) for partition, records in found.items()}
            self._uncommitted.append(spans)
            self._read.update({partition: span.end for partition, span in spans.items()})
            self._written.update({partition: _moment(records[-1].timestamp) for partition, records in found.items()})
            sizes = [max(1, record.serialized_value_size) for records in found.values() for record in records]
            self._records_a_poll = max(1, min(self._records_a_poll, BYTES_A_POLL * len(sizes) // sum(sizes)))
        return [_record(record) for records in found.values() for record in records]

    def _rewind(self, consumer: AIOKafkaConsumer) -> None:
        """What was polled and not committed was not recorded either: the next commit must not skip it.

        Perhaps it was too much for the ledger: less is polled, until a commit.
        """
        owned = consumer.assignment()
        if self._uncommitted:
            self._records_a_poll = max(1, self._records_a_poll // 2)
        while self._uncommitted:  # the newest first: where the oldest began is where to go on
            for partition, span in self._uncommitted.pop().items():
                if partition in owned:
                    consumer.seek(partition, span.first)


def _span(records: "Sequence[ConsumerRecord[Any, Any]]") -> Span:
    return Span(records[0].offset, records[-1].offset + 1, _moment(records[0].timestamp))


def _record(record: "ConsumerRecord[Any, Any]") -> Record:
    position = made(Position, (record.topic, record.partition, record.offset))
    if type(record.checksum) is Unreadable:
        first, reason = record.checksum
        told = f"nothing can be read of the offsets {first} to {record.offset}: {reason}"
        return _unreadable(position._replace(offset=first), _moment(record.timestamp), told)
    headers = tuple((name, value or b"") for name, value in record.headers) if record.headers else ()
    return made(Record, (position, record.key, record.value, headers, _moment(record.timestamp), None))


def _unreadable(position: Position, written: datetime, reason: str) -> Record:
    return Record(position, None, None, (), written, unreadable=reason)


@lru_cache(1024)
def _moment(timestamp_ms: int) -> datetime:
    """A producer may have written any number there."""
    return datetime.fromtimestamp(min(max(timestamp_ms, 0), CLOCK_LIMIT_MS) / 1000, UTC)
