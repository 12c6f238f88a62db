"""TPC-H through every format: counts and checksums of each column by pyarrow, of the table's files and of the source's.

Of scale 0.01, or as TPCH_SCALE says (`make tpch`: 1).
"""

import json
import os
import subprocess
import sysconfig
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.integration.flow_site import Lake, a_table, outcomes

pytestmark = pytest.mark.integration

SCALE = os.environ.get("TPCH_SCALE", "0.01")
TABLES = ("nation", "region", "part", "supplier", "partsupp", "customer", "orders", "lineitem")
SQL = {pa.int32(): "int", pa.int64(): "bigint", pa.date32(): "date"}


def made(folder: Path, table: str, kind: str) -> Path:
    program = Path(sysconfig.get_path("scripts")) / "tpchgen-cli"
    options = ("--scale-factor", SCALE, "--tables", table, "--num-threads", "1", "--overwrite", "--quiet")
    subprocess.run([program, kind, *options, "--output-dir", folder], check=True)
    return folder / f"{table}.{kind}"


def lines(source: pa.Table) -> Iterator[str]:
    for batch in source.to_batches(max_chunksize=10_000):
        for row in batch.to_pylist():
            yield json.dumps(row, default=lambda one: float(one) if isinstance(one, Decimal) else str(one)) + "\n"


def checksums(table: pa.Table) -> dict[str, tuple[Any, ...]]:
    return {name: _checksum(table[name]) for name in table.column_names if not name.startswith("_")}


def _checksum(column: pa.ChunkedArray) -> tuple[Any, ...]:
    known = (len(column), column.null_count)
    if pa.types.is_date(column.type):
        column = column.cast(pa.int32())
    if pa.types.is_integer(column.type) or pa.types.is_decimal(column.type):
        numbers = column if pa.types.is_decimal(column.type) else column.cast(pa.decimal128(20, 0))
        return (
            *known,
            Decimal(pc.sum(numbers).as_py()),
            Decimal(pc.min(numbers).as_py()),
            Decimal(pc.max(numbers).as_py()),
        )
    text = column.cast(pa.string())
    return (
        *known,
        pc.sum(pc.binary_length(text)).as_py(),
        pc.count_distinct(text).as_py(),
        pc.min(text).as_py(),
        pc.max(text).as_py(),
    )


@pytest.mark.parametrize("name", TABLES)
def test_a_table_holds_what_each_of_its_files_says(lake: Lake, name: str) -> None:
    folder = lake.land("first", "").parent
    parquet, csv = made(folder, name, "parquet"), made(folder, name, "csv")
    source = pq.read_table(parquet)
    as_lines = folder / f"{name}.json"
    with as_lines.open("w") as out:
        out.writelines(lines(source))
    given = {
        field.name: f"decimal({field.type.precision},{field.type.scale})"
        if pa.types.is_decimal(field.type)
        else SQL.get(field.type, "string")
        for field in source.schema
    }

    for file, kind in ((parquet, "parquet"), (csv, "csv"), (as_lines, "json")):
        table = a_table()
        report = lake.published(lake.batch(table, [file], {kind: {}}, schema={"columns": given}))

        assert outcomes(report) == {file.name: ("loaded", source.num_rows)}, report.files
        paths = [unquote(path.removeprefix("file:")) for (path,) in lake.rows(f"{table}.files", "file_path")]
        assert checksums(pa.concat_tables(map(pq.read_table, paths))) == checksums(source)
