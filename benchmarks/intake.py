"""How fast intake takes in a backlog, as ratios within one run.

    .venv/bin/python -m benchmarks.intake [records] [rows already in the ledger]

S3 notifications stand on a topic of a PostgreSQL and a Kafka started for this. Measured, in records a second:

    intake      poll, decode, match, record, commit, as the router does it
    consumer    (a) a bare aiokafka consumer that parses the JSON
    copy        (b) a bare COPY of the same rows into an empty table of the same shape

Then the share of each step in intake; and as many records again for each of several routers at once, a process and a
partition each, into the one ledger. A second time, when rows are asked for: the same intake on a ledger that holds so
many rows already.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import repeat
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from uuid import uuid4

import asyncpg
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from benchmarks.shares import Shares
from benchmarks.stacks import stopped_at_the_end
from dev.stack import Stack
from router.adapters.kafka.source import KafkaSource
from router.adapters.postgres.database import Database
from router.adapters.postgres.intake import PostgresIntake
from router.app import collect_seldom
from router.facts import EventsRecorded
from router.rules.identity import object_key
from router.wiring import Wiring
from schemas.config import Config, parse_config
from schemas.connections import kafka_connection
from schemas.ledger.migrate import upgrade

ROUTERS = (2, 4)
started: Barrier  # in each of several routers: all begin at once
START = datetime(2026, 11, 24, tzinfo=UTC)
CONFIG = """
version: 1
allow: ["s3://landing/"]
topics: {%s: {}}
sources:
  events: {id: events-v1, from: {path: "s3://landing/", match: "**/*.json"}, format: json, into: {table: lake.a.events}}
"""


def notification(number: int) -> bytes:
    """As AWS sends it; a new folder every thousand objects."""
    landed = START + timedelta(milliseconds=10 * number)
    told = {
        "key": f"events/{landed:%Y/%m/%d/%H}/{number // 1000:06}/part-{number:09}.json",
        "size": 1_000_000 + number,
        "eTag": f"{number:032x}",
        "sequencer": f"{number:018X}",
    }
    entry = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventTime": f"{landed:%Y-%m-%dT%H:%M:%S}.{landed.microsecond // 1000:03}Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AWS:AROAEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "192.0.2.1"},
        "responseElements": {
            "x-amz-request-id": "C3D13FE58DE4C810",
            "x-amz-id-2": "FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG4V5Wp",
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "all",
            "bucket": {
                "name": "landing",
                "ownerIdentity": {"principalId": "A3NL1KOZZKEx"},
                "arn": "arn:aws:s3:::landing",
            },
            "object": told,
        },
    }
    return orjson.dumps({"Records": [entry]})


async def written(servers: str, first: int, records: int, partitions: int = 3) -> str:
    """A topic that holds them."""
    topic = f"bench-{uuid4()}"
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    await admin.create_topics([NewTopic(topic, partitions, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=servers, linger_ms=20, max_batch_size=512 * 1024)
    await producer.start()
    for number in range(first, first + records):
        await producer.send(topic, notification(number))
    await producer.stop()
    return topic


async def intake(settings: Mapping[str, str], config: Config, topic: str, records: int) -> tuple[float, Shares]:
    """Seconds until they are recorded and committed, from the first poll that brings some; and the steps' shares."""
    shares = Shares()
    database = Database(settings["DATABASE_URL"])
    source = KafkaSource(kafka_connection(settings), str(uuid4()), [topic])
    stage = Wiring(config).intake(shares.around(source), shares.around(PostgresIntake(database)))
    taken = 0
    with shares.taken():
        while taken < records:
            facts = (await stage.step(START)).facts
            taken += sum(fact.records for fact in facts if isinstance(fact, EventsRecorded))
    seconds = time.perf_counter() - shares.begun
    await source.close()
    await database.close()
    return seconds, shares


def one_of_several(settings: Mapping[str, str], topic: str, records: int) -> tuple[float, float]:
    """When a router began to take in its records, and when it ended, by the clock of all processes."""
    collect_seldom()
    started.wait()
    seconds, shares = asyncio.run(intake(settings, parse_config(CONFIG % topic, {}), topic, records))
    return shares.begun, shares.begun + seconds


def _start_with(barrier: Barrier) -> None:
    global started  # noqa: PLW0603 - how a process of a pool is told
    started = barrier


