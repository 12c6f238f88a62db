"""Frames with exactly the columns of the table, and the file each row came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it

from flows.loading.writing.tables import OURS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructField, StructType


def data_fields(columns: StructType) -> list[StructField]:
    """The columns of a table without ours."""
    return [field for field in columns.fields if field.name.lower() not in OURS]


def empty(session: SparkSession, columns: StructType) -> DataFrame:
    """Make a frame without rows that has the table's columns."""
    chosen = [F.lit(None).cast(field.dataType).alias(field.name) for field in data_fields(columns)]
    return session.range(0).select(*chosen, F.lit("").alias("_file_uri"))
