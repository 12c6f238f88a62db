"""The types of new columns: guessed from some records, and proven on all of them before there is a column.

A value that a guessed type cannot give back letter by letter makes the guess wider, and the proof begins again. Records
that are bad anyway prove nothing, nor do files that have too many of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql.types import DecimalType, DoubleType, StringType, StructField, StructType

from flows.loading.reading import nested
from flows.loading.reading.casts import EXPONENT, NUMBER, Cast, all_fit, literal
from flows.loading.reading.found import Tokens, Typed, merged
from flows.loading.reading.frames import data_fields
from flows.loading.reading.guesses import INTEGER, TEXT, Form, guess
from flows.loading.reading.plain import Digits
from flows.loading.reading.types import joined, quoted
from flows.loading.translation import named_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Iterable, Sequence

    from pyspark.sql import DataFrame, Row
    from pyspark.sql.types import DataType

    from flows.loading.reading.casts import Spelling
    from flows.loading.reading.found import Values
    from flows.loading.reading.parts import Part

SAMPLE_ROWS, SAMPLE_VALUES = 200, 200_000


@dataclass(slots=True)
class Unknown:
    """A column to be typed: what files hold there, and the texts by which it was judged, by file."""

    name: str
    values: Collection[Values]
    seen: dict[str, set[str]] = field(default_factory=dict)
    ruled_out: list[Form] = field(default_factory=list)
    tokens: Tokens | None = field(init=False)  # what all files together have in this column, if they are JSON

    def __post_init__(self) -> None:
        self.tokens = merged(self.values)

    def form(self, spelling: Spelling) -> Form:
        """The guess now."""
        texts = sorted({text for known in self.seen.values() for text in known if text})
        if (tokens := self.tokens) is None:
            return guess(texts, spelling, self.ruled_out)
        forms = (form for form in _forms_of(tokens) or (TEXT,) if form not in self.ruled_out)
        return next(form for form in forms if all(map(form.holds, texts)))

    def refuse(self, uri: str, text: str) -> None:
        """One more text by which it is judged."""
        self.seen.setdefault(uri, set()).add(text)

    def type(self) -> DataType | None:
        """The type of columns that need no proof; None for the others."""
        if typed := [one.kind for one in self.values if isinstance(one, Typed)]:
            return reduce(lambda left, right: joined(left, right) or left, typed)
        tokens = self.tokens
        if tokens is None or _forms_of(tokens) is not None:
            return None
        return nested.type_of(tokens, numbers=not self.ruled_out)

    @property
    def is_plain(self) -> bool:
        """Whether the kinds of its values decide its type: the digits of its numbers, if it has any, are counted."""
        return self.type() is not None or (self.tokens is not None and isinstance(self.tokens.plain, Digits))

    @property
    def is_sure(self) -> bool:
        """Whether nothing is guessed of it."""
        return any(isinstance(one, Typed) for one in self.values)

    def plain(self) -> DataType:
        """The type that its values' kinds decide: of a field within a column, or where no number needs a proof."""
        kind = self.type()
        return kind if kind is not None else nested.type_of(self.tokens or Tokens())

    def field(self) -> StructField:
        """The column as it is read while it is proven."""
        return StructField(self.name, self.type() or StringType())


_BIG = Form(DecimalType(38, 0), "-?(0|[1-9][0-9]{0,37})")
_REAL = Form(DoubleType(), f"{NUMBER}{EXPONENT}?", "real")


def _forms_of(tokens: Tokens) -> tuple[Form, ...] | None:
    """The forms that a column of JSON's numbers may have; None for other columns."""
    kinds = tokens.tokens - {"null"}
    if tokens.mixed or not tokens.scalar or not kinds <= {"int", "float"}:
        return None
    return (INTEGER, _BIG, TEXT) if kinds == {"int"} else (_REAL, TEXT)


@dataclass(frozen=True, slots=True)
class NewColumns:
    """Columns to be typed, the known ones beside them, and how the source spells values."""

    unknown: Sequence[Unknown]
    known: StructType
    spelling: Spelling

    def plainly(self, parts: Callable[[StructType], Sequence[Part]]) -> dict[str, DataType] | None:
        """Their types, if our look at the files has left nothing to prove; `parts` trusts it."""
        if not all(one.is_plain for one in self.unknown):
            return None
        types = {one.name: one.plain() for one in self.unknown}
        columns = StructType([*self.known.fields, *(StructField(*one) for one in types.items())])
        made = parts(columns)
        return types if made and all(part.refuses_nothing(columns) for part in made) else None


