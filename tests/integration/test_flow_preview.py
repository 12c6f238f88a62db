"""A preview shows the first rows of a file as a load would read them, or says why it cannot; nothing is loaded."""

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest

from flows.loading.errors import Infrastructure, NotWanted
from schemas.report import Preview
from tests.integration.flow_site import CSV, JSON, PARQUET, Lake, a_table

pytestmark = pytest.mark.integration

GZ_OF_MANY = gzip.compress(b"a,b\n" + b"".join(b"%d,x%d\n" % (n, n * 7919) for n in range(50_000)))


def parquet(lake: Lake, columns: Mapping[str, object]) -> Path:
    path = lake.land("a.parquet", b"")
    pd.DataFrame(columns).to_parquet(path)
    return path


def types(preview: Preview) -> list[tuple[str, str]]:
    return [(column.name, column.type) for column in preview.columns]


def test_csv_is_shown_with_the_types_a_table_would_get(lake: Lake) -> None:
    file = lake.land("a.csv", 'Id,amount,at,"no,te"\n1,2.50,2026-11-24,"two\nlines"\nNA,,NA,x\n')
    batch = lake.preview(file, {"csv": {"null_value": "NA"}}, hints={"amount": "decimal(18,2)"})

    preview = lake.previewed(batch)

    assert types(preview) == [("Id", "bigint"), ("amount", "decimal(18,2)"), ("at", "date"), ("no,te", "string")]
    assert preview.rows == (("1", "2.50", "2026-11-24", "two\nlines"), (None, None, None, "x"))
    assert not preview.truncated
    assert lake.result(batch, 1) == ("previewed", preview.model_dump(mode="json"))


def test_json_is_shown_with_its_nested_values_as_json(lake: Lake) -> None:
    file = lake.land("a.json", '{"id": 1, "who": {"name": "a"}, "tags": ["x"]}\n{"id": 2, "on": true}\n')

    preview = lake.previewed(lake.preview(file, JSON, hints={"ID": "int"}))

    assert types(preview) == [
        ("id", "int"), ("who", "struct<`name`: string>"), ("tags", "array<string>"), ("on", "boolean"),
    ]  # fmt: skip
    assert preview.rows == (("1", '{"name":"a"}', '["x"]', None), ("2", None, None, "true"))


def test_parquet_is_shown_whatever_bytes_it_holds(lake: Lake) -> None:
    file = parquet(lake, {"a`b": [1.5, None], "raw": [b"\x00\xff", b""], "text": ["a\0b", "ü"]})

    preview = lake.previewed(lake.preview(file, PARQUET))

    assert types(preview) == [("a`b", "double"), ("raw", "binary"), ("text", "string")]
    assert preview.rows == (("1.5", "00FF", "a\ufffdb"), (None, "", "ü"))


@pytest.mark.parametrize("format_", [CSV, JSON, PARQUET], ids=["csv", "json", "parquet"])
def test_only_the_first_rows_are_shown(lake: Lake, format_: Mapping[str, Any]) -> None:
    frame = pd.DataFrame({"n": range(1000)})
    if format_ == CSV:
        file = lake.land("a.csv", frame.to_csv(index=False))
    elif format_ == JSON:
        file = lake.land("a.json", frame.to_json(orient="records", lines=True))
    else:
        file = parquet(lake, {"n": range(1000)})

    preview = lake.previewed(lake.preview(file, format_, rows=3))

    assert preview.rows == (("0",), ("1",), ("2",))
    assert preview.truncated
    assert not lake.previewed(lake.preview(file, format_, rows=1000)).truncated


