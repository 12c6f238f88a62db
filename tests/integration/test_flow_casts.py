"""Texts become values of a type, or are refused: Spark's SQL of our casts beside Python's own numbers and calendars."""

import random
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal, InvalidOperation
from typing import Any

import pytest
from pyspark.sql.types import (
    BooleanType,
    ByteType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from flows.loading.reading.casts import MANY, Spelling, all_fit, from_text
from flows.loading.reading.guesses import guess
from flows.loading.reading.types import ddl
from tests.integration.flow_site import Lake

pytestmark = pytest.mark.integration

EXAMPLES = """
5 -5 +5 007 -007 0 -0 00 5.0 1e2 1E-2 1e400 -1e400 1e-400 5d 12F 0x1p3 NaN nan inf -Infinity 1.10 1.239
2.505 .5 5. -.5 . - + 1,5 1.5 127 128 -128 2147483647 2147483648 9223372036854775807 9223372036854775808
-9223372036854775808 9007199254740993 0.1 0.12345678901234567 0.123456789012345678 100000000000000000000
1.0E10 1E-7 4.9E-324 true TRUE True t yes 2024 2024-05 2024-1-5 2024-01-05 2024-02-30 2023-02-29 2024-02-29
1582-10-10 0001-01-01 0000-01-01 9999-12-31 +12024-01-01 2024-01-05T10:00 2024-01-05T10:00:00
2024-01-05T10:00:00Z 2024-01-05T10:00:00.123456 2024-01-05T10:00:00.1234567 2024-01-05T10:00:00.123000000
2024-01-05T10:00:00+02:00 2024-01-05T10:00:00-11:30 2024-01-05T10:00:00+0200 2024-01-05T24:00:00
2024-01-05T10:60:00 10:30:00 12:05 1700000000123 null NULL ü ٣
""".split()  # noqa: SIM905 - they are read, not written
EXAMPLES += [
    " 5",
    "5 ",
    "5\n",
    "\t5",
    "1 000",
    "2024-01-06 cancelled",
    "2024-01-05 10:00",
    "2024-01-05 ",
    "true ",
    "a\0b",
]
EXAMPLES += ["2024-01-05 10:00:00 Europe/Berlin", "2024-01-05 10:00:00 UTC", "2024-01-05 10:00:00\n"]


def texts(count: int) -> list[str]:
    chance = random.Random(3)  # noqa: S311 - no secret is made of it
    numbers = ["".join(chance.choices("0123456789+-.eE ", k=chance.randint(1, 9))) for _ in range(count)]
    changed = [_mutated(chance, chance.choice(EXAMPLES)) for _ in range(count)]
    return [*EXAMPLES, *numbers, *changed]


def _mutated(chance: random.Random, text: str) -> str:
    at = chance.randrange(len(text) + 1)
    letter: str = chance.choice(["", *"0159+-.eE T:Z"])
    return text[:at] + letter + text[at + chance.randint(0, 1) :]


def whole(text: str, *, given: bool, low: int, high: int) -> int | None:
    if not re.fullmatch("[+-]?[0-9]+", text, re.ASCII) or not low <= int(text) <= high:
        return None
    return int(text) if given or str(int(text)) == text else None


def decimal(text: str, *, given: bool, digits: int, scale: int) -> Decimal | None:
    try:
        value = Decimal(text) if re.fullmatch(r"[+-]?[0-9]*\.?[0-9]*", text, re.ASCII) else None
    except InvalidOperation:
        return None
    if (
        value is None
        or value != value.quantize(Decimal(1).scaleb(-scale), context=Context(prec=99))
        or abs(value) >= 10 ** (digits - scale)
    ):
        return None
    if given:
        return value
    plain = re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", text) and len(text.partition(".")[2]) <= scale
    return value if plain else None


def double(text: str, *, given: bool) -> float | None:
    if given and re.fullmatch(r"(?i)nan|[+-]?inf(inity)?", text):
        return float(text)
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text, re.ASCII):
        return None
    value, exact = float(text), Decimal(text)
    if abs(value) == float("inf") or (value == 0 and exact != 0):
        return None
    if given:
        return value
    usual = re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", text)
    digits = re.split("[eE]", text)[0].replace(".", "").lstrip("-0")
    is_whole = re.fullmatch("-?[0-9]+", text) is not None
    return value if usual and len(digits) <= 17 and (not is_whole or int(value) == int(text)) else None


def boolean(text: str, *, given: bool) -> bool | None:
    return {"true": True, "false": False}.get(text.lower())


def day(text: str, *, given: bool) -> date | None:
    try:
        return date.fromisoformat(text) if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII) else None
    except ValueError:
        return None


