"""Values of JSON that are spelled so plainly that Spark's own reader makes of them what the file says.

They need neither be read as texts nor be checked. A look at the whole file proves it, or nothing is plain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pyspark.sql.types import DateType, DecimalType, DoubleType, TimestampType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pyspark.sql.types import DataType

    from flows.loading.reading.casts import Spelling
    from flows.loading.reading.found import Tokens

_DOUBLE_DIGITS = 15  # so many a double gives back
_MORE = 3  # digits before the dot than were seen first: what grows, grows there


@dataclass(frozen=True, slots=True)
class Digits:
    """Numbers without exponent, with so many digits before and after the dot at most."""

    before: int
    after: int


Plain: TypeAlias = Digits | Literal["date", "instant"]
_WHOLE = Digits(18, 0)


class Number(str):
    """A number as it is spelled."""

    __slots__ = ()


_YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_LEAP = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
DATE = (
    f"(?:{_YEAR}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    f"|{_LEAP}-02-29)"
)
CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
FRACTION = "(?:[.][0-9]{1,6})?"
OFFSET = "(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])"
_TEXTS: dict[Literal["date", "instant"], str] = {
    "date": DATE,
    "instant": f"{DATE}[ T]{CLOCK}{FRACTION}{OFFSET}",
}
_NUMBER = re.compile("-?([0-9]+)(?:[.]([0-9]+))?")


def pattern(plain: Plain | None, found: Tokens) -> str | None:
    """The expression, which RE2 and Python read alike, for such values of the kinds that were found.

    None where values of these kinds may be spelled otherwise.
    """
    kinds = found.tokens - {"null"}
    if plain is None or found.mixed or not kinds:
        return None
    if not isinstance(plain, Digits):
        return f'"{_TEXTS[plain]}"' if kinds == {"str"} else None
    if kinds == {"int"}:
        return _expression(Digits(plain.before, 0))
    return _expression(plain) if plain.after and kinds <= {"int", "float"} else None


def _expression(plain: Plain) -> str:
    if not isinstance(plain, Digits):
        return _TEXTS[plain]
    more = f"[1-9][0-9]{{0,{plain.before - 1}}}"
    whole = f"0|-?{more}"  # of -0 Spark would make a double without sign
    return f"(?:-?(?:0|{more})[.][0-9]{{1,{plain.after}}}|{whole})" if plain.after else f"(?:{whole})"


def seen(values: Sequence[Any]) -> Plain | None:
    """How values are spelled, all of them texts or `Number`; None when it is not plain, or there are none."""
    numbers = [one for one in values if type(one) is Number]
    ways = (_WHOLE, _digits(numbers)) if numbers else tuple(_TEXTS)
    return next((one for one in ways if one is not None and are(one, values)), None) if values else None


def _digits(numbers: Sequence[str]) -> Digits | None:
    """A few digits more than those of these numbers; None when a double may not give them back."""
    spelled = [(len(one[1]), len(one[2] or "")) for one in map(_NUMBER.fullmatch, numbers) if one is not None]
    before, after = (max(lengths) for lengths in zip(*spelled, strict=True)) if spelled else (0, 0)
    if not after or before + after > _DOUBLE_DIGITS:
        return None
    return Digits(min(before + _MORE, _DOUBLE_DIGITS - after), after)


def are(plain: Plain, values: Sequence[Any]) -> bool:
    """Whether all of these values are spelled so."""
    kind, matches = Number if isinstance(plain, Digits) else str, re.compile(_expression(plain)).fullmatch
    return all(type(one) is kind and matches(one) for one in values)


def of(columns: Tokens, records: Iterable[Any], before: Tokens, known: Mapping[str, Plain]) -> Mapping[str, Plain]:
    """By column, how its values are spelled, if it is plain: as was `known` of the columns `before`, or seen now.

    What was found otherwise once is not plain any more; what is not there now is what it was.
    """
    there, found = before.fields or {}, dict(known)
    for name, tokens in (columns.fields or {}).items():
        values = [one[name] for one in records if type(one) is dict and one.get(name) is not None]
        then = known.get(name)
        is_new = then is None and (name not in there or there[name].is_empty)
        if is_new or (then == _WHOLE and "float" in tokens.tokens):
            then = seen(values)
        elif then is not None and not are(then, values):
            then = None
        if then is not None and (tokens.is_empty or pattern(then, tokens)):
            found[name] = then
        else:
            found.pop(name, None)
    return found


def joined(left: Plain | None, right: Plain | None) -> Plain | None:
    """What values of both are."""
    if isinstance(left, Digits) and isinstance(right, Digits):
        return Digits(max(left.before, right.before), max(left.after, right.after))
    return left if left == right else None


def is_read_rightly(kind: DataType, plain: Plain | None, spelling: Spelling) -> bool:
    """Whether Spark's reader, told this type, gives back such values as a source that writes so means them."""
    match kind, plain:
        case DecimalType(), Digits(before, after):
            return before <= kind.precision - kind.scale and after <= kind.scale
        case DoubleType(), Digits(before, after):
            return before + after <= _DOUBLE_DIGITS
        case DateType(), "date":
            return spelling.date is None
        case TimestampType(), "instant":
            return spelling.timestamp is None
        case _:
            return False
