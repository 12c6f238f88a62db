"""Values of JSON within a table's types: which parts Spark reads as texts, and the cast of what it has read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DoubleType,
    IntegerType,
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
)

from flows.loading.reading.casts import ELEMENT, Cast, from_text, of_array, of_struct
from flows.loading.reading.evolution import matched
from flows.loading.reading.types import ddl, quoted

if TYPE_CHECKING:
    from flows.loading.reading.casts import Spelling
    from flows.loading.reading.found import Tokens


def read_type(column: DataType, found: Tokens) -> DataType:
    """The type that Spark is told for values of a column: whole numbers and booleans as they are, which it reads
    strictly, objects and arrays in their shape, and the raw text of all else."""
    match column:
        case StructType() if found.fields is not None:
            names, _ = matched(found.fields, column.fieldNames())
            types = {one.name: one.dataType for one in column.fields}
            return StructType(
                [StructField(spelled, read_type(types[name], found.fields[spelled])) for name, spelled in names.items()]
            )
        case StructType():
            return StructType([])
        case ArrayType():
            return ArrayType(StringType() if found.element is None else read_type(column.elementType, found.element))
        case MapType():
            return MapType(StringType(), StringType())
        case IntegerType() | LongType() if found.tokens <= {"int", "null"}:
            return column
        case BooleanType() if found.tokens <= {"bool", "null"}:
            return column
        case _:
            return StringType()


def takes_all(read: DataType) -> bool:
    """Whether Spark, told this type, takes each value of its kind that our look proves: 18 digits are the most."""
    match read:
        case StructType():
            return all(takes_all(one.dataType) for one in read.fields)
        case ArrayType():
            return takes_all(read.elementType)
        case _:
            return not isinstance(read, IntegerType)


def cast(text: str, read: DataType, column: DataType, spelling: Spelling, *, given: bool) -> Cast:
    """The cast of what was read, which is SQL, to the column's type."""
    match column:
        case StructType() if isinstance(read, StructType):
            return _struct(text, read, column, spelling, given=given)
        case ArrayType() if isinstance(read, ArrayType):
            return of_array(text, cast(ELEMENT, read.elementType, column.elementType, spelling, given=given))
        case MapType() if isinstance(read, MapType):
            return _map(text, column, spelling, given=given)
        case _ if isinstance(read, StringType):
            return from_text(text, column, spelling, given=given)
        case _:
            return Cast(text, "true")


def _struct(whole: str, read: StructType, column: StructType, spelling: Spelling, *, given: bool) -> Cast:
    names, _ = matched(read.fieldNames(), column.fieldNames())
    types = {one.name: one.dataType for one in read.fields}
    fields = {one.name: Cast(f"CAST(NULL AS {ddl(one.dataType)})", "true") for one in column.fields}
    for one in column.fields:
        if (spelled := names.get(one.name)) is not None:
            there = f"{whole}.{quoted(spelled)}"
            fields[one.name] = cast(there, types[spelled], one.dataType, spelling, given=given)
    return of_struct(whole, fields)


def _map(whole: str, column: MapType, spelling: Spelling, *, given: bool) -> Cast:
    found = from_text(ELEMENT, column.valueType, spelling, given=given)
    if found == Cast(ELEMENT, "true"):
        return Cast(whole, "true")
    return Cast(
        f"transform_values({whole}, (_k, {ELEMENT}) -> {found.value})",
        f"({whole} IS NULL OR forall(map_values({whole}), {ELEMENT} -> {found.fits}))",
    )


def type_of(values: Tokens, *, numbers: bool = True) -> DataType:
    """The type for new values with objects or arrays in them; without `numbers` these are kept as texts."""
    if values.mixed or (values.fields is not None and not values.fields):
        return StringType()
    if values.fields is not None:
        return StructType([StructField(name, type_of(one, numbers=numbers)) for name, one in values.fields.items()])
    if values.element is not None:
        return ArrayType(type_of(values.element, numbers=numbers))
    return _scalar(values, numbers=numbers)


def _scalar(values: Tokens, *, numbers: bool) -> DataType:
    kinds = values.tokens - {"null"}
    if kinds == {"bool"}:
        return BooleanType()
    if numbers and kinds == {"int"}:
        return LongType()
    if numbers and kinds and kinds <= {"int", "float"}:
        return DoubleType()
    return StringType()
