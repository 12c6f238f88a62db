"""Small inputs that real producers deliver (`tests/cases`): nothing is judged by its first bytes, or by its name."""

import bz2
import gzip
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from uuid import uuid4

import pandas as pd  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import LongType, StructField

from flows.loading.reading import looks
from flows.loading.reading.json_blocks import Batch
from flows.loading.writing import tables
from schemas.formats import Format
from schemas.manifest import ManifestFile
from schemas.report import Report, SchemaChange
from storage import Storage
from tests.integration.flow_site import CSV, JSON, PARQUET, PROJECT, Lake, a_table, outcomes, reason

pytestmark = pytest.mark.integration

CASES = PROJECT / "tests" / "cases"
FIELDS = [StructField("a", LongType())]


def land_case(lake: Lake, case: str, *names: str) -> list[Path]:
    """The files of this case in a folder of their own, all of them when none is named."""
    folder = lake.land("first", "").parent
    (found,) = CASES.glob(f"{case}-*")
    files = [folder / name for name in names or sorted(path.name for path in found.iterdir() if path.is_file())]
    for file in files:
        file.write_bytes((found / file.name).read_bytes())
    return files


def test_01_a_name_that_spark_cannot_read_is_set_aside_by_name_and_its_neighbours_are_loaded(lake: Lake) -> None:
    files = [*land_case(lake, "01"), lake.land("at 10:30.csv", "n,t\n2,x\n")]
    files.append(lake.land("only [brackets].csv", "n,t\n3,x\n"))

    report = lake.published(lake.batch(a_table(), files))

    assert {name for name, found in outcomes(report).items() if found == ("loaded", 1)} == {
        "plain.csv", "at 10:30.csv", "only [brackets].csv",
    }  # fmt: skip
    for name in ("co:lon{v2}.csv", "export [2026-11-24 10:30:00].csv"):
        assert outcomes(report)[name] == ("quarantined", 0)
        assert "a colon beside one of" in reason(report, name)


def test_04_a_character_cut_by_a_window_is_no_fault_of_the_file(lake: Lake) -> None:
    table = a_table()

    report = lake.published(lake.batch(table, land_case(lake, "04")))

    (packed, packed_rows), (plain, plain_rows) = outcomes(report)["packed-small.csv.gz"], outcomes(report)["plain.csv"]
    assert (packed, plain, plain_rows) == ("loaded", "loaded", 820)
    with gzip.open(CASES / "04-gz-utf8-at-window-end" / "packed-small.csv.gz", "rt", encoding="utf-8") as file:
        expected = sorted(line.rstrip("\n") for line in list(file)[1:])
    assert packed_rows == len(expected)
    columns = [f"`{name}`" for name in lake.session.table(table).columns if not name.startswith("_")]
    in_table = lake.session.table(table).where("_file_uri LIKE '%packed-small.csv.gz'")
    assert sorted(row[0] for row in in_table.selectExpr(f"concat_ws(',', {', '.join(columns)})").collect()) == expected


def test_05_a_header_may_be_a_gzip_member_of_its_own(lake: Lake) -> None:
    report = lake.published(lake.batch(a_table(), land_case(lake, "05")))

    assert {name.partition(".")[0]: found for name, found in outcomes(report).items()} == {
        "members-big": ("loaded", 6000), "members-small": ("loaded", 2), "blocks": ("loaded", 6000),
    }  # fmt: skip


def test_10_a_line_break_in_a_value_is_seen_wherever_it_stands(lake: Lake) -> None:
    notes, mails = a_table(), a_table()

    of_notes = lake.published(lake.batch(notes, land_case(lake, "10", "notes.csv")))
    of_mails = lake.published(lake.batch(mails, land_case(lake, "10", "mails.csv")))

    assert outcomes(of_notes) == {"notes.csv": ("loaded", 3001)}
    assert lake.rows(notes, "count(DISTINCT id)", "min(id)", "max(id)", "typeof(max(id))") == [
        (3001, 1, 3001, "bigint")
    ]
    assert lake.rows(notes, "max_by(comment, id)") == [("first line\nsecond line",)]
    assert outcomes(of_mails) == {"mails.csv": ("loaded", 3001)}
    assert lake.session.table(mails).where("mail = 'Hello,\nBest regards, Bob'").count() == 1


