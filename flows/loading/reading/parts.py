"""Frames over a group of files that Spark reads alike, with the casts that make the table's columns of them.

A record is good if it could be parsed and each of its values fits its column; every other one is bad. Nothing is left
to Spark's own casts, and nothing to its append.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it

from flows.loading.reading.casts import Cast, all_fit, literal
from flows.loading.reading.frames import data_fields
from flows.loading.reading.paths import file_uri
from flows.loading.reading.types import ddl, quoted
from flows.loading.writing.tables import RESCUED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructField, StructType

CORRUPT = "_autoloader_corrupt"
# A query of the broken records alone is refused by Spark. What no record has is asked for too.
NOWHERE = "_autoloader_nowhere"
_GOOD = "_autoloader_good"
MAX_SHOWN = 100  # letters of a value in a reason
MAX_RAW = 100_000  # letters of a record that is kept


@dataclass(frozen=True, slots=True)
class Part:
    """`casts`: by the table's column, how its value is made. `texts`: by column, SQL of the text that was read.

    `raw` is SQL of the record as text; `left_out` SQL of what the table has no column for, by its name. `proven`: our
    look has found that each record can be parsed, into the types that Spark is told.
    """

    frame: DataFrame
    casts: Mapping[str, Callable[[StructField], Cast]]
    texts: Mapping[str, str] = field(default_factory=dict)
    raw: str = "NULL"
    parsed: str = "true"
    left_out: Mapping[str, str] = field(default_factory=dict)
    proven: bool = False

    def refuses_nothing(self, columns: StructType) -> bool:
        """Whether no record can be bad."""
        return self.proven and all(self.cast(column).fits == "true" for column in data_fields(columns))

    def cast(self, column: StructField) -> Cast:
        """The value of a column, and whether it fits; a column that must have a value does not fit without."""
        make = self.casts.get(column.name)
        found = Cast("NULL", "true") if make is None else make(column)
        if column.nullable:
            return found
        return Cast(found.value, f"({found.fits} AND ({found.value}) IS NOT NULL)")


def good_rows(parts: Sequence[Part], columns: StructType, *, rescued: bool) -> DataFrame:
    """The table's columns and `_file_uri` of all records that are good. With `rescued` only broken ones are bad."""
    return _united([_good(part, data_fields(columns), rescued=rescued) for part in parts])


def _good(part: Part, columns: Sequence[StructField], *, rescued: bool) -> DataFrame:
    casts = {column.name: part.cast(column) for column in columns if column.name != RESCUED or not rescued}
    values = [
        f"CAST({_rescued(part, columns, casts)} AS STRING) AS {quoted(column.name)}"
        if rescued and column.name == RESCUED
        else f"CAST({_or_null(casts[column.name], rescued=rescued)} AS {ddl(column.dataType)}) AS {quoted(column.name)}"
        for column in columns
    ]
    # Values and verdict in one step, so that a value is made once; by the number Spark leaves the two together.
    good = _is_good(part, _judged(casts, columns, rescued))
    if good == "true":
        return part.frame.selectExpr(*values, "_file_uri")
    judged = f"({good} AND monotonically_increasing_id() >= 0) AS {_GOOD}"
    made = part.frame.selectExpr(*values, "_file_uri", judged).where(_GOOD)
    return made.select(*(quoted(column.name) for column in columns), "_file_uri")


def _or_null(cast: Cast, *, rescued: bool) -> str:
    return f"if({cast.fits}, {cast.value}, NULL)" if rescued and cast.fits != "true" else cast.value


def _rescued(part: Part, columns: Sequence[StructField], casts: Mapping[str, Cast]) -> str:
    """What has no place in the table, as JSON: by name, the text."""
    kept = [f"{literal(name)}, CAST({text} AS STRING)" for name, text in part.left_out.items()]
    kept += [
        f"{literal(one.name)}, if({casts[one.name].fits}, NULL, CAST({part.texts[one.name]} AS STRING))"
        for one in columns
        if one.name in part.texts and one.name in casts and casts[one.name].fits != "true"
    ]
    return f"nullif(to_json(named_struct({', '.join(kept)})), '{{}}')" if kept else "NULL"


def _judged(casts: Mapping[str, Cast], columns: Sequence[StructField], rescued: bool) -> Mapping[str, Cast]:
    """The casts that make a record good or bad: where values are rescued, those that must be there."""
    needed = {column.name for column in columns if not column.nullable}
    return {name: cast for name, cast in casts.items() if name in needed} if rescued else casts


def _is_good(part: Part, casts: Mapping[str, Cast]) -> str:
    return all_fit(part.parsed, list(casts.values()))


def bad_rows(parts: Sequence[Part], columns: StructType, *, rescued: bool) -> DataFrame:
    """The others: `_file_uri`, the number of the `record` within what a task reads, the `reason`, the `raw` text."""
    frames = []
    for part in parts:
        every = {column.name: part.cast(column) for column in data_fields(columns)}
        casts = _judged(every, data_fields(columns), rescued)
        fields = {column.name: column for column in columns.fields}
        reasons = [f"if({part.parsed}, NULL, 'the record cannot be parsed, or has not one value for each column')"]
        reasons += [_reason(part, fields[name], cast) for name, cast in casts.items() if cast.fits != "true"]
        frames.append(
            part.frame.withColumn("_record", F.monotonically_increasing_id())
            .where(f"NOT coalesce({_is_good(part, casts)}, false)")
            .selectExpr(
                "_file_uri",
                f"shiftrightunsigned(shiftleft(_record, {_PARTITION_BITS}), {_PARTITION_BITS}) + 1 AS record",
                f"concat_ws('; ', {', '.join(reasons)}) AS reason",
                f"substr(CAST({part.raw} AS STRING), 1, {MAX_RAW}) AS raw",
            )
        )
    return _united(frames)


_PARTITION_BITS = 31  # `monotonically_increasing_id` has the number of the task in the upper ones


def _reason(part: Part, column: StructField, cast: Cast) -> str:
    name, kind = literal(f"column {column.name!r}: "), literal(f" is not a value of {ddl(column.dataType)}")
    text = part.texts.get(column.name, "NULL")
    shown = f"concat('\\'', substr(CAST({text} AS STRING), 1, {MAX_SHOWN}), '\\'')"
    missing = literal(f"column {column.name!r} has no value, and must have one")
    known = f"concat({name}, coalesce({shown}, 'its value'), {kind})"
    if not column.nullable:
        known = f"if({text} IS NULL, {missing}, {known})"
    return f"if({cast.fits}, NULL, {known})"


def with_uri(frame: DataFrame, uris: Iterable[str]) -> DataFrame:
    """The frame and the file, one of these, that each row came from."""
    return frame.select("*", file_uri(frame, uris))


def _united(frames: Sequence[DataFrame]) -> DataFrame:
    return reduce(lambda left, right: left.union(right), frames)
