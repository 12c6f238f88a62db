"""CSV as people write it: what our own look makes of a dialect, whatever pieces its bytes come in."""

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.loading.errors import Unfit
from flows.loading.reading.csv_dialects import Dialect
from flows.loading.reading.csv_lines import LineByLine
from flows.loading.reading.csv_options import spark_options
from flows.loading.reading.csv_scan import CsvScan, scan_csv
from flows.loading.reading.csv_windows import Windows
from flows.loading.reading.heads import Head, head
from schemas.formats.csv import Csv
from tests.dialects import Table, delimiters, is_clear, tables, written

PIECES = [1, 2, 3, 7, 100_000]


def scanned(content: bytes, options: Csv) -> CsvScan | str:
    """The scan, or why the file is unfit: the same for pieces of any size."""
    found: set[CsvScan | str] = set()
    for size in PIECES if len(content) < 1000 else PIECES[-1:]:
        try:
            found.add(scan_csv((content[at : at + size] for at in range(0, len(content), size)), options))
        except Unfit as error:
            found.add(str(error))
    (only,) = found
    return only


def records(text: str, **options: Any) -> int | str:
    """How many there are, or what is wrong."""
    found = scanned(text.encode(), Csv(**options))
    return found if isinstance(found, str) else found.records


def head_of(text: str | bytes, **options: Any) -> Head:
    chosen = Csv(**options)
    return head(scan_csv([text.encode() if isinstance(text, str) else text], chosen), chosen)


@pytest.mark.parametrize(
    ("text", "options", "found"),
    [
        ("a;b\n'x;\n''y';2\n", {"delimiter": ";", "quote": "'"}, 1),
        ('a,b\n"say \\"x\\"","c:\\\\"\n"two\\\nlines",\n', {"escape": "\\"}, 2),
        ('a,b\n"\\d",c:\\dir\n', {"escape": "\\"}, 1),
        ('a,b\n"x,5"\n"y,6\n', {"quote": ""}, 2),
        ("# one\na,b\n#two,2\n1,#\n \n# end", {"comment": "#"}, 1),
        ('#"\na,b\n1,"x\n#not one"\n#"\n', {"comment": "#"}, 1),
        ("1,2\n3,4\n", {"header": False}, 2),
        ("1,2\n3,4\n", {"header": False, "names": ("a", "b")}, 2),
        ("x,y\n3,4\n", {"names": ("a", "b")}, 1),
        ("a||b\n1|||x\n", {"delimiter": "||"}, 1),
        ('a||b\n|||"x"y\n', {"delimiter": "||"}, 1),
        ("a\tb\n\t\n \n1\t2\n", {"delimiter": "\\t"}, 3),
        ("a,b\n\n1,2\n  \n", {"multi_line": True}, 2),
        ("\n \n\t\n", {"delimiter": "\\t", "header": False}, 2),
        ("", {"header": False}, 0),
    ],
)
def test_the_records_of_a_dialect_are_counted(text: str, options: dict[str, Any], found: int) -> None:
    assert records(text, **options) == found


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("a,b\n'x'y,1\n", {"quote": "'"}, "line 2: text follows a closing quote; write a quote within quotes twice"),
        (
            'a,b\n"x""y",1\n',
            {"escape": "\\"},
            'line 2: text follows a closing quote; write a quote within quotes as \\"',
        ),
        ("a,b\nx\\,1,2\n", {"escape": "\\"}, "line 2: \\ stands outside of quotes before what it could escape"),
        ("a,b\n1,x\\\n", {"escape": "\\"}, "line 2: \\ stands outside of quotes"),
        ('a,b\n#\n"x\n', {"comment": "#"}, "the quote that is opened in line 3 is never closed"),
        ('a,b\n"x\ny"z\n', {"comment": "#"}, "line 3: text follows a closing quote"),
        ('a,b\n1,2\n"x\ny",1\n', {"multi_line": False}, "line 3: a value goes on in the next line"),
        ('a,b\n1,2\n"x\ny",1\n', {"multi_line": False, "comment": "#"}, "line 3: a value goes on in the next line"),
        ("a,b\r\n1,2\n", {"multi_line": True}, "it is read as a whole because of `multi_line`, and its lines end in"),
        ("a\tb\r\n\t\n", {"delimiter": "\\t"}, "a row of it is nothing but blanks, and its lines end in CRLF and LF"),
        (" # one\na,b\n", {"comment": "#"}, "blanks stand before the comment above its header"),
        ("a,b\nx\0,1\n", {"quote": ""}, "line 2 holds a NUL byte"),
        ('a,b\n1,"x\0"\n', {}, "line 2 holds a NUL byte"),
        ('a,b\n1,"x\0"\n', {"comment": "#"}, "line 2 holds a NUL byte"),
        ('a||b\n1||5"\n', {"delimiter": "||"}, "line 2: it ends in a quote that quotes nothing"),
        ('a||b\n"1"||\n2||', {"delimiter": "||"}, "line 3 ends the file in a delimiter of two characters"),
        ('"a\nb",c\n', {"escape": "\\"}, "its header cannot be parsed: a quote is not closed"),
        ("a,b\n1,2\n", {"names": ("a",)}, "its header has 2 columns, and `names` has 1"),
        (",".join(f"c{n}" for n in range(20481)), {}, "it has 20481 columns, and Spark reads 20480 at most"),
        ("x" * (2**20 + 1), {"header": False}, "its first record is longer than 1048576 bytes; say the `names`"),
    ],
)
def test_what_is_ambiguous_in_a_dialect_is_refused_with_its_line(
    text: str, options: dict[str, Any], reason: str
) -> None:
    scanned(text.encode(), Csv(**options))  # the same in all pieces

    with pytest.raises(Unfit) as refused:
        head_of(text, **options)

    assert reason in str(refused.value)


