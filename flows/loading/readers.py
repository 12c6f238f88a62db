"""From a manifest's files to a frame with the columns of the table and `_file_uri`.

    found() -> the columns in the files, for a table that is not there yet
    frame(columns) -> the rows, as the table has them

What is wrong with one file comes out as `Unreadable` when Spark reads it; what is wrong with all as `Rejected`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from flows.loading.csv_files import CsvReader
from flows.loading.heads import COMPRESSED, BadHeader, Head, read_heads
from flows.loading.paths import hidden
from flows.loading.typed_files import JsonReader, ParquetReader

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructField, StructType

    from flows.loading.files import Files
    from schemas.config import Format


class Reader(Protocol):
    """One format's way to read a set of files."""

    def found(self) -> list[StructField]:
        """The columns in the files."""

    def frame(self, columns: StructType) -> DataFrame:
        """The rows, with the table's columns and `_file_uri`."""


class Heads:
    """The heads of the batch's CSV files, read once; a file may turn out to need reading as a whole."""

    def __init__(self) -> None:
        self._known: dict[str, Head] = {}

    def of(self, files: Files, format_: Format) -> dict[str, Head]:
        """The heads of what is left; a file with a bad one is quarantined."""
        if format_.csv is None:
            return {}
        new = [file for file in files.left.values() if file.uri not in self._known]
        for uri, head in read_heads(new, format_.csv).items():
            match head:
                case BadHeader():
                    files.end(uri, "quarantined", str(head))
                case Head():
                    self._known[uri] = head
        return {uri: self._known[uri] for uri in files.left}

    def without_rows(self, uri: str) -> bool:
        """Whether this CSV file has not even a header."""
        head = self._known.get(uri)
        return head is not None and not head.names

    def read_as_a_whole(self, uri: str) -> bool:
        """Read this file with quoted line breaks from now on; False if that is done already, or no CSV file."""
        head = self._known.get(uri)
        if head is None or head.multiline:
            return False
        self._known[uri] = replace(head, multiline=True)
        return True


def quarantine_unseen(files: Files, format_: Format) -> None:
    """End the files that Spark would pass over in silence, as hidden or as empty."""
    for uri, file in list(files.left.items()):
        if hidden(uri):
            files.end(uri, "quarantined", "Spark ignores names that begin with '_' or '.'; rename the file")
        elif not file.size and (format_.parquet is not None or uri.endswith(COMPRESSED)):
            files.end(uri, "quarantined", "0 bytes: not even an empty file of its format")


def reader(session: SparkSession, format_: Format, files: Files, heads: Heads) -> Reader:
    """For the files that are left."""
    if format_.csv is not None:
        return CsvReader(session, format_.csv, heads.of(files, format_))
    uris = sorted(files.left)
    return JsonReader(session, uris) if format_.json_lines is not None else ParquetReader(session, uris)