async def several(settings: Mapping[str, str], routers: int, first: int, records: int) -> float:
    """Records a second of so many routers together."""
    each = [
        await written(settings["KAFKA_BOOTSTRAP_SERVERS"], first + n * records, records, partitions=1)
        for n in range(routers)
    ]
    spawning = get_context("spawn")
    with ProcessPoolExecutor(routers, spawning, _start_with, (spawning.Barrier(routers),)) as pool:
        times = list(pool.map(one_of_several, repeat(settings), each, repeat(records)))
    return routers * records / (max(ended for _, ended in times) - min(begun for begun, _ in times))


async def consumer(servers: str, topic: str, records: int) -> float:
    """Records a second, parsed and nothing else, counted in the same way."""
    reader = AIOKafkaConsumer(topic, bootstrap_servers=servers, group_id=str(uuid4()), auto_offset_reset="earliest")
    await reader.start()
    read, begun = 0, 0.0
    while read < records:
        found = await reader.getmany(timeout_ms=500, max_records=2000)
        begun = begun or (time.perf_counter() if found else 0.0)
        for batch in found.values():
            read += len(batch)
            for record in batch:
                orjson.loads(record.value)
    seconds = time.perf_counter() - begun
    await reader.stop()
    return records / seconds


async def copy(url: str, records: int) -> float:
    """Rows a second."""
    rows = [_row(number, "bench") for number in range(records)]
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE bench (LIKE file INCLUDING ALL)")
    begun = time.perf_counter()
    await connection.copy_records_to_table("bench", records=rows, columns=_COLUMNS)
    seconds = time.perf_counter() - begun
    await connection.execute("DROP TABLE bench")
    await connection.close()
    return records / seconds


async def filled(url: str, rows: int) -> None:
    """A ledger that holds so many files, all loaded."""
    connection = await asyncpg.connect(url)
    for first in range(0, rows, 100_000):
        part = [(*_row(-1 - number, "old"), "loaded") for number in range(first, min(first + 100_000, rows))]
        await connection.copy_records_to_table("file", records=part, columns=[*_COLUMNS, "outcome"])
    await connection.execute("VACUUM ANALYZE file")
    await connection.execute("CHECKPOINT")
    await connection.close()


_COLUMNS = ["source_id", "object", "version", "uri", "size", "landed", "topic", "partition", "offset"]


def _row(number: int, topic: str) -> tuple[object, ...]:
    landed = START + timedelta(milliseconds=10 * number)
    uri = f"s3://landing/events/{landed:%Y/%m/%d/%H}/{number // 1000:06}/part-{number:09}.json"
    return ("events-v1", object_key(uri), f"{number % 2**128:032x}", uri, 1_000_000, landed, topic, 0, abs(number))


async def main(settings: Mapping[str, str], records: int, rows: int) -> None:
    """Three numbers, two ratios; with rows two more."""
    servers, url = settings["KAFKA_BOOTSTRAP_SERVERS"], settings["DATABASE_URL"]
    topic = await written(servers, 0, records)
    config = parse_config(CONFIG % topic, {})
    bare = await consumer(servers, topic, records)
    copied = await copy(url, records)
    seconds, shares = await intake(settings, config, topic, records)
    empty = records / seconds
    print(f"intake {empty:,.0f}/s   consumer {bare:,.0f}/s   copy {copied:,.0f}/s")
    print(f"intake/consumer {empty / bare:.2f}   intake/copy {empty / copied:.2f}")
    print(*shares.lines(empty), sep="\n")
    for routers in ROUTERS:
        together = await several(settings, routers, routers * 10 * records, records)
        print(f"{routers} routers {together:,.0f}/s, {together / empty:.2f} of one")
    if rows:
        await filled(url, rows)
        later = await written(servers, records, records)
        seconds, shares = await intake(settings, parse_config(CONFIG % later, {}), later, records)
        full = records / seconds
        print(f"on {rows:,} rows: intake {full:,.0f}/s, {full / empty:.2f} of the empty ledger's")
        print(*shares.lines(full), sep="\n")


if __name__ == "__main__":
    collect_seldom()
    counts = [int(argument) for argument in sys.argv[1:]] or [200_000]
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), Path(__file__).parents[1] / "dev" / "autoloader.yaml", parts=("postgres", "kafka"))
        with stopped_at_the_end(stack):
            stack.up()
            upgrade(stack.settings()["DATABASE_URL"])
            asyncio.run(main(stack.settings(), counts[0], counts[1] if len(counts) > 1 else 0))
