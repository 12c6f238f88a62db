"""Names, headers and types: what the flow decides about files before Spark reads them."""

import pytest
from pyspark.sql.types import (
    ArrayType,
    DataType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    NullType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from flows.loading.errors import Rejected, Unfit, spelled
from flows.loading.reading.csv_scan import scan_csv
from flows.loading.reading.heads import Head, head
from flows.loading.reading.paths import escaped, unreadable
from flows.loading.reading.types import ddl, joined, quoted, widens
from flows.loading.writing.tables import Table
from schemas.formats.csv import Csv


def head_of(text: str, options: Csv | None = None) -> Head:
    options = options or Csv()
    return head(scan_csv([text.encode()], options), options)


def test_a_name_is_escaped_where_spark_would_read_a_pattern() -> None:
    assert escaped("s3://b/a[1]{x}*?\\ü#%20+.csv") == r"s3://b/a\[1\]\{x\}\*\?\\ü#%20+.csv"


@pytest.mark.parametrize("name", ["_a.csv", ".a.csv", "a.csv._COPYING_"])
def test_spark_ignores_some_names(name: str) -> None:
    assert unreadable(f"s3://b/x/{name}")


@pytest.mark.parametrize("name", ["a_b.csv", "_k=v.csv", "a.csv"])
def test_spark_reads_other_names(name: str) -> None:
    assert not unreadable(f"s3://_b/_x/{name}")


def test_spark_cannot_read_a_name_with_a_colon_that_looks_like_a_pattern_too() -> None:
    assert "colon" in (unreadable("s3://b/at 10:30/a[1].csv") or "")
    assert unreadable("s3://b/at 10:30/a.csv") is None
    assert unreadable("s3://b/a[1].csv") is None


@pytest.mark.parametrize("path", ["file:/a/b", "file:///a/b"])
def test_a_local_path_has_three_slashes(path: str) -> None:
    assert spelled(path) == "file:///a/b"


def test_a_header_is_read_with_quotes_delimiters_and_a_byte_order_mark() -> None:
    assert head_of('\ufeffa,"b,c","say ""d"""\r\n1,2,3\r\n').names == ("a", "b,c", 'say "d"')
    assert head_of("a\tb\n", Csv(delimiter="\\t")).names == ("a", "b")
    assert head_of("a||b\n", Csv(delimiter="||")).names == ("a", "b")
    assert head_of("\n\na,b\n").line == "a,b"
    assert head_of("") == head_of("\n \n") == Head(())
    assert head_of('a\n"x\ny"\n').multiline


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,A\n", "'a' twice"),
        ("a,,b\n", "column 2"),
        ("a,_batch_id\n", "'_batch_id'"),
        ('"a\nb",c\n', "cannot be parsed"),
    ],
)
def test_a_header_that_cannot_be_used_says_why(text: str, reason: str) -> None:
    with pytest.raises(Unfit, match=reason):
        head_of(text)


def test_a_table_is_named_by_words_alone() -> None:
    table = Table.named("lake.sales.eu.orders")
    assert (table.name, table.catalog, table.namespace) == ("lake.sales.eu.orders", "lake", "sales.eu")


@pytest.mark.parametrize(
    "name", ["orders", "lake.orders", "lake.sales.orders; DROP TABLE x", "lake.`sales`.orders", "lake.sales.ü"]
)
def test_anything_else_is_no_table(name: str) -> None:
    with pytest.raises(Rejected, match="not a table's name"):
        Table.named(name)


NESTED = StructType([StructField("a b", ArrayType(IntegerType())), StructField("c`d", StringType())])


def test_types_are_written_with_their_names_quoted() -> None:
    assert ddl(NESTED) == "struct<`a b`: array<int>, `c``d`: string>"
    assert quoted("a`b") == "`a``b`"


@pytest.mark.parametrize(
    ("found", "wanted", "fits"),
    [
        (IntegerType(), LongType(), True),
        (LongType(), IntegerType(), False),
        (FloatType(), DoubleType(), True),
        (LongType(), StringType(), False),
        (LongType(), DecimalType(19, 0), True),
        (LongType(), DecimalType(18, 2), False),
        (DecimalType(10, 2), DecimalType(12, 2), True),
        (DecimalType(10, 4), DecimalType(12, 2), False),
        (NESTED, NESTED, True),
    ],
)
def test_a_type_may_become_another_that_holds_all_its_values(found: DataType, wanted: DataType, fits: bool) -> None:
    assert widens(found, wanted) is fits


@pytest.mark.parametrize(
    ("left", "right", "both"),
    [
        (IntegerType(), LongType(), LongType()),
        (LongType(), DoubleType(), DoubleType()),
        (LongType(), DecimalType(10, 2), DecimalType(21, 2)),
        (DecimalType(38, 0), DecimalType(10, 2), DoubleType()),
        (NullType(), StringType(), StringType()),
        (TimestampType(), LongType(), None),
        (ArrayType(IntegerType()), ArrayType(LongType()), ArrayType(LongType())),
        (
            StructType([StructField("a", IntegerType())]),
            StructType([StructField("b", StringType())]),
            StructType([StructField("a", IntegerType()), StructField("b", StringType())]),
        ),
    ],
)
def test_types_of_two_files_are_joined_where_one_may_hold_the_values_of_both(
    left: DataType, right: DataType, both: DataType | None
) -> None:
    assert joined(left, right) == both