def test_11_mixed_line_ends_are_right_or_refused_where_values_hold_line_breaks(lake: Lake) -> None:
    table = a_table()

    report = lake.published(lake.batch(table, land_case(lake, "11")))

    assert {name[0]: outcome for name, (outcome, _) in outcomes(report).items()} == {
        "1": "loaded", "2": "quarantined", "3": "quarantined", "4": "loaded",
    }  # fmt: skip
    assert "its lines end in CRLF and LF" in reason(report, "2-header-lf-body-crlf.csv")
    assert lake.rows(table, "count_if(code LIKE '%\r')") == [(0,)]


def test_12_text_that_is_not_utf_8_is_refused_wherever_that_shows(lake: Lake) -> None:
    latin = land_case(lake, "12", "small-latin1.csv", "big-latin1.csv", "late-latin1.csv")
    unicode = land_case(lake, "12", "excel-unicode.csv", "excel-unicode-small.csv")

    reports = [lake.published(lake.batch(a_table(), files)) for files in (latin, unicode)]

    assert {outcome for report in reports for outcome, _ in outcomes(report).values()} == {"quarantined"}
    assert all("not UTF-8" in (file.reason or "") for report in reports for file in report.files)
    assert "at byte" in reason(reports[0], "late-latin1.csv")
    assert "UTF-16" in reason(reports[1], "excel-unicode.csv")


def test_17_json_of_many_shapes_is_right_or_refused_with_what_is_wanted(lake: Lake) -> None:
    table = a_table()

    report = lake.published(lake.batch(table, land_case(lake, "17"), JSON))

    assert {name: found for name, found in outcomes(report).items() if found[0] == "loaded"} == {
        "bom.json": ("loaded", 1), "crlf.json": ("loaded", 2), "blank.json": ("loaded", 2),
        "array.json": ("loaded", 2), "big.json": ("loaded", 3), "pretty.json": ("loaded", 1),
    }  # fmt: skip
    assert outcomes(report)["leading-comma.json"] == ("quarantined", 0)
    assert "JSON lines hold one object in each line" in reason(report, "leading-comma.json")


def test_22_a_size_that_was_told_is_not_believed(lake: Lake) -> None:
    files = [
        (CSV, land_case(lake, "22", "five.csv")),
        (JSON, land_case(lake, "22", "five.json")),
    ]
    for format_, landed in files:
        batch = lake.batch(a_table(), landed, format_)
        lake.execute("UPDATE file SET size = 0 WHERE batch_id = %s", (batch,))

        report = lake.published(batch)

        assert outcomes(report) == {landed[0].name: ("loaded", 5)}


def a_csv_file(chance: random.Random) -> str:
    """A CSV file of two columns, mostly right: quotes, line breaks, blanks and line ends of every kind."""
    end = chance.choice(["\n", "\n", "\r\n", "\r"])
    values = ["a", "", " ", '"x"', '""', f'"x{end}y"', '"say ""5"""', '5"', f'"{end}"', '"a,b"', "ü"]
    lines = [f"{chance.choice(values)},{chance.choice(values)}" for _ in range(chance.randint(0, 6))]
    lines = [chance.choice([line, line, line, "", line]) for line in lines]
    return "h,i" + end + end.join(lines) + chance.choice(["", end, end * 2])


def test_our_look_counts_the_records_that_spark_reads(lake: Lake) -> None:
    chance, folder = random.Random(7), lake.land("first", "").parent  # noqa: S311 - no secret is made of it
    files = [folder / f"{number}.csv" for number in range(300)]
    for file in files:
        file.write_bytes(a_csv_file(chance).encode())

    report = lake.published(lake.batch(a_table(), files, hints={"h": "string", "i": "string"}))

    wrong = [file for file in report.files if file.outcome != "loaded"]
    assert not [file.reason for file in wrong if "records are in the file" in (file.reason or "")]
    assert len(wrong) < len(files) / 10


