"""Which values of JSON are so plain that Spark's own reader gives back what the file says."""

import json
from collections.abc import Mapping, Sequence
from datetime import date

import pytest
import re2
from pyspark.sql.types import (
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    LongType,
    StringType,
    TimestampType,
)

from flows.loading.errors import Unfit
from flows.loading.reading import json_blocks
from flows.loading.reading.casts import Spelling
from flows.loading.reading.found import Tokens
from flows.loading.reading.json_blocks import Batch
from flows.loading.reading.json_scan import scan_json
from flows.loading.reading.plain import Digits, Number, Plain, are, is_read_rightly, joined, pattern, seen

ISO, ODD = Spelling(), Spelling(date="yyyy-dd-MM", timestamp="yyyy-dd-MM HH:mm:ssX")
PRICES = Digits(5, 2)
KINDS: tuple[Plain, Plain] = ("date", "instant")
DATES, INSTANTS = (pattern(kind, Tokens({"str"})) or "" for kind in KINDS)
NUMBERS = pattern(PRICES, Tokens({"float"})) or ""


def numbers(*spelled: str) -> list[Number]:
    return [Number(one) for one in spelled]


def test_dates_are_those_of_the_calendar() -> None:
    matches = re2.compile(DATES).fullmatch
    for year in (0, 1, 4, 10, 100, 400, 1000, 1582, 1900, 1996, 2000, 2020, 2023, 2024, 2100, 9996, 9999):
        for month in range(14):
            for day in range(33):
                text = f"{year:04}-{month:02}-{day:02}"
                assert bool(matches(f'"{text}"')) is _is_date(year, month, day), text


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "is_plain"),
    [
        ("2024-02-29T23:59:59Z", True),
        ("2024-02-29 00:00:00.123456+02:00", True),
        ("2024-02-29T23:59:59.1-14:59", True),
        ("2023-02-29T23:59:59Z", False),
        ("2024-02-29T24:00:00Z", False),
        ("2024-02-29T23:59:59.1234567Z", False),
        ("2024-02-29T23:59:59+15:00", False),
        ("2024-02-29T23:59:59", False),
        ("2024-02-29T23:59Z", False),
        ("2024-02-29", False),
    ],
)
def test_instants_have_a_date_seconds_and_an_offset(text: str, *, is_plain: bool) -> None:
    assert are("instant", [text]) is is_plain
    assert bool(re2.fullmatch(INSTANTS, f'"{text}"')) is is_plain


@pytest.mark.parametrize("text", ["0", "7", "-7", "99999", "0.5", "-0.0", "12345.67", "0.01"])
def test_numbers_have_few_digits(text: str) -> None:
    assert are(PRICES, numbers(text))
    assert re2.fullmatch(NUMBERS, text)


@pytest.mark.parametrize("text", ["-0", "123456", "0.123", "1e2", "1.5E1", "01", ".5", "5.", "+1", "NaN", ""])
def test_other_numbers_are_not_plain(text: str) -> None:
    assert not are(PRICES, numbers(text))
    assert not re2.fullmatch(NUMBERS, text)


@pytest.mark.parametrize(
    ("values", "plain"),
    [
        (numbers("1", "-20", "0"), Digits(18, 0)),
        (numbers("1", "20.25"), Digits(5, 2)),
        (numbers("1234567890123.25"), Digits(13, 2)),  # no more digits than a double gives back
        (numbers("12345678901234.25"), None),
        (numbers("1.5", "1e3"), None),
        (["2024-01-31", "0001-01-01"], "date"),
        (["2024-01-31T00:00:00Z"], "instant"),
        (["2024-01-31", ""], None),
        (["2024-01-31", "2024-01-31T00:00:00Z"], None),
        ([*numbers("1"), "2024-01-31"], None),
        ([True], None),
        ([], None),
    ],
)
def test_it_is_seen_how_values_are_spelled(values: Sequence[object], plain: Plain | None) -> None:
    assert seen(values) == plain


