"""Read what can be read and stage it: a file that cannot be read is left out, and the rest tried again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flows.loading import probe, publish, readers, tables
from flows.loading.errors import Infrastructure, Unreadable, Vanished
from flows.loading.frames import empty
from flows.loading.paths import ignored
from flows.loading.readers import Heads
from flows.loading.types import hinted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructField, StructType

    from flows.loading.files import Files
    from flows.loading.history import Snap
    from flows.loading.steps import Steps
    from flows.loading.tables import Table
    from schemas.manifest import Manifest
    from schemas.report import SchemaChange


@dataclass(slots=True)
class Staging:
    """The staging of one batch; `files` shrinks and `changes` grows on the way."""

    session: SparkSession
    table: Table
    batch: str
    manifest: Manifest
    files: Files
    steps: Steps
    changes: list[SchemaChange] = field(default_factory=list)
    heads: Heads = field(default_factory=Heads)

    def stage(self) -> Snap | None:
        """The staged snapshot, perhaps an empty one; None when there is no table, and no row to make one of.

        Each round leaves out a file or reads one differently, so there are at most two rounds a file.
        """
        while True:
            try:
                return self._stage()
            except Unreadable as error:
                self._without(error)
            except Vanished as error:
                if not self.probe():
                    raise Infrastructure(f"Spark does not find what the storage has: {error}") from error

    def probe(self) -> bool:
        """End the files that have changed in the storage; whether there were any."""
        changed = probe.changed(self.files.left.values())
        for uri, outcome in changed.items():
            self.files.end(uri, outcome)
        self.steps.done("probe")
        return bool(changed)

    def _stage(self) -> Snap | None:
        columns = self._columns()
        if columns is None:
            return None
        frame = self._frame(columns)
        self.steps.done("read")
        staged = publish.stage(self.session, self.table, frame, self.batch)
        self.steps.done("stage")
        return staged

    def _columns(self) -> StructType | None:
        if not tables.exists(self.session, self.table) and not self._create():
            return None
        return tables.columns(self.session, self.table)

    def _create(self) -> bool:
        fields = self._reader().found() if self.files.left else []
        if not fields:
            return False
        self.changes += tables.create(self.session, self.table, self._with_hints(fields), self.manifest.partition)
        return True

    def _with_hints(self, fields: list[StructField]) -> list[StructField]:
        from pyspark.sql.types import StructField  # noqa: PLC0415

        names = {one.name.lower() for one in fields}
        hints = {name: text for name, text in self.manifest.columns.hints.items() if name.lower() in names}
        types = hinted(self.session, hints)
        return [StructField(one.name, types.get(one.name.lower(), one.dataType)) for one in fields]

    def _frame(self, columns: StructType) -> DataFrame:
        reader = self._reader() if self.files.left else None
        if reader is None or not self.files.left:
            return empty(self.session, columns)
        frame = reader.frame(columns)
        for uri in ignored(frame, self._expected()):
            self.files.end(uri, "quarantined", "Spark does not read a file of this name; rename it")
        return frame

    def _expected(self) -> list[str]:
        """The files a frame must read; an empty one holds nothing to read."""
        return [uri for uri, file in self.files.left.items() if not self.heads.without_rows(uri) and file.size]

    def _reader(self) -> readers.Reader:
        return readers.reader(self.session, self.manifest.format, self.files, self.heads)

    def _without(self, error: Unreadable) -> None:
        uri = error.uri(self.files.left)
        if uri is None:
            raise RuntimeError(f"Spark cannot read a file that is not of this batch: {error}") from error
        if not (error.malformed and self.heads.read_as_a_whole(uri)):
            self.files.end(uri, "quarantined", error.reason)
