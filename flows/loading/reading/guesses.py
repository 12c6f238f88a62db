"""Which type a column of texts has that nobody gave: the narrowest that gives every text back letter by letter.

A form is a type with one way to write it. The form of a column is guessed from some of its texts and must then be
proven on all of them (`proving`): a sample can only rule forms out. `1.10` beside `1.9` is a text, and so is `007`;
`1.10` beside `2.25` is a decimal(18,2), which writes both as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pyspark.sql.types import (
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    LongType,
    StringType,
    TimestampNTZType,
    TimestampType,
)

from flows.loading.reading.casts import ELEMENT, Cast, Spelling, from_text, literal, matches
from flows.loading.reading.plain import CLOCK, DATE
from flows.loading.reading.types import MAX_DIGITS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from pyspark.sql.types import DataType

REAL_DIGITS = 17  # of a double, which is then the nearest to the text
_SAFE_DIGITS = 15  # so many come back from a double as they were
_MANY = 18  # the digits of a decimal, as long as they do
_LONG = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Form:
    """A type and one way to write its values.

    `pattern` is a regular expression of both Java's and Python's; `check` is what it cannot say. `proof` is one that
    RE2 knows too, which looks ahead nowhere: each text of it is of this form. None where there is none, or any text is.
    """

    kind: DataType
    pattern: str
    check: str = ""  # "long", "date": the value must be one too
    proof: str | None = None

    def holds(self, text: str) -> bool:
        """Whether a value of this form is written so."""
        return re.fullmatch(self.pattern, text) is not None and _CHECKS[self.check](text)

    def cast(self, text: str, spelling: Spelling) -> Cast:
        """The cast of a text, which is SQL, that stays one."""
        return Cast(text, self.fits(text, spelling), text, self.fits(ELEMENT, spelling))

    def fits(self, text: str, spelling: Spelling) -> str:
        """SQL of whether a text has this form, or is no value."""
        known = from_text(text, self.kind, spelling)
        return f"({text} IS NULL OR {text} = '' OR ({known.fits} AND {matches(text, self.pattern)}))"


@dataclass(frozen=True, slots=True)
class Written(Form):
    """A form that a pattern of the source's configuration describes."""

    written: str = ""

    def holds(self, text: str) -> bool:
        """Perhaps: the pattern is Spark's, and the proof tells."""
        return bool(text)

    def fits(self, text: str, spelling: Spelling) -> str:
        """Whether it comes back from the value as it is."""
        back = f"date_format({from_text(text, self.kind, spelling).value}, {literal(self.written)})"
        return f"({text} IS NULL OR {text} = '' OR coalesce({back} = {text}, false))"


TEXT = Form(StringType(), "(?s:.*)")
NOTHING = Form(StringType(), "(?!)", proof="")  # no value was seen: the proof shows the first


def guess(texts: Collection[str], spelling: Spelling, ruled_out: Collection[Form] = ()) -> Form:
    """The narrowest form of all these texts that is not ruled out; NOTHING when there are none."""
    if not texts:
        return NOTHING
    forms = (form for form in _forms(next(iter(texts)), spelling) if form not in ruled_out)
    return next(form for form in forms if all(form.holds(text) for text in texts))


def _forms(example: str, spelling: Spelling) -> Iterator[Form]:
    """From narrow to wide, those that the example may have."""
    yield INTEGER
    yield from _numbers(example, spelling.decimal)
    yield from _BOOLEANS
    yield Written(DateType(), "", written=spelling.date) if spelling.date else _DATE
    if spelling.timestamp:
        yield Written(TimestampNTZType(), "", written=spelling.timestamp)
    else:
        yield from _TIMES
    yield TEXT


