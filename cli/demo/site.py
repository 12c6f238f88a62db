"""What the demo does to the running stack, and what it reads back from it.

It does what producers and people do (files, events, requests), and reads back by ways of its own, not through the
router: the ledger by SQL, the tables by Spark, the topics by a consumer. What it waits for is a condition in the
ledger, with an end to its patience and an eye on parts that died. All its files lie in folders of this run, so that a
table may hold those of earlier demos too.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from cli.asking import asked_event
from cli.commands.land import landed as event_of
from cli.commands.land import put
from cli.demo.account import Event, Found, Landed, Recorded
from cli.demo.topics import Topics
from dev.samples import Sample
from dev.stack import Stack, StackError
from router.rules.outgoing import OutgoingEvent
from schemas.config import Config
from schemas.config.topics import ARRIVALS_TOPIC, REQUESTS_TOPIC
from schemas.connections import kafka_connection
from schemas.events.requests import LoadAsked

if TYPE_CHECKING:
    from psycopg import Connection
    from pyspark.sql.connect.session import SparkSession

PATIENCE_SECONDS = 120
T = TypeVar("T")
Row = dict[str, Any]


class Site:
    """The stack, and this demo's part of it: all its files lie in folders named `run`, so every demo is new work."""

    def __init__(self, stack: Stack, config: Config, run: str) -> None:
        self.stack = stack
        self.settings = stack.settings()
        self.environ = {**os.environ, **self.settings}
        self.config = config
        self.run = run
        self.topics = Topics(kafka_connection(self.settings))
        self._ledger: Connection[Row] | None = None
        self._spark: SparkSession | None = None

    def land(self, source: str, samples: Sequence[Sample]) -> list[Landed]:
        """Put files where the source's files land; nobody is told yet."""
        uris = put(self.config, source, [sample.path for sample in samples], self.run)
        table = self.config.sources[source].into.table
        return [Landed(uri, table, sample.rows) for uri, sample in zip(uris, samples, strict=True)]

    def announce(self, files: Sequence[Landed], *, times: int = 1) -> None:
        """Send one event a file, each so many times."""
        events = [OutgoingEvent(ARRIVALS_TOPIC, file.uri, event_of(file.uri).to_json()) for file in files]
        self.topics.send(events * times)

    def ask_for(self, source: str, file: Landed, request: str) -> None:
        """Send a person's request to load one file now."""
        event = asked_event(LoadAsked(source=source, files=(file.uri,)), request)
        self.topics.send([OutgoingEvent(REQUESTS_TOPIC, request, event.to_json())])

    def ledger(self, query: str, *values: object) -> list[Row]:
        """Query the ledger."""
        ledger = self._ledger = self._ledger or _ledger(self.settings["DATABASE_URL"])
        return ledger.execute(query, values).fetchall()

    def recorded(self, files: Sequence[Landed]) -> list[Recorded]:
        """What the ledger knows of these files."""
        return self._recorded("uri = ANY(%s)", [file.uri for file in files])

    def answered(self, request: str) -> bool:
        """Whether this request has ended, with its completion on Kafka."""
        ended = self.ledger("SELECT 1 FROM request WHERE id = %s AND ended IS NOT NULL", request)
        return bool(ended) and self._all_is_said()

    def claimed(self, files: Sequence[Landed]) -> bool:
        """Whether a run works on one of these files."""
        query = "SELECT 1 FROM attempt WHERE batch_id = ANY(%s) AND claimed_by IS NOT NULL AND ended IS NULL"
        return bool(self.ledger(query, self._batches(files)))

    def completions_of(self, files: Sequence[Landed]) -> list[Event]:
        """The completion events of the batches of these files, without repetitions."""
        batches = self._batches(files)
        events = {event["id"]: event for event in self.topics.completions()}
        return [event for event in events.values() if event["data"].get("run", {}).get("batch") in batches]

    def completion_of(self, file: Landed) -> Event:
        """The one completion event of the file's batch; StackError when it is not one."""
        events = self.completions_of([file])
        if len(events) != 1:
            raise StackError(f"{file.uri}: its batch has {len(events)} completion events")
        return events[0]

    def runs(self, files: Sequence[Landed]) -> int:
        """How many Prefect runs were made for these files."""
        query = "SELECT count(DISTINCT run_id) AS runs FROM attempt WHERE batch_id = ANY(%s)"
        return int(self.ledger(query, self._batches(files))[0]["runs"])

    def wait_for(self, files: Sequence[Landed], tell: Callable[[str], None]) -> None:
        """Wait until these files have ended, and all that is to be said of it is on Kafka."""
        begun = time.monotonic()

        def ended() -> bool:
            count = sum(recorded.outcome is not None for recorded in self.recorded(files))
            seconds = time.monotonic() - begun
            tell(f"files ended: {count} of {len(files)} · runs: {self.runs(files)} · {seconds:.0f} s")
            return count >= len(files) and self._all_is_said()

        self.eventually(ended, f"the end of {len(files)} files")

    def eventually(self, look: Callable[[], T | None], what: str) -> T:
        """Wait for an answer that is not None or False; StackError when none comes, or a part of the stack ended."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := look()):
            if dead := [part for part, running in self.stack.running().items() if not running]:
                raise StackError(f"{', '.join(dead)} ended; see the logs below {self.settings['AUTOLOADER_HOME']}/logs")
            if time.monotonic() > deadline:
                raise StackError(f"not within {PATIENCE_SECONDS} s: {what}; `autoloader status` shows how it stands")
            time.sleep(0.25)  # between two looks at a condition
        return found

    def found(self, files: Sequence[Landed]) -> Found:
        """The tables of these files, the ledger and the completion topic, read now."""
        rows = {
            (table, uri): count
            for table in sorted({file.table for file in files})
            for uri, count in self._rows_by_file(table).items()
        }
        uris = [file.uri for file in files]
        recorded = self._recorded("uri = ANY(%s) OR batch_id = ANY(%s)", uris, self._batches(files))
        return Found(rows, recorded, self.topics.completions(), self.topics.dead_letters())

    def close(self) -> None:
        """End the sessions in Spark and PostgreSQL."""
        if self._spark is not None:
            self._spark.stop()
        if self._ledger is not None:
            self._ledger.close()

    def _all_is_said(self) -> bool:
        return not self.ledger("SELECT 1 FROM outbox LIMIT 1")

    def _recorded(self, which: str, *values: Sequence[str]) -> list[Recorded]:
        rows = self.ledger(f"SELECT uri, outcome, batch_id, rows FROM file WHERE {which}", *values)  # noqa: S608 - `which` is ours
        return [Recorded(row["uri"], row["outcome"], row["batch_id"], row["rows"] or 0) for row in rows]

    def _batches(self, files: Sequence[Landed]) -> list[str]:
        return list({recorded.batch for recorded in self.recorded(files) if recorded.batch})

    def _rows_by_file(self, table: str) -> Mapping[str, int]:
        """Count the rows of this demo's files; those of earlier demos are in the table too."""
        spark = self._spark = self._spark or _session(self.settings["SPARK_CONNECT_URL"])
        frame = spark.table(table)
        counts = frame.where(frame["_file_uri"].contains(f"/{self.run}/")).groupBy("_file_uri").count()
        return {row[0]: row[1] for row in counts.collect()}


def _ledger(database_url: str) -> "Connection[Row]":
    import psycopg  # noqa: PLC0415 - for this command alone
    from psycopg.rows import dict_row  # noqa: PLC0415 - for this command alone

    return psycopg.connect(database_url, autocommit=True, row_factory=dict_row)


def _session(connect_url: str) -> "SparkSession":
    from pyspark.sql.connect.client.retries import DefaultPolicy  # noqa: PLC0415 - a second, for this command alone
    from pyspark.sql.connect.session import SparkSession  # noqa: PLC0415 - a second, for this command alone

    spark = SparkSession.builder.remote(connect_url).create()
    # its threads may hang the end (SPARK-55362); and without a server every call would try for ten minutes
    spark.client.disable_reattachable_execute()
    spark.client.set_retry_policies([DefaultPolicy(max_retries=2)])
    return spark
