"""What the table holds is what the files say: random tables, written by one program and read back by another."""

import csv
import io
import json
import os
import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.integration.flow_site import CSV, JSON, PARQUET, Lake, a_table, outcomes, reason

pytestmark = pytest.mark.integration

SEEDS = range(int(os.environ.get("RIGHT_ROWS_SEEDS", "6")))  # make fuzz has more
FIRST = int(os.environ.get("RIGHT_ROWS_FIRST", "0"))
LETTERS = "aZ09 _-.,;:'\"\\/\n\tüß日🙂é{}[]<>&%#\u00a0"


def read_back(lake: Lake, table: str) -> list[dict[str, Any]]:
    """The rows by pyarrow, which reads the table's data files and knows nothing of Spark."""
    paths = [unquote(path.removeprefix("file:")) for (path,) in lake.rows(f"{table}.files", "file_path")]
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def text(chance: random.Random) -> str:
    return "".join(chance.choices(LETTERS, k=chance.randint(0, 8)))


def number_text(chance: random.Random) -> str:
    digits = "".join(chance.choices("0123456789", k=chance.randint(1, 20)))
    return chance.choice(["", "", "-", "+"]) + digits + chance.choice(["", f".{digits[:3]}", "e5", "0", "d"])


KINDS: dict[str, Callable[[random.Random], str]] = {
    "ints": lambda chance: str(chance.randint(-(2**63), 2**63 - 1)),
    "codes": lambda chance: f"{chance.randint(0, 99999):05}",
    "money": lambda chance: f"{chance.randint(-10_000, 10_000) / 100:.2f}",
    "floats": lambda chance: repr(chance.random() * 10 ** chance.randint(-3, 6)),
    "days": lambda chance: str(date(1, 1, 1) + timedelta(days=chance.randint(0, 3_600_000))),
    "moments": lambda chance: (datetime(1970, 1, 1) + timedelta(microseconds=chance.randint(0, 10**16))).isoformat(),  # noqa: DTZ001 - a clock's time
    "instants": lambda chance: f"{datetime.fromtimestamp(chance.randint(0, 2**31), UTC):%Y-%m-%dT%H:%M:%SZ}",
    "flags": lambda chance: chance.choice(["true", "false"]),
    "texts": text,
    "numbers": number_text,
}


def says(stored: Any, written: str) -> bool:
    """Whether a value, written back, is the text; a timestamp and a double in whichever form says the same."""
    match stored:
        case str():
            return stored == written
        case bool():
            return str(stored).lower() == written
        case int():
            return str(stored) == written
        case Decimal():
            return format(stored, "f") == written
        case float():
            return stored == float(written) and len(written) <= 24
        case datetime():
            there = datetime.fromisoformat(written)
            return stored.replace(tzinfo=None) == there.replace(tzinfo=None)
        case date():
            return str(stored) == written
        case None:
            return written == ""
        case _:
            return False


@pytest.mark.parametrize("seed", SEEDS)
def test_a_csv_file_without_a_schema_is_given_back_text_by_text(lake: Lake, seed: int) -> None:
    chance = random.Random(FIRST + seed)  # noqa: S311 - no secret is made of it
    names = [f"{kind}_{n}" for n in range(2) for kind in chance.sample(sorted(KINDS), 6)]
    records = [
        [str(n), *("" if chance.random() < 0.1 else KINDS[name.partition("_")[0]](chance) for name in names)]
        for n in range(chance.randint(1, 60))
    ]
    files = []
    for part in range(2):
        out = io.StringIO(newline="")
        writer = csv.writer(
            out,
            lineterminator=chance.choice(["\n", "\r\n"]),
            quoting=chance.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
        )
        writer.writerows([["n", *names], *records[part::2]])
        files.append(lake.land(f"{part}.csv", out.getvalue()))
    table = a_table()

    report = lake.published(lake.batch(table, files, CSV))

    loaded = [n for n, file in enumerate(files) if outcomes(report)[file.name][0] == "loaded"]
    assert loaded, [one.reason for one in report.files]
    found = {int(row["n"]): row for row in read_back(lake, table)}
    wanted = {int(record[0]): record for part in loaded for record in records[part::2]}
    assert found.keys() == wanted.keys()
    wrong = [
        (name, found[n][name], written)
        for n, (_, *values) in wanted.items()
        for name, written in zip(names, values, strict=True)
        if not says(found[n][name], written) and not (written == "" and found[n][name] is None)
    ]
    assert not wrong


