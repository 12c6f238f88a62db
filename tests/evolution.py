"""Changes of files beside a table, and what becomes of them: the rows of docs/schema-evolution.md.

`python -m tests.evolution` writes them anew, from the rule; each is loaded by a test.
"""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql.types import (
    ArrayType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from flows.loading.reading.csv_scan import scan_csv
from flows.loading.reading.evolution import Plan, decide
from flows.loading.reading.found import Found, Texts, Typed
from flows.loading.reading.heads import head
from flows.loading.reading.json_scan import scan_json
from flows.loading.reading.parquet_types import stored
from flows.loading.reading.types import ddl, is_number
from schemas.config.sources import Columns
from schemas.formats.csv import Csv

Mode = Literal["add-columns", "rescue", "fixed", "fail"]
MODES: Sequence[Mode] = ("add-columns", "rescue", "fixed", "fail")
DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "schema-evolution.md"


@dataclass(frozen=True, slots=True)
class Change:
    """A file beside a table whose columns stand in Spark's SQL.

    `bad`: a value does not fit, of which the rule knows nothing: the file is set aside, or the value rescued.
    """

    title: str
    table: str
    file: str | Mapping[str, pa.Array]
    bad: bool = False

    @property
    def format(self) -> str:
        """`csv`, `json` or `parquet`."""
        if not isinstance(self.file, str):
            return "parquet"
        return "json" if self.file.startswith(("{", "[")) else "csv"

    def content(self) -> bytes:
        """The bytes of the file."""
        if isinstance(self.file, str):
            return self.file.encode()
        out = io.BytesIO()
        pq.write_table(pa.table(dict(self.file)), out)
        return out.getvalue()

    def found(self) -> Found:
        """What our own look finds in the file."""
        if not isinstance(self.file, str):
            return Found({name: Typed(stored(column.type).kind) for name, column in self.file.items()})
        if self.format == "json":
            return Found(dict(scan_json([self.content()]).columns))
        return Found({name: Texts() for name in head(scan_csv([self.content()], Csv()), Csv()).names})

    def plan(self, mode: Mode) -> Plan:
        """What the rule says."""
        return decide(struct(self.table), {"file": self.found()}, Columns(mode=mode), is_new=False)

    def outcome(self, mode: Mode) -> str:
        """The same in words."""
        plan = self.plan(mode)
        if plan.aside:
            return "set aside"
        done = [f"`{'.'.join(path)}` is added" for path in plan.add]
        done += [f"`{'.'.join(path)}` becomes {ddl(kind)}" for path, kind in plan.widen.items()]
        done += [
            f"`{name}` is {'rescued' if mode == 'rescue' else 'left out'}" for name in plan.left_out.get("file", ())
        ]
        if self.bad:
            rescued = mode == "rescue" and "NOT NULL" not in self.table
            done.append("the value is rescued" if rescued else "bad record")
        return ", ".join(done) or self._loaded()

    def _loaded(self) -> str:
        there = {one.name: one.dataType for one in struct(self.table).fields}
        types = {name: one.kind for name, one in self.found().columns.items() if isinstance(one, Typed)}
        other = any(ddl(kind) != ddl(there[name]) and is_number(kind) for name, kind in types.items())
        return "loaded, each value is looked at" if other else "loaded"


NAMED: Mapping[str, DataType] = {
    "BIGINT": LongType(), "INT": IntegerType(), "STRING": StringType(), "DOUBLE": DoubleType(), "FLOAT": FloatType(),
    "DATE": DateType(), "TIMESTAMP": TimestampType(), "TIMESTAMP_NTZ": TimestampNTZType(),
}  # fmt: skip


def struct(text: str) -> StructType:
    """The columns that a piece of Spark's SQL names, as far as it is used here."""
    fields = []
    for one in re.findall(r"(?:[^,<(]|<[^>]*>|\([^)]*\))+", text):
        name, kind = re.split("[ :]+", one.strip().removesuffix(" NOT NULL"), maxsplit=1)
        fields.append(StructField(name, _type(kind), not one.endswith(" NOT NULL")))
    return StructType(fields)


def _type(text: str) -> DataType:
    inside = text.partition("<")[2].removesuffix(">")
    if text.startswith("STRUCT"):
        return struct(inside)
    if text.startswith("ARRAY"):
        return ArrayType(_type(inside))
    if text.startswith("DECIMAL"):
        precision, scale = map(int, re.findall("[0-9]+", text))
        return DecimalType(precision, scale)
    return NAMED[text]


def typed(**columns: tuple[pa.DataType, Any]) -> dict[str, pa.Array]:
    return {name: pa.array([value], kind) for name, (kind, value) in columns.items()}


decimal, MAILED = pa.decimal128, pa.struct([("name", pa.string()), ("mail", pa.string())])
NAME, OLDER = pa.struct([("name", pa.string())]), pa.struct([("name", pa.string()), ("age", pa.int64())])
ZONED = pa.timestamp("us", "UTC")
A, TEN = (pa.int64(), 1), datetime(2026, 1, 4, 10)  # noqa: DTZ001 - a clock's time
WHO = "id BIGINT, who STRUCT<name: STRING, age: INT>"
CHANGES: Sequence[Change] = (
    Change("one more column", "id BIGINT", "id,tip\n1,2.5\n"),
    Change("a column less", "id BIGINT, note STRING", "id\n1\n"),
    Change("columns in another order", "id BIGINT, note STRING", "note,id\na,1\n"),
    Change("a name in other case", "id BIGINT, note STRING", "ID,Note\n1,a\n"),
    Change("blanks around a name", "id BIGINT, note STRING", "id, note\n1,a\n"),
    Change("two spellings of a name", "id BIGINT", '{"id": 1, "ID": 2}\n'),
    Change("text where a number was", "id BIGINT", "id\nx\n", bad=True),
    Change("a fraction where a whole number was", "id BIGINT", "id\n1.5\n", bad=True),
    Change("a number that is too large", "id INT", "id\n2147483648\n", bad=True),
    Change("leading zeros where a number was guessed", "id BIGINT", "id\n007\n", bad=True),
    Change("more digits than a decimal holds", "amount DECIMAL(10,2)", "amount\n1.239\n", bad=True),
    Change("fewer digits than a decimal holds", "amount DECIMAL(10,2)", "amount\n1.5\n"),
    Change("a whole number where a fraction was", "amount DOUBLE", "amount\n3\n"),
    Change("a whole number that a double would round", "amount DOUBLE", "amount\n9007199254740993\n", bad=True),
    Change("a time where a date was", "day DATE", "day\n2026-01-04 23:45:00\n", bad=True),
    Change("a date where a time was", "at TIMESTAMP", "at\n2026-01-04\n", bad=True),
    Change("a zone where there was none", "at TIMESTAMP_NTZ", "at\n2026-01-04T10:00:00Z\n", bad=True),
    Change("no value where there was one", "id BIGINT, note STRING", "id,note\n1,\n"),
    Change("no value where there must be one", "id BIGINT NOT NULL", "id\n\"\"\n", bad=True),
    Change("a column that must be there is missing", "id BIGINT NOT NULL, note STRING", "note\na\n"),
    Change("one more key", "id BIGINT", '{"id": 1, "tip": 2.5}\n'),
    Change("one more key within an object", WHO, '{"id": 1, "who": {"name": "a", "mail": "b"}}\n'),
    Change("a key less within an object", WHO, '{"id": 1, "who": {"name": "a"}}\n'),
    Change("keys of an object in another order", WHO, '{"id": 1, "who": {"age": 7, "name": "a"}}\n'),
    Change("a text where an object was", WHO, '{"id": 1, "who": "a"}\n'),
    Change("an object where a text was", "id BIGINT, who STRING", '{"id": 1, "who": {"name": "a"}}\n'),
    Change("an object where a number was", "id BIGINT, n BIGINT", '{"id": 1, "n": {"a": 1}}\n'),
    Change("an array where a single value was", "id BIGINT, n BIGINT", '{"id": 1, "n": [1]}\n'),
    Change("a single value where an array was", "id BIGINT, n ARRAY<BIGINT>", '{"id": 1, "n": 1}\n'),
    Change("null everywhere", "id BIGINT, n BIGINT", '{"id": 1, "n": null}\n'),
    Change("a number as text", "id BIGINT", '{"id": "5"}\n'),
    Change("a number where a text was", "id STRING", '{"id": 1.10}\n'),
    Change("a wider whole number", "id INT", typed(id=(pa.int64(), 2**40))),
    Change("a narrower whole number", "id BIGINT", typed(id=(pa.int32(), 1))),
    Change("a double where a float was", "x FLOAT", typed(x=(pa.float64(), 0.1))),
    Change("a float where a double was", "x DOUBLE", typed(x=(pa.float32(), 0.5))),
    Change("a decimal with more digits before the dot", "x DECIMAL(10,2)", typed(x=(decimal(12, 2), Decimal("1.50")))),
    Change("a decimal of a smaller scale", "x DECIMAL(10,2)", typed(x=(decimal(8, 1), Decimal("1.5")))),
    Change("a decimal of a larger scale that fits", "x DECIMAL(10,2)", typed(x=(decimal(10, 4), Decimal("1.5000")))),
    Change("a decimal of a larger scale", "x DECIMAL(10,2)", typed(x=(decimal(10, 4), Decimal("1.2399"))), bad=True),
    Change("a whole number where a double was, typed", "x DOUBLE", typed(x=(pa.int64(), 3))),
    Change("one that a double would round, typed", "x DOUBLE", typed(x=(pa.int64(), 2**53 + 1)), bad=True),
    Change("text where a number was, typed", "x BIGINT", typed(x=(pa.string(), "5"))),
    Change("a number where text was, typed", "x STRING", typed(x=(pa.int64(), 5))),
    Change("nanoseconds", "at TIMESTAMP_NTZ", typed(at=(pa.timestamp("ns"), TEN))),
    Change("a time with a zone where there was none, typed", "at TIMESTAMP_NTZ", typed(at=(ZONED, 0))),
    Change("a date where a time was, typed", "at TIMESTAMP_NTZ", typed(at=(pa.date32(), date(2026, 1, 4)))),
    Change("nulls without a type", "id BIGINT, note STRING", typed(id=(pa.int64(), 1), note=(pa.null(), None))),
    Change(
        "one more field of a struct", "id BIGINT, who STRUCT<name: STRING>",
        typed(id=A, who=(MAILED, {"name": "a", "mail": "b"})),
    ),
    Change("a field of a struct less", WHO, typed(id=A, who=(NAME, {"name": "a"}))),
    Change("a wider field of a struct", WHO, typed(id=A, who=(OLDER, {"name": "a", "age": 2**40}))),
)  # fmt: skip


def document() -> str:
    """The text of docs/schema-evolution.md."""
    lines = [
        "# When files change",
        "",
        "What becomes of a table, and of a file with other columns, in each `schema.mode`",
        "([configuration.md](configuration.md)). It is decided for each file, whatever its neighbours are. A bad",
        "record sets its file aside, unless `bad_rows` allows some: then it is kept in the table beside the table.",
        "",
        "Written by `python -m tests.evolution` from the rule; each row is loaded by a test.",
        "",
        "| table | file | change | " + " | ".join(f"`{mode}`" for mode in MODES) + " |",
        "|---|---|---|" + "---|" * len(MODES),
    ]
    for one in CHANGES:
        outcomes = " | ".join(one.outcome(mode) for mode in MODES)
        lines.append(f"| `{one.table}` | {one.format} | {one.title} | {outcomes} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(document())
