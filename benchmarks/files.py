"""The files that are loaded: TPC-H's `lineitem` in one file, in many, and in some that are bad."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import pyarrow.parquet as pq

MEGABYTES_AT_SCALE_1 = 750
COLUMNS = {
    **dict.fromkeys(("l_orderkey", "l_partkey", "l_suppkey"), "bigint"),
    "l_linenumber": "int",
    **dict.fromkeys(("l_quantity", "l_extendedprice", "l_discount", "l_tax"), "decimal(15,2)"),
    **dict.fromkeys(("l_returnflag", "l_linestatus"), "string"),
    **dict.fromkeys(("l_shipdate", "l_commitdate", "l_receiptdate"), "date"),
    **dict.fromkeys(("l_shipinstruct", "l_shipmode", "l_comment"), "string"),
}


def lineitem(folder: Path, kind: str, megabytes: float) -> Path:
    """The rows that make so many megabytes of CSV."""
    place = folder / f"{kind}-{megabytes:g}"
    options = ("--scale-factor", str(megabytes / MEGABYTES_AT_SCALE_1), "--tables", "lineitem", "--num-threads", "2")
    program = Path(sysconfig.get_path("scripts")) / "tpchgen-cli"
    subprocess.run([program, kind, *options, "--quiet", "--output-dir", place], check=True)
    return place / f"lineitem.{kind}"


def json_files(folder: Path, count: int, size: int) -> list[Path]:
    """So many files of JSON lines, of about so many bytes."""
    source = pq.ParquetFile(lineitem(folder, "parquet", count * size / 2.1e6))
    place = folder / f"json-{count}"
    place.mkdir()
    files = [place / f"{number:06}.json" for number in range(count)]
    for file, batch in zip(files, source.iter_batches(size // 365), strict=False):
        frame = batch.to_pandas()
        for name, kind in COLUMNS.items():
            if kind in {"date", "decimal(15,2)"}:
                frame[name] = frame[name].astype(str if kind == "date" else float)
        file.write_text(frame.to_json(orient="records", lines=True))
    return files


def csv_files(folder: Path, count: int) -> tuple[list[Path], list[Path]]:
    """So many files of CSV of 1 MB; and the same, five of them bad."""
    header, *rows = lineitem(folder, "csv", count).read_text().splitlines(keepends=True)
    good, each = [], len(rows) // count
    for at in range(count):
        good.append(folder / f"good-{at:03}.csv")
        good[-1].write_text(header + "".join(rows[at * each : (at + 1) * each]))
    mixed, damaged = list(good), [good[at].read_bytes() for at in range(0, count, count // 5)]
    half = len(damaged[0]) // 2
    bad = (
        damaged[0][:half] + b"\xff" + damaged[0][half:],  # no UTF-8
        damaged[1][:half] + b'"' + damaged[1][half:],  # a quote that is not closed
        damaged[2] + b"1,2,3\n",  # too few values
        damaged[3].replace(b"1996-", b"1996-1", 1),  # no date
        b"<html><body>503</body></html>\n",  # no file of ours
    )
    for at, content in enumerate(bad):
        mixed[at * (count // 5)] = folder / f"bad-{at}.csv"
        (folder / f"bad-{at}.csv").write_bytes(content)
    return good, mixed
