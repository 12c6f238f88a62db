"""The grammar of a CSV dialect: expressions over the bytes of one line, as UTF-8, without its end unless said.

A quote opens a value at its beginning alone, and closes it before a delimiter or at the line's end alone. An escape
other than the quote counts within quotes; what Spark and others read differently matches nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.formats.csv import Csv

BLANKS = bytes(range(33))  # what Java's `trim` takes away: Spark reads no record from a line of these
BREAK_REFUSED = "line {}: a value goes on in the next line; say `multi_line: auto`, or put no line break into values"
BLANK_ROW = "a row of it is nothing but blanks"  # Spark passes over such a line
NUL_REFUSED = "line {} holds a NUL byte where Spark loses it: within quotes, or in a dialect without quotes"


@dataclass(frozen=True, slots=True)
class Dialect:
    """The marks of a dialect as UTF-8; empty where it has none. `escape` is the quote where quotes are doubled."""

    delimiter: bytes
    quote: bytes
    escape: bytes
    comment: bytes

    @classmethod
    def of(cls, options: Csv) -> Dialect:
        marks = (options.separator, options.quote, options.escaping, options.comment or "")
        return cls(*(mark.encode() for mark in marks))

    @property
    def doubles(self) -> bool:
        return self.escape == self.quote

    @property
    def is_usual(self) -> bool:
        """Whether quotes, delimiters and line ends say all, each by looking at the bytes around it."""
        return self.doubles and len(self.quote) <= 1 and not self.comment and not self.parts_by_two

    @property
    def parts_by_two(self) -> bool:
        """Whether the delimiter has two characters."""
        return len(self.delimiter.decode()) > 1


@dataclass(slots=True)
class Found:
    """What a look at all bytes has found so far.

    `lines`: those that are neither blank nor comments. `records`: the same where quotes hold line ends, and where only
    an empty line is none. `breaks`: values hold line ends. `misread`: why else Spark reads it wrongly line by line.
    `kinds`: of line ends outside of quotes.
    """

    lines: int = 0
    records: int = 0
    breaks: bool = False
    misread: str = ""
    kinds: set[str] = field(default_factory=set)


class BrokenRecord(Exception):
    """What is wrong with a record."""


class Grammar:
    """The expressions of a dialect with quotes; one without has values alone.

    `whole`: a line of whole values. `opens`: one whose last value goes on. `goes_on`, `closes`, `reopens`: the same of
    lines that begin within a value. `opens`, `goes_on` and `reopens` take the line with its end.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        delimiter, quote = re.escape(dialect.delimiter), re.escape(dialect.quote)
        after = rb"(?=%b|\Z)" % delimiter
        within, bare = _within(dialect), _bare(dialect)
        quoted = quote + within + quote + after
        value = rb"(?:%b|%b)" % (quoted, bare) if quote else bare
        more = rb"(?:%b%b)*+" % (delimiter, value)
        self._value, self._closing = re.compile(value), re.compile(within + quote + after)
        self.whole = re.compile(value + more + rb"\Z")
        self.opens = re.compile(rb"(?:%b%b)*+%b\Z" % (value, delimiter, quote + within))
        self.goes_on = re.compile(within + rb"\Z")
        self.closes = re.compile(within + quote + after + more + rb"\Z")
        self.reopens = re.compile(
            rb"%b%b(?:%b%b)*+%b\Z" % (within + quote, delimiter, value, delimiter, quote + within)
        )

    def values(self, record: bytes) -> Iterator[bytes]:
        """The values of a whole record, their quotes undone.

        Raises:
            BrokenRecord: it is not one.
        """
        at = 0
        while found := self._value.match(record, at):
            yield self._unquoted(found[0])
            if found.end() == len(record):
                return
            at = found.end() + len(self._dialect.delimiter)
        raise BrokenRecord(self._wrong(record, at))

    def first_record(self, text: bytes) -> bytes:
        """The record with which the text begins, without its line end; all of it when it does not end."""
        inside, at = False, 0
        for line in text.splitlines(keepends=True):
            if inside:
                inside = bool(self.goes_on.match(line) or self.reopens.match(line))
            elif self._dialect.quote:
                inside = bool(self.opens.match(line))
            at += len(line)
            if not inside:
                return text[:at].rstrip(b"\r\n")
        return text

    def why_broken(self, line: bytes, *, inside: bool) -> str:
        """What is wrong with a line that matches nothing; `inside`: it begins within a value."""
        found = self._closing.match(line) if inside else None
        if inside and found is None:
            return self._text_after_quote()
        try:
            at = found.end() + len(self._dialect.delimiter) if found else 0
            return f"it has {len(list(self.values(line[at:])))} values"  # never: it is broken
        except BrokenRecord as error:
            return str(error)

    def _wrong(self, record: bytes, at: int) -> str:
        if not record.startswith(self._dialect.quote, at):
            return self._bare_is_wrong(record[at:])
        if self.opens.match(record, at):
            return "a quote is not closed"
        return self._text_after_quote()

    def _bare_is_wrong(self, text: bytes) -> str:
        escape = self._dialect.escape
        if not self._dialect.doubles and escape in text:
            return f"{escape.decode()} stands outside of quotes before what it could escape; put the value into quotes"
        return "it ends in a quote that quotes nothing, which Spark doubles beside a delimiter of two characters"

    def _text_after_quote(self) -> str:
        quote, escape = self._dialect.quote.decode(), self._dialect.escape.decode()
        how = "twice" if self._dialect.doubles else f"as {escape}{quote}"
        return f"text follows a closing quote; write a quote within quotes {how}"

    def _unquoted(self, value: bytes) -> bytes:
        quote, escape = self._dialect.quote, self._dialect.escape
        if not quote or not value.startswith(quote):
            return value
        escaped = rb"%b(%b|%b)" % tuple(map(re.escape, (escape, quote, escape)))
        return re.sub(escaped, rb"\1", value[len(quote) : -len(quote)])


def _within(dialect: Dialect) -> bytes:
    """What may stand in a quoted value."""
    quote, escape = re.escape(dialect.quote), re.escape(dialect.escape)
    if dialect.doubles:
        return rb"(?:%b|%b%b)*+" % (_but(dialect.quote), quote, quote)
    return rb"(?:%b|%b(?:[\s\S]|\Z))*+" % (_but(dialect.quote, dialect.escape), escape)


def _bare(dialect: Dialect) -> bytes:
    """A value without quotes, of which Spark and others make the same.

    An escape does not stand before what others would take it to escape; and a quote does not end a line whose
    delimiters have two characters, for Spark doubles it.
    """
    delimiter, quote, escape = (re.escape(mark) for mark in (dialect.delimiter, dialect.quote, dialect.escape))
    opening = rb"(?!%b)" % quote if quote else b""
    end = rb"(?:(?=%b)|(?<!%b)\Z)" % (delimiter, quote) if quote and dialect.parts_by_two else rb"(?=%b|\Z)" % delimiter
    if dialect.doubles:
        return rb"%b(?:%b)*+%b" % (opening, _but(dialect.delimiter), end)
    escapes = rb"(?!%b(?:%b|%b|%b|\Z))" % (escape, delimiter, quote, escape)
    return rb"%b(?:%b%b)*+%b" % (opening, escapes, _but(dialect.delimiter), end)


def _but(*marks: bytes) -> bytes:
    """Any byte at which none of the marks begins."""
    if all(len(mark) == 1 for mark in marks):
        return rb"[^%b]" % re.escape(b"".join(marks))
    return rb"(?!%b)[\s\S]" % b"|".join(map(re.escape, marks))
