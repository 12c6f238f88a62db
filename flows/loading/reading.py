"""Read what can be read: a file that cannot be read is left out, and the rest tried again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from flows.loading import probe, readers
from flows.loading.errors import Infrastructure, Unreadable, Vanished
from flows.loading.frames import empty
from flows.loading.paths import ignored
from flows.loading.readers import Heads
from flows.loading.types import hinted

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructField, StructType

    from flows.loading.files import Files
    from flows.loading.steps import Steps
    from schemas.manifest import Manifest

T = TypeVar("T")


@dataclass(slots=True)
class Reading:
    """The reading of some files as their manifest says; `files` shrinks on the way."""

    session: SparkSession
    manifest: Manifest
    files: Files
    steps: Steps
    heads: Heads = field(default_factory=Heads)

    def begin(self) -> None:
        """End the files that are not to be read at all."""
        self.probe()
        readers.quarantine_unseen(self.files, self.manifest.format)

    def probe(self) -> bool:
        """End the files that have changed in the storage; whether there were any."""
        changed = probe.changed(self.files.left.values())
        for uri, outcome in changed.items():
            self.files.end(uri, outcome)
        self.steps.done("probe")
        return bool(changed)

    def of_what_is_readable(self, read: Callable[[], T]) -> T:
        """What `read` makes of the files that are left, once nothing is wrong with any of them.

        Each round leaves out a file or reads one differently, so there are at most two rounds a file.

        Raises:
            Infrastructure: Spark does not find what the storage has.
        """
        while True:
            try:
                return read()
            except Unreadable as error:
                self._without(error)
            except Vanished as error:
                if not self.probe():
                    raise Infrastructure(
                        f"Spark does not find what the storage has: {error}", target="storage"
                    ) from error

    def fields(self) -> list[StructField]:
        """The columns to make a table from, with the types that are hinted; none when there is nothing to tell them."""
        fields = self._reader().found() if self.files.left else []
        return self._with_hints(fields) if fields else []

    def frame(self, columns: StructType) -> DataFrame:
        """The rows, with these columns and `_file_uri`."""
        reader = self._reader() if self.files.left else None
        if reader is None or not self.files.left:
            return empty(self.session, columns)
        frame = reader.frame(columns)
        for uri in ignored(frame, self._expected()):
            self.files.end(uri, "quarantined", "Spark does not read a file of this name; rename it")
        return frame

    def _with_hints(self, fields: list[StructField]) -> list[StructField]:
        from pyspark.sql.types import StructField  # noqa: PLC0415

        names = {one.name.lower() for one in fields}
        hints = {name: text for name, text in self.manifest.columns.hints.items() if name.lower() in names}
        types = hinted(self.session, hints)
        return [StructField(one.name, types.get(one.name.lower(), one.dataType)) for one in fields]

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
