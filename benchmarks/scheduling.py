"""What a step of scheduling costs when much waits: it must not grow with the backlog.

    .venv/bin/python -m benchmarks.scheduling [waiting files] [sources]

On a PostgreSQL started for this: the questions that a step asks of the ledger, in milliseconds (median of 20), with so
many sources that have one file each, then with a million files waiting in one more source.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg

from benchmarks.stacks import stopped_at_the_end
from dev.stack import Stack
from router.adapters.postgres.database import Database
from router.adapters.postgres.lease import PostgresLease
from router.adapters.postgres.scheduling import PostgresScheduling
from router.adapters.postgres.status import PostgresStatus
from router.rules.identity import object_key
from schemas.ledger.migrate import upgrade

START = datetime(2026, 11, 24, tzinfo=UTC)
COLUMNS = ["source_id", "object", "version", "uri", "size", "landed", "estimate"]
TIMES = 20


async def filled(url: str, source_ids: list[str], files: int) -> None:
    """So many waiting files in each source."""
    connection = await asyncpg.connect(url)
    for first in range(0, files, 100_000):
        rows = [
            (source_id, object_key(uri), "v", uri, 1000, START + timedelta(milliseconds=number), 1000)
            for source_id in source_ids
            for number in range(first, min(first + 100_000, files))
            for uri in [f"s3://landing/{source_id}/{number // 1000:06}/{number:09}.csv"]
        ]
        await connection.copy_records_to_table("file", records=rows, columns=COLUMNS)
    await connection.execute("ANALYZE file")
    await connection.close()


async def milliseconds(ask: Callable[[], Awaitable[object]]) -> float:
    """The median of several times."""
    spans = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        await ask()
        spans.append((time.perf_counter() - begun) * 1000)
    return statistics.median(spans)


async def main(url: str, files: int, sources: int) -> None:
    """A line a state of the ledger."""
    database = Database(url)
    batches = PostgresScheduling(database, PostgresLease(database, "bench"))
    reading = PostgresStatus(database)
    await filled(url, [f"small-{number}" for number in range(sources)], 1)
    await told(batches, reading, f"{sources} sources with a file each")
    await filled(url, ["flood"], files)
    await told(batches, reading, f"and {files:,} files in one more")
    await database.close()


async def told(batches: PostgresScheduling, reading: PostgresStatus, what: str) -> None:
    backlogs = await milliseconds(batches.backlogs)
    waiting = await milliseconds(lambda: batches.waiting("flood", "default", 1000))
    lines = await milliseconds(reading.lines)
    print(f"{what:<36} backlogs {backlogs:.1f} ms   waiting {waiting:.1f} ms   lines (for metrics) {lines:.1f} ms")


if __name__ == "__main__":
    counts = [int(argument) for argument in sys.argv[1:]] or [1_000_000, 1000]
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), Path(__file__).parents[1] / "dev" / "autoloader.yaml", parts=("postgres",))
        with stopped_at_the_end(stack):
            stack.up()
            upgrade(stack.settings()["DATABASE_URL"])
            asyncio.run(main(stack.settings()["DATABASE_URL"], counts[0], counts[1] if len(counts) > 1 else 1000))
