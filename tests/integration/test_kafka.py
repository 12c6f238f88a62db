"""Kafka for real: what is read again, what is not, and what a dying broker costs."""

import asyncio
import gc
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.record.util import calc_crc32c

from dev.stack import Stack
from router.adapters.kafka.publisher import KafkaPublisher
from router.adapters.kafka.source import KafkaSource
from router.errors import Transient
from router.notifications.record import Record
from router.rules.outgoing import OutgoingEvent
from router.rules.publication import Acknowledged, Delayed, Refused
from schemas.connections import KafkaConnection
from tests.conftest import ENVIRON

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kafka")


@pytest.fixture(scope="module")
def broker(home: Path) -> Iterator[Stack]:
    """Kafka alone."""
    config = Path(__file__).parents[2] / "dev" / "autoloader.yaml"
    stack = Stack(home, config, parts=("kafka",), progress=print, environ=ENVIRON)
    stack.up()
    yield stack
    stack.down()


@pytest.fixture
async def topic(broker: Stack) -> str:
    name = f"test-{uuid4()}"
    await make_topic(broker, name)
    return name


@pytest.fixture
async def publisher(broker: Stack) -> AsyncIterator[KafkaPublisher]:
    publisher = KafkaPublisher(KafkaConnection(servers(broker)))
    yield publisher
    await publisher.close()


def servers(broker: Stack) -> str:
    return broker.settings()["KAFKA_BOOTSTRAP_SERVERS"]


@asynccontextmanager
async def administering(broker: Stack) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers(broker))
    await admin.start()
    yield admin
    await admin.close()


async def make_topic(broker: Stack, name: str) -> None:
    async with administering(broker) as admin:
        await admin.create_topics([NewTopic(name, 2, 1)])


async def limit(broker: Stack, topic: str, max_bytes: int) -> None:
    """Let a topic take only what is not larger."""
    changed = ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": str(max_bytes)})
    async with administering(broker) as admin:
        await admin.alter_configs([changed])


async def records(source: KafkaSource, count: int) -> list[Record]:
    """So many, each of them committed unless it came last; trouble on the way is waited for."""
    found: list[Record] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(60):
            while True:
                with suppress(Transient):
                    found += await source.poll()
                if len(found) >= count:
                    break
                await source.commit()
    return found


async def values(source: KafkaSource, count: int) -> list[str]:
    return [record.value.decode() for record in await records(source, count) if record.value is not None]


async def written(broker: Stack, topic: str, count: int) -> list[str]:
    source = KafkaSource(KafkaConnection(servers(broker)), "group", [topic])
    found = await values(source, count)
    await source.close()
    return found


async def produce(broker: Stack, topic: str, batches: Sequence[Sequence[str]], codec: str | None = None) -> None:
    """To partition 0, each of the batches as one."""
    async with AIOKafkaProducer(bootstrap_servers=servers(broker), compression_type=codec) as producer:
        for texts in batches:
            batch = producer.create_batch()
            for text in texts:
                batch.append(key=b"key", value=text.encode(), timestamp=None)
            await (await producer.send_batch(batch, topic, partition=0))


def damage(home: Path, topic: str, change: Callable[[bytes], bytes]) -> None:
    """Change the second batch of partition 0 where the broker keeps it."""
    [log] = (home / "data" / "kafka" / f"{topic}-0").glob("*.log")
    written = log.read_bytes()
    first_end = 12 + int.from_bytes(written[8:12], "big")
    end = first_end + 12 + int.from_bytes(written[first_end + 8 : first_end + 12], "big")
    with log.open("r+b") as file:
        file.seek(first_end)
        file.write(change(written[first_end:end]))


def in_an_unknown_codec(batch: bytes) -> bytes:
    """The same batch with codec 7, and the checksum that belongs to it."""
    changed = bytearray(batch)
    changed[22] |= 7
    changed[17:21] = calc_crc32c(bytes(changed[21:])).to_bytes(4, "big")
    return bytes(changed)


def events(topic: str, *texts: str) -> Sequence[OutgoingEvent]:
    return [OutgoingEvent(topic, "one-key", text) for text in texts]


async def test_what_is_committed_is_not_read_again_and_the_rest_is(
    broker: Stack, topic: str, publisher: KafkaPublisher
) -> None:
    await publisher.publish(events(topic, "a", "b"))
    first = KafkaSource(KafkaConnection(servers(broker)), "group", [topic])
    assert await values(first, 2) == ["a", "b"]
    await first.commit()
    await publisher.publish(events(topic, "c"))
    assert await values(first, 1) == ["c"]
    await first.close()

    second = KafkaSource(KafkaConnection(servers(broker)), "group", [topic])
    again = await values(second, 1)
    await second.close()

    assert again == ["c"]


