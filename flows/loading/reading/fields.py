"""Whether the fields of files that name them fit a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql.types import ArrayType, StructType

from flows.loading.errors import Rejected
from flows.loading.reading.paths import file_uri
from flows.loading.reading.types import quoted
from flows.loading.translation import named_errors
from flows.loading.writing.tables import OURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame
    from pyspark.sql.types import DataType, StructField


def checked_fields(fields: Sequence[StructField]) -> list[StructField]:
    for field in fields:
        if field.name.lower() in OURS:
            raise Rejected(f"the files hold a column {field.name!r}, which is a column of ours; name it otherwise")
    return list(fields)


def unknown_type(found: DataType, wanted: DataType, path: str) -> str | None:
    """The first field below a column that the table does not have; types are the reader's business."""
    if isinstance(found, ArrayType) and isinstance(wanted, ArrayType):
        return unknown_type(found.elementType, wanted.elementType, path)
    if isinstance(found, StructType) and isinstance(wanted, StructType):
        there = {field.name: field.dataType for field in wanted.fields}
        for field in found.fields:
            name = f"{path}.{field.name}"
            deeper = unknown_type(field.dataType, there[field.name], name) if field.name in there else name
            if deeper is not None:
                return deeper
    return None


def not_in_table(name: str, frame: DataFrame, column: str) -> str:
    where = first_place(frame, column)
    return f"column {name!r} of {where} is not in the table; add it by ALTER TABLE, or remove it from the file"


def first_place(frame: DataFrame, column: str) -> str:
    """One file that has a value in this column."""
    with named_errors():
        rows = frame.where(frame[quoted(column)].isNotNull()).select(file_uri(frame)).take(1)
    return rows[0][0] if rows else "the batch's files"