def test_a_nul_outside_of_quotes_is_text() -> None:
    assert records('a,b\nx\0,"y"\n') == 1
    assert records('a,b\nx\0,y\n"z",\n', comment="#") == 2


@pytest.mark.parametrize(
    ("text", "options", "names", "width"),
    [
        (" a ,b\t\n", {}, ("a", "b"), 2),
        ("'a','say ''b'''\n", {"quote": "'"}, ("a", "say 'b'"), 2),
        ('"a\\"\\\\",b\n', {"escape": "\\"}, ('a"\\', "b"), 2),
        ("#c\n\na;b\n", {"comment": "#", "delimiter": ";"}, ("a", "b"), 2),
        ("1,2\n", {"header": False}, ("_c0", "_c1"), 2),
        ('"1\n,",2\n3,4\n', {"header": False}, ("_c0", "_c1"), 2),
        ("1,2\n", {"header": False, "names": ("a", "b", "c")}, ("a", "b", "c"), 3),
        ("x,y\n1,2\n", {"names": ("a", "b")}, ("a", "b"), 2),
        ("\n\t", {"delimiter": "\\t", "header": False}, ("_c0", "_c1"), 2),
        ("", {"header": False, "names": ("a", "b")}, (), 0),
        ("# nothing else", {"comment": "#"}, (), 0),
    ],
)
def test_columns_are_named_by_the_header_or_the_options(
    text: str, options: dict[str, Any], names: tuple[str, ...], width: int
) -> None:
    found = head_of(text, **options)

    assert (found.names, found.width) == (names, width)
    assert found.trimmed is (text == " a ,b\t\n")


def test_a_head_says_how_spark_must_read_the_file() -> None:
    assert head_of('a,b\r\n1,"x\ny"\r\n') == Head(
        ("a", "b"), "a,b", multiline=True, width=2, records=1, line_end="\r\n"
    )
    assert head_of("a,b\r\n1,x\r\n") == Head(("a", "b"), "a,b", width=2, records=1)
    assert head_of("a\n1\n".encode("utf-16"), encoding="utf-16") == Head(
        ("a",), "a", multiline=True, width=1, records=1, line_end="\n"
    )


