"""The table of bad records beside a table: `<table>__quarantine`.

It is written by the same recipe as the table, under the same id, and published before it: a batch that is in the table
has its bad records here, once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql.types import LongType, StringType, StructField

from flows.loading.reading.badness import one_file_a_task
from flows.loading.reading.frames import empty
from flows.loading.writing import append, history, tables
from flows.loading.writing.tables import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame, SparkSession

    from schemas.report import Closed

COLUMNS = (
    StructField("record", LongType()),
    StructField("reason", StringType()),
    StructField("raw", StringType()),
)


def beside(table: Table) -> Table:
    """The table of bad records of this one."""
    return Table.named(f"{table.name}__quarantine")


def publish(session: SparkSession, table: Table, bad: DataFrame, batch: str) -> None:
    """Append the bad records of a batch, unless they are there.

    Raises:
        Infrastructure, Outrun: try again.
    """
    aside = beside(table)
    if not tables.exists(session, aside):
        tables.create(session, aside, COLUMNS, ())
    tables.fit_for_loading(session, aside)
    with one_file_a_task(session):
        _append_once(session, aside, bad.select("record", "reason", "raw", "_file_uri"), batch)


def close(session: SparkSession, table: Table, batch: str, closed: Closed) -> None:
    """Let nobody append the bad records of a batch that is closed, if there is such a table."""
    aside = beside(table)
    if tables.exists(session, aside):
        nothing = empty(session, tables.columns(session, aside))
        _append_once(session, aside, nothing, batch, history.closing(closed))


def _append_once(
    session: SparkSession, aside: Table, frame: DataFrame, batch: str, said: Mapping[str, str] = {}
) -> None:
    began = history.read(session, aside)
    if began.published(batch) is None:
        staged = append.stage(session, aside, frame, batch, said)
        append.publish(session, aside, staged, batch, began.head)
