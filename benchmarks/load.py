"""What strictness costs: the load of a batch beside bare Spark, which reads the same files by a given schema.

    .venv/bin/python -m benchmarks.load [megabytes of CSV] [case ...]

On a stack started for this. The rows are TPC-H's `lineitem`. Each case is done in turns, theirs and ours, after a turn
of each that warms the server; the best counts, in seconds and in CPU seconds (of this process and of the server). Both
have the same columns given, and append to unpartitioned tables of their own. The cases:

    csv, parquet   a file of so many megabytes of CSV, 1000 by default, and of the same rows as parquet
    json           1,000 files of 100 kB
    json-big       10 files of 100 MB
    json-one       a file of 1 GB
    json-small     20,000 files of 5 kB, in batches of 10,000
    bad            100 files of CSV, 5 of them bad, each in its own way; not beside bare Spark, but 100 good files
    csv-new        a file of so many megabytes of CSV, into a table whose columns nobody gave, beside given ones
    json-new       3 files of 100 MB, the same
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psutil
import psycopg
from pyspark.sql import SparkSession

from benchmarks.files import COLUMNS, csv_files, json_files, lineitem
from benchmarks.stacks import stopped_at_the_end
from dev.stack import Stack
from flows.loading.files import Files
from flows.loading.reading import probe
from flows.loading.reading.reading import Reading
from flows.loading.session import connected
from flows.loading.steps import Steps
from flows.loading.writing import tables
from flows.loading.writing.tables import Table
from schemas.config.sources import Columns
from schemas.formats import Format
from schemas.ledger.migrate import upgrade
from schemas.manifest import Manifest, ManifestFile
from tests.integration.flow_site import Lake, a_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flows.loading.steps import Watch

TURNS = 3
CONFIG = """
version: 1
allow: ["file://${AUTOLOADER_HOME}/landing/"]
lanes: {high-memory: {pool: {type: process}}}
sources:
  lines:
    id: lines
    from: {path: "file://${AUTOLOADER_HOME}/landing/"}
    format: csv
    into: {table: lake.bench.lines}
"""
DDL = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())


@dataclass(frozen=True)
class Site:
    """A lake to load into, the server's process, and a folder for the files."""

    lake: Lake
    server: psutil.Process
    folder: Path
    megabytes: float

    def cpu(self) -> float:
        """CPU seconds of this process and of the server."""
        own, other = psutil.Process().cpu_times(), self.server.cpu_times()
        return own.user + own.system + other.user + other.system


@dataclass
class Turns:
    """Seconds and CPU seconds of each turn of one way; by step, what ours says of itself."""

    site: Site
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    steps: list[dict[str, float]] = field(default_factory=list)

    def take(self, way: Callable[[Watch], object]) -> None:
        """One turn."""
        steps: dict[str, float] = defaultdict(float)
        cpu, begun = self.site.cpu(), time.monotonic()
        last = begun

        def watch(step: str) -> None:
            nonlocal last
            steps[step], last = steps[step] + time.monotonic() - last, time.monotonic()

        way(watch)
        self.seconds.append(time.monotonic() - begun)
        self.cpu.append(self.site.cpu() - cpu)
        self.steps.append(steps)

    def best(self) -> tuple[float, float, dict[str, float]]:
        """Without the first turn."""
        at = self.seconds.index(min(self.seconds[1:]))
        return self.seconds[at], min(self.cpu[1:]), self.steps[at]


def bare(site: Site, kind: str, batches: Sequence[Sequence[Path]]) -> Callable[[Watch], None]:
    """Bare Spark, a job for each batch."""
    table, options = a_table(), {"header": "true"} if kind == "csv" else {}
    site.lake.session.sql(f"CREATE TABLE {table} ({DDL}) USING iceberg")

    def append(_: Watch) -> None:
        for files in batches:
            read = site.lake.session.read.options(mode="FAILFAST", **options).schema(DDL)
            read.format(kind).load([str(file) for file in files]).writeTo(table).append()

    return append


def strict(site: Site, kind: str, batches: Sequence[Sequence[Path]]) -> Callable[[Watch], None]:
    """Bare Spark with our plan, as strict as without our look at the files; a job for each batch, planned before."""
    session, table = connected(site.lake.settings["SPARK_CONNECT_URL"], uuid4()), a_table()
    session.sql(f"CREATE TABLE {table} ({DDL}, _file_uri string) USING iceberg")
    told, there = {"format": Format.model_validate({kind: {}}), "columns": Columns(columns=COLUMNS)}, Table.named(table)
    manifest = Manifest(source_id="strict", source_name="strict", table=table, **told)
    readings = []
    for files in batches:
        found = probe.seen([ManifestFile(uri=f"file://{file}", version="", size=0) for file in files], manifest.allow)
        as_they_are = [ManifestFile(uri=uri, version=now.version, size=now.size) for uri, now in found.items() if now]
        readings.append(Reading(session, manifest, Files(as_they_are), Steps()))
        readings[-1].begin()
        readings[-1].change(tables.columns(session, there))
        if ended := readings[-1].files.ended:
            raise RuntimeError(f"{len(ended)} of {len(files)} files are set aside: {list(ended.values())[:5]}")

    def append(_: Watch) -> None:
        for reading in readings:
            reading.frame(tables.columns(session, there), trusts=False).writeTo(table).append()

    return append