def some_json(chance: random.Random, depth: int = 0) -> Any:
    kinds: Sequence[Callable[[], Any]] = [
        lambda: None,
        lambda: chance.choice([True, False]),
        lambda: chance.randint(-(2**62), 2**62),
        lambda: chance.random() * 10 ** chance.randint(-5, 9),
        lambda: text(chance),
        lambda: [some_json(chance, depth + 1) for _ in range(chance.randint(0, 3))],
        lambda: {f"k{n}": some_json(chance, depth + 1) for n in range(chance.randint(1, 3))},
    ]
    return chance.choice(kinds if depth < 2 else kinds[:5])()


def same_json(stored: Any, written: Any) -> bool:
    """Whether a value says what the JSON says: a text of other JSON is that, and what is missing is null."""
    match stored, written:
        case None, None:
            return True
        case dict(), dict():
            return written.keys() <= stored.keys() and all(
                same_json(one, written.get(name)) for name, one in stored.items()
            )
        case list(), list():
            return len(stored) == len(written) and all(map(same_json, stored, written))
        case str(), str():
            return stored == written
        case str(), _:
            return bool(json.loads(stored) == written)
        case (bool(), bool()) | (int(), int()) | (float(), float()) | (float(), int()):
            return bool(stored == written)
        case Decimal(), int():
            return int(stored) == written
        case _:
            return False


@pytest.mark.parametrize("seed", SEEDS)
def test_json_is_given_back_value_by_value(lake: Lake, seed: int) -> None:
    chance = random.Random(FIRST + seed)  # noqa: S311 - no secret is made of it
    shapes = {f"c{n}": chance.randrange(7) for n in range(6)}

    def value(shape: int) -> Any:
        mine = random.Random(chance.random())  # noqa: S311 - no secret is made of it
        if shape < 5:
            return [None, True, mine.randint(-(2**53), 2**53), mine.random() * 100, text(mine)][shape]
        return some_json(mine)

    records = [
        {"n": n, **{name: value(shape) for name, shape in shapes.items() if chance.random() < 0.8}} for n in range(40)
    ]
    file = lake.land("a.json", "\n".join(json.dumps(one, ensure_ascii=chance.random() < 0.5) for one in records))
    table = a_table()

    report = lake.published(lake.batch(table, [file], JSON))

    assert outcomes(report) == {"a.json": ("loaded", len(records))}, reason(report, "a.json")
    found = {row["n"]: row for row in read_back(lake, table)}
    wrong = [
        (name, found[one["n"]].get(name), one.get(name))
        for one in records
        for name in shapes
        if not same_json(found[one["n"]].get(name), one.get(name))
    ]
    assert not wrong


TYPES: Sequence[tuple[pa.DataType, Callable[[random.Random], Any]]] = [
    (pa.int8(), lambda chance: chance.randint(-128, 127)),
    (pa.uint16(), lambda chance: chance.randint(0, 65535)),
    (pa.uint32(), lambda chance: chance.randint(0, 2**32 - 1)),
    (pa.int64(), lambda chance: chance.randint(-(2**63), 2**63 - 1)),
    (pa.uint64(), lambda chance: chance.randint(0, 2**64 - 1)),
    (pa.float32(), lambda chance: chance.choice([0.5, -1.25, 3e10])),
    (pa.float64(), lambda chance: chance.random()),
    (pa.bool_(), lambda chance: chance.random() < 0.5),
    (pa.string(), text),
    (pa.large_string(), text),
    (pa.binary(), lambda chance: chance.randbytes(3)),
    (pa.decimal128(20, 5), lambda chance: Decimal(chance.randint(-(10**15), 10**15)) / 10**5),
    (pa.date32(), lambda chance: date(1, 1, 1) + timedelta(days=chance.randint(0, 3_600_000))),
    (pa.timestamp("us"), lambda chance: datetime(1, 1, 1) + timedelta(microseconds=chance.randint(0, 10**17))),  # noqa: DTZ001 - a clock's time
    (pa.timestamp("ms", "UTC"), lambda chance: datetime.fromtimestamp(chance.randint(-(2**31), 2**31), UTC)),
    (pa.timestamp("ns"), lambda chance: datetime(1960, 1, 1) + timedelta(microseconds=chance.randint(0, 10**15))),  # noqa: DTZ001 - a clock's time
    (pa.list_(pa.int32()), lambda chance: [chance.randint(0, 9) for _ in range(chance.randint(0, 3))]),
    (pa.struct([("a", pa.int32()), ("b", pa.string())]), lambda chance: {"a": chance.randint(0, 9), "b": text(chance)}),
    (pa.map_(pa.string(), pa.int64()), lambda chance: [(f"k{n}", n) for n in range(chance.randint(0, 3))]),
    (pa.list_(pa.struct([("t", pa.timestamp("ns"))])), lambda _: [{"t": datetime(1965, 5, 5, 5, 5)}]),  # noqa: DTZ001 - a clock's time
]


