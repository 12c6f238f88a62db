"""From a manifest's files to a frame with the columns of the table and `_file_uri`.

    found() -> the columns in the files, for a table that is not there yet
    frame(columns) -> the rows, as the table has them

What is wrong with one file comes out as `Unreadable` when Spark reads it; what is wrong with all as `Rejected`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, assert_never

from flows.loading.errors import Unfit
from flows.loading.reading.csv_files import CsvReader
from flows.loading.reading.json_files import JsonReader
from flows.loading.reading.looks import Look, look_at
from flows.loading.reading.parquet_files import ParquetReader
from schemas.formats.csv import Csv
from schemas.formats.json import Json
from schemas.formats.parquet import Parquet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructField, StructType

    from flows.loading.reading.heads import Head
    from schemas.formats import Format
    from schemas.manifest import ManifestFile


class Reader(Protocol):
    """One format's way to read a set of files."""

    def found(self) -> list[StructField]:
        """The columns in the files."""

    def frame(self, columns: StructType) -> DataFrame:
        """The rows, with the table's columns and `_file_uri`."""


class Looked:
    """What our own look at each file of the batch has found; each is looked at once."""

    def __init__(self, format_: Format, credentials: str | None) -> None:
        self._format = format_
        self._credentials = credentials
        self._known: dict[str, Look] = {}

    def at(self, files: Iterable[ManifestFile]) -> dict[str, str]:
        """Look at those that are new; by URI, why a file cannot be read rightly. Raises as `look_at` does."""
        found = look_at([file for file in files if file.uri not in self._known], self._format, self._credentials)
        self._known.update({uri: look for uri, look in found.items() if isinstance(look, Look)})
        return {uri: str(look) for uri, look in found.items() if isinstance(look, Unfit)}

    def heads(self, uris: Iterable[str]) -> dict[str, Head]:
        """The heads of CSV files."""
        return {uri: head for uri in uris if (head := self._known[uri].head) is not None}

    def without_header(self, uri: str) -> bool:
        """Whether this CSV file has not even a header, so that Spark need not read it."""
        head = self._known[uri].head
        return head is not None and not head.names

    def miscounted(self, uris: Iterable[str], rows: Mapping[str, int]) -> dict[str, str]:
        """By URI, what is wrong: those of which Spark has read more or fewer rows than there are records."""
        return {
            uri: f"{wanted} records are in the file, and Spark read {rows.get(uri, 0)} rows of it"
            for uri in uris
            if (wanted := self._known[uri].records) not in {None, rows.get(uri, 0)}
        }


def reader(session: SparkSession, format_: Format, uris: Iterable[str], looked: Looked) -> Reader:
    """The way to read these files, which have been looked at."""
    match format_.options:
        case Csv() as options:
            return CsvReader(session, options, looked.heads(uris))
        case Json():
            return JsonReader(session, sorted(uris))
        case Parquet():
            return ParquetReader(session, sorted(uris))
        case other:
            assert_never(other)


def raw(format_: Format) -> str:
    """Spark's name for the reader of such a file's bytes, whatever stands in them."""
    match format_.options:
        case Csv() | Json():
            return "text"
        case Parquet():
            return "parquet"
        case other:
            assert_never(other)