@pytest.mark.parametrize(
    ("content", "encoding", "reason"),
    [
        (b"a\n\xff\n", "ascii", "not ascii: ordinal not in range(128) at byte 2; name the encoding it has"),
        (b"a\n\x81\n", "windows-1252", "not cp1252: character maps to <undefined> at byte 2"),
        ("a\n".encode("utf-16-le"), "utf-16", "not utf-16: it has no byte order mark; say utf-16le or utf-16be"),
        (
            "\ufeffa\n".encode("utf-16-le"),
            "utf-16le",
            "begins with the byte order mark of UTF-16; say encoding: utf-16",
        ),
        ("\ufeffa\n".encode(), "latin-1", "begins with the byte order mark of UTF-8; say encoding: utf-8"),
        ("aé\n".encode("utf-16-le")[:-1], "utf-16le", "not utf-16-le: it ends within a character, at byte 4"),
        (b"a\x00\n\x00\x00\xd8a\x00", "utf-16le", "not utf-16-le: illegal UTF-16 surrogate at byte 4"),
        ("a\n1\n".encode("utf-16"), "utf-8", "byte order mark of UTF-16; write it as UTF-8, or name its encoding"),
        ("a\n1\n".encode("utf-16-le"), "utf-8", "NUL bytes; is it UTF-16? Write it as UTF-8, or name its encoding"),
    ],
)
def test_bytes_that_are_not_of_the_encoding_are_told(content: bytes, encoding: str, reason: str) -> None:
    found = scanned(content, Csv(encoding=encoding))

    assert isinstance(found, str)
    assert reason in found


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])  # of a machine that has other things to do
@given(tables())
def test_what_the_csv_module_writes_in_any_dialect_has_the_right_records_or_is_ambiguous(table: Table) -> None:
    content = written(table)

    found = scanned(content, table.options)

    if isinstance(found, str):
        assert not is_clear(table), found
    else:
        assert found.records == len(table.rows)


@settings(max_examples=300)
@given(
    delimiters(), st.lists(st.sampled_from(["a", '"', '""', "D", "\n", 'D"', '"D', '"\n', "\r\n", " "]), max_size=14)
)
def test_windows_and_lines_find_the_same(delimiter: str, parts: list[str]) -> None:
    text = "h" + "".join(parts).replace("D", delimiter)
    dialect = Dialect.of(Csv(delimiter=delimiter))

    assert _judged(Windows(dialect, may_break=True), text) == _judged(LineByLine(dialect, may_break=True), text)


def _judged(judge: Windows | LineByLine, text: str) -> object:
    try:
        judge.take(text.encode())
        found = judge.end()
    except Unfit as error:
        return re.sub(r"\d+", "n", str(error))  # windows guess the number where kinds of line ends are mixed
    return found.records, found.breaks, found.kinds, found.breaks or (found.lines, found.misread)


def test_spark_is_told_the_dialect_and_nothing_of_null_values() -> None:
    chosen = Csv(
        delimiter="\\t", quote="'", escape="\\", comment="#", header=False, encoding="latin-1", null_value="NA"
    )

    told = spark_options(chosen, multiline=True, line_end="\r\n")

    assert told["nullValue"] not in {"NA", ""}
    assert {name: value for name, value in told.items() if name != "nullValue"} == {
        "sep": "\t",
        "quote": "'",
        "escape": "\\",
        "charToEscapeQuoteEscaping": "\\",
        "comment": "#",
        "header": "false",
        "multiLine": "true",
        "lineSep": "\r\n",
        "encoding": "ISO-8859-1",
        "emptyValue": "",
        "ignoreLeadingWhiteSpace": "false",
        "ignoreTrailingWhiteSpace": "false",
        "unescapedQuoteHandling": "STOP_AT_DELIMITER",
    }
    assert "lineSep" not in spark_options(chosen, multiline=False, line_end="\r\n")
    assert spark_options(Csv(quote=""), multiline=False)["quote"] == ""
