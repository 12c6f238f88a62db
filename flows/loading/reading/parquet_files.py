"""Parquet files: read together where no schema contradicts another; the values are made the table's one by one."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from pyspark.sql.types import ArrayType, DataType, MapType, NullType, StructField, StructType

from flows.loading.reading.casts import ELEMENT, Cast, of_array, of_struct
from flows.loading.reading.evolution import matched
from flows.loading.reading.parts import Part, with_uri
from flows.loading.reading.paths import READ_OPTIONS, escaped
from flows.loading.reading.types import ddl, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import SparkSession

    from flows.loading.reading.looks import Look
    from flows.loading.reading.parquet_types import Stored


@dataclass(slots=True)
class _Group:
    """Files none of which has a column of another type, or spelled otherwise, than another; each may lack some."""

    uris: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)  # by the table's column, the stored one
    shape: dict[str, str] = field(default_factory=dict)
    types: dict[str, Stored] = field(default_factory=dict)

    def takes(self, look: Look, names: Mapping[str, str]) -> bool:
        """Whether a file may be read with the others."""
        return all(self.shape.get(one, shape) == shape for one, shape in look.shape.items()) and all(
            self.names.get(column, name) == name for column, name in names.items()
        )

    def add(self, uri: str, look: Look, names: Mapping[str, str]) -> None:
        self.uris.append(uri)
        self.names.update(names)
        self.shape.update(look.shape)
        self.types.update(look.stored)


@dataclass(frozen=True, slots=True)
class ParquetReader:
    """Reads the files of `looks`, which holds the types of each by URI."""

    session: SparkSession
    looks: Mapping[str, Look]

    def parts(self, names: Mapping[str, Mapping[str, str]]) -> list[Part]:
        """The files, by what Spark may read together."""
        groups: list[_Group] = []
        for uri, look in sorted(self.looks.items()):
            group = next((one for one in groups if one.takes(look, names[uri])), None)
            if group is None:
                groups.append(group := _Group())
            group.add(uri, look, names[uri])
        return [self._part(group.uris, group.types, group.names) for group in groups]

    def _part(self, uris: list[str], types: Mapping[str, Stored], names: Mapping[str, str]) -> Part:
        others = [name for name in types if name not in names.values()]
        schema = StructType([StructField(name, one.read) for name, one in types.items()])
        frame = with_uri(self.session.read.options(**READ_OPTIONS).schema(schema).parquet(*map(escaped, uris)), uris)
        known = {column: name for column, name in names.items() if name in types}
        fits = {name: f"_fits_{at}" for at, (name, one) in enumerate(types.items()) if one.fits}
        return Part(
            frame.selectExpr("_file_uri", *_made(types, fits)),
            {column: partial(_cast, quoted(name), types[name].kind, fits.get(name)) for column, name in known.items()},
            {column: _as_text(quoted(name), types[name].kind) for column, name in known.items()},
            raw=f"to_json(struct({', '.join(map(quoted, types))}))" if types else "NULL",
            left_out={name: _as_text(quoted(name), types[name].kind) for name in others},
        )


def _made(types: Mapping[str, Stored], fits: Mapping[str, str]) -> list[str]:
    """What the stored values become, and whether each fits. In a step of its own: Spark parses deep SQL slowly."""
    values = [
        f"{one.value(quoted(name)) if one.value else quoted(name)} AS {quoted(name)}" for name, one in types.items()
    ]
    proofs = (types[name].fits for name in fits)
    return values + [
        f"({quoted(name)} IS NULL OR coalesce({proof(quoted(name))}, false)) AS {fits[name]}"
        for name, proof in zip(fits, proofs, strict=True)
        if proof is not None
    ]


def _as_text(value: str, kind: DataType) -> str:
    if isinstance(kind, NullType):
        return "CAST(NULL AS STRING)"
    return f"to_json({value})" if isinstance(kind, StructType | ArrayType | MapType) else f"CAST({value} AS STRING)"


def _cast(name: str, kind: DataType, fits: str | None, column: StructField) -> Cast:
    found = _exact(name, kind, column.dataType)
    both = [one for one in (fits, found.fits) if one is not None and one != "true"]
    return Cast(found.value, f"({' AND '.join(both)})" if both else "true")


def _exact(value: str, kind: DataType, column: DataType) -> Cast:
    """A value of one type as one of another; it fits if it comes back as it was."""
    if ddl(kind) == ddl(column):
        return Cast(value, "true")
    match kind, column:
        case NullType(), _:
            return Cast("NULL", "true")
        case StructType(), StructType():
            return _exact_struct(value, kind, column)
        case ArrayType(), ArrayType():
            return of_array(value, _exact(ELEMENT, kind.elementType, column.elementType))
        case MapType(), MapType():
            return Cast(f"CAST({value} AS {ddl(column)})", "true")  # keys and values differ by a widening alone
        case _:
            there = f"try_cast({value} AS {ddl(column)})"
            back = f"try_cast({there} AS {ddl(kind)})"
            return Cast(there, f"({value} IS NULL OR coalesce({back} = {value}, false))")


def _exact_struct(whole: str, kind: StructType, column: StructType) -> Cast:
    names, _ = matched(kind.fieldNames(), column.fieldNames())
    types = {one.name: one.dataType for one in kind.fields}
    fields = {one.name: Cast(f"CAST(NULL AS {ddl(one.dataType)})", "true") for one in column.fields}
    for one in column.fields:
        if (spelled := names.get(one.name)) is not None:
            fields[one.name] = _exact(f"{whole}.{quoted(spelled)}", types[spelled], one.dataType)
    return of_struct(whole, fields)
