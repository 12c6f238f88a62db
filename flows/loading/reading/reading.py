"""Read what can be read: a file that cannot be read is left out, and the rest tried again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from pyspark.sql.types import StructField

from flows.loading.errors import Infrastructure, Unreadable, Vanished
from flows.loading.reading import probe, readers
from flows.loading.reading.frames import empty
from flows.loading.reading.paths import READ_OPTIONS, escaped, ignored, unreadable
from flows.loading.reading.readers import Looked
from flows.loading.reading.types import hinted
from flows.loading.translation import named_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

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
    looked: Looked = field(init=False)
    _readable_alone: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.looked = Looked(self.manifest.format, self.manifest.credentials)

    def begin(self) -> None:
        """End the files that are not to be read at all: each is looked at once."""
        self.probe()
        self._set_aside({uri: why for uri in self.files.left if (why := unreadable(uri)) is not None})
        self._look()

    def probe(self) -> bool:
        """End the files that have changed in the storage; whether there were any."""
        changed = self._ask(self.files.left)
        self.steps.done("probe")
        return changed

    def check(self, rows: Mapping[str, int]) -> bool:
        """End the files that have changed, or of which these rows are not all; whether there were any."""
        changed = self.probe()
        short = self.looked.miscounted(self.files.left, rows)
        self._set_aside(short)
        return changed or bool(short)

    def without_unreadable(self, read: Callable[[], T]) -> T:
        """What `read` makes of the files that are left, once nothing is wrong with any of them.

        Each round leaves out a file or has found that it can be read, so there are at most two rounds a file.

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
        if not self.files.left:
            return empty(self.session, columns)
        frame = self._reader().frame(columns)
        unread = ignored(frame, self._expected())
        self._set_aside(dict.fromkeys(unread, "Spark does not read a file of this name; rename it"))
        return frame

    def _with_hints(self, fields: list[StructField]) -> list[StructField]:
        names = {one.name.lower() for one in fields}
        hints = {name: text for name, text in self.manifest.columns.hints.items() if name.lower() in names}
        types = hinted(self.session, hints)
        return [StructField(one.name, types.get(one.name.lower(), one.dataType)) for one in fields]

    def _expected(self) -> list[str]:
        """The files a frame must read; an empty one holds nothing to read."""
        return [uri for uri, file in self.files.left.items() if file.size and not self.looked.without_header(uri)]

    def _reader(self) -> readers.Reader:
        return readers.reader(self.session, self.manifest.format, self.files.left, self.looked)

    def _look(self) -> None:
        try:
            wrong = self.looked.at(self.files.left.values())
        except FileNotFoundError as error:
            if not self.probe():
                raise Infrastructure(f"the storage does not give what it has: {error}", target="storage") from error
            self._look()
        else:
            self._set_aside(wrong)

    def _ask(self, uris: Iterable[str]) -> bool:
        """End those of these files that have changed in the storage; the others have the size they have there."""
        wanted = [self.files.left[uri] for uri in uris]
        now = probe.seen(wanted, self.manifest.allow, self.manifest.credentials)
        ended = [file for file in wanted if self.files.found(file.uri, now[file.uri])]
        return bool(ended)

    def _set_aside(self, reasons: Mapping[str, str]) -> None:
        """Quarantine these files, unless the storage has other ones by now: of those nothing is known."""
        if reasons:
            self._ask(reasons)
        for uri in reasons.keys() & self.files.left.keys():
            self.files.end(uri, "quarantined", reasons[uri])

    def _without(self, error: Unreadable) -> None:
        uri = error.uri(self.files.left)
        if uri is None:
            raise RuntimeError(f"Spark cannot read a file that is not of this batch: {error}") from error
        if error.malformed or uri in self._readable_alone or not self._reads_alone(uri):
            self._set_aside({uri: error.reason})
        else:
            self._readable_alone.add(uri)

    def _reads_alone(self, uri: str) -> bool:
        """Whether the bytes of this file can be read after all: a storage's hiccup is no fault of the file."""
        kind = readers.raw(self.manifest.format)
        try:
            with named_errors():
                frame = self.session.read.options(**READ_OPTIONS).format(kind).load([escaped(uri)])
                frame.write.format("noop").mode("overwrite").save()
        except (Unreadable, Vanished):
            return False
        return True
