"""The records of a CSV file in any dialect, found line by line: slower than by windows, with memory for a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.loading.errors import Unfit
from flows.loading.reading.csv_dialects import BLANK_ROW, BLANKS, BREAK_REFUSED, NUL_REFUSED, Found, Grammar

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
        self._has_quotes = self._ends_in_nothing = False
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
        if self._ends_in_nothing and (self._found.breaks or self._found.misread):
            raise Unfit(
                f"line {self._number} ends the file in a delimiter of two characters; write a line end behind it"
            )
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
            if self._dialect.delimiter in text:
                self._found.misread = BLANK_ROW
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
        if self._dialect.parts_by_two and self._dialect.quote:
            self._note_last_value(line, text)

    def _note_last_value(self, line: bytes, text: bytes) -> None:
        """Spark takes nothing for the empty text, instead of NULL, where its input ends so behind a quoted value."""
        self._has_quotes |= self._dialect.quote in text
        ends_in_nothing = self._has_quotes and text.endswith(self._dialect.delimiter)
        self._ends_in_nothing = ends_in_nothing and len(line) == len(text)
        if ends_in_nothing:
            self._found.misread = "a line of it ends in a delimiter of two characters, behind a quote"
