"""Reading a topic as a member of a group: `FakeSource` on its broker, `KafkaSource` on a real one.

What a broker that dies costs is tested in `integration/test_kafka.py`.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Protocol
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from router.adapters.kafka.source import KafkaSource
from router.ports.intake import Source
from schemas.config.topics import ARRIVALS_TOPIC
from schemas.connections import KafkaConnection
from tests.builders import NOON
from tests.fakes.source import FakeBroker, FakeSource

PARTITION = (ARRIVALS_TOPIC, 0)


class Member(Source, Protocol):
    """A source that can leave its group."""

    async def close(self) -> None: ...


class Topic(Protocol):
    """One partition, as a test sees it."""

    def source(self) -> Member: ...
    async def append(self, value: bytes) -> None: ...
    async def committed(self) -> int: ...
    async def close(self) -> None: ...


class FakeTopic:
    """In memory."""

    def __init__(self) -> None:
        self._broker = FakeBroker([PARTITION])

    def source(self) -> Member:
        return FakeSource(self._broker)

    async def append(self, value: bytes) -> None:
        self._broker.append(PARTITION, value, NOON)

    async def committed(self) -> int:
        return self._broker.committed[PARTITION]

    async def close(self) -> None:
        pass


class KafkaTopic:
    """A topic and a group of its own on a real broker."""

    def __init__(self, servers: str) -> None:
        self._servers = servers
        self._name = f"contract-{uuid4()}"
        self._admin = AIOKafkaAdminClient(bootstrap_servers=servers)
        self._producer = AIOKafkaProducer(bootstrap_servers=servers)
        self._sources: list[KafkaSource] = []

    async def open(self) -> None:
        await self._admin.start()
        await self._admin.create_topics([NewTopic(self._name, 1, 1)])
        await self._producer.start()

    def source(self) -> Member:
        self._sources.append(KafkaSource(KafkaConnection(self._servers), self._name, [self._name]))
        return self._sources[-1]

    async def append(self, value: bytes) -> None:
        await self._producer.send_and_wait(self._name, value)

    async def committed(self) -> int:
        offsets = await self._admin.list_consumer_group_offsets(self._name)
        found = offsets.get(TopicPartition(self._name, 0))
        return found.offset if found is not None else 0

    async def close(self) -> None:
        for source in self._sources:
            await source.close()
        await self._producer.stop()
        await self._admin.close()


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.integration)])
async def topic(request: pytest.FixtureRequest) -> AsyncIterator[Topic]:
    if request.param == "fake":
        yield FakeTopic()
        return
    settings: Mapping[str, str] = request.getfixturevalue("real_parts")
    real = KafkaTopic(settings["KAFKA_BOOTSTRAP_SERVERS"])
    await real.open()
    yield real
    await real.close()


async def test_a_source_begins_at_the_first_record(topic: Topic) -> None:
    await topic.append(b"1")

    assert await _values(topic.source()) == [b"1"]


async def test_what_is_committed_is_not_read_again(topic: Topic) -> None:
    await topic.append(b"1")
    source = topic.source()
    await _values(source)
    await source.commit()

    await topic.append(b"2")

    assert await _values(source) == [b"2"]
    await source.close()  # one partition is read by one member: while this one stays, the next gets nothing
    assert await _values(topic.source()) == [b"2"]


async def test_nothing_is_committed_before_it_is_said(topic: Topic) -> None:
    await topic.append(b"1")

    assert await _values(topic.source()) == [b"1"]

    assert await topic.committed() == 0


async def test_committing_commits_all_that_was_polled(topic: Topic) -> None:
    for value in (b"1", b"2", b"3"):
        await topic.append(value)
    source = topic.source()
    await _values(source)

    await source.commit()

    assert await topic.committed() == 3


async def test_what_was_polled_and_not_committed_is_polled_again(topic: Topic) -> None:
    await topic.append(b"1")
    source = topic.source()
    await _values(source)
    await topic.append(b"2")

    assert await _values(source) == [b"1", b"2"]


async def test_what_is_polled_ahead_is_committed_after_what_was_polled_before(topic: Topic) -> None:
    await topic.append(b"1")
    source = topic.source()
    await _values(source)
    await topic.append(b"2")

    assert await _values_ahead(source) == [b"2"]
    await source.commit()
    first = await topic.committed()
    await source.commit()

    assert (first, await topic.committed()) == (1, 2)


async def test_polling_ahead_waits_for_a_moment_at_most(topic: Topic) -> None:
    await topic.append(b"1")
    source = topic.source()
    await _values(source)

    assert await source.poll_ahead() == []
    await source.commit()

    assert await topic.committed() == 1


async def test_after_what_was_not_committed_what_was_polled_ahead_is_polled_again(topic: Topic) -> None:
    await topic.append(b"1")
    source = topic.source()
    await _values(source)
    await topic.append(b"2")
    await _values_ahead(source)

    assert await _values(source) == [b"1", b"2"]


async def test_what_was_polled_ahead_and_not_committed_is_polled_again(topic: Topic) -> None:
    await topic.append(b"1")
    source = topic.source()
    await _values(source)
    await topic.append(b"2")
    await _values_ahead(source)
    await source.commit()

    assert await _values(source) == [b"2"]


async def _values_ahead(source: Source) -> list[bytes | None]:
    """The first that are fetched in the background."""
    for _ in range(1000):
        if found := await source.poll_ahead():
            return [record.value for record in found]
        await asyncio.sleep(0.01)
    return []


async def _values(source: Source) -> list[bytes | None]:
    """The first that come: a group takes a moment to form."""
    for _ in range(60):
        if found := await source.poll():
            return [record.value for record in found]
    return []
