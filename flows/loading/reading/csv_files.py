"""CSV files, each with a header line, as RFC 4180 has it: a quote within quotes is doubled.

Files are grouped by their header, each group is read with the table's types by position, and the groups are united by
name. A file is read line by line, and only if our own look has found line breaks in its values as a whole: that cannot
be split among tasks.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql.types import StructField, StructType

from flows.loading.errors import Rejected
from flows.loading.reading.frames import empty, selected
from flows.loading.reading.paths import READ_OPTIONS, escaped
from flows.loading.reading.types import roomy, widest
from flows.loading.translation import named_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from pyspark.sql import DataFrame, DataFrameReader, SparkSession

    from flows.loading.reading.heads import Head
    from schemas.formats.csv import Csv


@dataclass(frozen=True, slots=True)
class CsvReader:
    """Reads the files of `heads`, which holds the head of each by URI."""

    session: SparkSession
    options: Csv
    heads: Mapping[str, Head]

    def found(self) -> list[StructField]:
        """The columns the files name, with types that Spark infers; none when there are no rows to infer from."""
        types: dict[str, StructField] = {}
        with named_errors():
            for head, uris in self._groups(lambda head: head.line):
                frame = self._reader(head).options(inferSchema="true").csv(list(map(escaped, uris)))
                if not frame.take(1):
                    continue  # no row says nothing of types
                for name, field in zip(head.names, frame.schema.fields, strict=True):
                    before = types.get(name.lower())
                    kind = roomy(field.dataType)
                    kind = widest(before.dataType, kind) if before else kind
                    types[name.lower()] = StructField(before.name if before else name, kind)
        return list(types.values())

    def frame(self, columns: StructType) -> DataFrame:
        """The rows, with the table's columns. Raises Rejected when a file names a column that is not the table's."""
        with named_errors():
            parts = [self._part(head, uris, columns) for head, uris in self._groups(_folded)]
            if not parts:
                return empty(self.session, columns)
            return reduce(lambda left, right: left.unionByName(right, allowMissingColumns=True), parts)

    def _part(self, head: Head, uris: list[str], columns: StructType) -> DataFrame:
        known = {field.name.lower(): field for field in columns.fields}
        if unknown := next((name for name in head.names if name.lower() not in known), None):
            raise Rejected(
                f"column {unknown!r} of {uris[0]} is not in the table; add it by ALTER TABLE, "
                "or remove it from the file"
            )
        fields = [known[name.lower()] for name in head.names]
        schema = StructType([StructField(field.name, field.dataType) for field in fields])
        frame = self._reader(head).schema(schema).csv(list(map(escaped, uris)))
        return selected(frame, columns, {field.name.lower(): field.name for field in fields})

    def _groups(self, key: Callable[[Head], Hashable]) -> list[tuple[Head, list[str]]]:
        """The files with a header, those together that may be read together."""
        groups: dict[Hashable, list[str]] = defaultdict(list)
        for uri, head in sorted(self.heads.items()):
            if head.names:
                groups[key(head), head.multiline].append(uri)
        return [(self.heads[uris[0]], uris) for uris in groups.values()]

    def _reader(self, head: Head) -> DataFrameReader:
        return self.session.read.options(
            **READ_OPTIONS,
            header="true",
            mode="FAILFAST",
            sep=self.options.delimiter,
            nullValue=self.options.null_values[0],
            escape='"',
            multiLine=str(head.multiline).lower(),
        )


def _folded(head: Head) -> Hashable:
    return tuple(name.lower() for name in head.names)
