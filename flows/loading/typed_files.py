"""JSON lines and Parquet: files that name the columns of their records themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.loading.errors import Rejected
from flows.loading.frames import data_fields, selected
from flows.loading.paths import READ_OPTIONS, escaped, file_uri
from flows.loading.tables import OURS
from flows.loading.translation import named_errors
from flows.loading.types import ddl, quoted, widens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import DataType, StructField, StructType

_CORRUPT = "_autoloader_corrupt"


@dataclass(frozen=True, slots=True)
class JsonReader:
    """JSON lines. They are read twice: once for their columns, since a reader with a schema drops others silently."""

    session: SparkSession
    uris: list[str]

    def found(self) -> list[StructField]:
        """The columns in the files, with types that Spark infers. Raises Unreadable when all lines are broken."""
        from pyspark.sql.types import StructType  # noqa: PLC0415

        inferred = _checked(self._inferred().schema.fields)
        fields = [field for field in inferred if field.name != _CORRUPT]
        if inferred and not fields:
            with named_errors():
                self.frame(StructType()).take(1)
        return fields

    def frame(self, columns: StructType) -> DataFrame:
        """The rows, with the table's columns. Raises Rejected when a record has a field that is not the table's."""
        from pyspark.sql.types import StringType, StructField, StructType  # noqa: PLC0415

        inferred = self._inferred()
        found = {field.name.lower(): field for field in _checked(inferred.schema.fields)}
        corrupt = found.pop(_CORRUPT, None)
        wanted = {field.name.lower(): field for field in columns.fields}
        for name, field in found.items():
            unknown = _unknown(field.dataType, wanted[name].dataType, field.name) if name in wanted else field.name
            if unknown is not None:
                raise Rejected(_not_in_table(unknown, inferred, field.name))
        if not found and corrupt is None:  # at most objects without any field: they are rows
            found = {field.name.lower(): field for field in data_fields(columns)}
        fields = [StructField(field.name, wanted[name].dataType) for name, field in found.items()]
        schema = StructType(fields or [StructField(_CORRUPT, StringType())])
        with named_errors():
            frame = (
                self.session.read.options(**READ_OPTIONS, mode="FAILFAST")
                .schema(schema)
                .json(list(map(escaped, self.uris)))
            )
        if not fields:  # nothing but broken lines: without a column that is used Spark would not parse them
            frame = frame.where(frame[_CORRUPT].isNull())
        return selected(frame, columns, {name: field.name for name, field in found.items()})

    def _inferred(self) -> DataFrame:
        with named_errors():
            frame = self.session.read.options(**READ_OPTIONS, columnNameOfCorruptRecord=_CORRUPT).json(
                list(map(escaped, self.uris))
            )
            frame.schema  # noqa: B018 - asked for here, because a frame of Connect meets its errors only now
            return frame


@dataclass(frozen=True, slots=True)
class ParquetReader:
    """Parquet files, whose schemas are merged."""

    session: SparkSession
    uris: Sequence[str]

    def found(self) -> list[StructField]:
        """The columns of all files."""
        return _checked(self._merged().schema.fields)

    def frame(self, columns: StructType) -> DataFrame:
        """The rows, with the table's columns.

        Raises:
            Rejected: a column is not the table's, or its type cannot become the table's without loss.
        """
        merged = self._merged()
        wanted = {field.name.lower(): field for field in columns.fields}
        for field in _checked(merged.schema.fields):
            into = wanted.get(field.name.lower())
            if into is None:
                raise Rejected(_not_in_table(field.name, merged, field.name))
            if not widens(field.dataType, into.dataType):
                raise Rejected(
                    f"column {field.name!r} is {ddl(field.dataType)} in {_where(merged, field.name)} and "
                    f"{ddl(into.dataType)} in the table; write the table's type"
                )
        with named_errors():  # with a schema, or every look at the frame would merge the footers again
            frame = self.session.read.options(**READ_OPTIONS).schema(merged.schema).parquet(*map(escaped, self.uris))
        return selected(frame, columns, {field.name.lower(): field.name for field in merged.schema.fields})

    def _merged(self) -> DataFrame:
        with named_errors():
            frame = self.session.read.options(**READ_OPTIONS, mergeSchema="true").parquet(*map(escaped, self.uris))
            frame.schema  # noqa: B018 - as above
            return frame


def _checked(fields: Sequence[StructField]) -> list[StructField]:
    for field in fields:
        if field.name.lower() in OURS:
            raise Rejected(f"the files hold a column {field.name!r}, which is a column of ours; name it otherwise")
    return list(fields)


def _unknown(found: DataType, wanted: DataType, path: str) -> str | None:
    """The first field below a column that the table does not have; types are the reader's business."""
    from pyspark.sql.types import ArrayType, StructType  # noqa: PLC0415

    if isinstance(found, ArrayType) and isinstance(wanted, ArrayType):
        return _unknown(found.elementType, wanted.elementType, path)
    if isinstance(found, StructType) and isinstance(wanted, StructType):
        there = {field.name: field.dataType for field in wanted.fields}
        for field in found.fields:
            name = f"{path}.{field.name}"
            deeper = _unknown(field.dataType, there[field.name], name) if field.name in there else name
            if deeper is not None:
                return deeper
    return None


def _not_in_table(name: str, frame: DataFrame, column: str) -> str:
    where = _where(frame, column)
    return f"column {name!r} of {where} is not in the table; add it by ALTER TABLE, or remove it from the file"


def _where(frame: DataFrame, column: str) -> str:
    """One file that has a value in this column."""
    with named_errors():
        rows = frame.where(frame[quoted(column)].isNotNull()).select(file_uri(frame)).take(1)
    return rows[0][0] if rows else "the batch's files"