def test_a_file_of_which_spark_reads_other_rows_than_there_are_is_not_loaded(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as Spark reads rightly it takes a look that lies to see it."""
    table, honest = a_table(), looks.look
    files = [lake.land("right.csv", "a\n1\n2\n"), lake.land("short.csv", "a\n3\n4\n")]

    def lying(file: ManifestFile, place: Storage, format_: Format, batch: Batch) -> looks.Look:
        found = honest(file, place, format_, batch)
        return found if file.uri.endswith("right.csv") else replace(found, records=3)

    monkeypatch.setattr(looks, "look", lying)
    report = lake.published(lake.batch(table, files))

    assert outcomes(report) == {"right.csv": ("loaded", 2), "short.csv": ("quarantined", 0)}
    assert reason(report, "short.csv") == "3 records are in the file, and Spark read 2 rows of it"
    assert lake.rows(table, "a", by="a") == [(1,), (2,)]


def test_compressed_files_of_many_members_are_loaded_whole_and_damaged_ones_not(lake: Lake) -> None:
    rows = [b"%d,x%d\n" % (n, n) for n in range(2000)]
    files = [
        lake.land("many.csv.bz2", b"".join(bz2.compress(part) for part in (b"a,b\n", b"", *rows[:50]))),
        lake.land("upper.csv.GZ", gzip.compress(b"a,b\n" + b"".join(rows))),
        lake.land("rest.csv.gz", gzip.compress(b"a,b\n1,x\n") + b"rest"),
        lake.land("odd.csv.lz4", b"a,b\n1,x\n"),
        lake.land("odd.csv.xz", b"a,b\n1,x\n"),
    ]

    report = lake.published(lake.batch(a_table(), files))

    assert outcomes(report) == {
        "many.csv.bz2": ("loaded", 50), "upper.csv.GZ": ("loaded", 2000),
        "rest.csv.gz": ("quarantined", 0), "odd.csv.lz4": ("quarantined", 0),
        "odd.csv.xz": ("quarantined", 0),
    }  # fmt: skip
    assert "damaged" in reason(report, "rest.csv.gz")
    assert "not a lz4 file" in reason(report, "odd.csv.lz4")
    assert "not supported" in reason(report, "odd.csv.xz")


@pytest.mark.parametrize(
    ("name", "content", "format_"),
    [("header.csv", "a,b\n", CSV), ("blank.csv", "\n \n", CSV), ("array.json", "[]", JSON), ("none.json", "\n", JSON)],
)
def test_a_file_that_holds_no_record_is_loaded_with_none(
    lake: Lake, name: str, content: str, format_: dict[str, object]
) -> None:
    report = lake.published(lake.batch(a_table(), [lake.land(name, content)], format_))

    assert outcomes(report) == {name: ("loaded", 0)}


def test_a_parquet_file_without_rows_is_loaded_with_none(lake: Lake) -> None:
    file = lake.land("none.parquet", b"")
    pd.DataFrame({"a": pd.Series([], dtype="int64")}).to_parquet(file)

    report = lake.published(lake.batch(a_table(), [file], PARQUET))

    assert outcomes(report) == {"none.parquet": ("loaded", 0)}


def test_objects_without_any_field_are_rows_or_are_not_said_to_be_loaded(lake: Lake) -> None:
    table = a_table()
    bare = lake.land("bare.json", "{}\n{}\n")

    before = lake.published(lake.batch(table, [bare], JSON))
    lake.published(lake.batch(table, [lake.land("one.json", '{"a": 1}\n')], JSON))
    after = lake.published(lake.batch(table, [bare], JSON))

    assert outcomes(before) == {"bare.json": ("quarantined", 0)}
    assert "2 records are in the file" in reason(before, "bare.json")
    assert outcomes(after) == {"bare.json": ("loaded", 2)}


def test_a_file_overwritten_while_it_is_read_is_superseded_whatever_spark_makes_of_it(lake: Lake) -> None:
    table = a_table()
    stays, late = lake.land("stays.csv", "a\n1\n"), lake.land("late.csv.gz", gzip.compress(b"a\n" + b"2\n" * 5000))
    batch = lake.batch(table, [stays, late])

    def overwrite(step: str) -> None:
        if step == "read" and late.read_bytes() != b"no gzip":
            late.write_bytes(b"no gzip")

    report: Report = lake.published(batch, watch=overwrite)

    assert outcomes(report) == {"stays.csv": ("loaded", 1), "late.csv.gz": ("superseded", 0)}
    assert "was recorded, and the storage has version" in reason(report, "late.csv.gz")


def test_first_loads_of_several_tables_make_their_namespace_together(lake: Lake) -> None:
    namespace = f"lake.first{uuid4().hex[:8]}"
    sessions = [lake.session] + [
        SparkSession.builder.remote(lake.settings["SPARK_CONNECT_URL"]).create() for _ in range(3)
    ]
    start = Barrier(len(sessions))

    def create(number: int) -> tuple[SchemaChange, ...]:
        start.wait()
        return tables.create(sessions[number], tables.Table.named(f"{namespace}.t{number // 2}"), FIELDS, ())

    with ThreadPoolExecutor(len(sessions)) as pool:
        made = list(pool.map(create, range(len(sessions))))

    for session in sessions[1:]:
        session.stop()
    assert sorted(map(len, made)) == [0, 0, 1, 1], "two tables, each made once, and said to be made by who made it"
