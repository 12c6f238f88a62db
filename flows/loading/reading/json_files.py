"""JSON files: whole numbers and booleans are read as they are, every other value as its text, and cast by our table.

But a column of which our look has proven that Spark's reader does it no harm is read as its type: see `plain`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from pyspark.sql.types import StringType, StructField, StructType

from flows.loading.reading import nested
from flows.loading.reading.found import Tokens
from flows.loading.reading.parts import CORRUPT, NOWHERE, Part, with_uri
from flows.loading.reading.paths import READ_OPTIONS, escaped
from flows.loading.reading.plain import is_read_rightly
from flows.loading.reading.types import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import SparkSession
    from pyspark.sql.types import DataType

    from flows.loading.reading.casts import Cast, Spelling
    from flows.loading.reading.looks import Look


@dataclass(slots=True)
class _Group:
    """Files that spell the table's columns alike, of lines or of one document each."""

    document: bool
    uris: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)  # by column, the key
    tokens: dict[str, Tokens] = field(default_factory=dict)  # by key

    def takes(self, names: Mapping[str, str], *, document: bool) -> bool:
        """Whether a file spells no column otherwise."""
        return self.document == document and all(self.names.get(one, key) == key for one, key in names.items())


@dataclass(frozen=True, slots=True)
class JsonReader:
    """Reads the files of `looks`, which holds what our own look has found in each, by URI."""

    session: SparkSession
    spelling: Spelling
    given: frozenset[str]
    looks: Mapping[str, Look]

    def parts(
        self, columns: StructType, names: Mapping[str, Mapping[str, str]], texts: frozenset[str], *, trusts: bool
    ) -> list[Part]:
        """The files, by how they spell the table's columns; those of `texts` are read as texts.

        `trusts`: what our look has found plain is left to Spark's own reader.
        """
        groups: list[_Group] = []
        for uri, look in sorted(self.looks.items()):
            known = names[uri]
            group = next((one for one in groups if one.takes(known, document=look.document)), None)
            if group is None:
                groups.append(group := _Group(look.document))
            group.uris.append(uri)
            group.names.update(known)
            for key, values in look.found.columns.items():
                if isinstance(values, Tokens):
                    group.tokens.setdefault(key, Tokens()).merge(values)
        return [self._part(group, columns, texts, trusts=trusts) for group in groups]

    def _part(self, group: _Group, columns: StructType, texts: frozenset[str], *, trusts: bool) -> Part:
        types = {one.name: one.dataType for one in columns.fields}
        trusts = trusts and all(self.looks[uri].proven for uri in group.uris)
        read: dict[str, DataType] = {
            column: StringType()
            if column in texts
            else self._read_type(types[column], group.tokens[key], trusts=trusts)
            for column, key in group.names.items()
            if column in types
        }
        others = [key for key in group.tokens if key not in group.names.values()]
        fields = [StructField(group.names[column], kind) for column, kind in read.items()]
        fields += [StructField(key, StringType()) for key in others]
        frame = with_uri(
            self.session.read.options(
                **READ_OPTIONS,
                mode="PERMISSIVE",
                columnNameOfCorruptRecord=CORRUPT,
                multiLine=str(group.document).lower(),
                allowSingleQuotes="false",
                allowNonNumericNumbers="false",
            )
            .schema(StructType([*fields, StructField(NOWHERE, StringType()), StructField(CORRUPT, StringType())]))
            .json(list(map(escaped, group.uris))),
            group.uris,
        )
        return Part(
            frame,
            {column: partial(self._cast, column, quoted(group.names[column]), kind) for column, kind in read.items()},
            {column: quoted(group.names[column]) for column in read},
            raw=f"coalesce({CORRUPT}, to_json(struct({', '.join(quoted(one.name) for one in fields)})))"
            if fields
            else CORRUPT,
            parsed=f"({CORRUPT} IS NULL AND {NOWHERE} IS NULL)",
            left_out={key: quoted(key) for key in others},
            proven=trusts and all(map(nested.takes_all, read.values())),
        )

    def _read_type(self, column: DataType, found: Tokens, *, trusts: bool) -> DataType:
        if trusts and is_read_rightly(column, found.plain, self.spelling):
            return column
        return nested.read_type(column, found)

    def _cast(self, column: str, text: str, read: DataType, field_: StructField) -> Cast:
        return nested.cast(text, read, field_.dataType, self.spelling, given=column.lower() in self.given)
