"""How Spark reads each type of a parquet file exactly: by an explicit schema, and what is made of it afterwards.

Left to itself Spark lets one file of a batch decide for the others, and refuses a batch for types that it could read.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    MapType,
    NullType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from flows.loading.errors import Unfit
from flows.loading.reading.casts import ELEMENT, literal
from flows.loading.reading.types import MAX_DEPTH, MAX_DIGITS, quoted

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Stored:
    """A type as it is stored: `read` is what Spark is told, `kind` what it becomes by `value`, if `fits` of it.

    `value` and `fits` make SQL from the SQL of what was read; None where it is already what it shall be.
    """

    read: DataType
    kind: DataType
    value: Callable[[str], str] | None = None
    fits: Callable[[str], str] | None = None


def stored(kind: pa.DataType, *, is_int96: bool = False, depth: int = 2) -> Stored:
    """How a column of this type is read, or what stands at such a depth in it.

    Raises:
        Unfit: Spark cannot read it exactly.
    """
    within = partial(stored, is_int96=is_int96, depth=depth + 1)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return stored(kind.value_type, depth=depth)
    if isinstance(kind, pa.BaseExtensionType):
        return _UUID if kind.extension_name == "arrow.uuid" else stored(kind.storage_type, depth=depth)
    if pa.types.is_nested(kind) and depth > MAX_DEPTH:
        raise Unfit(f"more than {MAX_DEPTH} types are in one another; write the innermost as a text")
    if pa.types.is_struct(kind):
        return _struct({field.name: within(field.type) for field in kind})
    if pa.types.is_map(kind):
        return _map(stored(kind.key_type, depth=depth + 1), within(kind.item_type))
    if _is_list(kind):
        return _array(within(kind.value_type))
    if pa.types.is_timestamp(kind):
        return _timestamp(kind, is_int96=is_int96)
    if pa.types.is_decimal(kind):
        return _decimal(kind)
    known = next((found for is_it, found in _PLAIN if is_it(kind)), None)
    if known is None:
        raise Unfit(f"type {kind} cannot be read exactly by Spark; write another type")
    return known


def _is_list(kind: pa.DataType) -> bool:
    """In whichever layout Arrow holds it, of which the file's metadata tells."""
    kinds = pa.types
    lists = (kinds.is_list, kinds.is_large_list, kinds.is_fixed_size_list, kinds.is_list_view, kinds.is_large_list_view)
    return any(is_it(kind) for is_it in lists)


def _same(kind: DataType) -> Stored:
    return Stored(kind, kind)


def _decimal(kind: pa.DataType) -> Stored:
    if kind.precision > MAX_DIGITS:
        raise Unfit(f"type {kind} has more than {MAX_DIGITS} digits; write another type")
    return _same(DecimalType(kind.precision, kind.scale))


def _timestamp(kind: pa.TimestampType, *, is_int96: bool) -> Stored:
    if is_int96:
        return _same(TimestampType())
    moment = TimestampType() if kind.tz else TimestampNTZType()
    if kind.unit != "ns":
        return _same(moment)
    return Stored(
        LongType(),
        moment,
        lambda nanos: f"CAST(timestamp_micros(CAST(floor({nanos} / 1000BD) AS BIGINT)) AS {moment.simpleString()})",
        lambda nanos: f"{nanos} % 1000 = 0",
    )


def _clock(per_second: int) -> Callable[[str], str]:
    micros = 1_000_000 // per_second if per_second <= 1_000_000 else None

    def text(ticks: str) -> str:
        scaled = f"{ticks} * {micros}" if micros else f"{ticks} div 1000"
        return f"substr(CAST(CAST(timestamp_micros({scaled}) AS TIMESTAMP_NTZ) AS STRING), 12)"

    return text


def _uuid(raw: str) -> str:
    digits = f"lower(hex({raw}))"
    parts = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
    return f"concat_ws('-', {', '.join(f'substr({digits}, {start}, {length})' for start, length in parts)})"


