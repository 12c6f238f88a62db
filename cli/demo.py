"""`autoloader demo`: three real files become rows in Iceberg and completion events on Kafka, on real parts."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from aiokafka import AIOKafkaConsumer
from rich.console import Console
from rich.table import Table

from cli import environment
from cli.land import announce, put
from cli.stack import checked_stack
from dev.stack import Stack, StackError
from schemas.config import COMPLETIONS_TOPIC, Config

WAIT_SECONDS = 240
SPANS = {
    "landed_to_cut": "landed → in a batch",
    "cut_to_submit": "→ run created in Prefect",
    "submit_to_start": "→ begun by a worker",
    "load": "→ loaded and reported",
    "landed_to_queryable": "landed → readable",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """A file of the demo: the rows its table should have and has, and its completion event (None: none came)."""

    source: str
    uri: str
    expected_rows: int
    rows_in_table: int
    completion: Mapping[str, Any] | None

    @property
    def right(self) -> bool:
        """Loaded once, and said so."""
        return self.said == "loaded" and self.rows_in_table == self.expected_rows

    @property
    def said(self) -> str:
        """The outcome in the completion event."""
        return str(self.completion["data"]["outcome"]) if self.completion else "none came"

    def seconds(self, span: str) -> str:
        """A span of the completion event, for the eye."""
        found = self.completion["data"]["seconds"].get(span) if self.completion else None
        return "-" if found is None else f"{found:.1f}"


def demo(*, keep: Annotated[bool, typer.Option("--keep", help="Leave the stack running.")] = False) -> None:
    """Start the local stack, land three files, read the tables back and compare. Exit code 1: not as expected."""
    begun = time.monotonic()
    stack = checked_stack()
    stack.up()
    try:
        environ = {**stack.settings()}
        ready = time.monotonic()
        outcomes = asyncio.run(_land_and_wait(stack, environ, environment.config(environ)))
        done = time.monotonic()
    finally:
        if not keep:
            stack.down()
    _show(outcomes)
    seconds = {"stack_ready": round(ready - begun, 1), "files_to_rows": round(done - ready, 1)}
    report = {"right": all(o.right for o in outcomes), "seconds": seconds, "files": [asdict(o) for o in outcomes]}
    path = environment.home() / "demo-report.json"
    path.write_text(json.dumps(report, indent=2))
    print(f"stack ready after {seconds['stack_ready']} s, files loaded {seconds['files_to_rows']} s later; {path}")
    print("demo: every row is there, once" if report["right"] else "demo: NOT as expected, see above")
    raise typer.Exit(not report["right"])


async def _land_and_wait(stack: Stack, environ: Mapping[str, str], config: Config) -> Sequence[Outcome]:
    """Land the files in a folder of this run's own, so that a second demo is new work."""
    from dev.nycflights import ROWS, write_files  # noqa: PLC0415 - pyarrow, for this command alone

    run = f"{datetime.now(UTC):run-%Y%m%d-%H%M%S}"
    files = await asyncio.to_thread(write_files, environment.home() / "demo-files")
    landed = {source: put(config, source, [file], run)[0] for source, file in files.items()}
    async with completions(environ["KAFKA_BOOTSTRAP_SERVERS"]) as consumer:
        await announce(environ["KAFKA_BOOTSTRAP_SERVERS"], list(landed.values()))
        print(f"landed and announced: {', '.join(landed.values())}")
        waiting = asyncio.create_task(events_of(consumer, set(landed.values())))
        while not waiting.done():
            await asyncio.wait([waiting], timeout=1)
            if dead := [part for part, running in stack.running().items() if not running]:
                waiting.cancel()
                raise StackError(f"{', '.join(dead)} ended; see its log below {environment.home() / 'logs'}")
        events = waiting.result()
    rows = await asyncio.to_thread(_rows_in_tables, environ["SPARK_CONNECT_URL"], config, landed)
    return [Outcome(source, uri, ROWS[source], rows[source], events.get(uri)) for source, uri in landed.items()]


@asynccontextmanager
async def completions(bootstrap_servers: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of the completion events from now on."""
    consumer = AIOKafkaConsumer(COMPLETIONS_TOPIC, bootstrap_servers=bootstrap_servers, auto_offset_reset="latest")
    await consumer.start()
    try:
        await consumer.seek_to_end()
        yield consumer
    finally:
        await consumer.stop()


async def events_of(consumer: AIOKafkaConsumer, uris: set[str]) -> dict[str, Mapping[str, Any]]:
    """The completion event of each file, as far as they come in time."""
    events: dict[str, Mapping[str, Any]] = {}
    begun = time.monotonic()
    with Console().status("waiting for completion events") as status:
        while len(events) < len(uris) and time.monotonic() - begun < WAIT_SECONDS:
            status.update(f"{len(events)} of {len(uris)} completion events after {time.monotonic() - begun:.0f} s")
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    event = json.loads(record.value)
                    events |= {file["uri"]: event for file in event["data"]["files"] if file["uri"] in uris}
    return events


def _rows_in_tables(connect_url: str, config: Config, landed: Mapping[str, str]) -> dict[str, int]:
    from pyspark.sql.connect.session import SparkSession  # noqa: PLC0415 - a second to import, for this command alone

    spark = SparkSession.builder.remote(connect_url).create()
    spark.client.disable_reattachable_execute()  # its threads may hang the end of a session (SPARK-55362)
    try:
        tables = {source: spark.table(config.sources[source].into.table) for source in landed}
        return {
            source: tables[source].where(tables[source]["_file_uri"] == uri).count() for source, uri in landed.items()
        }
    finally:
        spark.stop()


def _show(outcomes: Sequence[Outcome]) -> None:
    console = Console()
    for outcome in outcomes:
        if outcome.completion is not None:
            print(json.dumps(outcome.completion))
    table = Table("", *(Path(outcome.uri).name for outcome in outcomes))
    table.add_row("rows expected", *(str(outcome.expected_rows) for outcome in outcomes))
    table.add_row("rows in the table", *(str(outcome.rows_in_table) for outcome in outcomes))
    table.add_row("completion event", *(outcome.said for outcome in outcomes), end_section=True)
    for span, meaning in SPANS.items():
        table.add_row(f"{meaning}, s", *(outcome.seconds(span) for outcome in outcomes))
    console.print(table)
