"""Frames with exactly the columns of the table, and the file each row came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it

from flows.loading.reading.paths import file_uri
from flows.loading.reading.types import quoted
from flows.loading.writing.tables import OURS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructField, StructType


def data_fields(columns: StructType) -> list[StructField]:
    """The columns of a table without ours."""
    return [field for field in columns.fields if field.name.lower() not in OURS]


def selected(frame: DataFrame, columns: StructType, names: Mapping[str, str]) -> DataFrame:
    """The table's columns and `_file_uri`; `names` says how the frame calls a column (by its lower-case name)."""
    chosen = []
    for field in data_fields(columns):
        name = names.get(field.name.lower())
        value = F.lit(None) if name is None else frame[quoted(name)]
        chosen.append(value.cast(field.dataType).alias(field.name))
    return frame.select(*chosen, file_uri(frame))


def empty(session: SparkSession, columns: StructType) -> DataFrame:
    """Make a frame without rows that has the table's columns."""
    chosen = [F.lit(None).cast(field.dataType).alias(field.name) for field in data_fields(columns)]
    return session.range(0).select(*chosen, F.lit("").alias("_file_uri"))
