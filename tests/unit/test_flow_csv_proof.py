"""The types of new columns of CSV that one expression proves are those that all values would be guessed to have."""

import csv
import io
import random
from collections.abc import Callable, Mapping, Sequence
from itertools import permutations

import pytest
from pyspark.sql.types import (
    BooleanType,
    ByteType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    ShortType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from flows.loading.errors import Unfit
from flows.loading.reading import csv_proof
from flows.loading.reading.casts import Spelling
from flows.loading.reading.csv_proof import Source
from flows.loading.reading.found import Texts
from flows.loading.reading.guesses import guess
from flows.loading.reading.proving import NewColumns, Unknown
from flows.loading.reading.types import ddl
from schemas.formats.csv import Csv

PLAIN = "n,price,day\n1,1.50,2026-01-31\n22,0.25,\n"


def new(*names: str, known: StructField | None = None, spelling: Spelling | None = None) -> NewColumns:
    unknown = [Unknown(name, [Texts()]) for name in names]
    return NewColumns(unknown, StructType([known] if known else []), spelling or Spelling())


def source(text: str | bytes, *columns: str | None, piece: int = 10**6) -> Source:
    """A file of these columns, or those of its first line, read in such pieces."""
    written = text.encode() if isinstance(text, str) else text
    names = columns or tuple(written.splitlines()[0].decode().split(","))
    pieces = [written[at : at + piece] for at in range(0, len(written), piece)]
    return Source(f"file:///{id(text)}", names, lambda: pieces)


def proven(sources: Sequence[Source], asked: NewColumns, **options: object) -> dict[str, str] | None:
    found = csv_proof.types(sources, asked, Csv.model_validate(options), 2)
    return None if found is None else {name: ddl(kind) for name, kind in found.items()}


ALL = {"n": "bigint", "price": "decimal(18,2)", "day": "date"}


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.removesuffix("\n"),
        f" \n\n{PLAIN}\n\n",
        f"\ufeff{PLAIN}",
        'n,price,day\n"1","1.50","2026-01-31"\n"22",0.25,""\n',
    ],
)
def test_lines_of_any_kind_are_read(text: str) -> None:
    assert proven([source(text, *ALL)], new(*ALL)) == ALL


@pytest.mark.parametrize("piece", [1, 3, 10**6])
def test_a_line_of_blanks_is_no_record(piece: int) -> None:
    text = " \n\x01\t\nn\n1\n \n-2\r\x01\x02\r\r\n3\n\t"

    assert proven([source(text, "n", piece=piece)], new("n")) == {"n": "bigint"}
    assert proven([source('n\n1\n" "\n', "n", piece=piece)], new("n")) == {"n": "string"}


def test_many_lines_above_the_header_are_passed_over() -> None:
    assert proven([source("\n" * 10**6 + "n\n1\n", "n")], new("n")) == {"n": "bigint"}


def test_so_many_orders_of_columns_have_expressions() -> None:
    names = [f"c{at}" for at in range(5)]
    orders = list(permutations(names))[:101]
    files = [source(",".join(order) + "\n1,2,3,4,5\n") for order in orders]

    assert proven(files[:100], new(*names)) == dict.fromkeys(names, "bigint")
    assert proven(files, new(*names)) is None


def test_the_columns_of_each_file_stand_in_its_order() -> None:
    other = source("day,x,n\n2026-02-01,?,3\n", "day", None, "n")

    assert proven([source(PLAIN), other], new(*ALL)) == ALL


def test_what_no_file_has_a_value_of_is_text() -> None:
    assert proven([source('a,b\n1,\n2,""\n')], new("a", "b")) == {"a": "bigint", "b": "string"}


@pytest.mark.parametrize(
    "line",
    ["1,2", "1,2,3,4", '1,"2"x,3', "1,\0,3", "9223372036854775807,2,3", "1,x,3", '"1\n",2,3', "1,2," + "x" * 2**23],
    ids=[
        "too few",
        "too many",
        "text after a quote",
        "a NUL",
        "a big number",
        "no price",
        "a line break",
        "a long line",
    ],
)
def test_what_spark_may_refuse_is_left_to_it(line: str) -> None:
    text, asked = f"n,price,word\n1,1.50,x\n{line}\n", new("n", "word", known=StructField("price", DecimalType(5, 2)))

    assert proven([source("n,price,word\n1,1.50,x\n")], asked) == {"n": "bigint", "word": "string"}
    assert proven([source(text, "n", "price", "word")], asked) is None
    assert [one.seen for one in asked.unknown] == [{}, {}]


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (StringType(), ['x, "y"', " "], []),
        (ByteType(), ["-1", "99"], ["100", "-0", "1.0"]),
        (ShortType(), ["9999"], ["10000"]),
        (IntegerType(), ["999999999"], ["1000000000", "007"]),
        (LongType(), ["0", "-7", "", "-8999999999999999999"], ["+5", " 5", "1e2", "9999999999999999999"]),
        (DecimalType(5, 2), ["123", "-0.5", "1.25"], ["1234", "1.125", "1."]),
        (DecimalType(2, 2), ["0", "0.25"], ["1"]),
        (DecimalType(5, 0), ["12345"], ["1.0"]),
        (DoubleType(), ["0.1234567890123", "12345678.1234567", "123456789012345"], ["1e5", "NaN", "1234567890123456"]),
        (BooleanType(), ["true", "false"], ["True", "1", "t"]),
        (DateType(), ["2024-02-29"], ["2023-02-29", "2024-1-1", "0000-01-01"]),
        (
            TimestampType(),
            ["2024-02-29 10:00:00", "2024-02-29T10:00:00.5+02:00"],
            ["2024-02-29", "2024-02-29T24:00:00Z"],
        ),
        (TimestampNTZType(), ["2024-02-29 10:00:00.123456"], ["2024-02-29 10:00:00Z"]),
        (FloatType(), [], ["1"]),
    ],
)
def test_a_known_column_takes_what_spark_takes(kind: DataType, right: Sequence[str], wrong: Sequence[str]) -> None:
    for text in (*right, *wrong):
        written = io.StringIO()
        csv.writer(written, lineterminator="\n").writerows([("n", "k"), ("1", text)])
        found = proven([source(written.getvalue())], new("n", known=StructField("k", kind)))
        assert (found is not None) is (text in right), text