def moment(text: str, *, given: bool, zoned: bool) -> datetime | None:
    found = re.fullmatch(
        r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d)(:\d\d)?(?:(\.\d{1,6})0*)?(Z|[+-]\d\d:\d\d)?", text, re.ASCII
    )
    if found is None or ((found[4] or found[5]) and not found[3]) or (found[5] and not zoned):
        return None
    try:
        value = datetime.fromisoformat(f"{found[1]}T{found[2]}{found[3] or ':00'}").replace(tzinfo=UTC)
        fraction = timedelta(microseconds=int((found[4] or ".0")[1:].ljust(6, "0")))
        return (value + fraction - _offset(found[5])).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def _offset(zone: str | None) -> timedelta:
    if zone in {None, "Z"}:
        return timedelta(0)
    hours, minutes = int(str(zone)[1:3]), int(str(zone)[4:])
    if hours > 18 or minutes > 59 or (hours == 18 and minutes):
        raise ValueError(zone)
    return (1 if str(zone)[0] == "+" else -1) * timedelta(hours=hours, minutes=minutes)


ORACLES: list[tuple[DataType, Callable[..., Any]]] = [
    (ByteType(), lambda text, given: whole(text, given=given, low=-128, high=127)),
    (IntegerType(), lambda text, given: whole(text, given=given, low=-(2**31), high=2**31 - 1)),
    (LongType(), lambda text, given: whole(text, given=given, low=-(2**63), high=2**63 - 1)),
    (DecimalType(10, 2), lambda text, given: decimal(text, given=given, digits=10, scale=2)),
    (DecimalType(5, 0), lambda text, given: decimal(text, given=given, digits=5, scale=0)),
    (DecimalType(38, 18), lambda text, given: decimal(text, given=given, digits=38, scale=18)),
    (DoubleType(), lambda text, given: double(text, given=given)),
    (BooleanType(), lambda text, given: boolean(text, given=given)),
    (DateType(), lambda text, given: day(text, given=given)),
    (TimestampNTZType(), lambda text, given: moment(text, given=given, zoned=False)),
    (TimestampType(), lambda text, given: moment(text, given=given, zoned=True)),
]


@pytest.mark.parametrize(("kind", "oracle"), ORACLES, ids=[ddl(kind) for kind, _ in ORACLES])
def test_a_text_becomes_the_value_that_it_says_or_is_refused(
    lake: Lake, kind: DataType, oracle: Callable[..., Any]
) -> None:
    known = texts(1500)
    frame = lake.session.createDataFrame([(text,) for text in known], "x string")
    casts = [from_text("x", kind, Spelling(), given=given) for given in (False, True)]
    shown = "CAST({0} AS TIMESTAMP_NTZ)" if isinstance(kind, TimestampType) else "{0}"

    rows = frame.selectExpr(*(f"if({one.fits}, {shown.format(one.value)}, NULL)" for one in casts), "x").collect()

    wrong = {
        (row[2], given): (row[at], oracle(row[2], given))
        for row in rows
        for at, given in enumerate((False, True))
        if repr(row[at]) != repr(oracle(row[2], given))
        and not (isinstance(kind, DecimalType) and row[at] is not None and row[at] == oracle(row[2], given))
    }
    assert not wrong


@pytest.mark.parametrize("kind", [kind for kind, _ in ORACLES], ids=ddl)
def test_many_texts_are_judged_together_as_each_is_alone(lake: Lake, kind: DataType) -> None:
    frame = lake.session.createDataFrame([(text,) for text in texts(300)], "x string")
    casts = [from_text("x", kind, Spelling(), given=given) for given in (False, True)]
    together = [all_fit("true", [one] * (MANY + 1)) for one in casts]

    rows = frame.selectExpr(*(one.fits for one in casts), *together, "x").collect()

    assert all("forall" in one for one in together)
    assert not [row[-1] for row in rows if row[:2] != row[2:4]]


def test_the_proof_of_a_guess_is_that_of_its_pattern(lake: Lake) -> None:
    """The sample is judged by Python, all the records by Spark: they must not differ."""
    known = [text for text in texts(300) if text]
    forms = {guess([text], Spelling()) for text in known}
    frame = lake.session.createDataFrame([(text,) for text in known], StructType([StructField("x", StringType())]))

    rows = frame.selectExpr("x", *(form.fits("x", Spelling()) for form in forms)).collect()

    assert not [
        (row[0], form.pattern) for row in rows for at, form in enumerate(forms, 1) if form.holds(row[0]) != row[at]
    ]
