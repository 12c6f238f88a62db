"""CSV files: every value is read as a text, and cast by our own table (`casts`).

Files whose columns stand in the same order are read together. Where there are many orders, those of one width are, and
each row takes its values by the order of its file. A file is read line by line, and only if our own look has found line
breaks in its values as a whole: that cannot be split among tasks.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it
from pyspark.sql.types import StringType, StructField, StructType

from flows.loading.reading.casts import from_text, literal
from flows.loading.reading.csv_options import spark_options
from flows.loading.reading.parts import CORRUPT, NOWHERE, Part, with_uri
from flows.loading.reading.paths import READ_OPTIONS, escaped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import DataFrame, SparkSession

    from flows.loading.reading.casts import Cast, Spelling
    from flows.loading.reading.heads import Head
    from schemas.formats.csv import Csv

Order: TypeAlias = tuple[tuple[str, bool], ...]  # by place: a column of the table, or a name that it does not have
Way: TypeAlias = tuple[bool, str | None]  # of reading: as a whole or by lines, and what ends a record
MANY_ORDERS = 16  # above, the frames of all orders cost more than looking each value up
_ABSENT = -1


@dataclass(frozen=True, slots=True)
class CsvReader:
    """Reads the files of `heads`, which holds the head of each by URI."""

    session: SparkSession
    options: Csv
    spelling: Spelling
    given: frozenset[str]
    heads: Mapping[str, Head]

    def parts(self, names: Mapping[str, Mapping[str, str]]) -> list[Part]:
        """The files, by how they spell the table's columns."""
        groups: dict[tuple[Order, Way], list[str]] = defaultdict(list)
        for uri, head in sorted(self.heads.items()):
            if head.names:
                columns = {spelled: column for column, spelled in names[uri].items()}
                order = tuple((columns.get(name, name), name in columns) for name in head.names)
                groups[order, (head.multiline, head.line_end)].append(uri)
        if len(groups) <= MANY_ORDERS:
            return [self._in_order(order, uris) for (order, _), uris in groups.items()]
        shapes: dict[tuple[int, Way], dict[Order, list[str]]] = defaultdict(dict)
        for (order, way), uris in groups.items():
            shapes[len(order), way][order] = uris
        return [self._by_look_up(orders) for orders in shapes.values()]

    def _in_order(self, order: Order, uris: Sequence[str]) -> Part:
        return self._part(self._read(uris, len(order)), {one: f"_c{at}" for at, one in enumerate(order)}, len(order))

    def _by_look_up(self, orders: Mapping[Order, Sequence[str]]) -> Part:
        """One frame for files of one width whose columns stand in different orders."""
        width = len(next(iter(orders)))
        every = sorted({one for order in orders for one in order})
        places = [
            (uri, [order.index(one) if one in order else _ABSENT for one in every])
            for order, uris in orders.items()
            for uri in uris
        ]
        known = self.session.createDataFrame(places, "_file_uri string, _places array<int>")
        frame = self._read([uri for uri, _ in places], width).join(F.broadcast(known), "_file_uri", "left")
        row = f"array({', '.join(f'_c{at}' for at in range(width))})"
        # By the number Spark looks each value up once, and not again wherever a condition names it.
        frame = frame.selectExpr("*", f"{row} AS _row").selectExpr(
            "_file_uri",
            CORRUPT,
            "_c0",
            "_row",
            "monotonically_increasing_id() AS _number",
            *(f"get(_row, _places[{at}]) AS _v{at}" for at in range(len(every))),
        )
        return self._part(frame, {one: f"_v{at}" for at, one in enumerate(every)}, width, row="_row")

    def _part(self, frame: DataFrame, found: Mapping[tuple[str, bool], str], width: int, row: str = "") -> Part:
        texts = {name: text for (name, is_column), text in found.items() if is_column}
        values = row or f"struct({', '.join(f'_c{at}' for at in range(width))})"
        separator = literal(self.options.separator)
        written = f"array_join({values}, {separator}, '')" if row else f"to_csv({values}, map('sep', {separator}))"
        return Part(
            frame,
            {column: partial(self._cast, column, text) for column, text in texts.items()},
            texts,
            raw=f"coalesce({CORRUPT}, {written})",
            parsed=f"({CORRUPT} IS NULL AND NOT (_c0 <=> {literal(NOWHERE)}){' AND _number >= 0' if row else ''})",
            left_out={name: text for (name, is_column), text in found.items() if not is_column},
        )

    def _cast(self, column: str, text: str, field: StructField) -> Cast:
        return from_text(text, field.dataType, self.spelling, given=column.lower() in self.given)

    def _read(self, uris: Sequence[str], width: int) -> DataFrame:
        head = self.heads[uris[0]]
        schema = StructType([StructField(f"_c{at}", StringType()) for at in range(width)])
        frame = with_uri(
            self.session.read.options(
                **READ_OPTIONS,
                **spark_options(self.options, head.multiline, head.line_end),
                mode="PERMISSIVE",
                columnNameOfCorruptRecord=CORRUPT,
            )
            .schema(schema.add(CORRUPT, StringType()))
            .csv(list(map(escaped, uris))),
            uris,
        )
        if not (nothing := _null_values(self.options)):
            return frame
        values = (f"if(_c{at} IN ({nothing}), NULL, _c{at}) AS _c{at}" for at in range(width))
        return frame.selectExpr(*values, CORRUPT, "_file_uri")


def _null_values(options: Csv) -> str:
    """SQL of the texts that mean no value, but for the empty one: nothing between two delimiters is none anyway."""
    return ", ".join(literal(text) for text in options.null_values if text)
