"""Typed values of parquet, and files of many columns or many orders of them."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame

from flows.loading.reading.parts import with_uri
from flows.loading.reading.types import MAX_DEPTH
from tests.integration.flow_site import PARQUET, Lake, a_table, outcomes, reason
from tests.integration.test_flow_cases import CASES, land_case
from tests.integration.test_flow_values import types

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("kind", ["nanos", "uuid", "null", "time", "sealed"])
def test_20_a_parquet_type_that_spark_does_not_read_fails_no_neighbour(lake: Lake, kind: str) -> None:
    (case,), table = CASES.glob("20-*"), a_table()
    files = [lake.land(path.name, path.read_bytes()) for path in sorted((case / kind).iterdir())]

    report = lake.published(lake.batch(table, files, PARQUET))

    assert outcomes(report)["good.parquet"] == ("loaded", 2)
    odd = f"{kind}.parquet"
    if kind in {"nanos", "sealed"}:
        assert outcomes(report)[odd] == ("quarantined", 0)
        assert "encrypted" in reason(report, odd) or "timestamp_ntz" in reason(report, odd)
    else:
        assert outcomes(report)[odd] == ("loaded", 2)
        texts = {"uuid": "30313233-3435-3637-3839-616263646566", "time": "10:30:00", "null": None}
        assert lake.rows(table, "x", by="id")[2] == (texts[kind],)


def nested(levels: int) -> tuple[pa.DataType, Any, tuple[Any, ...]]:
    """A struct of structs: its type, a value, and the row that is to come of it."""
    kind: pa.DataType = pa.int64()
    value: Any = 1
    row: Any = 1
    for _ in range(levels):
        kind, value, row = pa.struct([("a", kind)]), {"a": value}, (row,)
    return kind, value, row


DEEP, DEEPER = nested(MAX_DEPTH - 1), nested(MAX_DEPTH)
ODD: dict[str, tuple[pa.DataType, list[Any], list[Any] | str]] = {
    "nanos": (pa.timestamp("ns"), [datetime(1965, 5, 5, 5, 5, 5, 5)], [datetime(1965, 5, 5, 5, 5, 5, 5)]),  # noqa: DTZ001 - a clock's time
    "unsigned": (pa.uint32(), [2**32 - 1], [2**32 - 1]),
    "byte": (pa.uint8(), [255], [255]),
    "seen_text": (pa.string_view(), ["ü"], ["ü"]),
    "seen_bytes": (pa.binary_view(), [b"ab"], [bytearray(b"ab")]),
    "long_list": (pa.large_list(pa.int8()), [[1, 2]], [[1, 2]]),
    "long_text": (pa.large_string(), ["ü"], ["ü"]),
    "words": (pa.dictionary(pa.int8(), pa.string()), ["a"], ["a"]),
    "millis": (pa.time32("ms"), [1], ["00:00:00.001"]),
    "ticks": (pa.time64("ns"), [10_500_000_000], ["00:00:10.5"]),
    "half": (pa.float16(), [0.5], "halffloat"),
    "wide": (pa.decimal256(40, 2), [Decimal("1.50")], "more than 38 digits"),
    "lasting": (pa.duration("us"), [7], [7]),
    "fixed": (pa.binary(3), [b"abc"], [bytearray(b"abc")]),
    "deep": (DEEP[0], [DEEP[1]], [DEEP[2]]),
    "deeper": (DEEPER[0], [DEEPER[1]], "more than 30 types are in one another"),
    "pairs": (pa.map_(pa.string(), pa.uint64()), [[("a", 2**64 - 1)]], [{"a": Decimal(2**64 - 1)}]),
}


@pytest.mark.parametrize("name", ODD)
def test_other_types_of_parquet_are_read_exactly_or_named(lake: Lake, name: str) -> None:
    (kind, values, wanted), table = ODD[name], a_table()
    file: Path = lake.land("odd.parquet", b"")
    pq.write_table(pa.table({"x": pa.array(values, kind)}), file)

    report = lake.published(lake.batch(table, [file], PARQUET))

    if isinstance(wanted, str):
        assert outcomes(report) == {"odd.parquet": ("quarantined", 0)}
        assert wanted in reason(report, "odd.parquet")
    else:
        assert lake.rows(table, "x") == [(one,) for one in wanted]


def test_21_and_28_parquet_that_should_just_work_does(lake: Lake) -> None:
    structs, plain = a_table(), a_table()
    first, second = land_case(lake, "21")

    lake.published(lake.batch(structs, [first], PARQUET))
    lake.published(lake.batch(structs, [second], PARQUET))
    report = lake.published(lake.batch(plain, land_case(lake, "28"), PARQUET))

    assert lake.rows(structs, "who.name", "who.email", by="id") == [("a", "a@x"), ("b", None)]
    assert {name: rows for name, (_, rows) in outcomes(report).items()} == {
        "plain.parquet": 2, "int96.parquet": 2, "zero-rows.parquet": 0, "other-order-zstd.parquet": 2,
        "column-missing.parquet": 1, "empty-groups.parquet": 2,
    }  # fmt: skip


def test_two_hundred_files_with_other_orders_of_columns_are_read_by_name(lake: Lake) -> None:
    table, names = a_table(), [f"c{n}" for n in range(8)]
    folder = lake.land("first", "").parent
    files = []
    for n in range(200):
        order = names[n % 8 :] + names[: n % 8] if n % 2 else [*reversed(names[n % 7 :]), *names[: n % 7]]
        files.append(folder / f"{n}.csv")
        files[-1].write_text(f"n,{','.join(order)}\n{n},{','.join(f'{name} of {n}' for name in order)}\n")

    report = lake.published(lake.batch(table, files))

    assert set(outcomes(report).values()) == {("loaded", 1)}
    assert lake.rows(table, *names, by="n") == [tuple(f"{name} of {n}" for name in names) for n in range(200)]


def test_parquet_files_that_lack_columns_or_have_others_are_read_together(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, names, folder = a_table(), [f"c{n}" for n in range(5)], lake.land("first", "").parent
    of = {n: [name for at, name in enumerate(names) if n >> at & 1] for n in range(32)}
    files = [folder / f"{n}.parquet" for n in of]
    for n, file in enumerate(files):
        there = {"n": pa.array([n])} | {name: pa.array([f"{name} of {n}"]) for name in of[n]}
        pq.write_table(pa.table(dict(reversed(there.items())) if n % 2 else there), file)
    files.append(folder / "other.parquet")
    pq.write_table(pa.table({"n": pa.array([32]), "C0": pa.array(["c0 of 32"])}), files[-1])
    read: list[int] = []

    def counted(frame: DataFrame, uris: Iterable[str]) -> DataFrame:
        read.append(len(list(uris)))
        return with_uri(frame, uris)

    monkeypatch.setattr("flows.loading.reading.parquet_files.with_uri", counted)
    report = lake.published(lake.batch(table, files, PARQUET))

    assert set(outcomes(report).values()) == {("loaded", 1)}
    assert set(read) == {32, 1}
    expected = [tuple(f"{name} of {n}" if name in of[n] else None for name in names) for n in of]
    assert lake.rows(table, *names, by="n") == [*expected, ("c0 of 32", None, None, None, None)]


def test_a_thousand_columns_are_one_load(lake: Lake) -> None:
    table, names = a_table(), [f"c{n}" for n in range(1000)]
    lines = [",".join(names), *(",".join(str(n * 1000 + at) for at in range(1000)) for n in range(5))]

    report = lake.published(lake.batch(table, [lake.land("wide.csv", "\n".join(lines))]))

    assert outcomes(report) == {"wide.csv": ("loaded", 5)}
    assert set(types(lake, table).values()) == {"bigint"}
    assert lake.rows(table, "c0", "c999", by="c0")[-1] == (4000, 4999)

    lines[-1] = ",".join("odd" if at == 777 else "1" for at in range(1000))
    bad = lake.published(lake.batch(table, [lake.land("odd.csv", "\n".join(lines))]))

    assert "column 'c777': 'odd' is not a value of bigint" in reason(bad, "odd.csv")
