"""The bad records of files: how many in each, which ones, and why. Read once more, and only the files that have any."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.loading.reading.parts import bad_rows
from flows.loading.translation import named_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyspark.sql import SparkSession
    from pyspark.sql.types import StructType

    from flows.loading.reading.parts import Part

MAX_REASON = 300  # letters
SHOWN = 3  # records that a reason names
# A task reads one file, from its beginning to its end: then the numbers that Spark gives its records are the file's.
_ONE_FILE_A_TASK = {"spark.sql.files.maxPartitionBytes": str(2**40), "spark.sql.files.openCostInBytes": str(2**40)}


@dataclass(frozen=True, slots=True)
class Bad:
    """The bad records of a file: their count, and the first with number, reason and text."""

    count: int
    first: tuple[tuple[int, str, str], ...]

    def said(self, records: int) -> str:
        """The same for people."""
        return f"{self.count} of {records} records cannot be loaded; {'; '.join(self.examples())}"

    def examples(self) -> tuple[str, ...]:
        """The first records, each with its number, reason and text."""
        return tuple(f"record {number}: {reason} ({raw})" for number, reason, raw in self.first)


def of(parts: Sequence[Part], columns: StructType, session: SparkSession, *, rescued: bool) -> dict[str, Bad]:
    """By URI, what is bad in the files that these parts read."""
    if not parts:
        return {}
    with named_errors(), one_file_a_task(session):
        rows = (
            bad_rows(parts, columns, rescued=rescued)
            .selectExpr(
                "_file_uri",
                "record",
                f"substr(reason, 1, {MAX_REASON}) AS reason",
                f"substr(raw, 1, {MAX_REASON}) AS raw",
            )
            .selectExpr(
                "*",
                "row_number() OVER (PARTITION BY _file_uri ORDER BY record) AS n",
                "count(*) OVER (PARTITION BY _file_uri) AS bad",
            )
            .where(f"n <= {SHOWN}")
            .collect()
        )
    found: dict[str, Bad] = {}
    for row in sorted(rows, key=lambda one: one["record"]):
        before = found.get(row["_file_uri"], Bad(row["bad"], ()))
        found[row["_file_uri"]] = Bad(before.count, (*before.first, (row["record"], row["reason"], row["raw"] or "")))
    return found


@contextmanager
def one_file_a_task(session: SparkSession) -> Iterator[None]:
    """Within, no file is split among tasks, and no task reads two."""
    before = {name: str(session.conf.get(name)) for name in _ONE_FILE_A_TASK}
    try:
        for name, value in _ONE_FILE_A_TASK.items():
            session.conf.set(name, value)
        yield
    finally:
        for name, value in before.items():
            session.conf.set(name, value)
