"""The types of new columns of CSV, proven by one expression for whole blocks of lines: Spark need not read them for it.

The guess begins with nothing. A block that has more is asked which texts refute it, and so on to the end of all files:
what they have then is proven. Where the expression does not say it all, nothing is: a value that is refused anyway, one
with a stray quote, a form that the source's own pattern describes, a dialect with more than a delimiter and quotes.
"""

from __future__ import annotations

import csv
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias

from pyspark.sql.types import (
    BooleanType,
    ByteType,
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    ShortType,
    StringType,
    TimestampNTZType,
    TimestampType,
)

from flows.loading.errors import Unfit
from flows.loading.reading.csv_dialects import BLANKS, Dialect
from flows.loading.reading.expressions import compiled
from flows.loading.reading.guesses import INTEGER, NOTHING, TEXT
from flows.loading.reading.lines import ahead, whole_lines
from flows.loading.reading.plain import CLOCK, DATE, FRACTION, OFFSET
from flows.loading.reading.utf8 import as_utf8
from storage.objects import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Executor, Future

    from pyspark.sql.types import DataType, StructField

    from flows.loading.reading.casts import Spelling
    from flows.loading.reading.expressions import Matches
    from flows.loading.reading.guesses import Form
    from flows.loading.reading.proving import NewColumns, Unknown
    from schemas.formats.csv import Csv

Columns: TypeAlias = "tuple[str | None, ...]"  # by place, those of the table; None for what it has no column for
_ROWS = 200  # of a block, that refute a guess: from so many the next is made
_ROUNDS = 6  # of all files, for guesses that do not hold what those before did
_LAYOUTS = 100  # orders of columns, each with an expression of its own
_MAX_LINE_BYTES = 2**22
_IN_NUMBERS = b"+-.: "  # what stands in a number or a time
_BLANK = "[\\x00-\\x20]*"  # a line that is no record


@dataclass(frozen=True, slots=True)
class Source:
    """A file of lines: its columns, and how to read its bytes, without their compression, from the beginning."""

    uri: str
    columns: Columns
    pieces: Callable[[], Iterable[bytes]]


class _Unsaid(Exception):
    """The expression does not say it."""


def types(sources: Sequence[Source], new: NewColumns, options: Csv, threads: int) -> dict[str, DataType] | None:
    """The types of new columns, which hold all values of these files; None where Spark must find them.

    So many files are read at once.
    """
    try:
        unknown, known = {one.name: one for one in new.unknown}, {one.name: one for one in new.known.fields}
        guesses = _Guesses(unknown, known, new.spelling, _usual(options))
        with ThreadPoolExecutor(threads) as pool, ThreadPoolExecutor(os.cpu_count()) as free:
            left = list(sources)
            while left:
                rounds = pool.map(partial(_proven_in, guesses=guesses, options=options, free=free), left)
                left = [source for source, then in zip(left, list(rounds), strict=True) if then < guesses.round]
    except (_Unsaid, FileNotFoundError, Unreadable, Unfit):  # if it is a file's fault, Spark will find it too
        for one in new.unknown:
            one.seen.clear()
        return None
    return {one.name: one.form(new.spelling).kind for one in new.unknown}


def _usual(options: Csv) -> Dialect:
    dialect = Dialect.of(options)
    marks = dialect.delimiter + dialect.quote
    if (
        not dialect.is_usual
        or not marks.isascii()
        or any(mark in _IN_NUMBERS or bytes([mark]).isalnum() for mark in marks)
        or options.decimal != "."
        or any(options.null_values)
    ):
        raise _Unsaid
    return dialect


def _proven_in(source: Source, *, guesses: _Guesses, options: Csv, free: Executor) -> int:
    """The round in which all of its lines were as guessed. Raises _Unsaid, or what reading does."""

    def ask(block: bytes) -> tuple[Matches, Future[object | None]]:
        matches = guesses.matches(source.columns)
        return matches, free.submit(matches, block)

    try:
        while True:
            begun = guesses.round
            for block, (matches, answer) in ahead(_records(source, options), ask):
                if answer.result() is None:
                    guesses.widen(source, block, matches)
                if guesses.round > begun:
                    break
            else:
                return begun
    except Exception:
        guesses.round = _ROUNDS + 1  # nobody need go on
        raise


def _records(source: Source, options: Csv) -> Iterator[bytes]:
    """The lines behind the header. Raises _Unsaid: one is too long."""
    is_above = options.header
    for block in whole_lines(_of_short_lines(as_utf8(source.pieces(), options.codec))):
        at = 0
        while is_above and at < len(block):
            end = block.find(b"\n", at) + 1
            is_above, at = not block[at:end].strip(BLANKS), end
        yield block[at:]


def _of_short_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    begun = 0
    for piece in pieces:
        end = max(piece.rfind(b"\n"), piece.rfind(b"\r")) + 1
        begun = len(piece) - end if end else begun + len(piece)
        if begun > _MAX_LINE_BYTES:
            raise _Unsaid
        yield piece


