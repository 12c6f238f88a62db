"""Parquet: files that name and type their columns themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.loading.errors import Rejected
from flows.loading.reading.fields import checked_fields, first_place, not_in_table
from flows.loading.reading.frames import selected
from flows.loading.reading.paths import READ_OPTIONS, escaped
from flows.loading.reading.types import ddl, widens
from flows.loading.translation import named_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructField, StructType


@dataclass(frozen=True, slots=True)
class ParquetReader:
    """Parquet files, whose schemas are merged."""

    session: SparkSession
    uris: Sequence[str]

    def found(self) -> list[StructField]:
        """The columns of all files."""
        return checked_fields(self._merged().schema.fields)

    def frame(self, columns: StructType) -> DataFrame:
        """The rows, with the table's columns.

        Raises:
            Rejected: a column is not the table's, or its type cannot become the table's without loss.
        """
        merged = self._merged()
        wanted = {field.name.lower(): field for field in columns.fields}
        for field in checked_fields(merged.schema.fields):
            into = wanted.get(field.name.lower())
            if into is None:
                raise Rejected(not_in_table(field.name, merged, field.name))
            if not widens(field.dataType, into.dataType):
                raise Rejected(
                    f"column {field.name!r} is {ddl(field.dataType)} in {first_place(merged, field.name)} and "
                    f"{ddl(into.dataType)} in the table; write the table's type"
                )
        with named_errors():  # with a schema, or every look at the frame would merge the footers again
            frame = self.session.read.options(**READ_OPTIONS).schema(merged.schema).parquet(*map(escaped, self.uris))
        return selected(frame, columns, {field.name.lower(): field.name for field in merged.schema.fields})

    def _merged(self) -> DataFrame:
        with named_errors():
            frame = self.session.read.options(**READ_OPTIONS, mergeSchema="true").parquet(*map(escaped, self.uris))
            frame.schema  # noqa: B018 - asked here, where its errors get their names
            return frame