_UUID = Stored(BinaryType(), StringType(), lambda raw: f"if({raw} IS NULL, NULL, {_uuid(raw)})")
_TEXT = Stored(StringType(), StringType(), None, lambda text: f"is_valid_utf8({text})")
_PLAIN: tuple[tuple[Callable[[pa.DataType], bool], Stored], ...] = (
    (pa.types.is_boolean, _same(BooleanType())),
    (lambda kind: kind in {pa.int8(), pa.int16(), pa.int32(), pa.uint8(), pa.uint16()}, _same(IntegerType())),
    (lambda kind: kind in {pa.int64(), pa.uint32()}, _same(LongType())),
    (pa.types.is_uint64, _same(DecimalType(20, 0))),
    (pa.types.is_float32, _same(FloatType())),
    (pa.types.is_float64, _same(DoubleType())),
    (lambda kind: kind in {pa.string(), pa.large_string(), pa.string_view()}, _TEXT),
    (lambda kind: kind in {pa.binary(), pa.large_binary(), pa.binary_view()}, _same(BinaryType())),
    (pa.types.is_fixed_size_binary, _same(BinaryType())),
    (pa.types.is_date, _same(DateType())),
    (lambda kind: kind == pa.time32("s"), Stored(IntegerType(), StringType(), _clock(1))),
    (lambda kind: kind == pa.time32("ms"), Stored(IntegerType(), StringType(), _clock(1000))),
    (lambda kind: kind == pa.time64("us"), Stored(LongType(), StringType(), _clock(1_000_000))),
    (
        lambda kind: kind == pa.time64("ns"),
        Stored(LongType(), StringType(), _clock(1_000_000_000), lambda ticks: f"{ticks} % 1000 = 0"),
    ),
    (pa.types.is_duration, _same(LongType())),
    (pa.types.is_null, Stored(IntegerType(), NullType())),
)


def _struct(fields: dict[str, Stored]) -> Stored:
    read = StructType([StructField(name, one.read) for name, one in fields.items()])
    kept = {name: one for name, one in fields.items() if not isinstance(one.kind, NullType)}
    kind = StructType([StructField(name, one.kind) for name, one in kept.items()])

    def value(whole: str) -> str:
        parts = [f"{literal(name)}, {_value(one, f'{whole}.{quoted(name)}')}" for name, one in kept.items()]
        return f"if({whole} IS NULL, NULL, named_struct({', '.join(parts)}))"

    def fits(whole: str) -> str:
        found = [_fits(one, f"{whole}.{quoted(name)}") for name, one in kept.items() if one.fits]
        return f"({whole} IS NULL OR ({' AND '.join(found)}))"

    changed = len(kept) < len(fields) or any(one.value for one in kept.values())
    return Stored(read, kind, value if changed else None, fits if any(one.fits for one in kept.values()) else None)


def _array(element: Stored) -> Stored:
    if isinstance(element.kind, NullType):
        element = Stored(element.read, StringType(), lambda one: f"CAST({one} AS STRING)")
    return Stored(
        ArrayType(element.read),
        ArrayType(element.kind),
        (lambda whole: f"transform({whole}, {ELEMENT} -> {_value(element, ELEMENT)})") if element.value else None,
        (lambda whole: f"({whole} IS NULL OR forall({whole}, {ELEMENT} -> {_fits(element, ELEMENT)}))")
        if element.fits
        else None,
    )


def _map(key: Stored, item: Stored) -> Stored:
    if isinstance(item.kind, NullType):
        item = Stored(item.read, StringType(), lambda one: f"CAST({one} AS STRING)")
    pairs: Callable[[str], str] | None = None
    if key.value or item.value:
        pairs = lambda whole: (  # noqa: E731 - one of two, like its neighbours
            f"map_from_arrays(transform(map_keys({whole}), {ELEMENT} -> {_value(key, ELEMENT)}), "
            f"transform(map_values({whole}), {ELEMENT} -> {_value(item, ELEMENT)}))"
        )
    return Stored(
        MapType(key.read, item.read),
        MapType(key.kind, item.kind),
        pairs,
        (lambda whole: f"({whole} IS NULL OR forall(map_values({whole}), {ELEMENT} -> {_fits(item, ELEMENT)}))")
        if item.fits
        else None,
    )


def _value(one: Stored, text: str) -> str:
    return one.value(text) if one.value else text


def _fits(one: Stored, text: str) -> str:
    return f"({text} IS NULL OR coalesce({one.fits(text)}, false))" if one.fits else "true"