async def test_the_age_of_the_first_record_is_told_until_it_is_committed(broker: Stack, topic: str) -> None:
    """Records are lost when they grow older than their topic keeps them, whether they were polled or not."""
    begun = datetime.now(UTC) - timedelta(seconds=1)
    await produce(broker, topic, [["a", "b"]])
    source = KafkaSource(KafkaConnection(servers(broker)), "group", [topic])
    await values(source, 2)

    polled = source.behind_since()
    await source.commit()
    committed = source.behind_since()
    await source.close()

    assert begun < polled[topic] <= datetime.now(UTC)
    assert committed == {}


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
async def test_what_a_producer_has_compressed_is_read(broker: Stack, topic: str, codec: str | None) -> None:
    texts = [f"{number} and many words that are the same" for number in range(300)]
    await produce(broker, topic, [texts[:200], texts[200:]], codec)
    source = KafkaSource(KafkaConnection(servers(broker)), "group", [topic])

    found = await values(source, 300)
    await source.close()

    assert found == texts


# Another client may write a header's name in any bytes; aiokafka's own can be made to in its pure Python form only.
WRITE_A_BAD_HEADER = """
import asyncio, sys
from aiokafka import AIOKafkaProducer, TopicPartition

class NotUtf8(str):
    def encode(self, *_):
        return b"na\\xff\\xfeme"

async def main(servers, topic, codec):
    async with AIOKafkaProducer(bootstrap_servers=servers, compression_type=codec or None) as producer:
        batch = producer.create_batch()
        for number in range(9):
            name = NotUtf8() if number == 4 else "name"
            batch.append(key=None, value=b"%d" % number, timestamp=None, headers=[(name, b"x")])
        await (await producer.send_batch(batch, topic, partition=1))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("codec", ["", "gzip", "zstd"])
async def test_a_header_in_no_encoding_costs_neither_its_record_nor_others(
    broker: Stack, topic: str, codec: str
) -> None:
    await produce(broker, topic, [[f"other {number}"] for number in range(40)])
    program = [sys.executable, "-c", WRITE_A_BAD_HEADER, servers(broker), topic, codec]
    environ = {**os.environ, "AIOKAFKA_NO_EXTENSIONS": "1"}
    await asyncio.to_thread(subprocess.run, program, env=environ, check=True)
    source = KafkaSource(KafkaConnection(servers(broker)), "group", [topic])

    found = await records(source, 49)
    await source.close()

    beside = [record for record in found if record.position.partition == 1]
    assert [record.value for record in beside] == [b"%d" % number for number in range(9)]
    assert [name for record in beside for name, _ in record.headers] == ["name"] * 4 + ["na\ufffd\ufffdme"] + [
        "name"
    ] * 4
    assert len(found) == 49


async def test_a_batch_that_was_damaged_is_one_unreadable_record(broker: Stack, home: Path, topic: str) -> None:
    await produce(broker, topic, [["a", "b"], ["c", "d", "e"], ["f"]], "zstd")
    await asyncio.to_thread(damage, home, topic, lambda batch: batch[:-1] + bytes([batch[-1] ^ 0xFF]))
    source = KafkaSource(KafkaConnection(servers(broker)), "group", [topic])

    found = await records(source, 4)
    await source.commit()
    await source.close()

    assert [(record.position.offset, record.value) for record in found] == [(0, b"a"), (1, b"b"), (2, None), (5, b"f")]
    assert "offsets 2 to 4" in str(found[2].unreadable)
    assert "checksum" in str(found[2].unreadable)


async def test_what_comes_behind_a_batch_in_an_unknown_codec_is_read(broker: Stack, home: Path, topic: str) -> None:
    await produce(broker, topic, [["a", "b"], ["c", "d", "e"]])
    await asyncio.to_thread(damage, home, topic, in_an_unknown_codec)
    source = KafkaSource(KafkaConnection(servers(broker)), "group", [topic])
    found = await records(source, 3)
    await source.commit()

    await produce(broker, topic, [["f"]])
    found += await records(source, 1)
    await source.close()

    assert [(record.position.offset, record.value) for record in found] == [(0, b"a"), (1, b"b"), (2, None), (5, b"f")]
    assert "codec" in str(found[2].unreadable)


async def test_records_that_were_deleted_before_they_were_read_are_told(broker: Stack, topic: str) -> None:
    await produce(broker, topic, [["a"], ["b"], ["c"], ["d"]])
    source = KafkaSource(KafkaConnection(servers(broker)), "group", [topic])
    assert len(await records(source, 4)) == 4
    await source.commit()
    await source.close()
    await produce(broker, topic, [["e"], ["f"], ["g"]])
    async with administering(broker) as admin:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(6)})

    source = KafkaSource(KafkaConnection(servers(broker)), "group", [topic])
    found = await records(source, 2)
    await source.commit()
    await source.close()

    assert [(record.position.offset, record.value) for record in found] == [(4, None), (6, b"g")]
    assert "offsets 4 to 5" in str(found[0].unreadable)


async def test_a_missing_topic_holds_up_no_other_and_is_told(broker: Stack, topic: str) -> None:
    missing = f"missing-{uuid4()}"
    await produce(broker, topic, [["a"]])
    source = KafkaSource(KafkaConnection(servers(broker)), "group", [missing, topic])

    assert await values(source, 1) == ["a"]
    await source.commit()
    with pytest.raises(Transient, match=f"{missing} is left out: UnknownTopicOrPartitionError"):
        await _polled_for_ever(source)
    await make_topic(broker, missing)
    await produce(broker, missing, [["b"]])

    assert await values(source, 1) == ["b"]
    await source.close()


async def test_a_publisher_that_could_not_connect_ahead_connects_when_it_publishes(broker: Stack, topic: str) -> None:
    publisher = KafkaPublisher(KafkaConnection(servers(broker)))
    await asyncio.to_thread(broker.stop, "kafka")
    publisher.prepare([topic])
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)
    await asyncio.to_thread(broker.start, "kafka")

    answers = await publisher.publish(events(topic, "1"))
    await publisher.close()

    assert answers == [Acknowledged()]


async def test_what_was_connected_ahead_is_closed(broker: Stack, topic: str, caplog: pytest.LogCaptureFixture) -> None:
    publisher = KafkaPublisher(KafkaConnection(servers(broker)))
    publisher.prepare([topic])
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))

    await publisher.close()
    del publisher
    gc.collect()

    assert "Unclosed" not in caplog.text


async def test_an_event_that_the_broker_refuses_costs_no_other(broker: Stack, topic: str) -> None:
    await limit(broker, topic, 2000)
    publisher = KafkaPublisher(KafkaConnection(servers(broker)))
    poison = OutgoingEvent(topic, "one-key", "x" * 100_000)
    before, behind = events(topic, "before"), events(topic, "behind")

    first = await publisher.publish([*before, poison, *behind])
    again = await publisher.publish(behind)
    await publisher.close()

    assert [type(answer) for answer in first] == [Acknowledged, Refused, Delayed]
    assert first[1] == Refused(f"Kafka: {topic}: [Error 10] MessageSizeTooLargeError", is_too_large=True)
    assert again == [Acknowledged()]
    assert await written(broker, topic, 2) == ["before", "behind"]


async def test_of_events_refused_together_only_the_one_at_fault_is_refused(broker: Stack, topic: str) -> None:
    await limit(broker, topic, 2000)
    publisher = KafkaPublisher(KafkaConnection(servers(broker)))
    good = events(topic, *(f"good {number}" for number in range(4)))
    poison = OutgoingEvent(topic, "one-key", "x" * 3000)

    left, refused = [*good, poison], []
    while left:
        answers = dict(zip(left, await publisher.publish(left), strict=True))
        refused += [event for event, answer in answers.items() if isinstance(answer, Refused)]
        left = [event for event, answer in answers.items() if isinstance(answer, Delayed)]
    await publisher.close()

    assert refused == [poison]
    assert await written(broker, topic, 4) == [event.value for event in good]


async def test_a_missing_topic_holds_its_own_events_only(broker: Stack, topic: str, publisher: KafkaPublisher) -> None:
    missing = f"missing-{uuid4()}"
    both = [*events(missing, "1", "2"), *events(topic, "1")]

    before = await publisher.publish(both)
    await make_topic(broker, missing)
    answers = await publisher.publish(events(missing, "1", "2"))
    while not all(isinstance(answer, Acknowledged) for answer in answers):
        answers = await publisher.publish(events(missing, "1", "2"))

    assert [type(answer) for answer in before] == [Delayed, Delayed, Acknowledged]
    assert await written(broker, missing, 2) == ["1", "2"]


async def test_a_killed_broker_is_transient_and_loses_nothing(
    broker: Stack, topic: str, publisher: KafkaPublisher
) -> None:
    source = KafkaSource(KafkaConnection(servers(broker)), "group", [topic])
    await publisher.publish(events(topic, "before"))
    assert await values(source, 1) == ["before"]
    await source.commit()
    await publisher.publish(events(topic, "not committed"))
    assert await values(source, 1) == ["not committed"]

    await asyncio.to_thread(broker.kill, "kafka")
    with pytest.raises(Transient):
        await source.commit()
    [during] = await publisher.publish(events(topic, "during"))
    assert isinstance(during, Delayed)
    with pytest.raises(Transient):
        await _polled_for_ever(source)
    await asyncio.to_thread(broker.start, "kafka")
    while await publisher.publish(events(topic, "during", "after")) != [Acknowledged()] * 2:
        pass

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
