"""Stage what can be read: make the table where there is none, and append to it what nobody reads yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flows.loading.writing import append, tables

if TYPE_CHECKING:
    from pyspark.sql.types import StructType

    from flows.loading.reading.reading import Reading
    from flows.loading.writing.history import Snap
    from flows.loading.writing.tables import Table
    from schemas.report import SchemaChange


@dataclass(slots=True)
class Staging:
    """The staging of one batch; `changes` grows on the way."""

    reading: Reading
    table: Table
    batch: str
    changes: list[SchemaChange] = field(default_factory=list)

    def stage(self) -> Snap | None:
        """The staged snapshot, perhaps an empty one; None when there is no table, and no row to make one of."""
        return self.reading.without_unreadable(self._stage)

    def _stage(self) -> Snap | None:
        columns = self._columns()
        if columns is None:
            return None
        frame = self.reading.frame(columns)
        self.reading.steps.done("read")
        staged = append.stage(self.reading.session, self.table, frame, self.batch)
        self.reading.steps.done("stage")
        return staged

    def _columns(self) -> StructType | None:
        session = self.reading.session
        if not tables.exists(session, self.table) and not self._create():
            return None
        return tables.columns(session, self.table)

    def _create(self) -> bool:
        fields = self.reading.fields()
        if not fields:
            return False
        self.changes += tables.create(self.reading.session, self.table, fields, self.reading.manifest.partition)
        return True
