"""Stage what can be read: make the table where there is none, and append to it what nobody reads yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it
from pyspark.sql.types import StructField

from flows.loading.errors import Outrun, Rejected
from flows.loading.reading.types import ddl
from flows.loading.writing import append, quarantine, tables
from schemas.report import SchemaColumn

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pyspark.sql.types import StructType

    from flows.loading.reading.reading import Change, Reading
    from flows.loading.writing.append import Staged
    from flows.loading.writing.tables import Table
    from schemas.report import SchemaChange


_TRIES = 5  # others may change the same table


@dataclass(slots=True)
class Staging:
    """The staging of one batch; `there` are the table's columns, as far as is known, and `changes` grows on the way.

    `said` stands in the summary of what it stages.
    """

    reading: Reading
    table: Table
    batch: str
    said: Mapping[str, str] = field(default_factory=dict)
    there: StructType | None = None
    changes: list[SchemaChange] = field(default_factory=list)

    def stage(self) -> Staged | None:
        """The staged snapshot, perhaps an empty one; None when there is no table, and no row to make one of."""
        return self.reading.without_unreadable(self._stage)

    def stage_without(self, staged: Staged, files: Collection[str]) -> Staged:
        """The snapshot that holds what is staged already but for these files' rows, which are read from it."""
        session = self.reading.session
        kept = append.rows(session, self.table, staged.snap).where(~F.col("_file_uri").isin(list(files)))
        again = append.stage(session, self.table, kept, self.batch, self.said)
        self.reading.steps.done("stage")
        return again

    def told_columns(self) -> tuple[SchemaColumn, ...]:
        """The table's columns as they are now, for people."""
        given = {name.lower() for name in self.reading.manifest.columns.given}
        fields = tables.columns(self.reading.session, self.table).fields
        return tuple(
            SchemaColumn(name=one.name, type=ddl(one.dataType), given=one.name.lower() in given)
            for one in fields
            if one.name.lower() not in tables.OURS
        )

    def publish_bad_rows(self) -> None:
        """Publish the bad records of the files that are loaded without them."""
        if (bad := self.reading.bad_frame()) is not None:
            quarantine.publish(self.reading.session, self.table, bad, self.batch)
            self.reading.steps.done("quarantine")

    def _stage(self) -> Staged | None:
        for tries_left in reversed(range(_TRIES)):
            columns = self._columns()
            if columns is None:
                return None
            frame = self.reading.frame(columns)
            self.reading.steps.done("read")
            try:
                staged = append.stage(self.reading.session, self.table, frame, self.batch, self.said)
            except Rejected:
                self.there = tables.columns(self.reading.session, self.table)
                if not tries_left or self.there == columns:
                    raise
            else:
                self.reading.steps.done("stage")
                return staged
        raise AssertionError("the last try returns or raises")

    def _columns(self) -> StructType | None:
        """The table's columns, once it has those of the files; None while there is nothing to make a table of."""
        for tries_left in reversed(range(_TRIES)):
            change = self.reading.change(self.there)
            if not change.add and not change.widen:
                break
            try:
                self._apply(change, is_new=self.there is None)
            except Outrun as error:
                if not tries_left:
                    raise Rejected(f"{self.table.name} cannot be changed: {error}") from error
                self.there = tables.columns(self.reading.session, self.table)
            else:
                self.there = tables.columns(self.reading.session, self.table)
                break
        return self.there

    def _apply(self, change: Change, *, is_new: bool) -> None:
        session, partition = self.reading.session, self.reading.manifest.partition
        if is_new:
            fields = [StructField(name, kind) for (name, *_), kind in change.add.items()]
            if not tables.create(session, self.table, fields, partition):
                raise Outrun("another load made it in between")
        else:
            tables.evolve(session, self.table, change.add, change.widen)
        self.changes += change.told(is_new=is_new)
        self.reading.steps.done("schema")
