"""The flow reads files of every format into an Iceberg table, and says of each file how it ended."""

import gzip
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest

from flows.loading.errors import Denied
from schemas.report import Closed
from tests.integration.flow_site import JSON, PARQUET, Lake, a_table, outcomes, reason, uri

pytestmark = pytest.mark.integration

AWKWARD = ("sp ace", "plus+", "per%cent", "per%20cent", "ha#sh", "qu?est", "ü", "[x]", "{a}", "st*ar", "co:lon", "a\\b")


def parquet(lake: Lake, name: str, **columns: object) -> Path:
    path = lake.land(name, b"")
    pd.DataFrame(columns).to_parquet(path)
    return path


def test_a_first_load_makes_the_table_with_hinted_types_partitions_and_our_columns(lake: Lake) -> None:
    table = a_table()
    file = lake.land("orders.csv", "Order_Id,amount,at,day\n1,2.50,2026-11-24T10:00:00Z,2026-11-24\n2,,,\n")
    batch = lake.batch(table, [file], hints={"amount": "decimal(18,2)"}, partition=["days(at)"])

    report = lake.published(batch)

    assert outcomes(report) == {"orders.csv": ("loaded", 2)}
    assert report.snapshot is not None
    assert report.snapshot.committed_at is not None
    assert report.snapshot.committed_at.tzinfo is not None
    assert [(change.op, change.column, change.type) for change in report.schema_changes] == [
        ("create", "Order_Id", "bigint"),
        ("create", "amount", "decimal(18,2)"),
        ("create", "at", "timestamp"),
        ("create", "day", "date"),
    ]
    assert lake.rows(table, "Order_Id", "amount", "day", "_file_uri", "_batch_id", by="Order_Id") == [
        (1, Decimal("2.50"), date(2026, 11, 24), uri(file), batch),
        (2, None, None, uri(file), batch),
    ]
    assert isinstance(lake.rows(table, "_loaded_at")[0][0], datetime)
    assert lake.result(batch, 1) == ("published", report.model_dump(mode="json"))


@pytest.mark.parametrize("format_", [{"csv": {}}, JSON, PARQUET], ids=["csv", "json", "parquet"])
def test_awkward_names_stand_in_the_table_as_in_the_ledger(lake: Lake, format_: Mapping[str, Any]) -> None:
    table, (kind,) = a_table(), format_
    folder = lake.land("first", "").parent / "day=1"
    folder.mkdir()
    files = [folder / f"{name}.{kind}" for name in AWKWARD]
    for number, file in enumerate(files):
        if kind == "csv":
            file.write_text(f"n\n{number}\n")
        elif kind == "json":
            file.write_text(f'{{"n": {number}}}\n')
        else:
            pd.DataFrame({"n": [number]}).to_parquet(file)

    report = lake.published(lake.batch(table, files, format_))

    assert set(outcomes(report).values()) == {("loaded", 1)}
    assert dict(lake.rows(table, "n", "_file_uri")) == {n: uri(file) for n, file in enumerate(files)}
    assert lake.session.table(table).columns == ["n", "_file_uri", "_batch_id", "_loaded_at"]


def test_columns_go_by_name_not_by_position_nor_case(lake: Lake) -> None:
    table = a_table()
    files = [
        lake.land("1.csv", "a,b\n1,one\n"),
        lake.land("2.csv", "\ufeffB,A\ntwo,2\n"),
        lake.land("3.csv", "a\n3\n"),
        lake.land("lines.csv", 'a,b\n4,"fo\nur"\n5,"say ""five"""\n'),
        lake.land("tab.csv.gz", gzip.compress(b"a,b\n6,six\n")),
        lake.land("header.csv", "b,a\n"),
        lake.land("empty.csv", ""),
    ]

    report = lake.published(lake.batch(table, files))

    assert {name: rows for name, (_, rows) in outcomes(report).items()} == {
        "1.csv": 1, "2.csv": 1, "3.csv": 1, "lines.csv": 2, "tab.csv.gz": 1, "header.csv": 0, "empty.csv": 0,
    }  # fmt: skip
    assert lake.rows(table, "a", "b", by="a") == [
        (1, "one"), (2, "two"), (3, None), (4, "fo\nur"), (5, 'say "five"'), (6, "six"),
    ]  # fmt: skip