@pytest.mark.parametrize("seed", SEEDS)
def test_parquet_is_given_back_value_by_value(lake: Lake, seed: int) -> None:
    chance = random.Random(FIRST + seed)  # noqa: S311 - no secret is made of it
    chosen = chance.sample(list(TYPES), 10)
    files: list[Path] = []
    written: dict[int, dict[str, Any]] = {}
    for part in range(2):
        columns: dict[str, pa.Array] = {"n": pa.array(range(part * 10, part * 10 + 10), pa.int64())}
        for at, (kind, value) in enumerate(chosen):
            values = [None if chance.random() < 0.1 else value(chance) for _ in range(10)]
            columns[f"c{at}"] = pa.array(values, kind)
        together = pa.table(columns)
        files.append(lake.land(f"{part}.parquet", b""))
        pq.write_table(together.select(chance.sample(together.column_names, 11)), files[-1])
        written |= {row["n"]: row for row in pq.read_table(files[-1]).to_pylist()}
    table = a_table()

    report = lake.published(lake.batch(table, files, PARQUET))

    assert outcomes(report) == {"0.parquet": ("loaded", 10), "1.parquet": ("loaded", 10)}, report.files
    found = {row["n"]: row for row in read_back(lake, table)}
    wrong = [
        (name, found[n][name], value)
        for n, row in written.items()
        for name, value in row.items()
        if found[n][name] != value
    ]
    assert not wrong


def strict_reader(content: bytes) -> list[list[str]] | None:
    """The records of a CSV file of three columns by Python's own reader; None where it finds something wrong."""
    try:
        rows = list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error):
        return None
    rows = [row for row in rows if row]
    return rows[1:] if rows and rows[0] == ["id", "name", "note"] and all(len(row) == 3 for row in rows) else None


def damaged(chance: random.Random, content: bytes, other: bytes) -> bytes:
    at = chance.randrange(len(content))
    kind = chance.randrange(6)
    if kind == 0:
        return content[:at]
    if kind == 1:
        return content[:at] + bytes([chance.randrange(256)]) + content[at + 1 :]
    if kind == 2:
        return content + other[at:]
    if kind == 3:
        return content.decode().encode(chance.choice(["utf-16", "latin-1", "cp1252"]), "replace")
    if kind == 4:
        return content[:at] + b'"' + content[at:]
    return content[:at] + content[at + chance.randint(1, 9) :]


def test_of_damaged_files_no_other_rows_are_loaded_than_a_strict_reader_finds(lake: Lake) -> None:
    chance = random.Random(FIRST)  # noqa: S311 - no secret is made of it
    folder = lake.land("first", "").parent
    for n in range(40 * max(len(SEEDS) // 6, 1)):
        whole = []
        for _ in range(2):
            out = io.StringIO(newline="")
            rows = [[str(chance.randint(0, 999)), text(chance), text(chance)] for _ in range(chance.randint(1, 12))]
            csv.writer(out, lineterminator="\n").writerows([["id", "name", "note"], *rows])
            whole.append(out.getvalue().encode())
        (folder / f"{n}.csv").write_bytes(damaged(chance, *whole))
    files = [file for file in folder.iterdir() if file.name != "first"]
    table = a_table()
    hints = {"id": "string", "name": "string", "note": "string"}
    schema = {"columns": hints, "mode": "fail"}

    report = lake.published(lake.batch(table, files, schema=schema))

    by_file: dict[str, list[tuple[str, ...]]] = {}
    for row in read_back(lake, table):
        values = tuple(row[name] or "" for name in hints)
        by_file.setdefault(Path(row["_file_uri"]).name, []).append(values)
    for name, (outcome, _) in outcomes(report).items():
        content = (folder / name).read_bytes()
        strict = strict_reader(content)
        if outcome == "loaded":  # also what was cut in its header, behind a whole name: no record is in it
            assert strict is not None or content.strip() in {b"", b"id", b"id,name"}, name
            assert sorted(by_file.get(name, [])) == sorted(map(tuple, strict or [])), name
    assert {outcome for outcome, _ in outcomes(report).values()} == {"loaded", "quarantined"}
