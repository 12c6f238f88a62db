"""A burst of small files that land at once: how long until all rows are committed, and in how many runs.

    .venv/bin/python -m benchmarks.burst [files] [single runs]

On a stack started for this, with four slots and a warm Spark Connect server; of two equal bursts the second counts, as
of what stands beside it in the same run:

    one run a file   the same flow on the same stack with batches of one file, over four sources, with a table each, so
                     that all slots are used; so many files are measured, and the seconds extrapolated to as many files
                     as the burst has
    stock worker     the same as that, with Prefect's own process worker in the place of ours; before and after it, ours
    streaming        Spark Structured Streaming on the same server, which loads as many files and ends (availableNow)
    bare Spark       one warm Spark job that reads the same files by their paths and appends them to an Iceberg table
    pyiceberg        the same files, read by pyarrow and appended by a process that has done so before; and one file. No
                     part of ours: a bound, without Spark. `make bench` installs it

Tables may have a snapshot at any time here (`commit_interval: 0s`).
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from pyspark.sql.connect.session import SparkSession

from benchmarks.stacks import running
from cli.commands.land import announce
from dev.stack import Stack
from schemas.connections import kafka_connection

ROWS = 100
SINGLES = 4
SOURCE = """
  %(name)s:
    id: %(name)s
    from: {path: "file://${AUTOLOADER_HOME}/landing/%(name)s/"}
    format: csv
    schema: {hints: {id: bigint, amount: double, name: string}}
    into: {table: lake.bench.%(table)s}
    batch: {max_files: %(max_files)d}
"""


def sources() -> str:
    """One source for the burst, several that load one file a run."""
    singles = [{"name": f"single{n}", "table": f"single{n}", "max_files": 1} for n in range(SINGLES)]
    return "".join(SOURCE % one for one in [{"name": "burst", "table": "burst", "max_files": 1000}, *singles])


class Site:
    """The running stack."""

    def __init__(self, stack: Stack, home: Path) -> None:
        self._stack = stack
        self.settings = stack.settings()
        self._home = home
        self.connect = self.settings["SPARK_CONNECT_URL"]

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
        asyncio.run(announce(kafka_connection(self.settings), uris))
        with psycopg.connect(self.settings["DATABASE_URL"], autocommit=True) as ledger:
            while (found := _loaded(ledger, folders))[0] < len(uris):
                time.sleep(0.2)
        return time.monotonic() - begun, found[1]

    @contextmanager
    def stock_worker(self) -> Iterator[None]:
        """Within, Prefect's own worker serves the lane in the place of ours, and has served one run."""
        self._stack.stop("worker-default")
        command = (sys.executable, "-m", "prefect", "worker", "start", "--pool", "autoloader-default", "--limit", "4")
        environ = {**os.environ, **self.settings, "PREFECT_WORKER_WEBSERVER_PORT": "0"}
        with (self._home / "stock.log").open("wb") as log:
            worker = subprocess.Popen([*command, "--name", "stock"], env=environ, stdout=log, stderr=log)
        try:
            self.load(self.write("single0", "stock-warm", 1))
            yield
        finally:
            worker.kill()  # asked while a run was ending, Prefect's own hung
            worker.wait()
            self._stack.start("worker-default")


def _loaded(ledger: psycopg.Connection[Any], folders: Sequence[str]) -> tuple[int, int]:
    row = ledger.execute(_LOADED, [list(folders)]).fetchone()
    return row or (0, 0)


_LOADED = """
    SELECT count(*), count(DISTINCT batch_id) FROM file
    WHERE outcome = 'loaded' AND regexp_replace(uri, '/[^/]*$', '') = ANY(%s)
"""


def _second(way: Callable[[int], None]) -> float:
    """Seconds of the second of two turns."""
    way(0)
    begun = time.monotonic()
    way(1)
    return time.monotonic() - begun


def streaming(connect: str, folder: Path) -> float:
    """Seconds of the second of two equal streams over the same folder, each from nothing to its end."""
    spark = SparkSession.builder.remote(connect).create()
    spark.client.disable_reattachable_execute()
    schema = "id bigint, amount double, name string"
    spark.sql(f"CREATE TABLE IF NOT EXISTS lake.bench.streamed ({schema}) USING iceberg")

    def stream(turn: int) -> None:
        read = spark.readStream.schema(schema).csv(f"file://{folder}/", header=True)
        write = read.writeStream.trigger(availableNow=True).option("checkpointLocation", f"{folder}-checkpoint-{turn}")
        write.toTable("lake.bench.streamed").awaitTermination()

    seconds = _second(stream)
    spark.stop()
    return seconds