@dataclass(slots=True)
class _Guesses:
    """What all files have, as far as they were looked at; and the expressions for lines of this, by their columns."""

    unknown: Mapping[str, Unknown]
    known: Mapping[str, StructField]
    spelling: Spelling
    dialect: Dialect
    round: int = 0
    _forms: dict[str, Form] = field(init=False)
    _lines: dict[Columns, Matches] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._forms = self._forms_now()

    def _forms_now(self) -> dict[str, Form]:
        return {name: one.form(self.spelling) for name, one in self.unknown.items()}

    def matches(self, columns: Columns) -> Matches:
        """The expression for lines of these columns, as the guesses are now. Raises _Unsaid."""
        with self._lock:
            if self.round > _ROUNDS:
                raise _Unsaid
            found = self._lines.get(columns)
            if found is None:
                fields = re.escape(self.dialect.delimiter.decode()).join(map(self._field, columns))
                found = compiled(f"(?:(?:{fields}|{_BLANK})\\n)*")
                if found is None or len(self._lines) == _LAYOUTS:
                    raise _Unsaid
                self._lines[columns] = found
            return found

    def widen(self, source: Source, block: bytes, matches: Matches) -> None:
        """Make the guesses hold for a block that is not as guessed. Raises _Unsaid: something else is odd about it."""
        found = None
        while found is None:
            self._learn(source, block, matches)
            matches = self.matches(source.columns)
            found = matches(block)

    def _learn(self, source: Source, block: bytes, matches: Matches) -> None:
        """Take in the texts of a block that refute a guess, unless somebody has taken in others meanwhile."""
        with self._lock:
            if self._lines.get(source.columns) is not matches:
                return
            for name, text in self._refuting(source.columns, block):
                self.unknown[name].refuse(source.uri, text)
            then, self._forms = self._forms, self._forms_now()
            if self._forms == then:
                raise _Unsaid
            others = (before for name, before in then.items() if self._forms[name] not in {before, TEXT})
            self.round += any(before != NOTHING for before in others)
            self._lines.clear()

    def _refuting(self, columns: Columns, block: bytes) -> set[tuple[str, str]]:
        """By column, texts that are not as guessed."""
        asked = [
            (at, name, re.compile(expression).fullmatch)
            for at, name in enumerate(columns)
            if name is not None and (expression := self._of(name)) is not None
        ]
        found: set[tuple[str, str]] = set()
        rows = 0
        for row in self._rows(block):
            if len(row) != len(columns):
                raise _Unsaid
            refuting = [(name, row[at]) for at, name, holds in asked if row[at] and not holds(row[at])]
            if any(name in self.known for name, _ in refuting):
                raise _Unsaid
            found.update(refuting)
            rows += bool(refuting)
            if rows == _ROWS:
                break
        return found

    def _rows(self, block: bytes) -> Iterator[list[str]]:
        delimiter, quote = self.dialect.delimiter.decode(), self.dialect.quote.decode()
        how: dict[str, Any] = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
        lines = (line.decode() for line in block.split(b"\n") if line.strip(BLANKS))
        try:
            yield from csv.reader(lines, delimiter=delimiter, strict=True, **how)
        except csv.Error as error:
            raise _Unsaid from error

    def _of(self, name: str) -> str | None:
        """The expression for the values of a column; None: any text."""
        form, known = self._forms.get(name), self.known.get(name)
        if form is not None and (form == TEXT or form.proof is not None):
            return form.proof
        if known is not None and known.nullable:
            return _expression(known.dataType, self.spelling)
        raise _Unsaid

    def _field(self, name: str | None) -> str:
        """The expression for a value of a column as it stands in the line."""
        quote, delimiter = map(re.escape, (self.dialect.quote.decode(), self.dialect.delimiter.decode()))
        if name is not None and (known := self._of(name)) is not None:
            return f"(?:(?:{known})" + (f"|{quote}(?:{known})?{quote})?" if quote else ")?")
        bare = f"[^{delimiter}\\n\\x00]*"
        if not quote:
            return bare
        return f"(?:[^{delimiter}{quote}\\n\\x00]{bare}|{quote}(?:[^{quote}\\n\\x00]|{quote}{quote})*{quote})?"


def _expression(kind: DataType, spelling: Spelling) -> str | None:
    """An expression for texts of which each is a value of this type; None: any text. Raises _Unsaid."""
    digits = {ByteType: 2, ShortType: 4, IntegerType: 9}
    match kind:
        case StringType():
            return None
        case LongType():
            return INTEGER.proof
        case ByteType() | ShortType() | IntegerType():
            return f"0|-?[1-9][0-9]{{0,{digits[type(kind)] - 1}}}"
        case DecimalType():
            whole = kind.precision - kind.scale
            before = f"(0|[1-9][0-9]{{0,{whole - 1}}})" if whole else "0"
            return f"-?{before}" + (f"([.][0-9]{{1,{kind.scale}}})?" if kind.scale else "")
        case DoubleType():
            return "-?(0|[1-9][0-9]{0,7})([.][0-9]{1,7})?|-?(0|[1-9][0-9]{0,1})[.][0-9]{1,13}|-?[1-9][0-9]{0,14}"
        case BooleanType():
            return "true|false"
        case DateType() if spelling.date is None:
            return DATE
        case TimestampType() if spelling.timestamp is None and spelling.zone == "UTC":
            return f"{DATE}[ T]{CLOCK}{FRACTION}{OFFSET}?"
        case TimestampNTZType() if spelling.timestamp is None:
            return f"{DATE}[ T]{CLOCK}{FRACTION}"
        case _:
            raise _Unsaid
