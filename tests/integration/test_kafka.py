"""Kafka for real: what is read again, what is not, and what a dying broker costs."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from dev.stack import Stack
from router.adapters.kafka import KafkaPublisher, KafkaSource
from router.errors import Transient
from router.notifications.record import Record
from router.rules.completion import OutgoingEvent

pytestmark = pytest.mark.integration


@pytest.fixture
async def topic(stack: Stack) -> str:
    name = f"test-{uuid4()}"
    admin = AIOKafkaAdminClient(bootstrap_servers=servers(stack))
    await admin.start()
    await admin.create_topics([NewTopic(name, 2, 1)])
    await admin.close()
    return name


@pytest.fixture
async def publisher(stack: Stack) -> AsyncIterator[KafkaPublisher]:
    publisher = KafkaPublisher(servers(stack))
    yield publisher
    await publisher.close()


def servers(stack: Stack) -> str:
    return stack.settings()["KAFKA_BOOTSTRAP_SERVERS"]


async def values(source: KafkaSource, count: int) -> list[str]:
    found: list[Record] = []
    for _ in range(60):
        found += await source.poll()
        if len(found) >= count:
            break
    return [record.value.decode() for record in found if record.value is not None]


def events(topic: str, *texts: str) -> Sequence[OutgoingEvent]:
    return [OutgoingEvent(topic, "one-key", text) for text in texts]


async def test_what_is_committed_is_not_read_again_and_the_rest_is(
    stack: Stack, topic: str, publisher: KafkaPublisher
) -> None:
    await publisher.publish(events(topic, "a", "b"))
    first = KafkaSource(servers(stack), "group", [topic])
    assert await values(first, 2) == ["a", "b"]
    await first.commit()
    await publisher.publish(events(topic, "c"))
    assert await values(first, 1) == ["c"]
    await first.close()

    second = KafkaSource(servers(stack), "group", [topic])
    again = await values(second, 1)
    await second.close()

    assert again == ["c"]


# Another client may write a header's name in any bytes; aiokafka's own can be made to in its pure Python form only.
WRITE_A_BAD_HEADER = """
import asyncio, sys
from aiokafka import AIOKafkaProducer

class NotUtf8(str):
    def encode(self, *_):
        return b"\\xff\\xfe"

async def main(servers, topic):
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        await producer.send_and_wait(topic, b"before", partition=0)
        await producer.send_and_wait(topic, b"bad", partition=0, headers=[(NotUtf8("name"), b"")])
        await producer.send_and_wait(topic, b"after", partition=0)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_record_whose_headers_cannot_be_read_is_told_by_its_position(stack: Stack, topic: str) -> None:
    program = [sys.executable, "-c", WRITE_A_BAD_HEADER, servers(stack), topic]
    environ = {**os.environ, "AIOKAFKA_NO_EXTENSIONS": "1"}
    await asyncio.to_thread(subprocess.run, program, env=environ, check=True)
    source = KafkaSource(servers(stack), "group", [topic])

    found: dict[int, Record] = {}
    while len(found) < 3:
        with suppress(Transient):
            found |= {record.position.offset: record for record in await source.poll()}
            await source.commit()
    await source.close()

    assert [found[offset].value for offset in range(3)] == [b"before", None, b"after"]
    assert "headers" in str(found[1].unreadable)


async def test_a_killed_broker_is_transient_and_loses_nothing(
    stack: Stack, topic: str, publisher: KafkaPublisher
) -> None:
    source = KafkaSource(servers(stack), "group", [topic])
    await publisher.publish(events(topic, "before"))
    assert await values(source, 1) == ["before"]
    await source.commit()
    await publisher.publish(events(topic, "not committed"))
    assert await values(source, 1) == ["not committed"]

    await asyncio.to_thread(stack.kill, "kafka")
    with pytest.raises(Transient):
        await source.commit()
    with pytest.raises(Transient):
        await publisher.publish(events(topic, "during"))
    with pytest.raises(Transient):
        await _polled_for_ever(source)
    await asyncio.to_thread(stack.start, "kafka")
    await publisher.publish(events(topic, "during"))
    await publisher.publish(events(topic, "after"))

    found: list[str] = []
    while "after" not in found:
        with suppress(Transient):
            found += await values(source, 1)
    await source.close()
    assert set(found) == {"not committed", "during", "after"}


async def _polled_for_ever(source: KafkaSource) -> None:
    """Until the silence is noticed: aiokafka says nothing of a broker that is away."""
    async with asyncio.timeout(120):
        while True:
            await source.poll()
