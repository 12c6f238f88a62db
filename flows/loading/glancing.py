"""A look at the first rows of one file, as a load that makes the table would read them. Nothing is written.

The types are those of the whole file, and so are the records that a load would refuse, so it is read to its end; of a
big file (`beginnings`) they are those of its first records.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it
from pyspark.sql.types import ArrayType, BinaryType, MapType, StructType

from flows.loading.errors import Denied, Rejected
from flows.loading.files import Files
from flows.loading.reading.frames import data_fields
from flows.loading.reading.reading import Reading
from flows.loading.reading.types import ddl, quoted
from flows.loading.translation import named_errors
from flows.loading.writing import tables
from flows.loading.writing.tables import Table
from schemas.config.sources import BadRows
from schemas.report import Preview, PreviewColumn

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.types import DataType, StructField

    from flows.loading.steps import Steps
    from schemas.manifest import Glance, Manifest
    from schemas.report import FileReport

    Row = tuple[str | None, ...]

MAX_COLUMNS, MAX_LETTERS = 100, 200
MAX_BYTES = 512 * 1024  # of all values: a Kafka record has room for a megabyte


def previewed(session: SparkSession, manifest: Manifest, steps: Steps) -> Preview:
    """What the manifest's `glance` asks for; a file that cannot be read is refused, with the reason.

    Raises:
        Infrastructure, OutOfMemory: try again.
    """
    if (glance := manifest.glance) is None:
        raise RuntimeError("a preview of no file")
    files, everything = Files([glance.file]), manifest.model_copy(update={"bad_rows": BadRows(max="100%")})
    reading = Reading(session, everything, files, steps, glances=True)
    try:
        reading.begin()
        preview = reading.without_unreadable(lambda: _first_rows(reading, manifest, glance))
        steps.done("read")
        reading.probe()
    except (Rejected, Denied) as error:  # somebody waits at the terminal
        return Preview(refused=str(error))
    ended = files.ended.get(glance.file.uri)
    return preview if ended is None else Preview(refused=_why(ended))


def _why(ended: FileReport) -> str:
    if ended.outcome == "missing":
        return "it is not there any more"
    if ended.outcome == "superseded":
        return "it has changed since it was asked for"
    return ended.reason or "it cannot be read"


def _first_rows(reading: Reading, manifest: Manifest, glance: Glance) -> Preview:
    """As a load would read them: by the table's columns, and by those it would have then."""
    there = _columns(reading.session, manifest.table)
    change = reading.change(there)
    columns = change.applied(there)
    fields, uri = data_fields(columns), glance.file.uri
    if uri not in reading.files.left or not reading.looked.records(uri):
        return Preview()
    records, about = reading.looked.records(uri), reading.looked.about(uri)
    bad = reading.bad_records(columns).get(uri)
    if bad is not None and bad.count == records:
        return Preview(refused=bad.said(records))
    shown = fields[:MAX_COLUMNS]
    found = _texts(reading.frame(columns), shown, glance.rows + 1)
    rows = _fitting([tuple(map(_cut, row)) for row in found[: glance.rows]])
    return Preview(
        columns=tuple(PreviewColumn(name=field.name, type=ddl(field.dataType)) for field in shown),
        rows=tuple(rows),
        truncated=len(shown) < len(fields) or rows != found or about is not None,
        records=about or records,
        estimated=about is not None,
        rows_bad=bad.count if bad is not None else 0,
        bad=bad.examples() if bad is not None else (),
        set_aside=bad is not None and not manifest.bad_rows.allows(bad.count, records),
        schema_changes=change.told(is_new=there is None),
    )


def _columns(session: SparkSession, name: str) -> StructType | None:
    """The table's columns; None without a table, or a catalog that tells of it."""
    table = Table.named(name)
    try:
        return tables.columns(session, table) if tables.exists(session, table) else None
    except Denied:
        return None


def _texts(frame: DataFrame, fields: list[StructField], rows: int) -> list[Row]:
    """So many rows at most; a value is text, one letter longer than shown if it is longer."""
    chosen = [_text(frame[quoted(field.name)], field.dataType).alias(field.name) for field in fields]
    with named_errors():
        return [tuple(row) for row in frame.select(*chosen).take(rows)]


def _text(value: Column, kind: DataType) -> Column:
    match kind:
        case BinaryType():
            text = F.hex(F.substring(value, 1, MAX_LETTERS))
        case ArrayType() | MapType() | StructType():
            text = F.to_json(value)
        case _:
            text = F.make_valid_utf8(value.cast("string"))
    return F.substring(F.replace(text, F.lit("\0"), F.lit("\ufffd")), 1, MAX_LETTERS + 1)  # PostgreSQL knows no NUL


def _cut(text: str | None) -> str | None:
    return text if text is None else text[:MAX_LETTERS]


def _fitting(rows: list[Row]) -> list[Row]:
    """The first of them that together are not too large."""
    left = MAX_BYTES
    for count, row in enumerate(rows):
        left -= len(json.dumps(row, ensure_ascii=False).encode())
        if left < 0:
            return rows[:count]
    return rows
