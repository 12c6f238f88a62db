r"""From a text to a value of a column's type, or a refusal: what Spark's own casts would bend is refused here.

Two levels. A type that the configuration gives may take another spelling of the same value; any other type takes only
what says the value as it is usually written, so that codes are no numbers. Everything here is SQL text:

    integers       digits, `-`; given: `+5`, `007`. Not: `5.0`, `1e2`, blanks, overflow
    decimal(p,s)   digits, s of them at most after the dot; given: `+`, leading zeros, `.5`, `5.`, zeros beyond s.
                   Not: more digits than s, exponents
    double, float  up to 17 (9) significant digits, exponents; whole numbers that are not rounded; given: any number of
                   digits, `+`, `.5`, NaN, infinities. Not: `5d`, hexadecimal, overflow, underflow to zero
    date           yyyy-mm-dd, or the source's format. Not: anything before or after it
    timestamp      yyyy-mm-dd, blank or T, hh:mm, with seconds and up to 6 digits after them, Z or an offset, or else
                   the source's zone; or the source's format. Not: dates or times alone, names of zones, more digits
    timestamp_ntz  the same without a zone. Not: a zone
    boolean        true, false, in any case. Not: t, yes, 1
    string         every text

An empty text is no value in a column that is no text. Facts on what Spark's casts do: Spark 4.1.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pyspark.sql.types import (
    BooleanType,
    ByteType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    ShortType,
    StringType,
    TimestampNTZType,
    TimestampType,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql.types import DataType

_DIGITS = {FloatType: 9, DoubleType: 17}  # so many always come back as another text of the same value
_EXACT = {FloatType: 6, DoubleType: 15}  # and so many as the same digits
NUMBER = "-?(0|[1-9][0-9]*)([.][0-9]+)?"
EXPONENT = "([eE][+-]?[0-9]+)"
_CLOCK = "[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6}0*)?)?"
LOCAL = f"(?!0000)[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[ T]{_CLOCK}"
ZONED = f"{LOCAL}(Z|[+-][0-9]{{2}}:[0-9]{{2}})"
_BEGIN, _END = r"\A(?:", r")\z"  # `$` would stand before a last line end too
_NAMED_NUMBERS = "(?i)(nan|[+-]?inf(inity)?)"


@dataclass(frozen=True, slots=True)
class Cast:
    """SQL of the value, NULL where the text does not fit, and of whether it fits, which is never NULL.

    Spark computes what stands in an expression twice only once if both are sure to be asked for. So what is asked first
    of a text that fits is asked of its value. `body` is the verdict on ELEMENT in the place of a `text`.
    """

    value: str
    fits: str
    text: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a source writes: patterns of Spark's for dates and timestamps, the zone of times without one, the sign that
    parts a number's fraction."""

    date: str | None = None
    timestamp: str | None = None
    zone: str = "UTC"
    decimal: str = "."


def literal(text: str) -> str:
    """The text as SQL, where a backslash escapes."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def matches(text: str, pattern: str) -> str:
    """SQL of whether the whole of a text matches a regular expression of Java's."""
    return f"{text} RLIKE {literal(_BEGIN + pattern + _END)}"


MANY = 200
ELEMENT = "_e"  # of an array, in a lambda; one within another means its own


def all_fit(parsed: str, casts: Sequence[Cast]) -> str:
    """SQL of whether a record is parsed and all of this fits, none of which is NULL; "true" if it does anyway.

    It is no AND: each of these is asked, so what they share with others is computed once; and Spark's code for a long
    AND would be one method, which Java does not compile in time. Where there are many, texts of which the same is asked
    are asked together: Spark takes seconds to read and plan that for thousands of columns.
    """
    texts: dict[str, list[str]] = defaultdict(list)
    if len(casts) > MANY:
        for cast in casts:
            if cast.body:
                texts[cast.body].append(cast.text)
    together = [f"forall(array({', '.join(of)}), {ELEMENT} -> {body})" for body, of in texts.items()]
    conditions = [parsed, *together, *(cast.fits for cast in casts if cast.body not in texts)]
    open_ = [one for one in conditions if one != "true"]
    return f"least({', '.join(open_)})" if open_[1:] else "".join(open_) or "true"