def _numbers(example: str, sign: str) -> Iterator[Form]:
    dot = f"[{sign}]"
    short = f"(?=[-0-9{sign}]{{1,17}}{_END})"
    fractions = _safe(lambda digits: f"{dot}[0-9]{{0,{digits}}}[1-9]")
    proof = f"0|-?[1-9][0-9]{{0,{_SAFE_DIGITS - 1}}}|{fractions}"
    yield Form(DoubleType(), f"(?!-0{_END}){short}-?{_WHOLE}({dot}[0-9]*[1-9])?", "digits", proof)
    dotted = _safe(lambda digits: f"{dot}([0-9]|[0-9]{{0,{digits}}}[1-9])")
    yield Form(DoubleType(), f"{short}-?{_WHOLE}{dot}([0-9]|[0-9]*[1-9])", "digits", dotted)
    scale = len(example.rpartition(sign)[2]) if sign in example else 0
    for precision in (_MANY, MAX_DIGITS):
        if scale < precision:
            fraction, digits = f"{dot}[0-9]{{{scale}}}" if scale else "", precision - scale - 1
            proof = f"0{fraction}|-?[1-9][0-9]{{0,{digits}}}{fraction}" + (
                f"|-0{dot}{_not_zero(scale)}" if scale else ""
            )
            pattern = f"(?!-[0{sign}]*{_END})-?(0|[1-9][0-9]{{0,{digits}}}){fraction}"
            yield Form(DecimalType(precision, scale), pattern, proof=proof)


def _safe(fraction: Callable[[int], str]) -> str:
    """Numbers with a fraction of one digit and so many more at most, all as many as come back from a double."""
    most = [fraction(_SAFE_DIGITS - whole - 1) for whole in range(1, _SAFE_DIGITS)]
    return f"-?0{most[0]}|" + "|".join(f"-?[1-9][0-9]{{{at}}}{each}" for at, each in enumerate(most))


def _not_zero(digits: int) -> str:
    """So many digits, of which not all are 0."""
    return f"(?:{'|'.join(f'0{{{at}}}[1-9][0-9]{{{digits - 1 - at}}}' for at in range(digits))})"


_END = "(?![^\\n]|\\n)"  # the end of the text in both languages
_WHOLE = "(0|[1-9][0-9]*)"
INTEGER = Form(LongType(), "0|-?[1-9][0-9]{0,18}", "long", "0|-?[1-9][0-9]{0,17}|-?[1-8][0-9]{18}")
_BOOLEANS = tuple(Form(BooleanType(), words, proof=words) for words in ("true|false", "True|False", "TRUE|FALSE"))
_DATE = Form(DateType(), "[0-9]{4}-[0-9]{2}-[0-9]{2}", "moment", DATE)
_DAY_AND_TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2}%s[0-9]{2}:[0-9]{2}:[0-9]{2}%s"
# The fraction: none when it is zero, without zeros at its end; always of one length; of six digits or none.
_FRACTIONS = {one: one for one in ("([.][0-9]{0,5}[1-9])?", "[.][0-9]{3}", "[.][0-9]{6}")}
_FRACTIONS |= {f"([.](?!0{{{digits}}})[0-9]{{{digits}}})?": f"([.]{_not_zero(digits)})?" for digits in (6, 3)}
_TIMES = tuple(
    Form(kind, _DAY_AND_TIME % (parted, fraction) + zone, "moment", f"{DATE}{parted}{CLOCK}{proof}{zone}")
    for kind, zone in ((TimestampNTZType(), ""), (TimestampType(), "Z"))
    for parted in (" ", "T")
    for fraction, proof in _FRACTIONS.items()
)


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return not text.startswith("0000")


def _is_safe(text: str) -> bool:
    return sum(map(str.isdigit, text)) <= _SAFE_DIGITS


def _is_real(text: str) -> bool:
    digits = re.split("[eE]", text)[0].lstrip("-0.").replace(".", "")
    return len(digits) <= REAL_DIGITS and (not text.lstrip("-").isdigit() or int(float(text)) == int(text))


_CHECKS = {
    "real": _is_real,
    "": lambda _: True,
    "long": lambda text: int(text) in _LONG,
    "moment": _is_moment,
    "digits": _is_safe,
}