def test_together_numbers_have_the_digits_of_both() -> None:
    assert joined(Digits(5, 2), Digits(3, 4)) == Digits(5, 4)
    assert joined("date", "date") == "date"
    assert joined("date", "instant") is joined("date", Digits(1, 1)) is joined(None, "date") is None


@pytest.mark.parametrize(
    ("plain", "kinds", "texts", "others"),
    [
        (Digits(18, 0), Tokens({"int", "null"}), ["0", "-7", "123456789012345678"], ["0.5", "1e2", "-0", "null"]),
        (Digits(18, 0), Tokens({"int", "float"}), None, []),
        (PRICES, Tokens({"float"}), ["0.5", "7", "-0.0", "12345.67"], ["123456.5", "0.125", "1e2", "-0"]),
        (PRICES, Tokens({"int", "float"}), ["0.5", "7"], ["123456"]),
        (PRICES, Tokens({"int"}), ["7", "12345"], ["0.5", "123456"]),
        (PRICES, Tokens({"float", "str"}), None, []),
        ("date", Tokens({"str", "null"}), ['"2024-02-29"'], ['"2023-02-29"', "2024-02-29", '""']),
        ("date", Tokens({"null"}), None, []),
        ("date", Tokens({"str"}, element=Tokens()), None, []),
        (None, Tokens({"str"}), None, []),
    ],
)
def test_the_expression_is_of_the_kinds_that_were_found(
    plain: Plain | None, kinds: Tokens, texts: Sequence[str] | None, others: Sequence[str]
) -> None:
    found = pattern(plain, kinds)
    assert (found is None) is (texts is None)
    if found is not None:
        matches = re2.compile(found).fullmatch
        assert [one for one in [*(texts or ()), *others] if matches(one)] == texts


@pytest.mark.parametrize(
    ("kind", "plain", "spelling", "rightly"),
    [
        (DecimalType(7, 2), PRICES, ISO, True),
        (DecimalType(6, 2), PRICES, ISO, False),
        (DecimalType(15, 1), PRICES, ISO, False),
        (DoubleType(), Digits(13, 2), ISO, True),
        (DoubleType(), Digits(18, 0), ISO, False),
        (FloatType(), Digits(2, 2), ISO, False),
        (LongType(), PRICES, ISO, False),
        (DateType(), "date", ISO, True),
        (DateType(), "date", ODD, False),
        (DateType(), "instant", ISO, False),
        (TimestampType(), "instant", ISO, True),
        (TimestampType(), "instant", ODD, False),
        (TimestampType(), "date", ISO, False),
        (StringType(), "date", ISO, False),
        (DateType(), None, ISO, False),
    ],
)
def test_a_type_must_hold_what_is_plain(
    kind: DataType, plain: Plain | None, spelling: Spelling, *, rightly: bool
) -> None:
    assert is_read_rightly(kind, plain, spelling) is rightly


LINE = '{{"price": {}, "day": "{}", "name": "x", "none": null}}\n'


@pytest.fixture(autouse=True)
def _at_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_blocks, "LEAST_BYTES", 0)
    monkeypatch.setattr(json_blocks, "_FIRST_LINES", 1)


def found(*blocks: str, batch: Batch | None = None) -> dict[str, Plain | None]:
    scanned = scan_json([block.encode() for block in blocks], batch)
    return {name: tokens.plain for name, tokens in scanned.columns.items()}


PLAIN = LINE.format(12.25, "2024-01-31") * 2
NOTHING = dict.fromkeys(("price", "day", "name", "none"))


def test_a_file_is_plain_if_all_its_blocks_are() -> None:
    both = {**NOTHING, "price": PRICES, "day": "date"}
    assert found(PLAIN) == found(PLAIN, PLAIN) == found(PLAIN, "\n", PLAIN) == both
    assert found(PLAIN, LINE.format("null", "2024-02-29")) == both
    assert found(PLAIN, "{}\n", batch=Batch(in_vain=10)) == NOTHING  # nobody has looked


