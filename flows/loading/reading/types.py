"""Types of columns: as SQL text, and which of them may become which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql.types import ArrayType, DecimalType, DoubleType, LongType, MapType, StringType, StructType

from flows.loading.errors import Rejected
from flows.loading.translation import named_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import SparkSession
    from pyspark.sql.types import DataType

_INTEGRAL = ("tinyint", "smallint", "int", "bigint")
_EXACT = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}


def quoted(name: str) -> str:
    """A column's name in SQL text."""
    return "`" + name.replace("`", "``") + "`"


def ddl(kind: DataType) -> str:
    """The type in SQL text, with the names of nested fields quoted."""
    match kind:
        case StructType():
            return f"struct<{', '.join(f'{quoted(field.name)}: {ddl(field.dataType)}' for field in kind.fields)}>"
        case ArrayType():
            return f"array<{ddl(kind.elementType)}>"
        case MapType():
            return f"map<{ddl(kind.keyType)}, {ddl(kind.valueType)}>"
        case _:
            return kind.simpleString()


def widens(found: DataType, wanted: DataType) -> bool:
    """Whether every value of the found type is one of the wanted type."""
    ours, theirs = ddl(found), ddl(wanted)
    if ours == theirs:
        return True
    if ours in _INTEGRAL and theirs in _INTEGRAL:
        return _INTEGRAL.index(ours) <= _INTEGRAL.index(theirs)
    if isinstance(wanted, DecimalType):
        digits = wanted.precision - wanted.scale
        if isinstance(found, DecimalType):
            return found.precision - found.scale <= digits and found.scale <= wanted.scale
        return ours in _EXACT and _EXACT[ours] <= digits
    return (ours, theirs) in {("float", "double"), ("int", "double"), ("smallint", "double"), ("tinyint", "double")}


def widest(left: DataType, right: DataType) -> DataType:
    """The narrowest type that holds both, which is string when nothing better does."""
    if widens(left, right):
        return right
    if widens(right, left):
        return left
    numbers = (*_INTEGRAL, "double", "float")
    if ddl(left) in numbers and ddl(right) in numbers:
        return DoubleType()
    return StringType()


def roomy(inferred: DataType) -> DataType:
    """The type for a column of which Spark has seen some values: small integers today are large ones tomorrow."""
    return LongType() if ddl(inferred) in _INTEGRAL else inferred


def hinted(session: SparkSession, hints: Mapping[str, str]) -> dict[str, DataType]:
    """The types that the configuration names, by lower-case column.

    Raises:
        Rejected: Spark does not know such a type.
    """
    types: dict[str, DataType] = {}
    for column, text in hints.items():
        try:
            with named_errors():
                types[column.lower()] = session.sql(f"SELECT CAST(NULL AS {text}) AS hinted").schema.fields[0].dataType
        except Rejected as error:
            raise Rejected(f"schema.hints.{column}: {text!r} is not a type of Spark's SQL: {error}") from error
    return types
