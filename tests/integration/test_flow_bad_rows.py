"""Bad records are kept beside the table, and bad files set aside by name: their neighbours are loaded."""

import gzip
import json

import pytest

from schemas.report import Closed
from tests.integration.flow_site import CSV, JSON, Lake, a_table, outcomes, reason

pytestmark = pytest.mark.integration

TYPES = {"id": "bigint", "day": "date", "amount": "decimal(10,2)"}
HEADER = "id,day,amount\n"


def rows(first: int, count: int) -> str:
    return "".join(f"{first + n},2026-11-{1 + n % 28:02},{n}.50\n" for n in range(count))


def test_five_files_that_are_bad_in_five_ways_leave_the_other_ninety_five(lake: Lake) -> None:
    folder = lake.land("first", "").parent
    for n in range(95):
        (folder / f"good-{n}.csv").write_text(HEADER + rows(n * 10, 10))
    bad = {
        "cut.csv.gz": (gzip.compress((HEADER + rows(0, 5000)).encode())[:-20], "truncated gzip"),
        "latin.csv": (HEADER.encode() + b"1,2026-11-01,1.00\xe9\n", "not UTF-8"),
        "value.csv": ((HEADER + "1,2026-11-01,1.239\n").encode(), "'1.239' is not a value of decimal(10,2)"),
        "wide.csv": ((HEADER + rows(0, 2) + "3,2026-11-03,1.00,4\n").encode(), "record 3: the record cannot be parsed"),
        "quote.csv": ((HEADER + '1,2026-11-01,"1.00\n' + rows(0, 9)).encode(), "never closed"),
    }
    for name, (content, _) in bad.items():
        (folder / name).write_bytes(content)
    files = [file for file in folder.iterdir() if file.name != "first"]

    report = lake.published(lake.batch(a_table(), files, hints=TYPES))

    assert len(files) == 100
    assert sum(found == ("loaded", 10) for found in outcomes(report).values()) == 95
    for name, (_, words) in bad.items():
        assert outcomes(report)[name] == ("quarantined", 0)
        assert words in reason(report, name)


def test_some_bad_records_are_kept_aside_with_number_reason_and_text(lake: Lake) -> None:
    table = a_table()
    content = HEADER + rows(0, 3) + "x,2026-11-04,1.00\n4,2026-02-30,2.005\n5\n" + rows(6, 2)
    file, worse = lake.land("some.csv", content), lake.land("worse.csv", HEADER + "a,b,c\n" * 9)
    batch = lake.batch(table, [file, worse], hints=TYPES, bad_rows={"max": 3})

    report = lake.published(batch)

    [loaded] = [one for one in report.files if one.uri.endswith("some.csv")]
    assert (loaded.outcome, loaded.rows, loaded.rows_bad) == ("loaded", 5, 3)
    assert outcomes(report)["worse.csv"] == ("quarantined", 0)
    assert "9 of 9 records" in reason(report, "worse.csv")
    kept = lake.rows(f"{table}__quarantine", "record", "reason", "raw", "_batch_id", by="record")
    assert [(number, raw, of) for number, _, raw, of in kept] == [
        (4, "x,2026-11-04,1.00", batch), (5, "4,2026-02-30,2.005", batch), (6, "5", batch),
    ]  # fmt: skip
    assert "'x' is not a value of bigint" in kept[0][1]
    assert "'2026-02-30' is not a value of date; column 'amount': '2.005'" in kept[1][1]


def test_bad_records_are_kept_once_however_often_their_batch_is_tried(lake: Lake) -> None:
    table = a_table()
    file = lake.land("some.json", '{"id": 1}\n{"id": "x"}\n{"id": 2}\n')
    batch = lake.batch(table, [file], JSON, hints={"id": "bigint"}, bad_rows={"max": "50%"})

    lake.published(batch)
    lake.execute("DELETE FROM result WHERE batch_id = %s", (batch,))
    lake.attempt(batch, 2)
    lake.published(batch, 2)

    assert lake.rows(table, "id", by="id") == [(1,), (2,)]
    assert [json.loads(raw) for (raw,) in lake.rows(f"{table}__quarantine", "raw")] == [{"id": "x"}]


