"""What a producer of events and a reader of tables see of a running stack."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom
from typing import Any, TypeVar
from uuid import uuid4

import psycopg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from psycopg.rows import dict_row
from pyspark.sql.connect.client.retries import DefaultPolicy
from pyspark.sql.connect.session import SparkSession

from dev.ports import is_free
from schemas.config.topics import ARRIVALS_TOPIC, COMPLETIONS_TOPIC, DEAD_LETTERS_TOPIC, REQUESTS_TOPIC
from schemas.events.arrivals import FileData, FileEvent
from schemas.events.requests import RequestEvent

T = TypeVar("T")
PATIENCE_SECONDS = 240  # on a busy machine; what holds is found at once
PROJECT = Path(__file__).resolve().parents[2]
PORTS = range(12_000, 20_000)  # below those of the stacks


def eventually(look: Callable[[], T | None], what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """The first answer that is not None or False; a failure that says what was waited for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.2)  # between two looks at a condition
    raise AssertionError(f"not within {seconds} s: {what}")


def free_port() -> int:
    """A loopback port that nobody listens on just now, and that no outgoing connection is lent meanwhile."""
    return next(port for port in SystemRandom().sample(PORTS, len(PORTS)) if is_free(port))


class Site:
    """A stack under test, by its settings."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings = settings
        self.landing = Path(settings["AUTOLOADER_HOME"]) / "landing"

    def write(self, source: str, name: str, text: str | bytes, *, modified: float | None = None) -> str:
        """A file in the source's landing place; its URI."""
        path = self.landing / source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        if modified is not None:
            os.utime(path, (modified, modified))
        return f"file://{path}"

    def announce(self, *uris: str, times: int = 1) -> None:
        """Events of ours for files that landed now."""
        self.send([_event(uri) for uri in uris for _ in range(times)])

    def send(self, values: Sequence[bytes | None], topic: str = ARRIVALS_TOPIC) -> None:
        """Records as they are."""

        async def sent() -> None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self.settings["KAFKA_BOOTSTRAP_SERVERS"], max_request_size=8 * 1024 * 1024
            )
            await producer.start()
            try:
                for value in values:
                    await producer.send_and_wait(topic, value, key=b"test")
            finally:
                await producer.stop()

        asyncio.run(sent())

    def completions(self, uri: str) -> list[Mapping[str, Any]]:
        """The completion events so far that name a file, without repetitions."""
        return list(self.completions_by_file()[uri].values())

    def completions_by_file(self) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """The completion events so far by the files they name, and by their id: a repetition counts once."""
        named: dict[str, dict[str, Mapping[str, Any]]] = defaultdict(dict)
        for event in self.events(COMPLETIONS_TOPIC):
            if "request" in event["data"]:
                continue
            for file in event["data"]["files"]:
                named[file["uri"]][event["id"]] = event
        return named

    def completion(self, uri: str, *, nth: int = 1, seconds: float = PATIENCE_SECONDS) -> Mapping[str, Any]:
        """The data of the file's n-th completion event, waited for."""

        def look() -> Mapping[str, Any] | None:
            found = self.completions(uri)
            return found[nth - 1] if len(found) >= nth else None

        data: Mapping[str, Any] = eventually(look, f"completion {nth} of {uri}", seconds)["data"]
        return data

    def answers(self, request_id: str) -> list[Mapping[str, Any]]:
        """The completion events of a request so far, repetitions too."""
        return [event for event in self.events(COMPLETIONS_TOPIC) if event["data"].get("request") == request_id]

    def ask(self, event: RequestEvent) -> None:
        """A request of a producer."""
        self.send([event.to_json().encode()], REQUESTS_TOPIC)

    def dead_letters(self) -> list[Mapping[str, Any]]:
        """The data of every dead letter so far."""
        return [event["data"] for event in self.events(DEAD_LETTERS_TOPIC)]

    def events(self, topic: str) -> list[dict[str, Any]]:
        """Everything on a topic of ours, up to now."""
        return asyncio.run(_whole_topic(self.settings["KAFKA_BOOTSTRAP_SERVERS"], topic))

    def rows(self, table: str, uri: str) -> int:
        """How many rows of a file the table has."""
        return self.rows_by_file(table).get(uri, 0)

    def rows_by_file(self, table: str) -> Mapping[str, int]:
        """The rows of each file, by a session of its own: its server may have been killed since the last one."""
        spark = SparkSession.builder.remote(self.settings["SPARK_CONNECT_URL"]).create()
        # its threads may hang the end (SPARK-55362); and without a server every call would try for ten minutes
        spark.client.disable_reattachable_execute()
        spark.client.set_retry_policies([DefaultPolicy(max_retries=2)])
        try:
            return {row[0]: row[1] for row in spark.table(table).groupBy("_file_uri").count().collect()}
        finally:
            spark.stop()

    def ledger(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Rows of the ledger."""
        with psycopg.connect(self.settings["DATABASE_URL"], row_factory=dict_row) as connection:
            return connection.execute(query, values).fetchall()

    def file(self, uri: str) -> dict[str, Any] | None:
        """The newest version of a file in the ledger."""
        return next(iter(self.ledger("SELECT * FROM file WHERE uri = %s ORDER BY accepted DESC", uri)), None)


def _event(uri: str) -> bytes:
    event = FileEvent(
        id=str(uuid4()),
        source="/tests",
        type="autoloader.file.landed.v1",
        time=datetime.now(UTC),
        data=FileData(uri=uri),
    )
    return event.to_json().encode()


async def _whole_topic(bootstrap_servers: str, topic: str) -> list[dict[str, Any]]:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        found = []
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            batches = await consumer.getmany(timeout_ms=500)
            found += [json.loads(record.value) for records in batches.values() for record in records]
        return found
    finally:
        await consumer.stop()


def autoloader(site: Site, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A command, as people and programs call it."""
    command = [sys.executable, "-m", "cli.main", *arguments]
    return subprocess.run(
        command,
        cwd=PROJECT,
        env={**os.environ, **site.settings, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def csv(rows: int, **columns: object) -> str:
    """A CSV of equal rows."""
    header = ",".join(columns)
    line = ",".join(str(value) for value in columns.values())
    return "\n".join([header, *[line] * rows]) + "\n"