def test_of_a_big_file_the_beginning_is_shown_and_the_rest_is_not_read(lake: Lake) -> None:
    line, last = "{},2026-11-24,x{},", "not read, so not seen to be bad\n"
    text = "n,at,text,note\n" + "".join(line.format(n, n) + '"two\nlines"\n' for n in range(2_200_000)) + last
    files = [
        (lake.land("a.csv", text), CSV),
        (lake.land("a.csv.gz", gzip.compress(text.encode(), 0)), CSV),
        (lake.land("a.json", '{"n": 5, "text": "xxxxxxxxxxxxxxxxxxxx"}\n' * 1_900_000 + last), JSON),
        (parquet(lake, {"n": np.random.default_rng(7).random(9_000_000)}), PARQUET),
    ]

    previews = [lake.previewed(lake.preview(file, format_, rows=3)) for file, format_ in files]

    assert [one.estimated for one in previews] == [True] * 4, previews
    assert [len(one.rows) for one in previews] == [3] * 4
    assert previews[0].rows[2] == ("2", "2026-11-24", "x2", "two\nlines")
    assert [one.rows_bad for one in previews] == [0] * 4
    numbers = [one.records or 0 for one in previews]
    assert numbers[0] == pytest.approx(2_200_000, rel=0.1)
    assert numbers[1] == pytest.approx(2_200_000, rel=0.1)
    assert numbers[2:] == [pytest.approx(1_900_000, rel=0.1), 9_000_000]


def test_long_values_many_columns_and_large_rows_are_cut(lake: Lake) -> None:
    long = lake.land("long.csv", f"a\n{'ü' * 200}\n{'ü' * 201}\n")
    wide = lake.land("wide.csv", ",".join(f"c{n}" for n in range(101)) + "\n" + ",".join("1" * 101) + "\n")
    large = parquet(lake, {f"c{n}": ["x" * 200] * 100 for n in range(100)})

    of_long, of_wide = lake.previewed(lake.preview(long)), lake.previewed(lake.preview(wide))
    of_large = lake.previewed(lake.preview(large, PARQUET, rows=100))

    assert [len(row[0] or "") for row in of_long.rows] == [200, 200]
    assert len(of_wide.columns) == len(of_wide.rows[0]) == 100
    assert 0 < len(of_large.rows) < 100
    assert of_long.truncated
    assert of_wide.truncated
    assert of_large.truncated
    assert len(of_large.model_dump_json()) < 1_000_000


def test_a_file_without_rows_shows_nothing(lake: Lake) -> None:
    files = [lake.land("empty.csv", ""), lake.land("header.csv", "a,b\n")]

    assert [lake.previewed(lake.preview(file)) for file in files] == [Preview(), Preview()]


