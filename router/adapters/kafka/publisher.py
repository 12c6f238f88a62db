"""Kafka by aiokafka: a publisher that waits for all replicas, and says what became of each event."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    CorruptRecordException,
    InvalidTimestampError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    UnknownError,
    UnsupportedForMessageFormatError,
)

from router.adapters.kafka.connecting import Access
from router.adapters.kafka.patience import KAFKA_TROUBLE, STOP_SECONDS, within
from router.rules.outgoing import OutgoingEvent
from router.rules.publication import Acknowledged, Answer, Delayed, Refused
from schemas.connections import KafkaConnection

# Less than the term of a lease: whoever publishes keeps it, however slow the broker is.
PATIENCE_SECONDS = 5.0
PATIENCE_IN_TROUBLE_SECONDS = 1.0
REQUEST_BYTES = 8 * 1024 * 1024
HEADERS = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
# What a broker says of the record itself; UnknownError stands also for what is newer than aiokafka (INVALID_RECORD).
REFUSALS = (
    *TOO_LARGE,
    CorruptRecordException,
    InvalidTimestampError,
    PolicyViolationError,
    UnknownError,
    UnsupportedForMessageFormatError,
)
# What is raised before anything is given to the producer; behind all else there is a gap.
NOTHING_WRITTEN = (type(None), TimeoutError, KafkaTimeoutError, MessageSizeTooLargeError)


class KafkaPublisher:
    """See `ports.publication.Publisher`.

    acks=all, idempotent; a producer for each topic, so that one's trouble stays with it.
    """

    def __init__(self, connection: KafkaConnection) -> None:
        self._access = Access(connection)
        self._topics: dict[str, _Topic] = {}

    def prepare(self, topics: Sequence[str]) -> None:
        """Connect for these topics, in the background: of a broker that has just started the first one takes longer."""
        for topic in topics:
            self._topic(topic).prepare()

    async def publish(self, events: Sequence[OutgoingEvent]) -> Sequence[Answer]:
        """Publish to all topics at once."""
        by_topic: dict[str, list[int]] = {}
        for index, event in enumerate(events):
            by_topic.setdefault(event.topic, []).append(index)
        told = await asyncio.gather(
            *(self._topic(topic).publish([events[index] for index in found]) for topic, found in by_topic.items())
        )
        answers = dict(zip(chain(*by_topic.values()), chain(*told), strict=True))
        return [answers[index] for index in range(len(events))]

    async def close(self) -> None:
        """Give up what is not acknowledged: it is in the outbox still."""
        await asyncio.gather(*(topic.give_up() for topic in self._topics.values()))

    def _topic(self, name: str) -> "_Topic":
        return self._topics.setdefault(name, _Topic(self._access, name))


class _Topic:
    """A topic's producer. That of aiokafka tries for ever, without being asked again: what is under way when the
    patience ends stays under way, and the same event once more only waits.

    After any error it is made anew: an event that was not written leaves a gap in the sequence of its partition, and
    the broker takes nothing behind a gap. That is also what keeps the order.
    """

    def __init__(self, access: Access, name: str) -> None:
        self._access = access
        self._name = name
        self._starting: asyncio.Task[AIOKafkaProducer] | None = None
        self._under_way: dict[OutgoingEvent, asyncio.Future[Any]] = {}
        self._patience = PATIENCE_SECONDS
        self._one_by_one = False
        self._is_broken = False

    def prepare(self) -> "asyncio.Task[AIOKafkaProducer]":
        """Its start, which may be over: one that is slow goes on, and after one that failed there is another."""
        if self._starting is None or (self._starting.done() and self._starting.exception()):
            self._starting = asyncio.create_task(self._start())
        return self._starting

    async def publish(self, events: Sequence[OutgoingEvent]) -> Sequence[Answer]:
        ends = asyncio.get_running_loop().time() + self._patience
        try:
            producer = await self._started(self._patience)
        except KAFKA_TROUBLE as error:
            answers: Sequence[Answer] = [self._delayed(error)] * len(events)
        else:
            answers = await self._sent(producer, events, ends)
        is_well = all(isinstance(answer, Acknowledged) for answer in answers)
        self._patience = PATIENCE_SECONDS if is_well else PATIENCE_IN_TROUBLE_SECONDS
        self._one_by_one = self._one_by_one and not is_well
        return answers

    async def give_up(self) -> None:
        starting, self._starting = self._starting, None
        self._under_way.clear()
        self._is_broken = False
        if starting is not None and not starting.cancel() and not starting.exception():
            await _give_up(starting.result())

    async def _sent(self, producer: AIOKafkaProducer, events: Sequence[OutgoingEvent], ends: float) -> list[Answer]:
        """In their order, all together or one by one; behind one in trouble the others wait."""
        answers: list[Answer] = []
        size = 1 if self._one_by_one else len(events)
        for first in range(0, len(events), size):
            answers += await self._answered(producer, events[first : first + size], ends)
            if not isinstance(answers[-1], Acknowledged):
                break
        return [*answers, *[self._behind()] * (len(events) - len(answers))]

    async def _answered(self, producer: AIOKafkaProducer, events: Sequence[OutgoingEvent], ends: float) -> list[Answer]:
        unsent: Exception | None = None
        for event in events:
            if (unsent := await self._send(producer, event, ends)) is not None:
                break
        sent = list(dict.fromkeys(event for event in events if event in self._under_way))
        if sent:
            futures = [self._under_way[event] for event in sent]
            await asyncio.wait(futures, timeout=max(0.0, ends - asyncio.get_running_loop().time()))
        told = {event: self._told(event) for event in sent}
        if unsent is not None:
            told[next(event for event in events if event not in told)] = self._of(unsent)
        if self._is_broken or not isinstance(unsent, NOTHING_WRITTEN):
            await self.give_up()
        self._take_apart(told)
        return [told.get(event, self._behind()) for event in events]

    def _told(self, event: OutgoingEvent) -> Answer:
        """Of one that was sent."""
        if not self._under_way[event].done():
            return Delayed(f"Kafka: {self._name}: not acknowledged yet")
        error = self._under_way.pop(event).exception()
        if error is None:
            return Acknowledged()
        self._is_broken = True
        return self._of(error)

    def _take_apart(self, told: dict[OutgoingEvent, Answer]) -> None:
        """The broker refuses all that came to it together for the sake of one: next time they come one by one."""
        refused = {event: answer for event, answer in told.items() if isinstance(answer, Refused)}
        if len(refused) > 1:
            self._one_by_one = True
            told.update({event: Delayed(answer.reason) for event, answer in refused.items()})

    async def _send(self, producer: AIOKafkaProducer, event: OutgoingEvent, ends: float) -> Exception | None:
        if event in self._under_way:
            return None
        left = max(0.1, ends - asyncio.get_running_loop().time())
        try:
            future: asyncio.Future[Any] = await within(
                left, producer.send(event.topic, event.value.encode(), key=event.key.encode(), headers=HEADERS)
            )
        except KAFKA_TROUBLE as error:
            return error
        future.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        self._under_way[event] = future
        return None

    def _of(self, error: BaseException) -> Answer:
        if isinstance(error, REFUSALS):
            return Refused(f"Kafka: {self._name}: {error}", isinstance(error, TOO_LARGE))
        return self._delayed(error)

    def _delayed(self, error: BaseException) -> Delayed:
        reason = f"Kafka: {self._name}: {type(error).__name__}: {error}"
        return Delayed(f"{reason}; is the topic there?" if isinstance(error, TimeoutError) else reason)

    def _behind(self) -> Answer:
        return Delayed(f"Kafka: {self._name}: it waits for what is before it")

    async def _started(self, seconds: float) -> AIOKafkaProducer:
        starting = self.prepare()
        await asyncio.wait({starting}, timeout=seconds)
        if not starting.done():
            raise TimeoutError(f"no answer within {seconds} s")
        return starting.result()

    async def _start(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **self._access.options, acks="all", enable_idempotence=True, max_request_size=REQUEST_BYTES
        )
        try:
            await self._access.start(producer)
        except BaseException:
            await _give_up(producer)
            raise
        return producer


async def _give_up(producer: AIOKafkaProducer) -> None:
    """End it without what is under way, for which its own `stop` would wait, perhaps for ever."""
    producer._closed = True
    with suppress(*KAFKA_TROUBLE):
        await within(STOP_SECONDS, producer._sender.close())
    await producer.client.close()