def test_json_keeps_nested_values_and_fills_what_a_record_lacks(lake: Lake) -> None:
    table = a_table()
    first = lake.land("1.json", '{"id": 1, "who": {"name": "a"}, "tags": ["x"]}\n{"id": 2}\n')
    lake.published(lake.batch(table, [first], JSON, hints={"id": "int"}))
    second = lake.land("2.json", '{"ID": 3, "tags": []}\n')

    report = lake.published(lake.batch(table, [second, lake.land("none.json", "")], JSON))

    assert outcomes(report) == {"2.json": ("loaded", 1), "none.json": ("loaded", 0)}
    assert lake.rows(table, "id", "who.name", "tags", by="id") == [
        (1, "a", ["x"]), (2, None, None), (3, None, []),
    ]  # fmt: skip


def test_what_is_wrong_with_one_file_does_not_hold_up_the_others(lake: Lake) -> None:
    table = a_table()
    whole = gzip.compress(b"a,b\n" + b"".join(b"%d,x%d\n" % (n, n * 7919) for n in range(50_000)))
    files = [
        lake.land("good.csv", "a,b\n1,one\n"),
        lake.land("cut.csv.gz", whole[: len(whole) // 2]),
        lake.land("zero.csv.gz", b""),
        lake.land("plain.csv.gz", "a,b\n1,2\n"),
        lake.land("twice.csv", "a,A\n1,2\n"),
        lake.land("wide.csv", "a,b\n1,2,3\n"),
        lake.land("_hidden.csv", "a,b\n1,2\n"),
    ]

    report = lake.published(lake.batch(table, files, hints={"a": "bigint", "b": "string"}))

    assert outcomes(report)["good.csv"] == ("loaded", 1)
    assert {outcome for name, (outcome, _) in outcomes(report).items() if name != "good.csv"} == {"quarantined"}
    assert "truncated gzip" in reason(report, "cut.csv.gz")
    assert "0 bytes" in reason(report, "zero.csv.gz")
    assert "not a gz file" in reason(report, "plain.csv.gz")
    assert "'a' twice" in reason(report, "twice.csv")
    assert "1,2,3" in reason(report, "wide.csv")
    assert "rename" in reason(report, "_hidden.csv")
    assert lake.rows(table, "a") == [(1,)]


def test_json_of_nothing_but_broken_lines_is_quarantined_before_there_is_a_table(lake: Lake) -> None:
    table = a_table()
    files = [lake.land("broken.json", '{"a": \n{"b"\n'), lake.land("empty.json", "")]

    report = lake.published(lake.batch(table, files, JSON))

    assert outcomes(report) == {"broken.json": ("quarantined", 0), "empty.json": ("loaded", 0)}
    assert not lake.session.catalog.tableExists(table)


def test_a_cut_parquet_file_is_quarantined_and_a_narrower_type_widened(lake: Lake) -> None:
    table = a_table()
    good = parquet(lake, "good.parquet", a=[1, 2], b=["x", "y"])
    cut = lake.land("cut.parquet", good.read_bytes()[:-20])
    files = [good, cut, lake.land("zero.parquet", b"")]

    report = lake.published(lake.batch(table, files, PARQUET))
    small = parquet(lake, "small.parquet", a=pd.Series([3], dtype="int32"))
    lake.published(lake.batch(table, [small], PARQUET))

    assert outcomes(report)["good.parquet"] == ("loaded", 2)
    assert "cut off" in reason(report, "cut.parquet")
    assert outcomes(report)["zero.parquet"][0] == "quarantined"
    assert lake.rows(table, "a", "b", by="a") == [(1, "x"), (2, "y"), (3, None)]


def test_files_that_changed_since_they_were_recorded_are_not_loaded(lake: Lake) -> None:
    table = a_table()
    files = [lake.land(f"{name}.csv", "a\n1\n") for name in ("stays", "goes", "changes", "late")]
    _, goes, changes, late = files
    batch = lake.batch(table, files)
    goes.unlink()
    changes.write_text("a\n1\n2\n")

    def change_another(step: str) -> None:
        if step == "stage" and late.read_text() == "a\n1\n":
            late.write_text("a\n5\n6\n")

    report = lake.published(batch, watch=change_another)

    assert outcomes(report) == {
        "stays.csv": ("loaded", 1), "goes.csv": ("missing", 0), "changes.csv": ("superseded", 0),
        "late.csv": ("superseded", 0),
    }  # fmt: skip
    assert lake.rows(table, "a") == [(1,)]


def test_a_batch_with_nothing_to_load_is_published_without_a_snapshot(lake: Lake) -> None:
    table = a_table()
    file = lake.land("gone.csv", "a\n1\n")
    batch = lake.batch(table, [file, lake.land("bad.csv.gz", b"")])
    file.unlink()

    report = lake.published(batch)

    assert outcomes(report) == {"gone.csv": ("missing", 0), "bad.csv.gz": ("quarantined", 0)}
    assert report.snapshot is None
    assert not lake.session.catalog.tableExists(table)


@pytest.mark.parametrize(
    ("name", "content", "format_"),
    [
        ("more.csv", "a,coupon\n1,x\n", {"csv": {}}),
        ("more.json", '{"a": 1}\n{"a": 2, "coupon": "x"}\n', JSON),
    ],
)
def test_a_column_that_the_table_lacks_is_added_or_sets_its_file_aside(
    lake: Lake, name: str, content: str, format_: Mapping[str, Any]
) -> None:
    table = a_table()
    lake.session.sql("CREATE NAMESPACE IF NOT EXISTS lake.flows").collect()
    lake.session.sql(f"CREATE TABLE {table} (a bigint) USING iceberg").collect()
    file = lake.land(name, content)

    failed = lake.published(lake.batch(table, [file], format_, schema={"mode": "fail"}))
    added = lake.published(lake.batch(table, [file], format_))

    assert outcomes(failed) == {name: ("quarantined", 0)}
    assert "'coupon' is not in the table" in reason(failed, name)
    assert [(one.op, one.column, one.type) for one in added.schema_changes] == [("add", "coupon", "string")]
    assert lake.rows(table, "a", "coupon", by="a")[-1][1] == "x"


@pytest.mark.parametrize("table", ["lake.flows.view", "lake"])
def test_a_table_that_cannot_be_written_is_named_with_what_to_do(lake: Lake, table: str) -> None:
    lake.session.sql("CREATE NAMESPACE IF NOT EXISTS lake.flows").collect()
    lake.session.sql("CREATE VIEW IF NOT EXISTS lake.flows.view AS SELECT 1 AS a").collect()
    batch = lake.batch(table, [lake.land("a.csv", "a\n1\n")])

    ended = lake.load(batch)

    assert isinstance(ended, Closed)
    assert ended.cause == "wrong-data"
    assert table in ended.reason


def test_a_catalog_that_spark_does_not_know_is_waited_for_and_holds_up_no_close(lake: Lake) -> None:
    batch = lake.batch("nowhere.sales.orders", [lake.land("a.csv", "a\n1\n")])

    with pytest.raises(Denied, match=r"set spark\.sql\.catalog\.nowhere") as told:
        lake.load(batch)

    assert told.value.target == "catalog"
    assert lake.attempt_of(batch, 1)[0] == "infrastructure"
    lake.execute("UPDATE batch SET closing = 'given up' WHERE id = %s", (batch,))
    lake.attempt(batch, 2, "close")
    assert isinstance(lake.load(batch, 2), Closed)


def test_a_table_made_by_others_gets_our_columns_and_staged_writes(lake: Lake) -> None:
    table = a_table()
    lake.session.sql("CREATE NAMESPACE IF NOT EXISTS lake.flows").collect()
    lake.session.sql(f"CREATE TABLE {table} (a bigint, b string) USING iceberg").collect()
    lake.session.range(1).selectExpr("id AS a", "'theirs' AS b").writeTo(table).append()

    report = lake.published(lake.batch(table, [lake.land("a.csv", "a\n1\n")]))

    assert [change.column for change in report.schema_changes] == ["_file_uri", "_batch_id", "_loaded_at"]
    assert lake.rows(table, "a", "b", by="a") == [(0, "theirs"), (1, None)]
