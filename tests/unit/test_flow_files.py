"""Names, headers and types: what the flow decides about files before Spark reads them."""

import bz2
import gzip

import pytest
from pyspark.sql.types import (
    ArrayType,
    DataType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from flows.loading.errors import Rejected, spelled
from flows.loading.heads import BadHeader, Head, parse_head, plain
from flows.loading.paths import escaped, hidden
from flows.loading.tables import Table
from flows.loading.types import ddl, quoted, roomy, widens, widest
from schemas.config import Csv


def head(text: str, options: Csv | None = None, *, whole: bool = True) -> Head:
    return parse_head(text.encode(), options or Csv(), whole=whole)


def test_a_name_is_escaped_where_spark_would_read_a_pattern() -> None:
    assert escaped("s3://b/a[1]{x}*?\\ü#%20+.csv") == r"s3://b/a\[1\]\{x\}\*\?\\ü#%20+.csv"


@pytest.mark.parametrize("name", ["_a.csv", ".a.csv", "a.csv._COPYING_"])
def test_spark_ignores_some_names(name: str) -> None:
    assert hidden(f"s3://b/x/{name}")


@pytest.mark.parametrize("name", ["a_b.csv", "_k=v.csv", "a.csv"])
def test_spark_reads_other_names(name: str) -> None:
    assert not hidden(f"s3://_b/_x/{name}")


@pytest.mark.parametrize("path", ["file:/a/b", "file:///a/b"])
def test_a_local_path_has_three_slashes(path: str) -> None:
    assert spelled(path) == "file:///a/b"


def test_a_header_is_read_with_quotes_delimiters_and_a_byte_order_mark() -> None:
    assert head('\ufeffa,"b,c","say ""d"""\r\n1,2,3\r\n').names == ("a", "b,c", 'say "d"')
    assert head("a\tb\n", Csv(delimiter="\\t")).names == ("a", "b")
    assert head("a||b\n", Csv(delimiter="||")).names == ("a", "b")
    assert head("\n\na,b\n").line == "a,b"
    assert head("") == head("\n \n") == Head(())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,A\n", "'a' twice"),
        ("a,,b\n", "column 2"),
        ("a,_batch_id\n", "'_batch_id'"),
        ('"a,b\n', "cannot be parsed"),
    ],
)
def test_a_header_that_cannot_be_used_says_why(text: str, reason: str) -> None:
    with pytest.raises(BadHeader, match=reason):
        head(text)


def test_a_header_must_be_utf_8_and_fit_into_the_first_bytes() -> None:
    with pytest.raises(BadHeader, match="not UTF-8"):
        parse_head("ä,b\n".encode("latin-1"), Csv(), whole=True)
    with pytest.raises(BadHeader, match="longer than"):
        head("a,b,c", whole=False)


@pytest.mark.parametrize(
    ("text", "whole", "multiline"),
    [
        ('a,b\n1,"x\ny"\n', True, True),
        ('a,b\n1,"x\ny"\n2,"cut off\n', False, True),
        ('a,b\n1,"x"\n\n2,"y"\n', True, False),
        ('a,b\n1,5" pipe\n2,6" pipe\n', True, False),
        ('a,b\n1,"never closed\n2,x\n', True, False),
        ("a,b\n1,x\n", True, False),
    ],
)
def test_quoted_line_breaks_are_seen_and_stray_quotes_are_not_taken_for_them(
    text: str, whole: bool, multiline: bool
) -> None:
    assert head(text, whole=whole).multiline is multiline


def test_the_first_bytes_are_decompressed_by_suffix() -> None:
    text = b"a,b\n" * 1000
    assert plain(gzip.compress(text), "s3://b/a.csv.gz") == text
    assert plain(gzip.compress(text)[:-8], "s3://b/a.csv.gz") == text  # the first bytes of a larger file
    assert plain(bz2.compress(text), "s3://b/a.csv.bz2") == text
    with pytest.raises(BadHeader, match="not a gz file"):
        plain(text, "s3://b/a.csv.gz")


def test_a_table_is_named_by_words_alone() -> None:
    table = Table.named("lake.sales.eu.orders")
    assert (table.catalog, table.namespace, table.within) == ("lake", "sales.eu", "sales.eu.orders")


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


def test_two_files_inferred_differently_agree_on_a_type() -> None:
    assert widest(LongType(), DoubleType()) == DoubleType()
    assert widest(TimestampType(), LongType()) == StringType()
    assert roomy(IntegerType()) == LongType()
    assert roomy(StringType()) == StringType()