@pytest.mark.parametrize(
    ("odd", "left"),
    [
        ('{"price": "1"}', {"day": "date"}),
        ('{"day": {"x": 1}}', {"price": PRICES}),
        ('{"day": "2023-02-29"}', {"price": PRICES}),
        ('{"price": 1e2}', {"day": "date"}),
        ('{"price": 1', {}),
    ],
)
def test_of_what_is_not_proven_of_each_record_nothing_is_plain(odd: str, left: Mapping[str, Plain]) -> None:
    for blocks in ((PLAIN, f"{odd}\n", PLAIN), (f"{PLAIN}{odd}\n", PLAIN), (PLAIN, f"{PLAIN}{odd}\n")):
        assert found(*blocks) == {**NOTHING, **left}, blocks


def test_what_was_otherwise_once_is_not_plain_any_more() -> None:
    batch = Batch()
    wide = LINE.format("123456789.25", "2024-01-31")

    assert found(PLAIN, wide, batch=batch) == {**NOTHING, "day": "date"}
    assert found(PLAIN, batch=batch) == {**NOTHING, "day": "date"}


def test_of_columns_that_turn_out_not_to_be_plain_one_after_the_other_no_look_is_in_vain_for_long() -> None:
    names = [f"c{n}" for n in range(20)]
    usual = json.dumps(dict.fromkeys(names, 1.5))
    odd = [json.dumps({**dict.fromkeys(names, 1.5), name: 1e-7}) for name in names]
    batch = Batch()

    assert not any(found(f"{usual}\n", *(f"{usual}\n{one}\n" for one in odd), batch=batch).values())
    assert batch.in_vain < 2  # what ends a file is one


def test_whole_numbers_are_among_those_with_digits_behind_the_dot() -> None:
    batch = Batch()
    told = [found(LINE.format(price, "2024-01-31") * 2, batch=batch)["price"] for price in (7, 5.25, 5, 5.25)]
    assert told == [Digits(18, 0), Digits(4, 2), Digits(4, 2), Digits(4, 2)]


def test_a_column_that_a_file_lacks_is_as_plain_as_before() -> None:
    batch = Batch()
    found(PLAIN, batch=batch)
    for new in ("a", "b", "c"):
        found(f'{{"day": null, "{new}": 1}}\n' * 2, batch=batch)
    assert found(PLAIN, batch=batch) == {**NOTHING, "price": PRICES, "day": "date"}


def test_too_many_columns_for_long_expressions_are_looked_at_by_short_ones() -> None:
    text = json.dumps({f"column {n}": "2024-01-31T00:00:00Z" for n in range(200)})
    batch = Batch()
    assert not any(found(f"{text}\n", f"{text}\n", batch=batch).values())
    assert batch.known is not None
    assert batch.known.matches is not None


def test_a_record_that_only_spark_may_follow_sets_its_file_aside() -> None:
    deep = "[" * 995 + "]" * 995
    with pytest.raises(Unfit, match="hundreds deep"):
        found(f'{{"price": 1.239, "x": 1e999, "d": {deep}}}\n')


def test_a_small_file_is_as_plain_as_others_of_its_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = Batch()
    found(PLAIN, batch=batch)
    monkeypatch.setattr(json_blocks, "LEAST_BYTES", 1000)

    assert found('{"price": 1}\n{"price": 0.5}\n', batch=batch) == {"price": PRICES}
    assert found('{"price": 1e2}\n', batch=batch) == {"price": None}


def test_files_together_are_as_plain_as_the_least() -> None:
    together = Tokens()
    for one in (Tokens({"null"}), Tokens({"float"}, plain=PRICES), Tokens({"float"}, plain=Digits(2, 3)), Tokens()):
        together.merge(one)
    assert together.plain == Digits(5, 3)

    together.merge(Tokens({"float"}))
    together.merge(Tokens({"float"}, plain=PRICES))
    assert together.plain is None
