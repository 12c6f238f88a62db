"""Warm a Spark Connect server before it counts as ready: its first loads take seconds, those after some dozens a third.

    python -m flows.loading.warming CATALOG FOLDER LOADS

With `SPARK_CONNECT_URL` as for a run; without it a Spark of its own does the same, so that Java sees which classes a
load needs. A file of a few rows, in a folder that Spark can read, is loaded into a table as a batch would be, but for
the ledger; the table is dropped, its namespace stays. For a server and a catalog of one's own.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from flows.loading.files import Files
from flows.loading.parked import park
from flows.loading.reading import probe
from flows.loading.reading.reading import Reading
from flows.loading.session import embedded
from flows.loading.steps import Steps
from flows.loading.translation import named_errors
from flows.loading.writing import append, tables, warehouse
from flows.loading.writing.staging import Staging
from flows.loading.writing.tables import Table
from schemas.connections import spark_connect_url
from schemas.formats import Format
from schemas.manifest import Manifest, ManifestFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pyspark.sql import SparkSession

_ROWS = "id,name,price,at,day\n" + "".join(
    f"{at},name {at},{at}.5,2026-01-02T03:04:{at:02},2026-01-02\n" for at in range(20)
)


def warm(environ: Mapping[str, str], table: Table, folder: Path, loads: int) -> None:
    """Load the file so many times, each in a session of its own. Raises as a load does."""
    landed = folder / "rows.csv"
    landed.write_text(_ROWS)
    file = _as_it_is(ManifestFile(uri=f"file://{landed}", version="", size=0))
    manifest = Manifest(source_id="warming", source_name="warming", table=table.name, format=Format(csv={}))
    try:
        for _ in range(loads):
            with _session(environ) as session:
                _load(session, table, manifest, file)
    finally:
        landed.unlink()
        with _session(environ) as session, named_errors():
            session.sql(f"DROP TABLE IF EXISTS {table.name} PURGE")


@contextmanager
def _session(environ: Mapping[str, str]) -> Iterator[SparkSession]:
    url = spark_connect_url(environ)
    if url is None:
        yield embedded(environ)
    else:
        with closing(park(url)) as parked:
            yield parked.session


def _as_it_is(file: ManifestFile) -> ManifestFile:
    now = probe.seen([file], ("file:///",))[file.uri]
    if now is None:
        raise FileNotFoundError(file.uri)
    return file.model_copy(update={"version": now.version, "size": now.size})


def _load(session: SparkSession, table: Table, manifest: Manifest, file: ManifestFile) -> None:
    reading, batch = Reading(session, manifest, Files([file]), Steps()), str(uuid4())
    warehouse.probe(session, table)
    there = tables.look(session, table)
    staging = Staging(reading, table, batch, there=there.columns if there else None)
    reading.begin()
    staged = staging.stage()
    if staged is None:
        raise RuntimeError(f"{table.name}: nothing was staged of {reading.files.ended}")
    reading.check(append.rows_per_file(session, table, staged.snap))
    append.publish(session, table, staged, batch, there.head if there else None)


if __name__ == "__main__":
    catalog, where, count = sys.argv[1:]
    scratch = Table.named(f"{catalog}.autoloader_warming.rows_{uuid4().hex[:8]}")
    warm(os.environ, scratch, Path(where), int(count))
