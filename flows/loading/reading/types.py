"""Types of columns: as SQL text, and which of them may become which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql.types import ArrayType, DecimalType, DoubleType, MapType, NullType, StructField, StructType

from flows.loading.errors import Rejected
from flows.loading.translation import named_errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import SparkSession
    from pyspark.sql.types import DataType

_INTEGRAL = ("tinyint", "smallint", "int", "bigint")
MAX_DIGITS = 38  # of a decimal
MAX_DEPTH = 30  # of a record, and structs, arrays and maps in one another; Spark Connect tells of few more
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
    if isinstance(found, StructType) and isinstance(wanted, StructType):
        there = {field.name: field.dataType for field in wanted.fields}
        return all(field.name in there and widens(field.dataType, there[field.name]) for field in found.fields)
    if isinstance(found, ArrayType) and isinstance(wanted, ArrayType):
        return widens(found.elementType, wanted.elementType)
    if isinstance(wanted, DecimalType):
        digits = wanted.precision - wanted.scale
        if isinstance(found, DecimalType):
            return found.precision - found.scale <= digits and found.scale <= wanted.scale
        return ours in _EXACT and _EXACT[ours] <= digits
    return (ours, theirs) in {("float", "double"), ("int", "double"), ("smallint", "double"), ("tinyint", "double")}


def joined(left: DataType, right: DataType) -> DataType | None:
    """The narrowest type that may hold the values of both: numbers are looked at one by one. None when none does."""
    if widens(left, right) or isinstance(left, NullType):
        return right
    if widens(right, left) or isinstance(right, NullType):
        return left
    match left, right:
        case StructType(), StructType():
            return _joined_structs(left, right)
        case ArrayType(), ArrayType():
            element = joined(left.elementType, right.elementType)
            return None if element is None else ArrayType(element)
        case _ if is_number(left) and is_number(right):
            return _joined_numbers(left, right)
        case _:
            return None


def _joined_structs(left: StructType, right: StructType) -> StructType | None:
    fields = {field.name: field.dataType for field in left.fields}
    for field in right.fields:
        both = joined(fields.get(field.name, NullType()), field.dataType)
        if both is None:
            return None
        fields[field.name] = both
    return StructType([StructField(name, kind) for name, kind in fields.items()])


def _joined_numbers(left: DataType, right: DataType) -> DataType:
    ours, theirs = _decimal(left), _decimal(right)
    if ours is not None and theirs is not None:
        scale = max(ours.scale, theirs.scale)
        digits = max(ours.precision - ours.scale, theirs.precision - theirs.scale) + scale
        if digits <= MAX_DIGITS:
            return DecimalType(digits, scale)
    return DoubleType()


def _decimal(kind: DataType) -> DecimalType | None:
    if isinstance(kind, DecimalType):
        return kind
    return DecimalType(_EXACT[ddl(kind)], 0) if ddl(kind) in _EXACT else None


def is_number(kind: DataType) -> bool:
    """Whether values are numbers."""
    return isinstance(kind, DecimalType) or ddl(kind) in (*_INTEGRAL, "float", "double")


def promotes(column: DataType, found: DataType) -> bool:
    """Whether Iceberg can make the column's type the found one, which then holds what both have."""
    ours, theirs = ddl(column), ddl(found)
    if isinstance(column, DecimalType) and isinstance(found, DecimalType):
        return found.scale == column.scale and found.precision > column.precision
    return (ours, theirs) in {("int", "bigint"), ("float", "double")}


def hinted(session: SparkSession, hints: Mapping[str, str]) -> dict[str, DataType]:
    """The types that the configuration names, by lower-case column.

    Raises:
        Rejected: Spark does not know such a type.
    """
    try:
        types = _types(session, sorted(set(hints.values())))
    except Rejected:
        for column, text in hints.items():
            try:
                _types(session, [text])
            except Rejected as error:
                raise Rejected(f"schema.hints.{column}: {text!r} is not a type of Spark's SQL: {error}") from error
        raise
    return {column.lower(): types[text] for column, text in hints.items()}


def _types(session: SparkSession, texts: Sequence[str]) -> dict[str, DataType]:
    """The types of SQL's texts, in one question."""
    if not texts:
        return {}
    asked = ", ".join(f"CAST(NULL AS {text}) AS _{number}" for number, text in enumerate(texts))
    with named_errors():
        fields = session.sql(f"SELECT {asked}").schema.fields
    if len(fields) != len(texts):
        raise Rejected("it is more than a type")
    return {text: field.dataType for text, field in zip(texts, fields, strict=True)}
