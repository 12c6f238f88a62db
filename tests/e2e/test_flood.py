"""100,000 files land at once in a paused source: the router's memory does not grow, and nobody else is held up."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import psutil
import pytest
from aiokafka import AIOKafkaProducer

from dev.stack import Stack
from schemas.config.topics import ARRIVALS_TOPIC
from schemas.events.arrivals import FileData, FileEvent
from tests.builders import NOON
from tests.e2e.site import Site, autoloader, csv, eventually

pytestmark = pytest.mark.integration

FIRST, ALL = 20_000, 100_000
GROWTH_BYTES = 48 * 1024**2


def test_memory_does_not_grow_with_the_backlog_and_a_lonely_file_goes_at_once(stack: Stack, site: Site) -> None:
    folder = f"{site.landing}/held/{uuid4()}"
    autoloader(site, "pause", "held")
    try:
        flood(site, [f"file://{folder}/{n}.csv" for n in range(FIRST)])
        eventually(lambda: waiting(site) >= FIRST, "the first files are recorded")
        before = memory(stack)
        flood(site, [f"file://{folder}/{n}.csv" for n in range(FIRST, ALL)])
        eventually(lambda: waiting(site) >= ALL, "all files are recorded")
        lonely = site.write("orders", f"{uuid4()}.csv", csv(2, order_id=1, amount=1))
        site.announce(lonely)
        seconds = site.completion(lonely)["seconds"]
        after = memory(stack)
    finally:
        site.ledger("DELETE FROM file WHERE source_id = 'held-v1' AND batch_id IS NULL RETURNING 1")
        autoloader(site, "resume", "held")

    assert after - before < GROWTH_BYTES
    assert seconds["landed_to_cut"] < 30


def flood(site: Site, uris: Sequence[str]) -> None:
    """Events that tell all, so that nobody looks whether there are such files."""

    async def sent() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=site.settings["KAFKA_BOOTSTRAP_SERVERS"], linger_ms=20)
        await producer.start()
        for uri in uris:
            await producer.send(ARRIVALS_TOPIC, event(uri))
        await producer.stop()

    asyncio.run(sent())


def event(uri: str) -> bytes:
    told = FileData(uri=uri, size=10, etag="e")
    return FileEvent(id=uri, source="/tests", type="autoloader.file.landed.v1", time=NOON, data=told).to_json().encode()


def waiting(site: Site) -> int:
    [row] = site.ledger("SELECT count(*) FROM file WHERE source_id = 'held-v1' AND batch_id IS NULL")
    count: int = row["count"]
    return count


def memory(stack: Stack) -> int:
    """Bytes of the router's process that are in memory."""
    pid = stack.pid("router")
    assert pid is not None
    resident: int = psutil.Process(pid).memory_info().rss
    return resident
