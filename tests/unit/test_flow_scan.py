"""What our own look at the bytes of a text file finds, whatever pieces they come in."""

import csv
import io
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.loading.errors import Unfit
from flows.loading.reading.csv_scan import CsvScan, scan_csv
from flows.loading.reading.found import Tokens
from flows.loading.reading.json_scan import scan_json
from flows.loading.reading.types import MAX_DEPTH
from flows.loading.reading.utf8 import checked_utf8
from schemas.formats.csv import Csv

PIECES = [1, 2, 3, 7, 1000]
USUAL = Csv()


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    return (content[start : start + size] for start in range(0, len(content), size))


def scanned(text: str | bytes, options: Csv = USUAL) -> CsvScan | str:
    """The scan, or why the file is unfit: the same for pieces of any size."""
    content = text.encode() if isinstance(text, str) else text
    found: set[CsvScan | str] = set()
    for size in PIECES:
        try:
            found.add(scan_csv(pieces(content, size), options))
        except Unfit as error:
            found.add(str(error))
    (only,) = found
    return only


def utf8_trouble(content: Iterator[bytes]) -> int | None:
    """At which byte the look finds trouble."""
    try:
        b"".join(checked_utf8(content))
    except Unfit as error:
        return int(str(error).rpartition("at byte ")[2].partition(";")[0])
    return None


def strict_trouble(content: bytes) -> int | None:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return error.start
    return None


def json_records(text: str | bytes) -> int | str:
    content = text.encode() if isinstance(text, str) else text
    found: set[int | str] = set()
    for size in PIECES:
        try:
            found.add(scan_json(pieces(content, size)).records)
        except Unfit as error:
            found.add(str(error))
    (only,) = found
    return only


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a,b\n1,x\n2,y", CsvScan("a,b", 2, multiline=False)),
        ("a,b\r\n1,x\r\n", CsvScan("a,b", 1, multiline=False)),
        ("a,b\r1,x\r2,y\r", CsvScan("a,b", 2, multiline=False)),
        ('a,b\r1,"x\r"\r', CsvScan("a,b", 1, multiline=True, line_end="\r")),
        ("a,b\n1,x\r\n2,y\r3,z", CsvScan("a,b", 3, multiline=False)),
        ("\ufeffa,b\n1,x\n", CsvScan("a,b", 1, multiline=False)),
        ("\n \t\na,b\n\n1,x\n  \n,\n", CsvScan("a,b", 2, multiline=False)),
        ("a,b\n", CsvScan("a,b", 0, multiline=False)),
        ("a,b", CsvScan("a,b", 0, multiline=False)),
        ("", CsvScan("", 0, multiline=False)),
        ("\n \n\t", CsvScan("", 0, multiline=False)),
        ('a\n""\n\n', CsvScan("a", 1, multiline=False)),
        ('a,b\n1,"x\ny"\n2,z\n', CsvScan("a,b", 2, multiline=True, line_end="\n")),
        ('a,b\r\n1,"x\ny\rz"\r\n2,z\r\n', CsvScan("a,b", 2, multiline=True, line_end="\r\n")),
        ('a,b\n1,"say ""five"",\n"""\n', CsvScan("a,b", 1, multiline=True, line_end="\n")),
        ('a,b\n1,5" pipe\n2,6" pipe\n', CsvScan("a,b", 2, multiline=False)),
        ('a,b\n1,5" pipe\n2,"x\ny"\n3,6"\n', CsvScan("a,b", 3, multiline=True, line_end="\n")),
        ('a,b\n5"x,"b\nc",6"y\n', CsvScan("a,b", 1, multiline=True, line_end="\n")),
    ],
)
def test_records_are_counted_and_line_breaks_in_values_seen(text: str, found: CsvScan) -> None:
    assert scanned(text) == found


def test_a_quote_after_a_delimiter_of_two_characters_or_of_two_bytes_opens_a_value() -> None:
    assert scanned('a||b\n1||"x\ny"\n', Csv(delimiter="||")) == CsvScan("a||b", 1, multiline=True, line_end="\n")
    assert scanned('a§b\n1§"x\ny"\n', Csv(delimiter="§")) == CsvScan("a§b", 1, multiline=True, line_end="\n")
    assert scanned('a|b\n1|"x\ny" z\n', Csv(delimiter="||")) == CsvScan("a|b", 2, multiline=False)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('a,b\n1,x\n1,"never closed\n2,x\n', "opened in line 3 is never closed"),
        ('a,b\r\n1,x\r\n1,"never closed\r\n2,x\r\n', "opened in line 3 is never closed"),
        ('a,b\n1,"x"y\n', "line 2: text follows a closing quote"),
        ('a,b\n1,"never closed\n2,"x"\n', "line 3: text follows a closing quote"),
        ('a,b\r\n1,"x\ny"\n2,z\n', "lines end in CRLF and LF"),
        (' \na,b\n1,"x\ny"\n', "line of blanks stands before its header"),
        ("ä\n".encode("latin-1"), "not UTF-8: .* at byte 0"),
        (b"a,b\nx,\xc3", "ends within a character, at byte 6"),
        ("a,b\n1,x\n".encode("utf-16"), "byte order mark of UTF-16"),
        ("a,b\n1,x\n".encode("utf-16-le"), "NUL bytes"),
        ("a" * (2**20 + 1), "longer than 1048576 bytes"),
    ],
)
def test_a_file_that_is_not_right_says_where(text: str | bytes, reason: str) -> None:
    with pytest.raises(Unfit, match=reason):
        scan_csv(pieces(text.encode() if isinstance(text, str) else text, 100_000), USUAL)


