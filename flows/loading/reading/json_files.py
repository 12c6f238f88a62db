"""JSON lines: one object a line, which names its columns itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql.types import StringType, StructField, StructType

from flows.loading.errors import Rejected
from flows.loading.reading.fields import checked_fields, not_in_table, unknown_type
from flows.loading.reading.frames import data_fields, selected
from flows.loading.reading.paths import READ_OPTIONS, escaped
from flows.loading.translation import named_errors

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_CORRUPT = "_autoloader_corrupt"


@dataclass(frozen=True, slots=True)
class JsonReader:
    """JSON lines. They are read twice: once for their columns, since a reader with a schema drops others silently."""

    session: SparkSession
    uris: list[str]

    def found(self) -> list[StructField]:
        """The columns in the files, with types that Spark infers. Raises Unreadable when all lines are broken."""
        inferred = checked_fields(self._inferred().schema.fields)
        fields = [field for field in inferred if field.name != _CORRUPT]
        if inferred and not fields:
            with named_errors():
                self.frame(StructType()).take(1)
        return fields

    def frame(self, columns: StructType) -> DataFrame:
        """The rows, with the table's columns. Raises Rejected when a record has a field that is not the table's."""
        inferred = self._inferred()
        found = {field.name.lower(): field for field in checked_fields(inferred.schema.fields)}
        corrupt = found.pop(_CORRUPT, None)
        wanted = {field.name.lower(): field for field in columns.fields}
        for name, field in found.items():
            unknown = unknown_type(field.dataType, wanted[name].dataType, field.name) if name in wanted else field.name
            if unknown is not None:
                raise Rejected(not_in_table(unknown, inferred, field.name))
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