def of_struct(whole: str, fields: Mapping[str, Cast]) -> Cast:
    """The cast of an object, which is SQL, whose fields are made so, by name and in this order."""
    values = ", ".join(f"{literal(name)}, {one.value}" for name, one in fields.items())
    fits = [one.fits for one in fields.values() if one.fits != "true"]
    value = f"if({whole} IS NULL, NULL, named_struct({values}))"
    return Cast(value, f"({whole} IS NULL OR ({' AND '.join(fits)}))" if fits else "true")


def of_array(whole: str, element: Cast) -> Cast:
    """The cast of an array, which is SQL, whose elements are made so of ELEMENT."""
    value = whole if element.value == ELEMENT else f"transform({whole}, {ELEMENT} -> {element.value})"
    if element.fits == "true":
        return Cast(value, "true")
    return Cast(value, f"({whole} IS NULL OR forall({whole}, {ELEMENT} -> {element.fits}))")


def from_text(text: str, kind: DataType, spelling: Spelling, *, given: bool = False) -> Cast:
    """The cast of a text, which is SQL, to a type that is not nested."""
    if isinstance(kind, StringType):
        return Cast(text, "true")
    found = _from_text(text, kind, spelling, given=given)
    return replace(found, text=text, body=_from_text(ELEMENT, kind, spelling, given=given).fits)


def _from_text(text: str, kind: DataType, spelling: Spelling, *, given: bool) -> Cast:
    match kind:
        case ByteType() | ShortType() | IntegerType() | LongType():
            found = _integer(_plain(text, spelling), kind, given=given)
        case DecimalType():
            found = _decimal(_plain(text, spelling), kind, given=given)
        case DoubleType() | FloatType():
            found = _double(_plain(text, spelling), kind, given=given)
        case BooleanType():
            found = _boolean(text)
        case DateType():
            found = _date(text, spelling)
        case TimestampType():
            found = _timestamp(text, spelling)
        case TimestampNTZType():
            found = _local_timestamp(text, spelling)
        case _:
            found = Cast(f"CAST(NULL AS {kind.simpleString()})", _NO)
    return Cast(found.value, f"coalesce({found.fits}, {text} IS NULL OR {text} = '')")  # where there is no value


def _plain(text: str, spelling: Spelling) -> str:
    """A number with a dot, whatever parts its fraction; one that has a dot where it must not becomes no number."""
    if spelling.decimal == ".":
        return text
    return f"replace(replace({text}, '.', '?'), {literal(spelling.decimal)}, '.')"


# In what follows "it fits" is NULL where there is no value.
_NO = "CAST(NULL AS BOOLEAN)"


def _if_any(value: str, fits: str = "true") -> str:
    return f"if({value} IS NULL, NULL, {fits})"


def _integer(text: str, kind: DataType, *, given: bool) -> Cast:
    value = f"try_cast({text} AS {kind.simpleString()})"
    usual = f"CAST({value} AS STRING) = {text}"
    return Cast(value, f"{usual} OR {_if_any(value, matches(text, '[+-]?[0-9]+'))}" if given else usual)


def _decimal(text: str, kind: DecimalType, *, given: bool) -> Cast:
    scale = kind.scale
    value = f"try_cast({text} AS {kind.simpleString()})"
    pattern = "-?(0|[1-9][0-9]*)" + (f"([.][0-9]{{1,{scale}}})?" if scale else "")
    if given:
        pattern = f"[+-]?([0-9]+([.][0-9]{{0,{scale}}}0*)?|[.][0-9]{{1,{max(scale, 1)}}}0*)"
        pattern = pattern if scale else "[+-]?([0-9]+([.]0*)?|[.]0+)"
    # Most are written as the value is, but perhaps for zeros at its end: to ask that is cheaper than Java's expression.
    usual = f"startswith(CAST({value} AS STRING), {text}) AND NOT endswith({text}, '.')"
    return Cast(value, f"({usual}) OR {_if_any(value, matches(text, pattern))}")


