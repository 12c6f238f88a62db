"""The records of a CSV file in any dialect, found line by line: slower than by windows, with memory for a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.loading.errors import Unfit
from flows.loading.reading.csv_dialects import BLANKS, BREAK_REFUSED, NUL_REFUSED, Found, Grammar

if TYPE_CHECKING:
    from flows.loading.reading.csv_dialects import Dialect

MAX_LINE_BYTES = 2**27
_KINDS = {b"\r\n": "CRLF", b"\r": "CR", b"\n": "LF"}


class LineByLine:
    """The state between two lines."""

    def __init__(self, dialect: Dialect, *, may_break: bool) -> None:
        self._dialect = dialect
        self._grammar = Grammar(dialect)
        self._escape = b"" if dialect.doubles else dialect.escape
        self._may_break = may_break
        self._begun = b""  # a line that goes on in the next piece
        self._number = 0
        self._opened_in = 0  # the line of the value that goes on; 0 for none
        self._found = Found()

    def take(self, piece: bytes) -> None:
        text = self._begun + piece
        end = max(text.rfind(b"\n"), text.rfind(b"\r", 0, len(text) - 1)) + 1  # a CR at the end: does LF follow?
        self._begun = text[end:]
        if len(self._begun) > MAX_LINE_BYTES:
            raise Unfit(f"line {self._number + 1} is longer than {MAX_LINE_BYTES} bytes, or one near it")
        for line in text[:end].splitlines(keepends=True):
            self._take_line(line)

    def end(self) -> Found:
        for line in self._begun.splitlines(keepends=True):
            self._take_line(line)
        if self._opened_in:
            raise Unfit(f"the quote that is opened in line {self._opened_in} is never closed")
        return self._found

    def _take_line(self, line: bytes) -> None:
        self._number += 1
        text = line.rstrip(b"\r\n")
        if b"\0" in text and (self._opened_in or self._dialect.quote in text):
            raise Unfit(NUL_REFUSED.format(self._number))
        if self._opened_in:
            self._go_on(line, text)
        elif self._dialect.comment and text.startswith(self._dialect.comment):
            self._end(line, text)
        elif text.strip(BLANKS):
            self._found.lines += 1
            self._record(line, text)
        else:
            self._found.blank_rows |= self._dialect.delimiter in text
            self._found.records += bool(text)
            self._end(line, text)

    def _record(self, line: bytes, text: bytes) -> None:
        """A line with which a record begins."""
        self._found.records += 1
        if self._is_plain(text) or self._grammar.whole.match(text):
            self._end(line, text)
        elif self._grammar.opens.match(line):
            self._opened_in = self._number
            self._break(line, text)
        else:
            raise Unfit(f"line {self._number}: {self._grammar.why_broken(text, inside=False)}")

    def _is_plain(self, text: bytes) -> bool:
        quote = self._dialect.quote
        return not quote or (quote not in text and (not self._escape or self._escape not in text))

    def _go_on(self, line: bytes, text: bytes) -> None:
        """A line that begins within a value."""
        if self._grammar.goes_on.match(line):
            self._break(line, text)
        elif self._grammar.closes.match(text):
            self._opened_in = 0
            self._end(line, text)
        elif self._grammar.reopens.match(line):
            self._opened_in = self._number
            self._break(line, text)
        else:
            raise Unfit(f"line {self._number}: {self._grammar.why_broken(text, inside=True)}")

    def _break(self, line: bytes, text: bytes) -> None:
        """A line end within a value; the end of the file is none."""
        if len(line) == len(text):
            return
        self._found.breaks = True
        if not self._may_break:
            raise Unfit(BREAK_REFUSED.format(self._number))

    def _end(self, line: bytes, text: bytes) -> None:
        if len(line) > len(text):
            self._found.kinds.add(_KINDS[line[len(text) :]])