def bare(connect: str, uris: Sequence[str]) -> float:
    """Seconds of the second of two equal appends."""
    spark = SparkSession.builder.remote(connect).create()
    spark.client.disable_reattachable_execute()
    spark.sql("CREATE TABLE IF NOT EXISTS lake.bench.bare (id bigint, amount double, name string) USING iceberg")

    def append(_: int) -> None:
        read = spark.read.csv(list(uris), schema="id bigint, amount double, name string", header=True)
        read.writeTo("lake.bench.bare").append()

    seconds = _second(append)
    spark.stop()
    return seconds


def pyiceberg(settings: Mapping[str, str], uris: Sequence[str]) -> float:
    """Seconds of the second of two equal appends. Raises ImportError where it is not installed."""
    from pyarrow import concat_tables  # noqa: PLC0415 - with what may be missing
    from pyarrow.csv import read_csv  # noqa: PLC0415 - with what may be missing
    from pyiceberg.catalog.sql import SqlCatalog  # noqa: PLC0415 - what may be missing

    database = settings["DATABASE_URL"].rpartition("/")[0].replace("postgresql://", "postgresql+psycopg://")
    place = f"file://{settings['AUTOLOADER_HOME']}/warehouse"
    catalog = SqlCatalog("lake", uri=f"{database}/iceberg", warehouse=place)
    catalog.create_namespace_if_not_exists("bench")
    name = f"bench.pyiceberg_{len(uris)}"

    def append(turn: int) -> None:
        rows = concat_tables(read_csv(uri.removeprefix("file://")) for uri in uris)
        table = catalog.load_table(name) if turn else catalog.create_table(name, rows.schema)
        table.append(rows)

    return _second(append)


def main(site: Site, files: int, singles: int) -> None:
    """A line for each way."""
    names = [f"single{n}" for n in range(SINGLES)]
    site.load([uri for name in names for uri in site.write(name, "warm", 1)])
    site.load(site.write("burst", "warm", files))

    def one_run_each(folder: str) -> float:
        each = [uri for name in names for uri in site.write(name, folder, -(-singles // SINGLES))]
        seconds, runs = site.load(each)
        print(
            f"{folder:16} {len(each)} files: {seconds:.1f} s in {runs} runs ({runs / seconds:.2f}/s); "
            f"{files} files would take {seconds / len(each) * files:.0f} s (extrapolated)"
        )
        return seconds

    uris = site.write("burst", "measured", files)
    seconds, runs = site.load(uris)
    print(f"{'burst':16} {files} files, {files * ROWS} rows: {seconds:.1f} s in {runs} runs")
    before = one_run_each("one run a file")
    with site.stock_worker():
        stock = one_run_each("stock worker")
    after = one_run_each("and once more")
    streamed = streaming(site.connect, Path(uris[0].removeprefix("file://")).parent)
    spark_seconds = bare(site.connect, uris)
    print(f"{'streaming':16} {files} files: {streamed:.1f} s")
    print(f"{'bare Spark':16} {files} files: {spark_seconds:.1f} s")
    try:
        print(f"{'pyiceberg':16} {files} files: {pyiceberg(site.settings, uris):.1f} s")
        print(f"{'pyiceberg':16} 1 file: {pyiceberg(site.settings, uris[:1]):.2f} s")
    except ImportError as error:
        print(f"{'pyiceberg':16} {error}")
    print(f"the burst took {seconds / spark_seconds:.1f} times bare Spark, {seconds / streamed:.1f} times streaming")
    print(f"one run a file: the warm worker is {stock * 2 / (before + after):.1f} times as fast as the stock worker")


if __name__ == "__main__":
    counts = [int(argument) for argument in sys.argv[1:]] or [1000, 50]
    with running(sources()) as (stack, home):
        main(Site(stack, home), counts[0], counts[1] if len(counts) > 1 else 50)