@pytest.mark.parametrize(
    ("name", "content", "format_", "reason"),
    [
        ("cut.csv.gz", GZ_OF_MANY[: len(GZ_OF_MANY) // 2], CSV, "truncated gzip"),
        ("cut.json.gz", gzip.compress(b'{"a": 1}\n' * 50_000)[:-500], JSON, "truncated gzip"),
        ("zero.csv.gz", b"", CSV, "0 bytes"),
        ("twice.csv", b"a,A\n1,2\n", CSV, "'a' twice"),
        ("wide.csv", b"a,b\n1,2,3\n", CSV, "1,2,3"),
        ("broken.json", b'{"a": \n{"b"\n', JSON, "2 of 2 records cannot be loaded"),
        ("a.parquet", b"PAR1 and no more", PARQUET, "cut off"),
        ("ours.json", b'{"_batch_id": 1}\n', JSON, "a column of ours"),
        ("a.csv.zip", b"PK", CSV, "not supported"),
        ("_hidden.csv", b"a\n1\n", CSV, "rename"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_the_reason(
    lake: Lake, name: str, content: bytes, format_: Mapping[str, Any], reason: str
) -> None:
    batch = lake.preview(lake.land(name, content), format_)

    preview = lake.previewed(batch)

    assert reason in (preview.refused or "")
    assert preview == Preview(refused=preview.refused)
    assert lake.result(batch, 1) == ("previewed", preview.model_dump(mode="json"))
    assert lake.attempt_of(batch, 1) == (None, None)


def test_a_hint_that_is_no_type_is_refused(lake: Lake) -> None:
    preview = lake.previewed(lake.preview(lake.land("a.csv", "a\n1\n"), hints={"a": "integre"}))

    assert "schema.hints.a" in (preview.refused or "")


def test_a_file_that_is_gone_or_another_by_now_is_refused(lake: Lake) -> None:
    gone, other, late = (lake.land(f"{name}.csv", "a\n1\n") for name in ("gone", "other", "late"))
    batches = [lake.preview(file) for file in (gone, other, late)]
    gone.unlink()
    other.write_text("a\n1\n2\n")

    def change(step: str) -> None:
        if step == "read":
            late.write_text("a\n5\n6\n")

    previews = [lake.previewed(batch, watch=change) for batch in batches]

    assert [preview.refused for preview in previews] == [
        "it is not there any more", "it has changed since it was asked for", "it has changed since it was asked for",
    ]  # fmt: skip


def test_the_table_is_shown_as_it_would_become_and_is_not_written(lake: Lake) -> None:
    table = a_table()
    lake.published(lake.batch(table, [lake.land("a.csv", "a\n1\n")]))
    other = lake.land("b.csv", "b\nx\n")

    preview = lake.previewed(lake.preview(other, table=table))

    assert types(preview) == [("a", "bigint"), ("b", "string")]
    assert preview.rows == ((None, "x"),)
    assert [(one.op, one.column, one.type) for one in preview.schema_changes] == [("add", "b", "string")]
    assert lake.rows(table, "a") == [(1,)]
    assert len(lake.rows(f"{table}.snapshots", "snapshot_id")) == 1
    lake.previewed(lake.preview(other, table="nowhere.sales.orders"))


def test_a_preview_that_another_run_has_is_not_wanted(lake: Lake) -> None:
    batch, run_id = lake.preview(lake.land("a.csv", "a\n1\n")), str(uuid4())
    lake.ledger.claim(batch, 1, run_id)

    assert lake.load(batch) == "not wanted"
    assert lake.result(batch, 1) is None
    lake.attempt(batch, 2, "preview", lane="priority")
    assert isinstance(lake.load(batch, 2, run_id=run_id), Preview)
    assert lake.load(batch, 2, run_id=run_id) == "not wanted"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE attempt SET ended = now(), outcome = 'void' WHERE batch_id = %s",
        "UPDATE batch SET ended = now(), outcome = 'failed' WHERE id = %s",
    ],
)
def test_a_preview_that_ended_meanwhile_is_not_written(lake: Lake, statement: str) -> None:
    batch = lake.preview(lake.land("a.csv", "a\n1\n"))

    def meanwhile(step: str) -> None:
        if step == "read":
            lake.execute(statement, (batch,))

    with pytest.raises(NotWanted):
        lake.load(batch, watch=meanwhile)

    assert lake.result(batch, 1) is None
    assert lake.attempt_of(batch, 1) == (None, None)


def test_writing_it_again_changes_nothing(lake: Lake) -> None:
    batch = lake.preview(lake.land("a.csv", "a\n1\n"))
    claimed = lake.ledger.claim(batch, 1, str(uuid4()))
    assert claimed is not None

    lake.ledger.previewed(claimed, Preview(refused="first"))
    lake.ledger.previewed(claimed, Preview(refused="second"))

    assert lake.result(batch, 1) == ("previewed", Preview(refused="first").model_dump(mode="json"))


def test_a_server_that_is_away_is_infrastructure_and_no_preview(lake: Lake) -> None:
    batch = lake.preview(lake.land("a.csv", "a\n1\n"))
    away = Lake({**lake.settings, "SPARK_CONNECT_URL": "sc://127.0.0.1:9"}, lake.folder, lake.session)

    with pytest.raises(Infrastructure):
        away.load(batch)

    assert lake.attempt_of(batch, 1)[0] == "infrastructure"
    assert lake.result(batch, 1) is None