def test_a_batch_that_is_closed_keeps_no_bad_records_afterwards(lake: Lake) -> None:
    table, content = a_table(), HEADER + rows(0, 2) + "x,y,z\n"
    lake.published(lake.batch(table, [lake.land("1.csv", content)], hints=TYPES, bad_rows={"max": 1}))
    batch = lake.batch(table, [lake.land("2.csv", content)], hints=TYPES, bad_rows={"max": 1})
    lake.execute("UPDATE batch SET closing = 'given up' WHERE id = %s", (batch,))
    lake.attempt(batch, 2, "close")

    assert isinstance(lake.load(batch, 2), Closed)
    assert len(lake.rows(f"{table}__quarantine", "raw")) == 1
    assert (batch,) in lake.rows(f"{table}__quarantine.snapshots", "summary['wap.id']")


def test_what_has_no_place_in_the_table_is_rescued(lake: Lake) -> None:
    table = a_table()
    schema = {"columns": {"id": "bigint", "amount": "decimal(10,2)"}, "mode": "rescue"}
    file = lake.land("a.csv", "id,amount,coupon\n1,1.50,\n2,2.005,x\n3,much,\n")
    lines = lake.land("a.json", '{"id": 4, "amount": 1.5, "who": {"name": "a"}}\n{"id": 5, "amount": "much"}\n')

    lake.published(lake.batch(table, [file], CSV, schema=schema))
    lake.published(lake.batch(table, [lines], JSON, schema=schema))

    found = lake.rows(table, "id", "CAST(amount AS STRING)", "_rescued", by="id")
    assert [(number, amount, json.loads(text or "{}")) for number, amount, text in found] == [
        (1, "1.50", {}),
        (2, None, {"coupon": "x", "amount": "2.005"}),
        (3, None, {"amount": "much"}),
        (4, "1.50", {"who": '{"name": "a"}'}),
        (5, None, {"amount": "much"}),
    ]


@pytest.mark.parametrize("files", [2, 20], ids=["each order alone", "all orders together"])
def test_what_is_rescued_has_the_name_that_its_own_file_gives_it(lake: Lake, files: int) -> None:
    table, schema = a_table(), {"columns": {"id": "bigint"}, "mode": "rescue"}
    landed = [lake.land(f"{n}.csv", f"id,other{n}\n{n},x{n}\n") for n in range(files)]

    lake.published(lake.batch(table, landed, CSV, schema=schema))

    found = {number: json.loads(text) for number, text in lake.rows(table, "id", "_rescued")}
    assert found == {n: {f"other{n}": f"x{n}"} for n in range(files)}


def test_a_fixed_table_leaves_out_what_it_does_not_know(lake: Lake) -> None:
    table = a_table()
    schema = {"columns": {"id": "bigint"}, "mode": "fixed"}

    report = lake.published(lake.batch(table, [lake.land("a.csv", "id,coupon\n1,x\n")], schema=schema))

    assert outcomes(report) == {"a.csv": ("loaded", 1)}
    assert lake.session.table(table).columns == ["id", "_file_uri", "_batch_id", "_loaded_at"]


def test_a_column_that_must_have_a_value_refuses_records_without(lake: Lake) -> None:
    table = a_table()
    lake.session.sql("CREATE NAMESPACE IF NOT EXISTS lake.flows").collect()
    lake.session.sql(f"CREATE TABLE {table} (id bigint NOT NULL, note string) USING iceberg").collect()
    file = lake.land("a.csv", "id,note\n1,a\n,b\n")

    report = lake.published(lake.batch(table, [file], bad_rows={"max": 1}))

    assert outcomes(report) == {"a.csv": ("loaded", 1)}
    assert "has no value, and must have one" in reason(report, "a.csv")


def test_a_fraction_in_json_is_loaded_digit_by_digit(lake: Lake) -> None:
    table, record = a_table(), '{"é": "ü", "d": 0.12345678901234567891, "s": 1.10}'
    files = [lake.land("lines.json", f"{record}\n"), lake.land("document.json", f"[\n{record}\n]\n")]

    lake.published(lake.batch(table, files, JSON, schema={"columns": {"d": "decimal(38,20)", "s": "string"}}))

    found = lake.session.table(table).selectExpr("CAST(d AS string)", "s").collect()
    assert [tuple(row) for row in found] == [("0.12345678901234567891", "1.10")] * 2
