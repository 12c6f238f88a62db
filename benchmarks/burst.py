"""A burst of small files that land at once: how long until all rows are committed, and in how many runs.

    .venv/bin/python -m benchmarks.burst [files] [single runs]

On a stack started for this, with four slots and a warm Spark Connect server. Beside it, in the same run:

    one run a file   the same flow on the same stack with batches of one file, over four sources so that all slots are
                     used; so many files are measured, and the seconds extrapolated to as many files as the burst has
    bare Spark       one warm Spark job that reads the same files by their paths and appends them to an Iceberg table
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg
from pyspark.sql.connect.session import SparkSession

from cli.commands.land import announce
from dev.stack import Stack
from schemas.connections import kafka_connection

ROWS = 100
SINGLES = 4
CONFIG = """
version: 1
allow: ["file://${AUTOLOADER_HOME}/landing/"]
commit_interval: 0s
lanes:
  default: {workers: 1, slots_per_worker: 4}
  high-memory: {pool: {type: process}, slots_per_worker: 1}
  priority: {slots_per_worker: 1}
sources:
"""
SOURCE = """
  %(name)s:
    id: %(name)s
    from: {path: "file://${AUTOLOADER_HOME}/landing/%(name)s/"}
    format: csv
    schema: {hints: {id: bigint, amount: double, name: string}}
    into: {table: lake.bench.%(table)s}
    batch: {max_files: %(max_files)d}
"""


def config() -> str:
    """One source for the burst, several that load one file a run."""
    singles = [{"name": f"single{n}", "table": "singles", "max_files": 1} for n in range(SINGLES)]
    return CONFIG + "".join(SOURCE % one for one in [{"name": "burst", "table": "burst", "max_files": 1000}, *singles])


class Site:
    """The running stack."""

    def __init__(self, stack: Stack, home: Path) -> None:
        self._settings = stack.settings()
        self._home = home
        self.connect = self._settings["SPARK_CONNECT_URL"]

    def write(self, source: str, folder: str, count: int) -> list[str]:
        """So many small files in a source's landing place; their URIs."""
        place = self._home / "landing" / source / folder
        place.mkdir(parents=True)
        for number in range(count):
            rows = "".join(f"{number * ROWS + row},{row / 7:.3f},name-{row}\n" for row in range(ROWS))
            (place / f"{number:06}.csv").write_text("id,amount,name\n" + rows)
        return [f"file://{path}" for path in sorted(place.iterdir())]

    def load(self, uris: Sequence[str]) -> tuple[float, int]:
        """Announce them all; seconds until the ledger has them all as loaded, and the runs that it took."""
        folders = sorted({uri.rpartition("/")[0] for uri in uris})
        begun = time.monotonic()
        asyncio.run(announce(kafka_connection(self._settings), uris))
        while self._count("SELECT count(*) FROM file", folders, "outcome = 'loaded'") < len(uris):
            time.sleep(0.1)
        seconds = time.monotonic() - begun
        return seconds, self._count("SELECT count(DISTINCT batch_id) FROM file", folders, "true")

    def _count(self, select: str, folders: Sequence[str], condition: str) -> int:
        with psycopg.connect(self._settings["DATABASE_URL"]) as connection:
            row = connection.execute(
                f"{select} WHERE {condition} AND regexp_replace(uri, '/[^/]*$', '') = ANY(%s)",
                [list(folders)],
            ).fetchone()
        return row[0] if row else 0


def bare(connect: str, uris: Sequence[str]) -> float:
    """Seconds of the second of two equal appends."""
    spark = SparkSession.builder.remote(connect).create()
    spark.client.disable_reattachable_execute()
    spark.sql("CREATE TABLE IF NOT EXISTS lake.bench.bare (id bigint, amount double, name string) USING iceberg")
    seconds = 0.0
    for _ in range(2):
        begun = time.monotonic()
        read = spark.read.csv(list(uris), schema="id bigint, amount double, name string", header=True)
        read.writeTo("lake.bench.bare").append()
        seconds = time.monotonic() - begun
    spark.stop()
    return seconds


def main(site: Site, files: int, singles: int) -> None:
    """Three numbers, two ratios."""
    warm = [uri for name in ("burst", *(f"single{n}" for n in range(SINGLES))) for uri in site.write(name, "warm", 1)]
    site.load(warm)
    each = [uri for n in range(SINGLES) for uri in site.write(f"single{n}", "measured", -(-singles // SINGLES))]
    single_seconds, single_runs = site.load(each)
    uris = site.write("burst", "measured", files)
    seconds, runs = site.load(uris)
    spark_seconds = bare(site.connect, uris)
    extrapolated = single_seconds / len(each) * files
    print(f"burst            {files} files, {files * ROWS} rows: {seconds:.1f} s in {runs} runs")
    print(
        f"one run a file   {len(each)} files: {single_seconds:.1f} s in {single_runs} runs "
        f"({single_runs / single_seconds:.2f}/s); {files} files would take {extrapolated:.0f} s (extrapolated)"
    )
    print(f"bare Spark       {spark_seconds:.1f} s")
    print(f"the burst is {extrapolated / seconds:.0f} times faster than one run a file")
    print(f"the burst took {seconds / spark_seconds:.1f} times what bare Spark took")


if __name__ == "__main__":
    counts = [int(argument) for argument in sys.argv[1:]] or [1000, 50]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "autoloader.yaml").write_text(config())
        stack = Stack(home, home / "autoloader.yaml")
        stack.up()
        try:
            main(Site(stack, home), counts[0], counts[1] if len(counts) > 1 else 50)
        finally:
            stack.down()