def _double(text: str, kind: DoubleType | FloatType, *, given: bool) -> Cast:
    digits, name = _DIGITS[type(kind)], kind.simpleString()
    value = f"try_cast({text} AS {name})"
    usual = f"(octet_length({text}) <= {_EXACT[type(kind)]} AND {matches(text, NUMBER)})"
    finite = f"abs({value}) < CAST('Infinity' AS {name})"
    no_underflow = f"({value} <> 0 OR {matches(text, '[^1-9eE]*([eE].*)?')})"
    if given:
        unusual = matches(text, f"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+){EXPONENT}?")
        words = matches(text, _NAMED_NUMBERS)
        return Cast(value, _if_any(value, f"{usual} OR ({unusual} AND {finite} AND {no_underflow}) OR {words}"))
    unusual = f"{matches(text, NUMBER + EXPONENT + '?')} AND {matches(text, _significant(digits))}"
    exact = f"CAST({value} AS DECIMAL(38,0)) = try_cast({text} AS DECIMAL(38,0))"
    unusual += f" AND ({matches(text, '.*[.eE].*')} OR {exact})"  # a whole number is not rounded
    return Cast(value, _if_any(value, f"{usual} OR ({unusual} AND {finite} AND {no_underflow})"))


def _significant(digits: int) -> str:
    return f"-?[0.]*([0-9][.]?){{0,{digits}}}{EXPONENT}?"


def _boolean(text: str) -> Cast:
    value = f"CASE lower({text}) WHEN 'true' THEN true WHEN 'false' THEN false END"
    return Cast(value, _if_any(value))


def _date(text: str, spelling: Spelling) -> Cast:
    if spelling.date:
        value = f"CAST(try_to_timestamp({text}, {literal(spelling.date)}) AS DATE)"
        return Cast(value, _if_any(value))
    value = f"try_cast({text} AS DATE)"
    # Spark takes yyyy-[m]m-[d]d and, after a blank or T, whatever follows. To write the date and compare is dearer.
    dashes = f"octet_length({text}) = 10 AND instr({text}, '-') = 5 AND substr({text}, 8, 1) = '-'"
    return Cast(value, _if_any(value, f"{dashes} AND substr({text}, 10, 1) BETWEEN '0' AND '9' AND {text} > '0001'"))


def _timestamp(text: str, spelling: Spelling) -> Cast:
    if spelling.timestamp:
        value = f"try_to_timestamp({text}, {literal(spelling.timestamp)})"
        fits = _if_any(value)
        return Cast(value, fits) if _has_zone(spelling.timestamp) else _in_zone(value, fits, spelling.zone)
    value, zoned, local = f"try_cast({text} AS TIMESTAMP)", matches(text, ZONED), matches(text, LOCAL)
    if spelling.zone == "UTC":
        return Cast(value, _if_any(value, f"{zoned} OR {local}"))
    there = _in_zone(value, local, spelling.zone)
    return Cast(
        f"CASE WHEN {local} THEN {there.value} ELSE {value} END",
        _if_any(value, f"{there.fits} OR {zoned}"),
    )


def _in_zone(value: str, fits: str, zone: str) -> Cast:
    """A clock's time in that zone; one that the clock skips in spring is refused."""
    instant = f"to_utc_timestamp({value}, {literal(zone)})"
    return Cast(instant, f"({fits} AND from_utc_timestamp({instant}, {literal(zone)}) = {value})")


def _local_timestamp(text: str, spelling: Spelling) -> Cast:
    if spelling.timestamp:
        value = f"CAST(try_to_timestamp({text}, {literal(spelling.timestamp)}) AS TIMESTAMP_NTZ)"
        return Cast(value, _NO if _has_zone(spelling.timestamp) else _if_any(value))
    value = f"try_cast({text} AS TIMESTAMP_NTZ)"
    return Cast(value, _if_any(value, matches(text, LOCAL)))


def _has_zone(pattern: str) -> bool:
    """Whether a pattern of Spark's holds a zone, outside of its quoted texts."""
    return any(letter in "VzOXxZ" for part in pattern.split("'")[::2] for letter in part)
