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

from flows.loading.reading.casts import Cast, from_text, literal
from flows.loading.reading.evolution import matched
from flows.loading.reading.types import quoted

if TYPE_CHECKING:
    from flows.loading.reading.casts import Spelling
    from flows.loading.reading.found import Tokens


def read_type(column: DataType, found: Tokens) -> DataType:
    """The type that Spark is told for values of a column: whole numbers and booleans as they are, which it reads
    strictly, objects and arrays in their shape, and the raw text of all else."""
    match column:
        case StructType() if found.fields is not None:
            names, _ = matched(found.fields, [one.name for one in column.fields])
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


def cast(text: str, read: DataType, column: DataType, spelling: Spelling, *, given: bool) -> Cast:
    """The cast of what was read, which is SQL, to the column's type."""
    match column:
        case StructType() if isinstance(read, StructType):
            return _struct(text, read, column, spelling, given=given)
        case ArrayType() if isinstance(read, ArrayType):
            return _array(text, read, column, spelling, given=given)
        case MapType() if isinstance(read, MapType):
            return _map(text, column, spelling, given=given)
        case _ if isinstance(read, StringType):
            return from_text(text, column, spelling, given=given)
        case _:
            return Cast(text, "true")


def _struct(whole: str, read: StructType, column: StructType, spelling: Spelling, *, given: bool) -> Cast:
    names, _ = matched(read.fieldNames(), [one.name for one in column.fields])
    types = {one.name: one.dataType for one in read.fields}
    values, fits = [], []
    for one in column.fields:
        found = Cast(f"CAST(NULL AS {one.dataType.simpleString()})", "true")
        if (spelled := names.get(one.name)) is not None:
            found = cast(f"{whole}.{quoted(spelled)}", types[spelled], one.dataType, spelling, given=given)
            fits.append(found.fits)
        values.append(f"{literal(one.name)}, {found.value}")
    proven = " AND ".join(f for f in fits if f != "true")
    value = f"if({whole} IS NULL, NULL, named_struct({', '.join(values)}))"
    return Cast(value, f"({whole} IS NULL OR ({proven}))" if proven else "true")


def _array(whole: str, read: ArrayType, column: ArrayType, spelling: Spelling, *, given: bool) -> Cast:
    name = f"e{whole.count('->') + len(whole)}"  # of its own, however deep
    found = cast(name, read.elementType, column.elementType, spelling, given=given)
    if found == Cast(name, "true"):
        return Cast(whole, "true")
    return Cast(
        f"transform({whole}, {name} -> {found.value})",
        "true" if found.fits == "true" else f"({whole} IS NULL OR forall({whole}, {name} -> {found.fits}))",
    )


def _map(whole: str, column: MapType, spelling: Spelling, *, given: bool) -> Cast:
    name = f"v{len(whole)}"
    found = from_text(name, column.valueType, spelling, given=given)
    if found == Cast(name, "true"):
        return Cast(whole, "true")
    return Cast(
        f"transform_values({whole}, (k{name}, {name}) -> {found.value})",
        f"({whole} IS NULL OR forall(map_values({whole}), {name} -> {found.fits}))",
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