@given(st.lists(st.sampled_from(["a", '"', '""', ",", "\n", ',"', '",', '"\n', "ü"]), max_size=14))
def test_pythons_csv_module_finds_the_same_records_and_refuses_the_same_quotes(parts: list[str]) -> None:
    text = "h,i\n" + "".join(parts)

    found = scanned(text)

    try:
        records = [record for record in csv.reader(io.StringIO(text, newline=""), strict=True) if record]
    except csv.Error:
        assert isinstance(found, str)
        return
    assert isinstance(found, CsvScan)
    assert found.multiline is any("\n" in value for record in records for value in record)
    assert found.records == len(records) - 1


@given(
    st.text(alphabet="aü日🙂\ufeff\n", max_size=20),
    st.integers(0, 30),
    st.sampled_from([b"\xe9", b"\xed\xa0\x80", b"\xc3"]),
)
def test_text_is_utf_8_in_pieces_exactly_when_it_is_as_a_whole(text: str, at: int, wrong: bytes) -> None:
    content = text.encode()
    broken = content[:at] + wrong + content[at:]

    for size in PIECES:
        assert b"".join(checked_utf8(pieces(content, size))) == content.removeprefix(b"\xef\xbb\xbf")
        assert utf8_trouble(pieces(broken, size)) == strict_trouble(broken)


@pytest.mark.parametrize(
    ("text", "records"),
    [
        ('{"a": 1}\n{"a": 2}', 2),
        ('\ufeff{"a": 1}\r\n\r\n \t\n{"a": 2}\r', 2),
        ('  {"a": 1}  \n', 1),
        ("[]\n", 0),
        ("", 0),
        ('[{"a": 1}, {"a": 2}]\n{"a": 3}\n', 3),
        ('{"a": "} {"}\n{}\n', 2),
        ('{"a": "}{", "b": 1e}\n', 1),
        ('[{"a": 1},]\n', 1),
        ('{"a": 1}{"a": 2}\n', "line 1 goes on after its object"),
        ('{"a": 1}\n{"a": 1},\n', "line 2 goes on after its object"),
        ('{"a": 1}\r\n\r\n{"a": \r\n', 2),
        ('[\n{"a": 1}\n]\n', 1),
        ('{\n  "a": 1\n}\n', 1),
        ('[\n{"a": 1}\n,{"a": 2}\n', "line 3 is not a JSON object"),
        ('{"a": 1, "a": 2}\n', "line 1 has the key 'a' twice"),
        ('{"a": {"b": 1,"b" :2}}\n', "line 1 has the key 'b' twice"),
        ('{"a": "\\ud800"}\n', "line 1 has half of a surrogate pair"),
        ('{"a": 1e999, "b": 12345678901234567890123}\n', 1),
        ('{"a": 1}\nnull\n', "line 2 is not a JSON object"),
        ('{"a": 1}\n{"a": ' + "[" * 700 + "]" * 700 + "}\n", "line 2 has values within values"),
        (b'{"a": "\xe9"}\n', "not UTF-8: .* at byte 7"),
        (b'{"a": 1}\n' + '{"a": 1}'.encode("utf-16-le"), "line 2 is not UTF-8, by a NUL"),
        ('{\n"a": 1}'.encode("utf-32-le"), "line 1 is not UTF-8, by a NUL"),
        ('{"a": "\0"}\n', 1),
    ],
)
def test_json_lines_hold_one_object_each(text: str | bytes, records: int | str) -> None:
    if isinstance(records, str):
        with pytest.raises(Unfit, match=records):
            scan_json([text.encode() if isinstance(text, str) else text])
    else:
        assert json_records(text) == records


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.one_of(st.text(alphabet='}{",\n \\', max_size=5), st.integers())))
)
def test_as_many_objects_are_found_as_were_written(objects: list[dict[str, object]]) -> None:
    assert json_records("\n".join(map(json.dumps, objects))) == len(objects)


def test_a_number_of_a_document_that_a_double_does_not_hold_is_named() -> None:
    texts = [f'[\n{{"a": {number}}}\n]'.encode() for number in ("1.10", "1e5", "0.12345678901234567891")]
    assert [scan_json([text], packed=True).document for text in texts[:2]] == [True, True]
    assert scan_json([texts[2]]).document
    with pytest.raises(Unfit, match=r"0\.12345678901234567891 would be rounded"):
        scan_json([texts[2]], packed=True)


def test_what_stands_deep_within_a_column_is_a_text() -> None:
    [column] = scan_json([b'{"a": ' + b"[" * 40 + b'{"x": 1}' + b"]" * 40 + b"}"]).columns.values()
    levels = 1
    while column.element is not None:
        column, levels = column.element, levels + 1
    assert (levels, column) == (MAX_DEPTH, Tokens({"str"}))


def test_what_a_column_holds_is_seen_in_whichever_record_it_stands() -> None:
    records = [*[{"a": "x", "n": 1}] * 2000, {"a": {"b": 1}, "n": 1}, {"a": {"b": 1, "c": None}, "n": "1"}]
    found = scan_json(["\n".join(map(json.dumps, records)).encode()]).columns
    assert found["a"].fields == {"b": Tokens({"int"}), "c": Tokens({"null"})}
    assert found["n"].tokens == {"int", "str"}