@pytest.mark.parametrize(
    "known",
    [StructField("k", LongType(), nullable=False), StructField("k", DateType()), StructField("k", TimestampType())],
)
def test_what_the_expression_cannot_say_of_a_column_is_left_to_spark(known: StructField) -> None:
    odd = Spelling(date="dd.MM.yyyy", zone="Europe/Berlin")

    assert proven([source("n,k\n1,\n")], new("n", known=known, spelling=odd)) is None
    assert proven([source("n,m\n1,\n")], new("n", "m", known=known, spelling=odd)) is not None


@pytest.mark.parametrize(
    ("options", "is_usual"),
    [
        ({}, True),
        ({"delimiter": ";"}, True),
        ({"delimiter": "|", "quote": ""}, True),
        ({"delimiter": "]", "quote": "^"}, True),
        ({"delimiter": "\\t", "quote": "'"}, True),
        ({"delimiter": "-"}, False),
        ({"delimiter": "5"}, False),
        ({"delimiter": "§"}, False),
        ({"delimiter": "||"}, False),
        ({"quote": "+"}, False),
        ({"escape": "\\"}, False),
        ({"comment": "#"}, False),
        ({"decimal": ",", "delimiter": ";"}, False),
        ({"null_value": "NULL"}, False),
    ],
)
def test_dialects_have_a_delimiter_and_quotes(options: Mapping[str, object], *, is_usual: bool) -> None:
    mark = str(options.get("delimiter", ",")).replace("\\t", "\t")
    text = f"n{mark}w\n1{mark}x\n"

    assert (proven([source(text, "n", "w")], new("n", "w"), **options) is not None) is is_usual


def test_files_without_a_header_have_a_first_record() -> None:
    assert proven([source("x\n1\n", "n")], new("n"), header=False) == {"n": "string"}
    assert proven([source("x\n1\n", "n")], new("n")) == {"n": "bigint"}


def test_other_encodings_are_read_as_they_are() -> None:
    assert proven([source("é\nü\n".encode("latin-1"), "é")], new("é"), encoding="latin-1") == {"é": "string"}


@pytest.mark.parametrize("error", [Unfit("it is broken"), FileNotFoundError()])
def test_a_file_that_cannot_be_read_is_left_to_spark(error: Exception) -> None:
    def pieces() -> list[bytes]:
        raise error

    assert proven([source(PLAIN), Source("file:///gone", ("n",), pieces)], new(*ALL)) is None


KINDS: Sequence[Callable[[random.Random], str]] = (
    lambda chance: str(chance.randint(-(10 ** chance.randint(1, 18)), 10**9)),
    lambda chance: f"{chance.random() * 10 ** chance.randint(0, 5):.2f}",
    lambda chance: str(chance.randint(-1000, 1000) / 8),
    lambda chance: chance.choice(["true", "false"]),
    lambda chance: chance.choice(["True", "FALSE"]),
    lambda chance: f"2024-0{chance.randint(1, 9)}-1{chance.randint(0, 9)}",
    lambda chance: f"2024-01-31 10:00:{chance.randint(0, 59):02}{chance.choice(['', '.5', '.125'])}",
    lambda chance: f"2024-01-31T10:00:00.{chance.randint(0, 999):03}Z",
    lambda chance: f"2024-01-31T10:00:00.{chance.randint(0, 999999):06}",
    lambda chance: chance.choice(["", "0", "-0", "007", "1e5", "2023-02-29", "1.", "x,y", 'a "b"', "ü"]),
    lambda _: "",
)


@pytest.mark.parametrize("seed", range(60))
def test_random_tables_have_the_types_of_all_their_values(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret is made of it
    names = [f"c{at}" for at in range(8)]
    texts: dict[str, list[str]] = {name: [] for name in names}
    kinds = {name: [chance.choice(KINDS)] for name in names}
    files = []
    for _ in range(3):
        for each in kinds.values():
            each.extend([chance.choice(KINDS)] if chance.random() < 0.05 else [])
        order = chance.sample(names, 6)
        written = io.StringIO()
        writer = csv.writer(
            written,
            lineterminator=chance.choice(["\n", "\r\n"]),
            quoting=csv.QUOTE_ALL if chance.random() < 0.5 else csv.QUOTE_MINIMAL,
        )
        writer.writerow(order)
        for _ in range(50):
            row = [chance.choice(kinds[name])(chance) for name in order]
            writer.writerow(row)
            for name, text in zip(order, row, strict=True):
                texts[name].append(text)
        files.append(source(written.getvalue(), *order, piece=200))

    there = [name for name in names if texts[name]]
    found = proven(files, new(*there))

    assert found == {name: ddl(guess({one for one in texts[name] if one}, Spelling()).kind) for name in there}
