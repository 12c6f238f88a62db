"""The file formats: what a person writes, and what becomes of it."""

import codecs
from typing import Any, get_args

import pytest

from schemas.formats import Format, Options
from schemas.formats.csv import Csv
from schemas.formats.encodings import JAVA_CHARSETS

KINDS = [field.alias or name for name, field in Format.model_fields.items()]


@pytest.mark.parametrize("kind", KINDS)
def test_the_options_of_a_format_may_be_left_out(kind: str) -> None:
    wanted = Format.model_validate({kind: {}})

    assert Format.model_validate(kind) == wanted
    assert Format.model_validate({kind: None}) == wanted


def test_every_format_has_options_of_its_own() -> None:
    assert {type(Format.model_validate(kind).options) for kind in KINDS} == {*get_args(Options)}


@pytest.mark.parametrize(
    ("ours", "sparks", "value"),
    [
        ("delimiter", "sep", ";"),
        ("multi_line", "multiLine", True),
        ("encoding", "charset", "latin-1"),
        ("null_value", "nullValue", "NA"),
    ],
)
def test_an_option_has_our_name_and_spark_s_and_is_kept_by_ours(ours: str, sparks: str, value: object) -> None:
    written = Format.model_validate({"csv": {sparks: value}})

    assert written == Format.model_validate({"csv": {ours: value}})
    assert written.model_dump(by_alias=True, exclude_unset=True) == {"csv": {ours: value}}
    with pytest.raises(ValueError, match=f"'{ours}' and '{sparks}' are one key"):
        Format.model_validate({"csv": {ours: value, sparks: value}})


def test_a_manifest_of_an_earlier_release_means_what_it_meant() -> None:
    stored = Csv.model_validate({"header": True, "delimiter": "\\t", "null_value": "NA"})

    assert (stored.separator, stored.null_values) == ("\t", ("NA",))
    assert (stored.quote, stored.escaping, stored.comment, stored.codec) == ('"', '"', None, "utf-8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"delim": ";"}, "unknown key 'delim'; did you mean 'delimiter'?"),
        ({"nullvalue": ""}, "unknown key 'nullvalue'; did you mean 'null_value'?"),
        ({"quote": "''"}, r"quote\n.*\"''\" is not one character that can be seen"),
        ({"comment": " "}, r"comment\n.*' ' is not one character that can be seen"),
        ({"escape": "🙂"}, r"escape\n.*'🙂' is not one character that can be seen"),
        ({"delimiter": "'", "quote": "'"}, 'delimiter and quote are both "\'"'),
        ({"delimiter": "#|", "comment": "#"}, "delimiter and comment are both '#'"),
        ({"quote": "", "escape": "^"}, "escape counts within quotes only, and quote is empty"),
        ({"names": ["a", " A"]}, "names holds 'a' twice"),
        ({"names": ["a", " "]}, "names.1"),
        ({"multi_line": "never"}, "multi_line"),
        ({"decimal": ";"}, "decimal"),
        ({"encoding": "utf9"}, "unknown encoding 'utf9'; did you mean 'utf-8'?"),
        ({"encoding": "klingon"}, "unknown encoding 'klingon'; known encodings: utf-8, utf-16"),
        ({"encoding": "Shift_JIS"}, "'Shift_JIS' is read differently by Python and Java"),
    ],
)
def test_an_option_of_csv_that_cannot_be_says_why(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Format.model_validate({"csv": options})


@pytest.mark.parametrize("kind", ["json", "parquet"])
def test_an_option_that_another_format_has_is_unknown(kind: str) -> None:
    with pytest.raises(ValueError, match="unknown key 'delimiter'; there are no keys here"):
        Format.model_validate({kind: {"delimiter": ";"}})


@pytest.mark.parametrize(
    ("name", "charset"),
    [
        ("UTF-8", "UTF-8"),
        ("latin-1", "ISO-8859-1"),
        ("iso-8859-15", "ISO-8859-15"),
        ("Windows-1252", "windows-1252"),
        ("cp1252", "windows-1252"),
        ("utf-16LE", "UTF-16LE"),
        ("us-ascii", "US-ASCII"),
    ],
)
def test_an_encoding_is_known_by_any_name_and_java_s_is_told(name: str, charset: str) -> None:
    assert Csv(encoding=name).java_charset == charset


def test_encodings_stand_in_the_table_as_python_calls_them() -> None:
    assert [codecs.lookup(name).name for name in JAVA_CHARSETS] == [*JAVA_CHARSETS]
