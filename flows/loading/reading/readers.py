"""From the files of a manifest to frames that make the table's columns of them (`parts`), as their format demands."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, assert_never

import storage
from flows.loading.errors import Unfit
from flows.loading.reading import csv_proof, json_blocks
from flows.loading.reading.casts import Spelling
from flows.loading.reading.csv_files import CsvReader
from flows.loading.reading.csv_proof import Source
from flows.loading.reading.json_files import JsonReader
from flows.loading.reading.looks import CONCURRENCY, Look, look_at, text
from flows.loading.reading.parquet_files import ParquetReader
from flows.loading.translation import named_errors
from schemas.formats.csv import Csv
from schemas.formats.json import Json
from schemas.formats.parquet import Parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pyspark.sql import SparkSession
    from pyspark.sql.types import DataType, StructType

    from flows.loading.reading.found import Found
    from flows.loading.reading.parts import Part
    from flows.loading.reading.proving import NewColumns
    from schemas.config.sources import Columns
    from schemas.formats import Format
    from schemas.manifest import Manifest, ManifestFile


class Looked:
    """What our own look at each file of the batch has found; with `glances` it does not go to its end."""

    def __init__(self, format_: Format, credentials: str | None, *, glances: bool = False) -> None:
        self._format = format_
        self._credentials = credentials
        self._glances = glances
        self._known: dict[str, Look] = {}
        self._is_close = False

    def at(self, files: Iterable[ManifestFile]) -> dict[str, str]:
        """Look at those that are new; by URI, why a file cannot be read rightly. Raises as `look_at` does."""
        new = [file for file in files if file.uri not in self._known]
        found = look_at(new, self._format, self._credentials, glances=self._glances)
        self._known.update({uri: look for uri, look in found.items() if isinstance(look, Look)})
        return {uri: str(look) for uri, look in found.items() if isinstance(look, Unfit)}

    def records(self, uri: str) -> int:
        """How many records the file holds, or were looked at."""
        return self._known[uri].records

    def about(self, uri: str) -> int | None:
        """How many records the file holds, about, when only its first were looked at."""
        return self._known[uri].about

    def found(self, uris: Iterable[str]) -> dict[str, Found]:
        """The columns of each file."""
        return {uri: self._known[uri].found for uri in uris}

    def closer(self, files: Iterable[ManifestFile]) -> bool:
        """Look again, once, at files of JSON that were too small for a proof of what they hold; whether it was done."""
        if self._is_close or self._glances or not isinstance(self._format.options, Json):
            return False
        left = [file for file in files if self._known[file.uri].records and not self._known[file.uri].proven]
        if not left or any(one.size >= json_blocks.LEAST_BYTES or self._known[one.uri].document for one in left):
            return False
        self._is_close = True
        try:
            found = look_at(left, self._format, self._credentials, closely=True)
        except FileNotFoundError:  # nobody needs to know it yet
            return False
        self._known.update({uri: look for uri, look in found.items() if isinstance(look, Look)})
        return True

    def types(
        self,
        files: Mapping[str, ManifestFile],
        names: Mapping[str, Mapping[str, str]],
        new: NewColumns,
        trusting: Callable[[StructType], Sequence[Part]],
    ) -> dict[str, DataType] | None:
        """The types of new columns of these files, if our looks prove them, or one more at CSV; None where Spark must.

        `names` says by URI how a file spells the table's columns; `trusting` makes the parts that trust our looks.
        """
        looks = {uri: look for uri, look in self.with_records(files).items() if uri in names}
        if all(look.proven and look.about is None for look in looks.values()):
            return new.plainly(trusting)
        options, heads = self._format.options, [look.head for look in looks.values()]
        if not isinstance(options, Csv) or self._glances or any(one is None or one.multiline for one in heads):
            return None
        sources = []
        for uri, look in looks.items():
            columns = {name: column for column, name in names[uri].items()}
            pieces = partial(text, files[uri], storage.of(uri, self._credentials))
            sources.append(Source(uri, tuple(map(columns.get, look.found.columns)), pieces))
        with named_errors():
            return csv_proof.types(sources, new, options, CONCURRENCY) if sources else None

    def with_records(self, uris: Iterable[str]) -> dict[str, Look]:
        """Those in which there is something for Spark to read."""
        return {uri: self._known[uri] for uri in uris if self._known[uri].records}


def spelling(format_: Format, columns: Columns) -> Spelling:
    """How the source writes its values."""
    sign = format_.options.decimal if isinstance(format_.options, Csv) else "."
    return Spelling(columns.formats.date, columns.formats.timestamp, columns.formats.zone, sign)


def parts(
    session: SparkSession,
    manifest: Manifest,
    looks: Mapping[str, Look],
    columns: StructType,
    *,
    names: Mapping[str, Mapping[str, str]],
    texts: frozenset[str],
    trusts: bool = False,
) -> list[Part]:
    """The files that were looked at, by what Spark may read together.

    `names` says by URI how a file spells the table's columns; the columns `texts` are given as texts.
    `trusts`: what the look has found to need no check is not checked.
    """
    told = spelling(manifest.format, manifest.columns)
    given = frozenset(name.lower() for name in manifest.columns.given)
    match manifest.format.options:
        case Csv() as options:
            heads = {uri: look.head for uri, look in looks.items() if look.head is not None}
            return CsvReader(session, options, told, given, heads).parts(names)
        case Json():
            return JsonReader(session, told, given, looks).parts(columns, names, texts, trusts=trusts)
        case Parquet():
            return ParquetReader(session, looks).parts(names)
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