def ours(
    site: Site, kind: str, batches: Sequence[Sequence[Path]], aside: int = 0, columns: Mapping[str, str] = COLUMNS
) -> Callable[[Watch], None]:
    """Our load, a batch each, from the claim to the result; so many files are set aside."""
    table = a_table()

    def load(watch: Watch) -> None:
        for files in batches:
            batch = site.lake.batch(table, files, {kind: {}}, schema={"columns": columns})
            report = site.lake.published(batch, watch=watch)
            wrong = [(one.uri, one.reason) for one in report.files if one.outcome != "loaded"]
            if len(wrong) != aside:
                raise RuntimeError(f"{len(wrong)} of {len(files)} files are set aside: {wrong[:5]}")

    return load


def compared(site: Site, case: str, ways: Mapping[str, Callable[[Watch], None]]) -> None:
    """Turn by turn; the last way beside each of the others."""
    turns = {name: Turns(site) for name in ways}
    for _ in range(TURNS):
        for name, way in ways.items():
            turns[name].take(way)
    *others, ours = ((name, *each.best()) for name, each in turns.items())
    for name, seconds, cpu, _ in (*others, ours):
        beside = f"{ours[1] / seconds:.2f} x, of CPU {ours[2] / cpu:.2f} x" if name != ours[0] else ""
        print(f"{case:11} {name:9} {seconds:6.1f} s, {cpu:6.1f} CPU s   {beside}".rstrip())
    print("            " + " · ".join(f"{step} {took:.2f}" for step, took in ours[3].items()), flush=True)


def beside_bare(site: Site, kind: str, batches: Sequence[Sequence[Path]]) -> Mapping[str, Callable[[Watch], None]]:
    """Three ways to load the same batches."""
    ways = {"FAILFAST": bare, "strict": strict, "ours": ours}
    return {name: way(site, kind, batches) for name, way in ways.items()}


def one_file(kind: str) -> Callable[[Site], Mapping[str, Any]]:
    """A case of one big file."""

    def case(site: Site) -> Mapping[str, Any]:
        batches = [[lineitem(site.folder, kind, site.megabytes)]]
        return beside_bare(site, kind, batches)

    return case


def many_files(count: int, size: int) -> Callable[[Site], Mapping[str, Any]]:
    """A case of many files of JSON."""

    def case(site: Site) -> Mapping[str, Any]:
        files = json_files(site.folder, count, size)
        batches = [files[at : at + 10_000] for at in range(0, count, 10_000)]
        return beside_bare(site, "json", batches)

    return case


def some_bad(site: Site) -> Mapping[str, Any]:
    """A batch of which five files are bad, beside one without."""
    good, mixed = csv_files(site.folder, 100)
    return {"good": ours(site, "csv", [good]), "5 bad": ours(site, "csv", [mixed], aside=5)}


def new_table(site: Site, kind: str, files: Sequence[Path]) -> Mapping[str, Any]:
    """Each turn makes a table: of given columns, or of those that the files have."""
    ways: Mapping[str, Mapping[str, str]] = {"given": COLUMNS, "guessed": {}}
    return {
        name: lambda watch, columns=columns: ours(site, kind, [files], columns=columns)(watch)
        for name, columns in ways.items()
    }


CASES: Mapping[str, Callable[[Site], Mapping[str, Any]]] = {
    "csv": one_file("csv"),
    "parquet": one_file("parquet"),
    "json": many_files(1_000, 100_000),
    "json-big": many_files(10, 100_000_000),
    "json-one": many_files(1, 1_000_000_000),
    "json-small": many_files(20_000, 5_000),
    "bad": some_bad,
    "csv-new": lambda site: new_table(site, "csv", [lineitem(site.folder, "csv", site.megabytes)]),
    "json-new": lambda site: new_table(site, "json", json_files(site.folder, 3, 100_000_000)),
}


def main(megabytes: float, cases: Sequence[str]) -> None:
    """A line for each case, and where ours spends its seconds."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "autoloader.yaml").write_text(CONFIG)
        stack = Stack(home, home / "autoloader.yaml")
        with stopped_at_the_end(stack):
            stack.up()
            settings = dict(stack.settings())
            with psycopg.connect(settings["DATABASE_URL"], autocommit=True) as connection:
                connection.execute("CREATE DATABASE load")
            settings["DATABASE_URL"] = settings["DATABASE_URL"].rpartition("/")[0] + "/load"
            upgrade(settings["DATABASE_URL"])
            session = SparkSession.builder.remote(settings["SPARK_CONNECT_URL"]).create()
            session.client.disable_reattachable_execute()
            server = next(one for one in psutil.process_iter() if _serves(one, settings["SPARK_CONNECT_URL"]))
            site = Site(Lake(settings, home / "landing", session), server, home / "files", megabytes)
            site.folder.mkdir()
            for case in cases or CASES:
                compared(site, case, CASES[case](site))
            session.stop()  # at its exit pyspark would ask a server that is gone, for ten minutes


def _serves(process: psutil.Process, url: str) -> bool:
    port = int(url.rpartition(":")[2].partition("/")[0])
    try:
        return any(one.status == "LISTEN" and one.laddr.port == port for one in process.net_connections("tcp"))
    except psutil.Error:
        return False


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1000, sys.argv[2:])