class Proof:
    """The proof of some new columns; `parts` makes frames with the known columns, and the new ones as texts."""

    def __init__(self, new: NewColumns) -> None:
        self._unknown = list(new.unknown)
        self._known = new.known
        self._spelling = new.spelling
        self.is_sampled = False
        self._checked: set[str] = set()  # files whose bad records are known to be few enough

    def sample(self, parts: Sequence[Part]) -> None:
        """See some texts of each column."""
        self.is_sampled = True
        names = [one.name for one in self._unknown]
        frames = [
            part.frame.where(part.parsed).selectExpr("_file_uri", *(_text_of(part, name) for name in names))
            for part in parts
        ]
        self._learn(_first(frames, min(SAMPLE_ROWS, SAMPLE_VALUES // len(names) + 1)), refuted=False)

    def refuted(self, parts: Sequence[Part]) -> set[str] | None:
        """Look at all records: None when every guess holds; else the files with bad ones that were not known.

        When there are none of these, the texts that refute a guess are learnt, so that the next one is another.
        """
        if not _first([self._wrong(part).select("_file_uri") for part in parts], 1):
            return None  # as it is most of the time, without the texts of many columns
        most = max(20, SAMPLE_VALUES // (len(self._unknown) + 1) // 10)
        rows = _first([self._told(part, self._wrong(part)) for part in parts], most)
        bad = {row["_file_uri"] for row in rows if row["_bad"]}
        if not bad:
            self._learn(rows, refuted=True)
        return bad if rows else None

    def accept(self, bad: Iterable[str], left: Container[str]) -> None:
        """These files' bad records are known by now; what was seen in files that are not left says nothing."""
        self._checked.update(bad)
        for one in self._unknown:
            one.seen = {uri: texts for uri, texts in one.seen.items() if uri in left}

    def _wrong(self, part: Part) -> DataFrame:
        """The records that are bad, and those that refute a guess."""
        proven = all_fit("true", [self._cast(part, one) for one in self._unknown])
        unchecked = "true"
        if self._checked:
            unchecked = f"_file_uri NOT IN ({', '.join(map(literal, sorted(self._checked)))})"
        return part.frame.where(f"CASE WHEN {self._good(part)} THEN NOT ({proven}) ELSE {unchecked} END")

    def _told(self, part: Part, wrong: DataFrame) -> DataFrame:
        """Whether these records are bad anyway, and the texts that refute a guess."""
        fits = {one.name: self._cast(part, one).fits for one in self._unknown}
        texts = (f"if({fits[name]}, NULL, {_text(part, name)}) AS {quoted(name)}" for name in fits)
        return wrong.selectExpr("_file_uri", f"NOT coalesce({self._good(part)}, false) AS _bad", *texts)

    def _good(self, part: Part) -> str:
        known = [part.cast(column) for column in data_fields(self._known) if column.name in part.casts]
        return all_fit(part.parsed, known)

    def _cast(self, part: Part, unknown: Unknown) -> Cast:
        kind = unknown.type()
        if kind is not None or unknown.name not in part.casts:
            return part.cast(StructField(unknown.name, kind or StringType()))
        return unknown.form(self._spelling).cast(part.texts[unknown.name], self._spelling)

    def _learn(self, rows: Sequence[Row], *, refuted: bool) -> None:
        for one in self._unknown:
            texts = [(row["_file_uri"], row[one.name]) for row in rows if row[one.name] is not None]
            if texts and refuted:
                one.ruled_out.append(one.form(self._spelling))
            for uri, text in texts:
                one.refuse(uri, text)


def _text(part: Part, name: str) -> str:
    return f"CAST({part.texts[name]} AS STRING)" if name in part.texts else "CAST(NULL AS STRING)"


def _text_of(part: Part, name: str) -> str:
    return f"{_text(part, name)} AS {quoted(name)}"


def _first(frames: Sequence[DataFrame], rows: int) -> list[Row]:
    if not frames:
        return []
    with named_errors():
        return reduce(lambda left, right: left.union(right), frames).limit(rows).collect()
